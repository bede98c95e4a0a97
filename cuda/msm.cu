// Multi-scalar multiplication by buckets, over the work lists of sort.cu. Compiled for each group: Coordinate is the
// field of its points.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

constexpr uint32_t SIGN = 0x80000000u;

// ---- points into sums

// sums[piece] = sum of the points that entries begin[piece] .. end[piece] name, each with its sign in the top bit: -P is
// free, which halves the buckets. Threads take pieces in the order of `longest_first`, so that the lanes of a warp end
// together.
ZK_KERNEL(128) add_pieces(uint32_t pieces, const uint32_t* longest_first, const uint32_t* begin, const uint32_t* end,
                          const uint32_t* entries, const Point* points, Sum* sums) {
    uint32_t i = thread_index();
    if (i >= pieces) return;
    uint32_t piece = longest_first[i], to = end[piece];
    Sum sum;
    set_infinity(sum);
#pragma unroll 1
    for (uint32_t k = begin[piece]; k < to; k++) {
        uint32_t entry = entries[k];
        add_affine(sum, negative_if(held(points[entry & ~SIGN]), (entry & SIGN) != 0));
    }
    sums[piece] = sum;
}

// *sum += *p, called: the addition is long, and kernels that name it in several places would leave an SM's instruction
// cache.
ZK_CALLED void add_to(Sum* sum, const Sum* p) { add_point(*sum, *p); }

// *sum = 2^times *sum
ZK_CALLED void double_times(Sum* sum, uint32_t times) {
#pragma unroll 1
    for (; times > 0; times--) {
        *sum = twice(*sum);
        forget_memory();
    }
}

// parts[0] = the sum of parts[0 .. n], by the whole block
ZK_INLINE void join_in_block(Sum* parts, uint32_t n) {
    uint32_t thread = threadIdx.x, left = n < blockDim.x ? n : blockDim.x;
    for (uint32_t k = thread + blockDim.x; k < n; k += blockDim.x) add_to(&parts[thread], &parts[k]);
    __syncthreads();
    while (left > 1) {
        uint32_t half = (left + 1) / 2;
        if (thread < left - half) add_to(&parts[thread], &parts[thread + half]);
        left = half;
        __syncthreads();
    }
}

constexpr uint32_t FEW_PARTS = 16;

// The parts starts[run] .. starts[run + 1] of each run are summed into the first of them: few by a thread, more by its
// whole block. Neighbouring runs, which are long together where scalars are small, belong to different blocks.
ZK_KERNEL(128) join_runs(uint32_t runs, const uint32_t* starts, Sum* parts) {
    uint32_t* many = shared_memory<uint32_t>();
    uint32_t run = blockIdx.x + threadIdx.x * gridDim.x, begin = 0, end = 0;
    if (run < runs) begin = starts[run], end = starts[run + 1];
    many[threadIdx.x] = end - begin > FEW_PARTS;
    if (!many[threadIdx.x])
        for (uint32_t k = begin + 1; k < end; k++) add_to(&parts[begin], &parts[k]);
    __syncthreads();
    for (uint32_t thread = 0, other = blockIdx.x; thread < blockDim.x && other < runs; thread++, other += gridDim.x)
        if (many[thread]) join_in_block(parts + starts[other], starts[other + 1] - starts[other]);
}

// Of the block's shares, whose sums S_t are in `running`, weighted[0] = sum of weighted[t] + 2^bits times sum of t S_t,
// and *sum = sum of S_t. `other` is room for as many sums. After the scan running[t] = S_t + S_t+1 + ..., and the sum of
// these from t = 1 on has S_t t times. A block has a power of two of threads.
ZK_INLINE void weigh_shares(uint32_t bits, Sum* running, Sum* other, Sum* weighted, Sum* sum) {
    uint32_t thread = threadIdx.x;
    __syncthreads();
    for (uint32_t step = 1; step < blockDim.x; step *= 2) {
        other[thread] = running[thread];
        if (thread + step < blockDim.x) add_to(&other[thread], &running[thread + step]);
        Sum* swapped = running;
        running = other;
        other = swapped;
        __syncthreads();
    }
    if (thread == 0) {
        *sum = running[0];
        set_infinity(running[0]);
    }
    __syncthreads();
    for (uint32_t half = blockDim.x / 2; half > 0; half /= 2) {  // both trees at once
        Sum* tree = thread < half ? weighted : running;
        uint32_t at = thread < half ? thread : thread - half;
        if (at < half) add_to(&tree[at], &tree[at + half]);
        __syncthreads();
    }
    if (thread != 0) return;
    double_times(&running[0], bits);
    add_to(&weighted[0], &running[0]);
}

