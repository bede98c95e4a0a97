// Multi-scalar multiplication by buckets, over the work lists of sort.cu. Compiled for each group: Coordinate is the
// field of its points.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

constexpr uint32_t SIGN = 0x80000000u, ALONE = 0x80000000u;

// What is to be added, in the order of its buckets: point entries[k], with its sign in the top bit, or where nothing is
// listed point k.
struct Terms {
    const uint32_t* entries;
    const Point* points;
    bool listed;

    ZK_MEMBER uint32_t entry(uint32_t k) const { return listed ? entries[k] : k; }
    ZK_MEMBER const Point& unsigned_point(uint32_t k) const { return points[entry(k) & ~SIGN]; }
    // a negative digit adds -P, which is free: half the buckets
    ZK_MEMBER Point point(uint32_t k) const { return negative_if(held(unsigned_point(k)), (entry(k) & SIGN) != 0); }
};

// ---- sums in affine form: pairs of points, as many as a thread gets for one inversion

enum Kind : uint32_t { CHORD, TANGENT, FIRST, SECOND, NOTHING };

// how p + q comes about; `d` is the difference of their x
ZK_INLINE Kind kind_of(const Point& p, const Point& q, const Coordinate& d) {
    if (is_infinity(q)) return FIRST;
    if (is_infinity(p)) return SECOND;
    if (!is_zero(d)) return CHORD;
    return is_zero(sub(p.y, q.y)) && !is_zero(p.y) ? TANGENT : NOTHING;
}

// The denominator of the slope at p and q, or 1 where no slope is needed.
ZK_INLINE Coordinate denominator(const Point& p, const Point& q, Kind& kind) {
    Coordinate d = sub(q.x, p.x);
    kind = kind_of(p, q, d);
    if (kind == TANGENT) d = twice(p.y);
    else if (kind != CHORD) set_one(d);
    return d;
}

// The same at terms k and k + 1, of which mostly only x is read.
ZK_INLINE Coordinate denominator(const Terms& terms, uint32_t k) {
    Coordinate x = held(terms.unsigned_point(k).x), other = held(terms.unsigned_point(k + 1).x), d = sub(other, x);
    if (!is_zero(d) && !is_zero(x) && !is_zero(other)) return d;
    Kind kind;
    return denominator(terms.point(k), terms.point(k + 1), kind);
}

// p + q, given 1 / denominator: 2 products and a square
ZK_INLINE Point sum_of(const Point& p, const Point& q, Kind kind, const Coordinate& inverse) {
    if (kind == FIRST) return p;
    if (kind == SECOND) return q;
    Point r;
    set_zero(r.x);
    set_zero(r.y);
    if (kind == NOTHING) return r;
    Coordinate numerator = sub(q.y, p.y);
    if (kind == TANGENT) {
        Coordinate xx = square(p.x);
        numerator = add(twice(xx), xx);
    }
    Coordinate slope = mul(numerator, inverse);
    r.x = sub(sub(square(slope), p.x), q.x);
    r.y = sub(mul(slope, sub(p.x, r.x)), p.y);
    return r;
}

// sums[pair] = sum of the pair of terms from lefts[pair] on, or the one that is alone. A thread takes pairs i, i + step,
// i + 2 step ... and inverts the product of their denominators (Montgomery's trick): 5 products, 1 square and a share
// of an inversion each, against 8 products and 2 squares of add_affine. `products` holds products on the way, one a
// pair, in an array of its own so that lanes fill the lines they write and read.
ZK_KERNEL(128) add_pairs(uint32_t runs, uint32_t listed, const uint32_t* first_pair, const uint32_t* lefts,
                         const uint32_t* entries, const Point* points, Coordinate* products, Point* sums) {
    uint32_t first = thread_index(), pairs = first_pair[runs], step = gridDim.x * blockDim.x;
    if (first >= pairs) return;
    Terms terms = {entries, points, listed != 0};
    Coordinate product;
    set_one(product);
#pragma unroll 1
    for (uint64_t i = first; i < pairs; i += step) {
        uint32_t left = lefts[i];
        if (left & ALONE) continue;
        products[i] = product;
        product = mul(product, denominator(terms, left));
    }
    product = inverse(product);
#pragma unroll 1
    for (uint32_t count = (pairs - 1 - first) / step + 1; count > 0; count--) {
        uint64_t i = first + (uint64_t)(count - 1) * step;
        uint32_t left = lefts[i];
        if (left & ALONE) {
            sums[i] = terms.point(left & ~ALONE);
            continue;
        }
        Point p = terms.point(left), q = terms.point(left + 1);
        Kind kind;
        Coordinate d = denominator(p, q, kind), own = mul(product, products[i]);
        product = mul(product, d);
        sums[i] = sum_of(p, q, kind, own);
    }
}

// ---- sums in XYZZ coordinates

// sums[piece] = sum of the terms begin[piece] .. end[piece]. Threads take pieces in the order of `longest_first`, so
// that the lanes of a warp end together.
ZK_KERNEL(128) add_pieces(uint32_t pieces, uint32_t listed, const uint32_t* longest_first, const uint32_t* begin,
                          const uint32_t* end, const uint32_t* entries, const Point* points, Sum* sums) {
    uint32_t i = thread_index();
    if (i >= pieces) return;
    uint32_t piece = longest_first[i], to = end[piece];
    Terms terms = {entries, points, listed != 0};
    Sum sum;
    set_infinity(sum);
#pragma unroll 1
    for (uint32_t k = begin[piece]; k < to; k++) add_affine(sum, terms.point(k));
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

// out = sum over chunks and windows of 2^(width w) times sums[chunk * windows + w]: Horner's rule, in one thread
ZK_KERNEL(32) join_windows(uint32_t chunks, uint32_t windows, uint32_t width, const Sum* sums, Sum* out) {
    if (thread_index() != 0) return;
    set_infinity(*out);
    uint32_t steps = windows * (width + chunks);
#pragma unroll 1
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t window = windows - 1 - step / (width + chunks), at = step % (width + chunks);
        if (at < width) *out = twice(*out);
        else add_point(*out, sums[(at - width) * windows + window]);
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
