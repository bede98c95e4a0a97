// Inverses in a prime field by division steps (Bernstein and Yang, "Fast constant-time gcd computation and modular
// inversion", eprint 2019/266), in the variant that begins at delta = 1/2 and needs fewer of them (Wuille,
// "safegcd-bounds", 2021: at most (45907 b + 26313) / 19929 for numbers below 2^b). All threads take the same number of
// steps, so a warp's lanes stay together. For BN254 some 16,000 instructions, as much as 60 products; the power p - 2
// takes 254 squares and 128 products or more, each waiting for the last.
//
// Numbers are signed and rest in limbs of 30 bits, the highest with the sign: products of two limbs are one wide
// multiply-add, and 30 steps shift by a limb.
#pragma once

#include "field.cuh"

constexpr int LIMB_BITS = 30;
constexpr int32_t LIMB_MASK = (1 << LIMB_BITS) - 1;

template <int L>
struct Limbs {
    int32_t v[L];
};

template <int N>
ZK_INLINE constexpr int limbs_for() {
    return (32 * N + LIMB_BITS - 1) / LIMB_BITS;
}

template <int N>
ZK_INLINE constexpr int inversion_rounds() {
    return ((45907 * 32 * N + 26313) / 19929 + LIMB_BITS - 1) / LIMB_BITS;
}

template <int N>
ZK_INLINE constexpr Limbs<limbs_for<N>()> to_limbs(const Words<N>& x) {
    Limbs<limbs_for<N>()> r{};
    for (int i = 0; i < limbs_for<N>(); i++) {
        int word = i * LIMB_BITS / 32, shift = i * LIMB_BITS % 32;
        uint64_t window = x.w[word] | (uint64_t)(word + 1 < N ? x.w[word + 1] : 0) << 32;
        r.v[i] = (int32_t)(window >> shift) & LIMB_MASK;
    }
    return r;
}

// the words of a number that is not negative
template <int N>
ZK_INLINE Words<N> to_words(const Limbs<limbs_for<N>()>& x) {
    Words<N> r;
#pragma unroll
    for (int i = 0; i < N; i++) {
        int limb = 32 * i / LIMB_BITS, shift = 32 * i % LIMB_BITS;
        uint64_t window = (uint32_t)x.v[limb];
        if (limb + 1 < limbs_for<N>()) window |= (uint64_t)(uint32_t)x.v[limb + 1] << LIMB_BITS;
        window >>= shift;
        // a shift above 28 leaves less than a word of the two limbs
        if (2 * LIMB_BITS - shift < 32 && limb + 2 < limbs_for<N>())
            window |= (uint64_t)(uint32_t)x.v[limb + 2] << (2 * LIMB_BITS - shift);
        r.w[i] = (uint32_t)window;
    }
    return r;
}

// What 30 steps do: 2^30 (f, g) becomes (u f + v g, q f + r g), with |u| + |v| and |q| + |r| at most 2^30.
struct Transition {
    int32_t u, v, q, r;
};

// 30 steps on the low words of f and g; `theta` is delta - 1/2.
ZK_INLINE Transition division_steps(int32_t& theta, uint32_t f, uint32_t g) {
    uint32_t u = 1, v = 0, q = 0, r = 1;
#pragma unroll 6
    for (int i = 0; i < LIMB_BITS; i++) {
        // delta > 0 and g odd: (delta, f, g) -> (1 - delta, g, (g - f) / 2); else (1 + delta, f, (g + (g odd) f) / 2)
        bool swap = (g & 1) && theta >= 0;
        uint32_t times = swap ? ~0u : g & 1, old_g = g, old_q = q, old_r = r;
        g = (g + f * times) >> 1;  // a multiply-add each: its pipe is idle here
        q += u * times;
        r += v * times;
        f = swap ? old_g : f;
        u = (swap ? old_q : u) << 1;
        v = (swap ? old_r : v) << 1;
        theta = (swap ? ~theta : theta) + 1;
    }
    return {(int32_t)u, (int32_t)v, (int32_t)q, (int32_t)r};
}

