// Points of y^2 = x^3 + b over any field F with the names of field.cuh; G1 and G2 share these formulas.
//
// Affine points have infinity as (0, 0), which is on no curve with b != 0. Sums rest in XYZZ coordinates: x = X / ZZ,
// y = Y / ZZZ, ZZ^3 = ZZZ^2, infinity ZZ = 0 (Explicit-Formulas Database, "XYZZ coordinates for short Weierstrass
// curves"). Every formula here is complete: infinity, equal and opposite points take the branch they need.
#pragma once

#include "field.cuh"

// The product where a formula has many of them: one of Fp2 is called, one of Fp is short enough to stand in its place.
template <class M>
ZK_INLINE Fp<M> product(const Fp<M>& a, const Fp<M>& b) {
    return mul(a, b);
}

// a^2 and a b - c d, likewise
template <class M>
ZK_INLINE Fp<M> squared(const Fp<M>& a) {
    return square(a);
}

template <class M>
ZK_INLINE Fp<M> product_difference(const Fp<M>& a, const Fp<M>& b, const Fp<M>& c, const Fp<M>& d) {
    return mul_sub_mul(a, b, c, d);
}

template <class F>
struct Affine {
    F x, y;
};

template <class F>
struct Xyzz {
    F x, y, zz, zzz;
};

template <class F>
ZK_INLINE bool is_infinity(const Affine<F>& p) {
    return is_zero(p.x) && is_zero(p.y);
}

template <class F>
ZK_INLINE bool is_infinity(const Xyzz<F>& p) {
    return is_zero(p.zz);
}

template <class F>
ZK_INLINE void set_infinity(Xyzz<F>& p) {
    set_zero(p.x);
    set_zero(p.y);
    set_zero(p.zz);
    set_zero(p.zzz);
}

template <class F>
ZK_INLINE Affine<F> negative_if(Affine<F> p, bool negative) {
    if (negative) p.y = neg(p.y);
    return p;
}

template <class F>
ZK_INLINE Xyzz<F> from_affine(const Affine<F>& p) {
    Xyzz<F> r;
    set_infinity(r);
    if (is_infinity(p)) return r;
    r.x = p.x;
    r.y = p.y;
    set_one(r.zz);
    set_one(r.zzz);
    return r;
}

// the shared half of both doublings: 2 (x, y) with factors zz = (2y)^2 and zzz = (2y)^3
template <class F>
ZK_INLINE Xyzz<F> double_affine(const F& x, const F& y) {
    Xyzz<F> r;
    F u = twice(y);
    r.zz = squared(u);
    r.zzz = product(u, r.zz);
    F s = product(x, r.zz), xx = squared(x);
    F m = add(twice(xx), xx);
    r.x = sub(squared(m), twice(s));
    r.y = product_difference(m, sub(s, r.x), r.zzz, y);
    return r;
}

// dbl-2008-s-1 with a = 0. No affine point of odd order has y = 0, and infinity stays infinity.
template <class F>
ZK_INLINE Xyzz<F> twice(const Xyzz<F>& p) {
    Xyzz<F> r = double_affine(p.x, p.y);
    r.zz = product(r.zz, p.zz);
    r.zzz = product(r.zzz, p.zzz);
    return r;
}

// sum += p by madd-2008-s: 8 products and 2 squares
template <class F>
ZK_INLINE void add_affine(Xyzz<F>& sum, const Affine<F>& p) {
    if (is_infinity(p)) return;
    if (is_infinity(sum)) {
        sum = from_affine(p);
        return;
    }
    F h = sub(product(p.x, sum.zz), sum.x), r = sub(product(p.y, sum.zzz), sum.y);
    if (is_zero(h)) {
        if (is_zero(r)) sum = double_affine(p.x, p.y);
        else set_infinity(sum);
        return;
    }
    F hh = squared(h), hhh = product(h, hh), q = product(sum.x, hh);
    sum.x = sub(sub(squared(r), hhh), twice(q));
    sum.zz = product(sum.zz, hh);
    sum.zzz = product(sum.zzz, hhh);
    sum.y = product_difference(r, sub(q, sum.x), sum.y, hhh);
}

// sum += p by add-2008-s: 12 products and 2 squares. Both may lie in memory, and may be the same point; coordinates are
// read when they are needed, since two points of G2 do not fit into the registers of a thread.
template <class F>
ZK_INLINE void add_point(Xyzz<F>& sum, const Xyzz<F>& p) {
    if (is_infinity(p)) return;
    if (is_infinity(sum)) {
        sum = p;
        return;
    }
    F u = product(sum.x, p.zz), h = sub(product(p.x, sum.zz), u);
    forget_memory();
    F s = product(sum.y, p.zzz), r = sub(product(p.y, sum.zzz), s);
    forget_memory();
    if (is_zero(h)) {
        if (is_zero(r)) sum = twice(p);
        else set_infinity(sum);
        return;
    }
    F hh = squared(h), hhh = product(h, hh), q = product(u, hh);
    F x = sub(sub(squared(r), hhh), twice(q));
    sum.x = x;
    sum.y = product_difference(r, sub(q, x), s, hhh);
    forget_memory();
    sum.zz = product(product(sum.zz, p.zz), hh);
    forget_memory();
    sum.zzz = product(product(sum.zzz, p.zzz), hhh);
}

// The affine point, given 1 / zzz: 1 / zz = (zz / zzz)^2.
template <class F>
ZK_INLINE Affine<F> to_affine(const Xyzz<F>& p, const F& zzz_inverse) {
    F zz_inverse = squared(product(p.zz, zzz_inverse));
    return {canonical(product(p.x, zz_inverse)), canonical(product(p.y, zzz_inverse))};
}

// sum = k p by double-and-add from the highest bit, with sum and p in memory. Variable time: k leaks.
template <class F, int N>
ZK_INLINE void multiply_vartime(Xyzz<F>& sum, const Affine<F>& p, Words<N> k) {
    set_infinity(sum);
#pragma unroll 1
    for (int bit = 0; bit < 32 * N; bit++) {
        if (!is_infinity(sum)) sum = twice(sum);
        forget_memory();
        if (k.w[N - 1] >> 31) add_affine(sum, p);
        forget_memory();
        k = twice(k);
    }
}
