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

// four half products and two reductions: fewer live registers than Karatsuba's three wide products
template <class F>
ZK_INLINE Fp2<F> mul(const Fp2<F>& a, const Fp2<F>& b) {
    return {mul_add_mul(a.c0, b.c0, a.c1, negative_operand(b.c1)), mul_add_mul(a.c0, b.c1, a.c1, b.c0)};
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
