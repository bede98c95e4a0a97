// One fiber a CUDA thread. A fiber runs until it meets a rendezvous or ends; blocks run one after another.
#include "fibers.h"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "cuda_on_host.h"

constexpr size_t STACK = 256 * 1024, SHARED = 228 * 1024, MOST_THREADS = 1024;
constexpr int POISON = 0xa5;  // what shared memory holds before anyone writes it

Dim3 threadIdx, blockIdx, blockDim, gridDim;
alignas(128) uint4 zk_shared[SHARED / sizeof(uint4)];

namespace {

enum class State { ready, at_block, at_warp, ended };

using Place = void*[5];  // what __builtin_setjmp keeps

struct Fiber {
    char* stack = nullptr;
    void* fake_stack = nullptr;
    bool begun = false;  // it stands at its place, there to go on
    Place place;
    State state = State::ended;
    uint32_t mask = 0;
};

Fiber fibers[MOST_THREADS];
uint32_t warp_slots[MOST_THREADS];
Place scheduler;
void* scheduler_fake_stack;
const void* scheduler_stack;
size_t scheduler_stack_size;
uint32_t current;
const Launch* launch;

#define NOT_INSTRUMENTED __attribute__((noinline, no_sanitize("address", "undefined")))

NOT_INSTRUMENTED void go_on(Place to) { __builtin_longjmp(to, 1); }

// swapcontext would ask the system for the mask of signals, and the address sanitizer forget the stack, each time.
NOT_INSTRUMENTED void jump(Place from, Place to) {
    if (!__builtin_setjmp(from)) go_on(to);
}

NOT_INSTRUMENTED void jump(Place from, const ucontext_t& to) {
    if (!__builtin_setjmp(from)) setcontext(&to);
}

void leave(State state) {
    Fiber& self = fibers[current];
    self.state = state;
    __sanitizer_start_switch_fiber(&self.fake_stack, scheduler_stack, scheduler_stack_size);
    jump(self.place, scheduler);
    __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
}

// One thread of a block after another, of any launch.
void body() {
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_size);
    for (;;) {
        launch->start(launch->arguments);
        leave(State::ended);
    }
}

void begin(Fiber& fiber) {
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack;
    context.uc_stack.ss_size = STACK;
    context.uc_link = nullptr;
    makecontext(&context, body, 0);
    fiber.begun = true;
    jump(scheduler, context);
}

void enter(uint32_t thread) {
    Fiber& next = fibers[thread];
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x, 0};
    __sanitizer_start_switch_fiber(&scheduler_fake_stack, next.stack, STACK);
    if (next.begun)
        jump(scheduler, next.place);
    else
        begin(next);
    __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
}

void prepare(uint32_t threads) {
    for (uint32_t t = 0; t < threads; t++) {
        Fiber& fiber = fibers[t];
        fiber.state = State::ready;
        if (fiber.stack) continue;
        void* stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fiber.stack = static_cast<char*>(stack);
    }
}

// Threads that wait for ever are left where they are: others begin anew on their stacks.
void abandon() {
    for (Fiber& fiber : fibers) {
        if (fiber.state == State::ended) continue;
        fiber.begun = false;
        fiber.fake_stack = nullptr;
        __asan_unpoison_memory_region(fiber.stack, STACK);
    }
}

void bound_shared_memory() {
    __asan_unpoison_memory_region(zk_shared, launch->shared_bytes);
    __asan_poison_memory_region(reinterpret_cast<char*>(zk_shared) + launch->shared_bytes,
                                SHARED - launch->shared_bytes);
}

// All threads at a block's rendezvous: they go on together. A thread that ended will never come.
bool release_block(uint32_t threads) {
    for (uint32_t t = 0; t < threads; t++)
        if (fibers[t].state != State::at_block) return false;
    for (uint32_t t = 0; t < threads; t++) fibers[t].state = State::ready;
    return true;
}

bool warp_is_complete(uint32_t first, uint32_t threads, uint32_t mask) {
    for (uint32_t lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        uint32_t t = first + lane;
        if (t >= threads || fibers[t].state != State::at_warp || fibers[t].mask != mask) return false;
    }
    return true;
}

bool release_warps(uint32_t threads) {
    bool any = false;
    for (uint32_t t = 0; t < threads; t++) {
        if (fibers[t].state != State::at_warp) continue;
        uint32_t first = t / 32 * 32, mask = fibers[t].mask;
        if (!warp_is_complete(first, threads, mask)) continue;
        for (uint32_t lane = 0; lane < 32; lane++)
            if (mask >> lane & 1) fibers[first + lane].state = State::ready;
        any = true;
    }
    return any;
}

const char* run_block(uint32_t threads, std::mt19937_64& random) {
    std::vector<uint32_t> order(threads);
    std::iota(order.begin(), order.end(), 0u);
    prepare(threads);
    memset(zk_shared, POISON, launch->shared_bytes);
    for (;;) {
        for (uint32_t i = threads; i > 1; i--) std::swap(order[i - 1], order[random() % i]);
        for (uint32_t t : order)
            if (fibers[t].state == State::ready) enter(t);
        if (release_warps(threads) || release_block(threads)) continue;
        for (uint32_t t = 0; t < threads; t++)
            if (fibers[t].state != State::ended) {
                abandon();
                return "threads wait for others that have ended or wait elsewhere";
            }
        return nullptr;
    }
}

}  // namespace

void __syncthreads() { leave(State::at_block); }

void __syncwarp(uint32_t mask) {
    fibers[current].mask = mask;
    leave(State::at_warp);
}

uint32_t* zk_warp_slots() { return warp_slots + current / 32 * 32; }

const char* run(const Launch& wanted) {
    launch = &wanted;
    gridDim = {wanted.grid[0], wanted.grid[1], wanted.grid[2]};
    blockDim = {wanted.block[0], wanted.block[1], wanted.block[2]};
    uint32_t threads = blockDim.x * blockDim.y;
    if (threads == 0 || threads > MOST_THREADS || blockDim.z != 1) return "a block has 1 to 1024 threads";
    if (wanted.shared_bytes > SHARED) return "too much shared memory";
    bound_shared_memory();
    std::mt19937_64 random(wanted.seed);
    for (uint32_t z = 0; z < gridDim.z; z++)
        for (uint32_t y = 0; y < gridDim.y; y++)
            for (uint32_t x = 0; x < gridDim.x; x++) {
                blockIdx = {x, y, z};
                const char* problem = run_block(threads, random);
                if (problem) return problem;
            }
    return nullptr;
}