// Of the buckets b_0, b_1 .. of each block, which are 2^bits a thread: sums[block] = sum of b_i, weighted[block] = sum of
// (1 + i) b_i. A run without a piece is an empty bucket. The other arrays are room for a sum a thread.
ZK_KERNEL(128) weigh_buckets(uint32_t bits, const uint32_t* first_piece, const Sum* buckets, Sum* running, Sum* other,
                             Sum* weighted, Sum* sums_of_blocks, Sum* weighted_of_blocks) {
    uint32_t share = thread_index(), first = blockIdx.x * blockDim.x, bucket = (share + 1) << bits;
    Sum *sum = &running[share], *total = &weighted[share];
    set_infinity(*sum);
    set_infinity(*total);
#pragma unroll 1
    while (bucket-- > share << bits) {
        uint32_t at = first_piece[bucket];
        if (at < first_piece[bucket + 1]) add_to(sum, &buckets[at]);
        add_to(total, sum);
    }
    weigh_shares(bits, running + first, other + first, weighted + first, &sums_of_blocks[blockIdx.x]);
    if (threadIdx.x == 0) weighted_of_blocks[blockIdx.x] = *total;
}

// The same for what blocks of weigh_buckets made of a window, 2^bits of them a thread and 2^unit_bits buckets each:
// windows[2 w] gets 2^unit_bits times sum of i sums_i, and windows[2 w + 1] the sum of weighted_i. They are
// set where `fresh`, else added. A block for each window and row.
ZK_KERNEL(128) weigh_blocks(uint32_t bits, uint32_t unit_bits, uint32_t fresh, const Sum* sums, const Sum* weighted,
                            Sum* running, Sum* other, Sum* totals, Sum* spare, Sum* windows) {
    uint32_t first = blockIdx.x * blockDim.x, begin = (first + threadIdx.x) << bits, at = begin + (1u << bits);
    uint32_t window = blockIdx.x * gridDim.y + blockIdx.y;
    first += blockIdx.y * gridDim.x * blockDim.x;
    Sum *sum = &running[first + threadIdx.x], *total = &totals[first + threadIdx.x];
    set_infinity(*sum);
    set_infinity(*total);
    const Sum* terms = blockIdx.y == 0 ? sums : weighted;
#pragma unroll 1
    while (at-- > begin) {
        add_to(sum, &terms[at]);
        if (blockIdx.y == 0 && at > begin) add_to(total, sum);
    }
    if (blockIdx.y == 0) {
        weigh_shares(bits, running + first, other + first, totals + first, &spare[blockIdx.x]);
        if (threadIdx.x == 0) double_times(total, unit_bits);
    } else {
        __syncthreads();
        join_in_block(running + first, blockDim.x);
        total = sum;
    }
    if (threadIdx.x != 0) return;
    if (fresh) windows[window] = *total;
    else add_to(&windows[window], total);
}

// out = sum over windows and rows of 2^(width w) times sums[w * rows + row]: Horner's rule, in one thread
ZK_KERNEL(32) join_windows(uint32_t rows, uint32_t windows, uint32_t width, const Sum* sums, Sum* out) {
    if (thread_index() != 0) return;
    set_infinity(*out);
#pragma unroll 1
    for (uint32_t left = windows * rows; left > 0; left--) {
        if (left % rows == 0) double_times(out, width);
        add_point(*out, sums[left - 1]);
        forget_memory();
    }
}

// out[run] = the run's only piece, or infinity where it has none
ZK_KERNEL(128) spread_runs(uint32_t runs, const uint32_t* first_piece, const Sum* sums, Sum* out) {
    uint32_t run = thread_index();
    if (run >= runs) return;
    uint32_t at = first_piece[run];
    if (at < first_piece[run + 1]) out[run] = sums[at];
    else set_infinity(out[run]);
}
