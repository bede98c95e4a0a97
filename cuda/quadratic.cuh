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

// Karatsuba's three products and two reductions, all in words: a0 b0 - a1 b1, and (a0 + a1) (b0 + b1) less both. With
// 4 p < R sums of two elements below 2 p fit their words. c0 R is made positive by p R, and stays below it; c1 R is
// below 8 p^2 < 2 p R, so that its reduction is below 3 p.
template <class M>
ZK_INLINE Fp2<Fp<M>> mul(const Fp2<Fp<M>>& first, const Fp2<Fp<M>>& second) {
    static_assert(Constants<Fp<M>>::lazy, "sums of two elements need room above the modulus");
    constexpr int N = M::N;
    constexpr auto p = words_of(M{});
    const Fp2<Fp<M>> a = held(first), b = held(second);
    uint32_t low[2 * N], high[2 * N], all[2 * N];
    multiply_wide<N>(low, a.c0.w, b.c0.w);
    multiply_wide<N>(high, a.c1.w, b.c1.w);
    Fp<M> x = plain_sum(a.c0, a.c1), y = plain_sum(b.c0, b.c1);
    multiply_wide<N>(all, x.w, y.w);
    subtract<2 * N>(all, low);
    subtract<2 * N>(all, high);
    uint32_t below = subtract<2 * N>(low, high);
    low[N] = add_cc(low[N], below & p.w[0]);
#pragma unroll
    for (int i = 1; i < N; i++) low[N + i] = addc_cc(low[N + i], below & p.w[i]);
    return {reduce<M>(low), within_bound(reduce<M>(all))};
}

// The same, called: operands and result travel in registers. A sum of points takes up to twelve products of some 800
// instructions each, and as many copies would leave an SM's instruction cache.
template <class F>
ZK_CALLED Fp2<F> product(Fp2<F> a, Fp2<F> b) {
    return mul(a, b);
}

template <class F>
ZK_INLINE Fp2<F> square(const Fp2<F>& a) {
    return {mul(add(a.c0, a.c1), sub(a.c0, a.c1)), mul(twice(a.c0), a.c1)};
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
