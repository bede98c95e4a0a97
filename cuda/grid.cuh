// Threads, blocks and shared memory as kernels name them.
#pragma once

#include "ptx.cuh"

// A kernel for blocks of at most so many threads, and so many blocks at least on a multiprocessor where that is said.
// The host reads these lines to check the arguments of a launch.
#define ZK_KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)

ZK_INLINE uint32_t thread_index() { return blockIdx.x * blockDim.x + threadIdx.x; }

// The block's shared memory, as large as the launch asked for.
template <class T>
ZK_INLINE T* shared_memory() {
    extern __shared__ uint4 zk_shared[];
    return reinterpret_cast<T*>(zk_shared);
}

// The exclusive sum of `value` over the threads of the block, and in `total` the sum of all.
// Needs 33 words of shared memory, a block of whole warps, and all its threads.
ZK_INLINE uint32_t block_scan(uint32_t value, uint32_t* shared, uint32_t& total) {
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32, sum = value;
#pragma unroll
    for (uint32_t step = 1; step < 32; step *= 2) {
        uint32_t below = __shfl_up_sync(0xffffffffu, sum, step);
        if (lane >= step) sum += below;
    }
    if (lane == 31) shared[warp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        uint32_t before = 0;
        for (uint32_t i = 0; i < warps; i++) {
            uint32_t own = shared[i];
            shared[i] = before;
            before += own;
        }
        shared[32] = before;
    }
    __syncthreads();
    uint32_t result = shared[warp] + sum - value;
    total = shared[32];
    __syncthreads();  // the caller may use `shared` again at once
    return result;
}
