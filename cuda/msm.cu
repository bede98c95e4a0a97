// Multi-scalar multiplication by buckets, over the work lists of sort.cu. Compiled for each group: Coordinate is the
// field of its points.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

constexpr uint32_t SIGN = 0x80000000u, ALONE = 0x80000000u;

// a negative digit adds -P, which is free: half the buckets
ZK_INLINE Point signed_as(uint32_t entry, const Point& p) { return negative_if(p, (entry & SIGN) != 0); }

// What is to be added, in the order of its buckets: point entries[k], with its sign in the top bit, or where nothing is
// listed point k.
struct Terms {
    const uint32_t* entries;
    const Point* points;
    bool listed;

    ZK_MEMBER uint32_t entry(uint32_t k) const { return listed ? entries[k] : k; }
    ZK_MEMBER const Point& unsigned_point(uint32_t entry) const { return points[entry & ~SIGN]; }
    ZK_MEMBER const Coordinate& x(uint32_t entry) const { return unsigned_point(entry).x; }
    ZK_MEMBER Point point(uint32_t entry) const { return signed_as(entry, held(unsigned_point(entry))); }
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

// What a thread reads of a pair before it comes to it, to ask for its points: where it is, and which points it adds.
struct Pair {
    uint32_t left, first, second;

    ZK_MEMBER bool alone() const { return (left & ALONE) != 0; }
};

// The pairs of one thread: every `step`-th from `first` on.
struct Pairs {
    const uint32_t* lefts;
    uint32_t first, step, count;

    ZK_MEMBER uint32_t place(uint32_t k) const { return first + k * step; }
    // of pair k, or of any where there is no such pair
    ZK_MEMBER uint32_t left(uint32_t k) const { return lefts[place(k < count ? k : count - 1)]; }
};

ZK_INLINE Pair pair_at(const Terms& terms, uint32_t left) {
    uint32_t at = left & ~ALONE;
    return {left, terms.entry(at), terms.entry(left & ALONE ? at : at + 1)};
}

// The denominator of a pair, given both x: mostly nothing else is read.
ZK_INLINE Coordinate denominator(const Terms& terms, const Pair& pair, const Coordinate& x, const Coordinate& other) {
    Coordinate d = sub(other, x);
    if (!is_zero(d) && !is_zero(x) && !is_zero(other)) return d;
    Kind kind;
    return denominator(terms.point(pair.first), terms.point(pair.second), kind);
}

// Elements that a thread asks for before it needs them: they come to its part of shared memory while it computes, which
// takes no registers. Neighbouring threads' vectors are neighbours, so that no two of a warp meet in a bank.
struct Ahead {
    uint4* vectors;

