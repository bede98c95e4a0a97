// CUDA C++ for a host compiler: what the kernels in cuda/ use of the language, over the fibers of emulator.cpp.
// Included before every kernel source.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__
#define __restrict__

struct uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct Dim3 {
    uint32_t x, y, z;
};

extern Dim3 threadIdx, blockIdx, blockDim, gridDim;
extern uint4 zk_shared[];

// Rendezvous of the threads of a block, and of the lanes of a warp named by a mask.
void __syncthreads();
void __syncwarp(uint32_t mask = 0xffffffffu);
// One word per lane of the calling warp, to meet in.
uint32_t* zk_warp_slots();

inline uint32_t zk_lane() { return threadIdx.x % 32; }

inline uint32_t zk_exchange(uint32_t mask, uint32_t value, uint32_t source) {
    zk_warp_slots()[zk_lane()] = value;
    __syncwarp(mask);
    uint32_t result = zk_warp_slots()[source];
    __syncwarp(mask);
    return result;
}

inline uint32_t __shfl_sync(uint32_t mask, uint32_t value, uint32_t source) {
    return zk_exchange(mask, value, source % 32);
}
inline uint32_t __shfl_up_sync(uint32_t mask, uint32_t value, uint32_t step) {
    return zk_exchange(mask, value, zk_lane() < step ? zk_lane() : zk_lane() - step);
}
inline uint32_t __shfl_down_sync(uint32_t mask, uint32_t value, uint32_t step) {
    return zk_exchange(mask, value, zk_lane() + step > 31 ? zk_lane() : zk_lane() + step);
}
inline uint32_t __shfl_xor_sync(uint32_t mask, uint32_t value, uint32_t bits) {
    return zk_exchange(mask, value, zk_lane() ^ bits);
}
inline uint32_t __ballot_sync(uint32_t mask, int predicate) {
    zk_warp_slots()[zk_lane()] = predicate != 0;
    __syncwarp(mask);
    uint32_t votes = 0;
    for (uint32_t lane = 0; lane < 32; lane++)
        if (mask >> lane & 1) votes |= zk_warp_slots()[lane] << lane;
    __syncwarp(mask);
    return votes;
}

// A fiber is never interrupted between two rendezvous: plain reads and writes are atomic.
template <class T>
T atomicAdd(T* at, T value) {
    T old = *at;
    *at = old + value;
    return old;
}
template <class T>
T atomicMin(T* at, T value) {
    T old = *at;
    if (value < old) *at = value;
    return old;
}
template <class T>
T atomicMax(T* at, T value) {
    T old = *at;
    if (value > old) *at = value;
    return old;
}

inline int __clz(uint32_t x) { return x ? __builtin_clz(x) : 32; }
inline int __popc(uint32_t x) { return __builtin_popcount(x); }
inline uint32_t __brev(uint32_t x) {
    uint32_t r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1u) << (31 - i);
    return r;
}

// c plus the products of the signed bytes of a and b; the sum wraps around
inline int32_t __dp4a(int32_t a, int32_t b, int32_t c) {
    int32_t sum = 0;
    for (int i = 0; i < 32; i += 8) sum += (int8_t)((uint32_t)a >> i) * (int8_t)((uint32_t)b >> i);
    return (int32_t)((uint32_t)c + (uint32_t)sum);
}

// A clock that goes on whenever it is read.
inline long long clock64() {
    static long long now = 0;
    return now += 1000;
}

// A kernel called with its arguments as an array of pointers to them: how the emulator starts one.
template <class... A, size_t... i>
void zk_call(void (*kernel)(A...), void** arguments, std::index_sequence<i...>) {
    kernel(*static_cast<std::decay_t<A>*>(arguments[i])...);
}
template <class... A>
void zk_call(void (*kernel)(A...), void** arguments) {
    zk_call(kernel, arguments, std::index_sequence_for<A...>{});
}
#define ZK_ENTRY(kernel) \
    extern "C" void zk_start_##kernel(void** arguments) { zk_call(kernel, arguments); }
