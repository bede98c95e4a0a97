// Multi-scalar multiplication by buckets, over the work lists of sort.cu. Compiled for each group: Coordinate is the
// field of its points.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

constexpr uint32_t SIGN = 0x80000000u;

// sums[piece] = sum of the points that entries begin[piece] .. end[piece] name, the sign in an entry's top bit. Threads
// take pieces in the order of `longest_first`, so that the lanes of a warp end together.
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
        // a negative digit adds -P, which is free: half the buckets
        add_affine(sum, negative_if(points[entry & ~SIGN], (entry & SIGN) != 0));
    }
    sums[piece] = sum;
}

// sums[piece] = sum of parts[begin[piece] .. end[piece]]
ZK_KERNEL(128) add_sums(uint32_t pieces, const uint32_t* begin, const uint32_t* end, const Sum* parts, Sum* sums) {
    uint32_t piece = thread_index();
    if (piece >= pieces) return;
    set_infinity(sums[piece]);
#pragma unroll 1
    for (uint32_t k = begin[piece]; k < end[piece]; k++) add_point(sums[piece], parts[k]);
}

// `weighted` = sum of (1 + place of the bucket in its window) times the bucket, over `width` neighbouring buckets, by
// running sums from the last; then `before` times their plain sum, by double-and-add, for the buckets before them.
// A run without a piece is an empty bucket. All sums are in memory and the addition is in the code once: it is long.
ZK_KERNEL(128) weigh_buckets(uint32_t shares, uint32_t width, uint32_t window_buckets, const uint32_t* first_piece,
                             const Sum* buckets, Sum* running, Sum* multiples, Sum* weighted) {
    uint32_t share = thread_index();
    if (share >= shares) return;
    Sum *sum = &running[share], *multiple = &multiples[share], *total = &weighted[share];
    set_infinity(*sum);
    set_infinity(*multiple);
    set_infinity(*total);
    uint32_t first = share * width, before = first % window_buckets, bits = 32 - __clz(before);
    uint32_t steps = 2 * (width + bits) + 1;
#pragma unroll 1
    for (uint32_t step = 0; step < steps; step++) {
        bool even = step % 2 == 0;
        Sum* target = even ? sum : total;
        const Sum* operand = sum;
        if (step < 2 * width) {
            uint32_t bucket = first + width - 1 - step / 2, at = first_piece[bucket];
            if (even && at == first_piece[bucket + 1]) continue;
            if (even) operand = &buckets[at];
        } else if (step + 1 < steps) {
            uint32_t bit = bits - 1 - (step - 2 * width) / 2;
            if (!even && !(before >> bit & 1)) continue;
            target = multiple;
            if (even) operand = multiple;
        } else {
            target = total;
            operand = multiple;
        }
        add_point(*target, *operand);
    }
}

// out = sum over the windows of 2^(width w) times the window's sum: Horner's rule, in one thread
ZK_KERNEL(32) join_windows(uint32_t windows, uint32_t width, const Sum* sums, Sum* out) {
    if (thread_index() != 0) return;
    set_infinity(*out);
    uint32_t steps = windows * (width + 1);
#pragma unroll 1
    for (uint32_t step = 0; step < steps; step++) {
        bool doubling = step % (width + 1) < width;
        add_point(*out, doubling ? *out : sums[windows - 1 - step / (width + 1)]);
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