    template <class T>
    ZK_MEMBER void ask(uint32_t place, const T& element) const {
#pragma unroll
        for (uint32_t i = 0; i < sizeof(T) / 16; i++)
            copy_ahead(&vectors[(place + i) * blockDim.x], &reinterpret_cast<const uint4*>(&element)[i]);
    }
    template <class T>
    ZK_MEMBER T taken(uint32_t place) const {
        T r;
#pragma unroll
        for (uint32_t i = 0; i < sizeof(T) / 16; i++)
            reinterpret_cast<uint4*>(&r)[i] = vectors[(place + i) * blockDim.x];
        return r;
    }
};

constexpr uint32_t OF_COORDINATE = sizeof(Coordinate) / 16, OF_POINT = sizeof(Point) / 16;  // vectors

// The product of a thread's denominators; products[pair] is that of those before it.
ZK_INLINE Coordinate multiply_denominators(const Terms& terms, const Pairs& pairs, const Ahead& ahead,
                                           Coordinate* products) {
    Coordinate product;
    set_one(product);
    Pair here = pair_at(terms, pairs.left(0));
    ahead.ask(0, terms.x(here.first));
    ahead.ask(OF_COORDINATE, terms.x(here.second));
    Pair next = pair_at(terms, pairs.left(1));
#pragma unroll 1
    for (uint32_t k = 0; k < pairs.count; k++) {
        await_copies();
        Coordinate x = ahead.taken<Coordinate>(0), other = ahead.taken<Coordinate>(OF_COORDINATE);
        ahead.ask(0, terms.x(next.first));
        ahead.ask(OF_COORDINATE, terms.x(next.second));
        Pair last = here;
        here = next;
        next = pair_at(terms, pairs.left(k + 2));
        if (last.alone()) continue;
        products[pairs.place(k)] = product;
        product = mul(product, denominator(terms, last, x, other));
    }
    await_copies();
    return product;
}

// The sums, from the last pair to the first, given the inverse of the product.
ZK_INLINE void add_with_inverse(const Terms& terms, const Pairs& pairs, const Ahead& ahead, Coordinate product,
                                const Coordinate* products, Point* sums) {
    Pair here = pair_at(terms, pairs.left(pairs.count - 1));
    ahead.ask(0, terms.unsigned_point(here.first));
    ahead.ask(OF_POINT, terms.unsigned_point(here.second));
    Pair next = pair_at(terms, pairs.left(pairs.count - 2));
#pragma unroll 1
    for (uint32_t k = pairs.count; k-- > 0;) {
        await_copies();
        Point p = signed_as(here.first, ahead.taken<Point>(0)), q = signed_as(here.second, ahead.taken<Point>(OF_POINT));
        ahead.ask(0, terms.unsigned_point(next.first));
        ahead.ask(OF_POINT, terms.unsigned_point(next.second));
        bool alone = here.alone();
        here = next;
        next = pair_at(terms, pairs.left(k - 2));
        uint32_t i = pairs.place(k);
        if (alone) {
            sums[i] = p;
            continue;
        }
        Kind kind;
        Coordinate d = denominator(p, q, kind), own = mul(product, products[i]);
        product = mul(product, d);
        sums[i] = sum_of(p, q, kind, own);
    }
    await_copies();
}

// sums[pair] = sum of the pair of terms from lefts[pair] on, or the one that is alone. A thread takes pairs i, i + step,
// i + 2 step ... and inverts the product of their denominators (Montgomery's trick): 5 products, 1 square and a share
// of an inversion each, against 8 products and 2 squares of add_affine. `products` holds products on the way, one a
// pair, in an array of its own so that lanes fill the lines they write and read. Shared memory holds two points a thread.
ZK_KERNEL(128) add_pairs(uint32_t runs, uint32_t listed, const uint32_t* first_pair, const uint32_t* lefts,
                         const uint32_t* entries, const Point* points, Coordinate* products, Point* sums) {
    uint32_t first = thread_index(), n = first_pair[runs], step = gridDim.x * blockDim.x;
    if (first >= n) return;
    Terms terms = {entries, points, listed != 0};
    Pairs pairs = {lefts, first, step, (n - 1 - first) / step + 1};
    Ahead ahead = {shared_memory<uint4>() + threadIdx.x};
    Coordinate product = inverse(multiply_denominators(terms, pairs, ahead, products));
    add_with_inverse(terms, pairs, ahead, product, products, sums);
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
    for (uint32_t k = begin[piece]; k < to; k++) add_affine(sum, terms.point(terms.entry(k)));
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

constexpr uint32_t FEW_PARTS = 4;

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
    for (uint32_t thread = 0; thread < blockDim.x; thread++) {
        if (!many[thread]) continue;
        uint32_t other = blockIdx.x + thread * gridDim.x;
        join_in_block(parts + starts[other], starts[other + 1] - starts[other]);
    }
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
// windows[w] gets 2^unit_bits times sum of i sums_i, and windows[number of windows + w] the sum of weighted_i. They are
// set where `fresh`, else added. A block for each window and row.
ZK_KERNEL(128) weigh_blocks(uint32_t bits, uint32_t unit_bits, uint32_t fresh, const Sum* sums, const Sum* weighted,
                            Sum* running, Sum* other, Sum* totals, Sum* spare, Sum* windows) {
    uint32_t first = blockIdx.x * blockDim.x, begin = (first + threadIdx.x) << bits, at = begin + (1u << bits);
    uint32_t window = blockIdx.y * gridDim.x + blockIdx.x;
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

// out = sum over rows and windows of 2^(width w) times sums[row * windows + w]: Horner's rule, in one thread
ZK_KERNEL(32) join_windows(uint32_t rows, uint32_t windows, uint32_t width, const Sum* sums, Sum* out) {
    if (thread_index() != 0) return;
    set_infinity(*out);
#pragma unroll 1
    for (uint32_t window = windows; window-- > 0;) {
        double_times(out, width);
        for (uint32_t row = 0; row < rows; row++) add_to(out, &sums[row * windows + window]);
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
