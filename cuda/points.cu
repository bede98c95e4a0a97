// Arrays of points: multiples, tables of multiples, affine form, validity. Compiled for each group, as msm.cu.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

enum Fault : uint32_t { NONE = 0, NOT_CANONICAL = 1, OFF_CURVE = 2 };

// out[i] = numbers[i * number_step] * points[i * point_step]; a step of 0 repeats one for all. Numbers above half of
// the group's order count as negative, which keeps -1 short.
ZK_KERNEL(128) multiply_points(uint32_t n, uint32_t point_step, uint32_t number_step, const Point* points,
                               const Number* numbers, Sum* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Number k = numbers[(uint64_t)i * number_step], opposite = minus(words_of(Scalar::Prime{}), k);
    bool negative = !at_least(opposite, k);
    multiply_vartime(out[i], points[(uint64_t)i * point_step], negative ? opposite : k);
    if (negative) out[i].y = neg(out[i].y);
}

// out[i] = sum over the windows w of plus or minus table[keys[w n + i]], the digits of sort.cu; key `none` adds nothing.
// The table holds d 2^(width w) of one base point, so this is a multiple of it.
ZK_KERNEL(128) add_table_entries(uint32_t n, uint32_t windows, uint32_t none, const uint32_t* keys,
                                 const uint32_t* values, const Point* table, Sum* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Sum sum;
    set_infinity(sum);
#pragma unroll 1
    for (uint32_t w = 0; w < windows; w++) {
        uint64_t at = (uint64_t)w * n + i;
        uint32_t key = keys[at];
        if (key != none) add_affine(sum, negative_if(table[key], values[at] >> 31 != 0));
    }
    out[i] = sum;
}

// out[i] = points[places[i]]
ZK_KERNEL(128) take_points(uint32_t n, const uint32_t* places, const Point* points, Point* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = points[places[i]];
}

// out[i] = 2^times points[i]
ZK_KERNEL(128) double_points(uint32_t n, uint32_t times, const Point* points, Sum* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Sum sum = from_affine(points[i]);
#pragma unroll 1
    for (uint32_t k = 0; k < times; k++) sum = twice(sum);
    out[i] = sum;
}

// out[i] = sums[i] in affine form, canonical. Each thread inverts once for its share i, i + step, i + 2 step ...
// (Montgomery's trick); out's x holds the products on the way.
ZK_KERNEL(128) to_affine_points(uint32_t n, uint32_t step, const Sum* sums, Point* out) {
    uint32_t first = thread_index();
    if (first >= step || first >= n) return;
    Coordinate product;
    set_one(product);
#pragma unroll 1
    for (uint64_t i = first; i < n; i += step) {
        out[i].x = product;
        if (!is_infinity(sums[i])) product = mul(product, sums[i].zzz);
    }
    product = inverse(product);
#pragma unroll 1
    for (uint32_t left = (n - 1 - first) / step + 1; left > 0; left--) {
        uint64_t i = first + (uint64_t)(left - 1) * step;
        if (is_infinity(sums[i])) {
            set_zero(out[i].x);
            set_zero(out[i].y);
            continue;
        }
        Coordinate zzz_inverse = mul(out[i].x, product);
        product = mul(product, sums[i].zzz);
        out[i] = to_affine(sums[i], zzz_inverse);
    }
}

// coordinates of points, one of the base field a thread, as plain numbers
ZK_KERNEL(128) plain_coordinates(uint32_t n, const Base* coordinates, Base* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = from_words<Base::Prime>(from_montgomery(coordinates[i]));
}

ZK_INLINE bool is_on_curve(const Point& p, const Coordinate& b) {
    return is_zero(sub(square(p.y), add(mul(square(p.x), p.x), b)));
}

// What is wrong with each point, as a Fault.
ZK_KERNEL(128) find_faults(uint32_t n, const Coordinate* b, const Point* points, uint32_t* faults) {
    uint32_t i = thread_index();
    if (i >= n) return;
    const Point& p = points[i];
    uint32_t fault = NONE;
    if (!is_canonical(p.x) || !is_canonical(p.y)) fault = NOT_CANONICAL;
    else if (!is_infinity(p) && !is_on_curve(p, *b)) fault = OFF_CURVE;
    faults[i] = fault;
}
