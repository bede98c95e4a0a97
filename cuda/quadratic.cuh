// Fp2 = Fp[u] / (u^2 + 1), the field of G2's coordinates. Elements c0 + c1 u; the same names as for Fp.
#pragma once

#include "inversion.cuh"

template <class F>
struct Fp2 {
    F c0, c1;
};

template <class F>
ZK_INLINE Fp2<F> add(const Fp2<F>& a, const Fp2<F>& b) {
    return {add(a.c0, b.c0), add(a.c1, b.c1)};
}

template <class F>
ZK_INLINE Fp2<F> sub(const Fp2<F>& a, const Fp2<F>& b) {
    return {sub(a.c0, b.c0), sub(a.c1, b.c1)};
}

template <class F>
ZK_INLINE Fp2<F> neg(const Fp2<F>& a) {
    return {neg(a.c0), neg(a.c1)};
}

template <class F>
ZK_INLINE Fp2<F> twice(const Fp2<F>& a) {
    return {twice(a.c0), twice(a.c1)};
}

// Karatsuba's three products: real = a0 b0 - a1 b1, negative numbers as they wrap, and cross = (a0 + a1) (b0 + b1) less
// both. With 4 p < R sums of two elements below 2 p fit their words; |real| is below 4 p^2, and cross below 8 p^2.
template <class M>
ZK_INLINE void multiply_wide(uint32_t* real, uint32_t* cross, const Fp2<Fp<M>>& a, const Fp2<Fp<M>>& b) {
    static_assert(Constants<Fp<M>>::lazy, "sums of two elements need room above the modulus");
    constexpr int N = M::N;
    uint32_t other[2 * N];
    multiply_wide<N>(real, a.c0.w, b.c0.w);
    multiply_wide<N>(other, a.c1.w, b.c1.w);
    Fp<M> x = plain_sum(a.c0, a.c1), y = plain_sum(b.c0, b.c1);
    multiply_wide<N>(cross, x.w, y.w);
    subtract<2 * N>(cross, real);
    subtract<2 * N>(cross, other);
    subtract<2 * N>(real, other);
}

// Adds limit R where wide is negative, which the highest bit says: numbers stay below 2^(64 N - 1) here.
template <int N>
ZK_INLINE void make_positive(uint32_t* wide, const Words<N>& limit) {
    uint32_t below = (uint32_t)((int32_t)wide[2 * N - 1] >> 31);
    wide[N] = add_cc(wide[N], below & limit.w[0]);
#pragma unroll
    for (int i = 1; i < N; i++) wide[N + i] = addc_cc(wide[N + i], below & limit.w[i]);
}

// a b with three products and two reductions: the real part is made positive by p R and stays below it, the other is
// below 8 p^2 < 2 p R, so that its reduction is below 3 p.
template <class M>
ZK_INLINE Fp2<Fp<M>> mul(const Fp2<Fp<M>>& a, const Fp2<Fp<M>>& b) {
    uint32_t real[2 * M::N], cross[2 * M::N];
    multiply_wide<M>(real, cross, held(a), held(b));
    make_positive<M::N>(real, words_of(M{}));
    return {reduce<M>(real), within_bound(reduce<M>(cross))};
}

// a b - c d with six products and two reductions: both parts are between -8 p^2 and 8 p^2, so 2 p R makes them positive.
template <class M>
ZK_INLINE Fp2<Fp<M>> mul_sub_mul(const Fp2<Fp<M>>& a, const Fp2<Fp<M>>& b, const Fp2<Fp<M>>& c,
                                 const Fp2<Fp<M>>& d) {
    constexpr int N = M::N;
    uint32_t real[2 * N], cross[2 * N], less[2 * N], less_cross[2 * N];
    multiply_wide<M>(real, cross, held(a), held(b));
    multiply_wide<M>(less, less_cross, held(c), held(d));
    subtract<2 * N>(real, less);
    subtract<2 * N>(cross, less_cross);
    make_positive<N>(real, bound_of<M>());
    make_positive<N>(cross, bound_of<M>());
    return {within_bound(reduce<M>(real)), within_bound(reduce<M>(cross))};
}

template <class F>
ZK_INLINE Fp2<F> square(const Fp2<F>& a) {
    return {mul(add(a.c0, a.c1), sub(a.c0, a.c1)), mul(twice(a.c0), a.c1)};
}

// The same, called: operands and result travel in registers. A sum of points takes up to twelve products of some 800
// instructions each, and as many copies would leave an SM's instruction cache.
template <class F>
ZK_CALLED Fp2<F> product(Fp2<F> a, Fp2<F> b) {
    return mul(a, b);
}

template <class F>
ZK_CALLED Fp2<F> squared(Fp2<F> a) {
    return square(a);
}

template <class F>
ZK_CALLED Fp2<F> product_difference(Fp2<F> a, Fp2<F> b, Fp2<F> c, Fp2<F> d) {
    return mul_sub_mul(a, b, c, d);
}

template <class F>
ZK_INLINE Fp2<F> inverse(const Fp2<F>& a) {
    F norm = inverse(mul_add_mul(a.c0, a.c0, a.c1, a.c1));
    return {mul(a.c0, norm), neg(mul(a.c1, norm))};
}

// c0 - c1 u, which is the q-th power
template <class F>
ZK_INLINE Fp2<F> conjugate(const Fp2<F>& a) {
    return {a.c0, neg(a.c1)};
}

template <class F>
ZK_INLINE Fp2<F> canonical(const Fp2<F>& a) {
    return {canonical(a.c0), canonical(a.c1)};
}

template <class F>
ZK_INLINE bool is_canonical(const Fp2<F>& a) {
    return is_canonical(a.c0) && is_canonical(a.c1);
}

template <class F>
ZK_INLINE bool is_zero(const Fp2<F>& a) {
    return is_zero(a.c0) && is_zero(a.c1);
}

template <class F>
ZK_INLINE void set_zero(Fp2<F>& a) {
    set_zero(a.c0);
    set_zero(a.c1);
}

template <class F>
ZK_INLINE void set_one(Fp2<F>& a) {
    set_one(a.c0);
    set_zero(a.c1);
}
