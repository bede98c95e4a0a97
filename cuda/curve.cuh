// Points of y^2 = x^3 + b over any field F with the names of field.cuh; G1 and G2 share these formulas.
//
// Affine points have infinity as (0, 0), which is on no curve with b != 0. Sums rest in XYZZ coordinates: x = X / ZZ,
// y = Y / ZZZ, ZZ^3 = ZZZ^2, infinity ZZ = 0 (Explicit-Formulas Database, "XYZZ coordinates for short Weierstrass
// curves"). Every formula here is complete: infinity, equal and opposite points take the branch they need.
#pragma once

#include "field.cuh"

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
    r.zz = square(u);
    r.zzz = mul(u, r.zz);
    F s = mul(x, r.zz), xx = square(x);
    F m = add(twice(xx), xx);
    r.x = sub(square(m), twice(s));
    r.y = sub(mul(m, sub(s, r.x)), mul(r.zzz, y));
    return r;
}

// dbl-2008-s-1 with a = 0. No affine point of odd order has y = 0, and infinity stays infinity.
template <class F>
ZK_INLINE Xyzz<F> twice(const Xyzz<F>& p) {
    Xyzz<F> r = double_affine(p.x, p.y);
    r.zz = mul(r.zz, p.zz);
    r.zzz = mul(r.zzz, p.zzz);
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
    F h = sub(mul(p.x, sum.zz), sum.x), r = sub(mul(p.y, sum.zzz), sum.y);
    if (is_zero(h)) {
        if (is_zero(r)) sum = double_affine(p.x, p.y);
        else set_infinity(sum);
        return;
    }
    F hh = square(h), hhh = mul(h, hh), q = mul(sum.x, hh);
    sum.x = sub(sub(square(r), hhh), twice(q));
    sum.y = sub(mul(r, sub(q, sum.x)), mul(sum.y, hhh));
    sum.zz = mul(sum.zz, hh);
    sum.zzz = mul(sum.zzz, hhh);
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
    F u = mul(sum.x, p.zz), h = sub(mul(p.x, sum.zz), u);
    forget_memory();
    F s = mul(sum.y, p.zzz), r = sub(mul(p.y, sum.zzz), s);
    forget_memory();
    if (is_zero(h)) {
        if (is_zero(r)) sum = twice(p);
        else set_infinity(sum);
        return;
    }
    F hh = square(h), hhh = mul(h, hh), q = mul(u, hh);
    F x = sub(sub(square(r), hhh), twice(q));
    sum.x = x;
    sum.y = sub(mul(r, sub(q, x)), mul(s, hhh));
    forget_memory();
    sum.zz = mul(mul(sum.zz, p.zz), hh);
    forget_memory();
    sum.zzz = mul(mul(sum.zzz, p.zzz), hhh);
}

// The affine point, given 1 / zzz: 1 / zz = (zz / zzz)^2.
template <class F>
ZK_INLINE Affine<F> to_affine(const Xyzz<F>& p, const F& zzz_inverse) {
    F zz_inverse = square(mul(p.zz, zzz_inverse));
    return {canonical(mul(p.x, zz_inverse)), canonical(mul(p.y, zzz_inverse))};
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