// (u f + v g) / 2^30, which is exact
template <int L>
ZK_INLINE Limbs<L> combine(int32_t u, int32_t v, const Limbs<L>& f, const Limbs<L>& g) {
    Limbs<L> out;
    int64_t sum = ((int64_t)u * f.v[0] + (int64_t)v * g.v[0]) >> LIMB_BITS;
#pragma unroll
    for (int i = 1; i < L; i++) {
        sum += (int64_t)u * f.v[i] + (int64_t)v * g.v[i];
        out.v[i - 1] = (int32_t)sum & LIMB_MASK;
        sum >>= LIMB_BITS;
    }
    out.v[L - 1] = (int32_t)sum;
    return out;
}

// (u d + v e) / 2^30 modulo p, for d and e in (-2p, p), and in that range again: with p added to what is negative both
// are in (-p, p), so the sum is in (-2^30 p, 2^30 p); then less than 2^30 p is taken off, which clears the lowest limb
template <class M, int L>
ZK_INLINE Limbs<L> combine_modulo(int32_t u, int32_t v, const Limbs<L>& d, const Limbs<L>& e) {
    constexpr Limbs<L> p = to_limbs<M::N>(words_of(M{}));
    constexpr int32_t inverse = (int32_t)(0u - negative_inverse(words_of(M{}).w[0])) & LIMB_MASK;
    Limbs<L> out;
    int32_t factor = ((d.v[L - 1] >> 31) & u) + ((e.v[L - 1] >> 31) & v);
    int64_t sum = (int64_t)u * d.v[0] + (int64_t)v * e.v[0];
    factor -= (int32_t)((uint32_t)inverse * (uint32_t)sum + (uint32_t)factor) & LIMB_MASK;
    sum = (sum + (int64_t)p.v[0] * factor) >> LIMB_BITS;
#pragma unroll
    for (int i = 1; i < L; i++) {
        sum += (int64_t)u * d.v[i] + (int64_t)v * e.v[i] + (int64_t)p.v[i] * factor;
        out.v[i - 1] = (int32_t)sum & LIMB_MASK;
        sum >>= LIMB_BITS;
    }
    out.v[L - 1] = (int32_t)sum;
    return out;
}

// x where sign is 0 and -x where it is -1, plus p where the result is negative
template <class M, int L>
ZK_INLINE Limbs<L> signed_modulo(Limbs<L> x, int32_t sign) {
    constexpr Limbs<L> p = to_limbs<M::N>(words_of(M{}));
    int32_t negative = (x.v[L - 1] >> 31) ^ sign, carry = 0;
#pragma unroll
    for (int i = 0; i < L; i++) {
        carry += ((x.v[i] ^ sign) - sign) + (p.v[i] & negative);
        x.v[i] = i + 1 < L ? carry & LIMB_MASK : carry;
        carry >>= LIMB_BITS;
    }
    return x;
}

// 1/a, and 0 for 0
template <class M>
ZK_INLINE Fp<M> inverse(const Fp<M>& a) {
    constexpr int N = M::N, L = limbs_for<N>();
    Limbs<L> f = to_limbs<N>(words_of(M{})), g = to_limbs<N>(as_words(canonical(a))), d{};
    // a rests as a R: beginning with R^2 instead of 1 ends with R / a
    Limbs<L> e = to_limbs<N>(power_of_two<M>(64 * N));
    int32_t theta = 0;
#pragma unroll 1
    for (int round = 0; round < inversion_rounds<N>(); round++) {
        uint32_t low_f = (uint32_t)f.v[0] | (uint32_t)f.v[1] << LIMB_BITS;
        uint32_t low_g = (uint32_t)g.v[0] | (uint32_t)g.v[1] << LIMB_BITS;
        Transition t = division_steps(theta, low_f, low_g);
        Limbs<L> next_f = combine(t.u, t.v, f, g), next_d = combine_modulo<M>(t.u, t.v, d, e);
        g = combine(t.q, t.r, f, g);
        e = combine_modulo<M>(t.q, t.r, d, e);
        f = next_f;
        d = next_d;
    }
    // now g = 0, f = 1 or -1, and d = f R / a in (-2p, p)
    d = signed_modulo<M>(signed_modulo<M>(d, 0), f.v[L - 1] >> 31);
    return from_words<M>(to_words<N>(d));
}
