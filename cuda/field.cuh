// Prime fields in Montgomery form over N words of 32 bits.
//
// An element x rests as x R with R = 2^(32 N), in the lazy range [0, bound): bound is 2p where the modulus leaves two
// bits of a word free (4p < R), and p elsewhere. With 4p < R a product of lazy values is lazy without a final
// subtraction (Walter, "Montgomery exponentiation needs no final subtractions", 1999). Only `canonical` gives x < p.
//
// Products keep two accumulators, one for products that start on an even word and one for those that start on an odd
// word, so that the two halves of every product are neighbours and fuse into one wide multiply-add. Dividing by 2^32
// swaps the two. Rows of the product and of the reduction alternate (coarsely integrated operand scanning: Koc,
// Acar, Kaliski 1996).
#pragma once

#include "modulus.cuh"

template <class M>
struct alignas(16) Fp {
    using Prime = M;
    static constexpr int N = M::N;
    uint32_t w[N];
};

// The element in registers, read 16 bytes at a time from memory. Chains of instructions that must stay in order read
// words one by one, which the compiler does not join again: whatever takes an element by reference holds it first.
template <class T>
ZK_INLINE T held(const T& a) {
    static_assert(sizeof(T) % 16 == 0 && alignof(T) >= 16, "elements are whole vectors of four words");
    T r;
#pragma unroll
    for (int i = 0; i < (int)sizeof(T) / 16; i++)
        reinterpret_cast<uint4*>(&r)[i] = reinterpret_cast<const uint4*>(&a)[i];
    return r;
}

template <class F>
struct Constants;

template <class M>
struct Constants<Fp<M>> {
    static_assert(M::N % 2 == 0, "products are taken in pairs of words");
    static constexpr uint32_t inverse = negative_inverse(words_of(M{}).w[0]);
    static constexpr bool lazy = is_lazy<M>();
};

// ---- chains of products

// acc += b (a[0] + a[2] 2^64 + a[4] 2^128 + ...); the carry is left in the flag
template <int N>
ZK_INLINE void accumulate(uint32_t* acc, const uint32_t* a, uint32_t b) {
    acc[0] = mad_lo_cc(a[0], b, acc[0]);
    acc[1] = madc_hi_cc(a[0], b, acc[1]);
#pragma unroll
    for (int j = 2; j < N; j += 2) {
        acc[j] = madc_lo_cc(a[j], b, acc[j]);
        acc[j + 1] = madc_hi_cc(a[j], b, acc[j + 1]);
    }
}

// acc = acc / 2^64 + carry flag + b (a[0] + a[2] 2^64 + ...), which cannot overflow
template <int N>
ZK_INLINE void shift_accumulate(uint32_t* acc, const uint32_t* a, uint32_t b) {
#pragma unroll
    for (int j = 0; j < N - 2; j += 2) {
        acc[j] = madc_lo_cc(a[j], b, acc[j + 2]);
        acc[j + 1] = madc_hi_cc(a[j], b, acc[j + 3]);
    }
    acc[N - 2] = madc_lo_cc(a[N - 2], b, 0);
    acc[N - 1] = madc_hi(a[N - 2], b, 0);
}

// acc = b (a[0] + a[2] 2^64 + ...)
template <int N>
ZK_INLINE void multiply_row(uint32_t* acc, const uint32_t* a, uint32_t b) {
#pragma unroll
    for (int j = 0; j < N; j += 2) {
        acc[j] = mul_lo(a[j], b);
        acc[j + 1] = mul_hi(a[j], b);
    }
}

// even + 2^32 odd += a b
template <int N>
ZK_INLINE void add_product(uint32_t* even, uint32_t* odd, const uint32_t* a, uint32_t b) {
    accumulate<N>(odd, a + 1, b);
    accumulate<N>(even, a, b);
    odd[N - 1] = addc(odd[N - 1], 0);
}

// even + 2^32 odd = (odd / 2^32 + even) + a b: the caller has swapped the two, which divided by 2^32
template <int N>
ZK_INLINE void shift_add_product(uint32_t* even, uint32_t* odd, const uint32_t* a, uint32_t b) {
    even[0] = add_cc(even[0], odd[1]);
    shift_accumulate<N>(odd, a + 1, b);
    accumulate<N>(even, a, b);
    odd[N - 1] = addc(odd[N - 1], 0);
}

// adds the multiple of p that clears the lowest word
template <class M>
ZK_INLINE void clear_low_word(uint32_t* even, uint32_t* odd) {
    constexpr auto p = words_of(M{});
    add_product<M::N>(even, odd, p.w, mul_lo(even[0], Constants<Fp<M>>::inverse));
}

// out = odd / 2^32 + even, after the last swap
template <int N>
ZK_INLINE void merge(uint32_t* out, const uint32_t* even, const uint32_t* odd) {
    out[0] = add_cc(even[0], odd[1]);
#pragma unroll
    for (int i = 1; i < N - 1; i++) out[i] = addc_cc(even[i], odd[i + 1]);
    out[N - 1] = addc(even[N - 1], 0);
}

// ---- ranges

// a - limit where that is not negative, else a
template <int N>
ZK_INLINE void subtract_once(uint32_t* a, const Words<N>& limit) {
    uint32_t t[N];
    t[0] = sub_cc(a[0], limit.w[0]);
#pragma unroll
    for (int i = 1; i < N; i++) t[i] = subc_cc(a[i], limit.w[i]);
    uint32_t borrow = subc(0, 0);
#pragma unroll
    for (int i = 0; i < N; i++) a[i] = borrow ? a[i] : t[i];
}

template <class M>
ZK_INLINE Fp<M> within_bound(Fp<M> a) {
    subtract_once<M::N>(a.w, bound_of<M>());
    return a;
}

// The representative below p.
template <class M>
ZK_INLINE Fp<M> canonical(Fp<M> a) {
    subtract_once<M::N>(a.w, words_of(M{}));
    return a;
}

// ---- products

template <class M>
ZK_INLINE Fp<M> mul(const Fp<M>& first, const Fp<M>& second) {
    constexpr int N = M::N;
    const Fp<M> a = held(first), b = held(second);
    uint32_t even[N], odd[N];
    Fp<M> r;
    multiply_row<N>(odd, a.w + 1, b.w[0]);
    multiply_row<N>(even, a.w, b.w[0]);
    clear_low_word<M>(even, odd);
#pragma unroll
    for (int i = 1; i < N; i += 2) {
        shift_add_product<N>(odd, even, a.w, b.w[i]);
        clear_low_word<M>(odd, even);
        if (i + 1 == N) break;
        shift_add_product<N>(even, odd, a.w, b.w[i + 1]);
        clear_low_word<M>(even, odd);
    }
    merge<N>(r.w, even, odd);
    return Constants<Fp<M>>::lazy ? r : within_bound(r);
}

// (a b + c d) / R with one reduction instead of two. Operands may reach the bound itself; sums stay below 5p < 2 R.
template <class M>
ZK_INLINE Fp<M> mul_add_mul(const Fp<M>& first, const Fp<M>& second, const Fp<M>& third, const Fp<M>& fourth) {
    static_assert(Constants<Fp<M>>::lazy, "two products and a reduction need room above the modulus");
    constexpr int N = M::N;
    const Fp<M> a = held(first), b = held(second), c = held(third), d = held(fourth);
    uint32_t even[N], odd[N];
    Fp<M> r;
    multiply_row<N>(odd, a.w + 1, b.w[0]);
    multiply_row<N>(even, a.w, b.w[0]);
    add_product<N>(even, odd, c.w, d.w[0]);
    clear_low_word<M>(even, odd);
#pragma unroll
    for (int i = 1; i < N; i += 2) {
        shift_add_product<N>(odd, even, a.w, b.w[i]);
        add_product<N>(odd, even, c.w, d.w[i]);
        clear_low_word<M>(odd, even);
        if (i + 1 == N) break;
        shift_add_product<N>(even, odd, a.w, b.w[i + 1]);
        add_product<N>(even, odd, c.w, d.w[i + 1]);
        clear_low_word<M>(even, odd);
    }
    merge<N>(r.w, even, odd);
    return within_bound(r);
}

// wide = a b, all 2 N words
template <int N>
ZK_INLINE void multiply_wide(uint32_t* wide, const uint32_t* a, const uint32_t* b) {
    uint32_t odd[2 * N];
    multiply_row<N>(wide, a, b[0]);
    multiply_row<N>(odd, a + 1, b[0]);
#pragma unroll
    for (int i = N; i < 2 * N; i++) wide[i] = odd[i] = 0;
#pragma unroll
    for (int i = 1; i < N; i++) {
        // a[j] b[i] belongs to word i + j: products that start on an odd word are one place lower in `odd`
        uint32_t *same = i % 2 ? odd + i - 1 : wide + i, *other = i % 2 ? wide + i + 1 : odd + i;
        accumulate<N>(same, a, b[i]);
        same[N] = addc(same[N], 0);
        accumulate<N>(other, a + 1, b[i]);
        if (i + 1 < N) other[N] = addc(other[N], 0);
    }
    wide[1] = add_cc(wide[1], odd[0]);
#pragma unroll
    for (int i = 2; i < 2 * N - 1; i++) wide[i] = addc_cc(wide[i], odd[i - 1]);
    wide[2 * N - 1] = addc(wide[2 * N - 1], odd[2 * N - 2]);
}

// a -= b; all ones where that is negative
template <int N>
ZK_INLINE uint32_t subtract(uint32_t* a, const uint32_t* b) {
    a[0] = sub_cc(a[0], b[0]);
#pragma unroll
    for (int i = 1; i < N; i++) a[i] = subc_cc(a[i], b[i]);
    return subc(0, 0);
}

// wide += sum over j > i of a[i] a[j] 2^(32 (i + j - parity)), for j - i of one parity: such rows are aligned
template <int N, int parity>
ZK_INLINE void cross_products(uint32_t* wide, const uint32_t* a) {
#pragma unroll
    for (int i = 0; i + 2 - parity < N; i++) {
        int at = 2 * i + 2 - 2 * parity, j = i + 2 - parity;
        wide[at] = mad_lo_cc(a[i], a[j], wide[at]);
        wide[at + 1] = madc_hi_cc(a[i], a[j], wide[at + 1]);
#pragma unroll
        for (at += 2, j += 2; j < N; at += 2, j += 2) {
            wide[at] = madc_lo_cc(a[i], a[j], wide[at]);
            wide[at + 1] = madc_hi_cc(a[i], a[j], wide[at + 1]);
        }
        wide[at] = addc(wide[at], 0);
    }
}

// wide = 2 (even + 2^32 odd) + sum of a[i]^2 2^(64 i)
template <int N>
ZK_INLINE void double_and_add_squares(uint32_t* wide, uint32_t* even, const uint32_t* odd, const uint32_t* a) {
    even[1] = add_cc(even[1], odd[0]);
#pragma unroll
    for (int i = 2; i < 2 * N; i++) even[i] = addc_cc(even[i], odd[i - 1]);
    even[0] = add_cc(even[0], even[0]);
#pragma unroll
    for (int i = 1; i < 2 * N; i++) even[i] = addc_cc(even[i], even[i]);
    wide[0] = mad_lo_cc(a[0], a[0], even[0]);
    wide[1] = madc_hi_cc(a[0], a[0], even[1]);
#pragma unroll
    for (int i = 1; i < N; i++) {
        wide[2 * i] = madc_lo_cc(a[i], a[i], even[2 * i]);
        wide[2 * i + 1] = madc_hi_cc(a[i], a[i], even[2 * i + 1]);
    }
}

// one row of a reduction without a product: even + 2^32 odd = (odd / 2^32 + even) + m p
template <class M>
ZK_INLINE void shift_clear_low_word(uint32_t* even, uint32_t* odd) {
    constexpr auto p = words_of(M{});
    even[0] = add_cc(even[0], odd[1]);
    uint32_t m = mul_lo(even[0], Constants<Fp<M>>::inverse);  // leaves the carry flag alone
    shift_accumulate<M::N>(odd, p.w + 1, m);
    accumulate<M::N>(even, p.w, m);
    odd[M::N - 1] = addc(odd[M::N - 1], 0);
}

// wide / R, for wide below p R (below 4 p^2 when lazy)
template <class M>
ZK_INLINE Fp<M> reduce(uint32_t* wide) {
    constexpr int N = M::N;
    constexpr auto p = words_of(M{});
    uint32_t odd[N];
    uint32_t m = mul_lo(wide[0], Constants<Fp<M>>::inverse);
    multiply_row<N>(odd, p.w + 1, m);
    accumulate<N>(wide, p.w, m);
    odd[N - 1] = addc(odd[N - 1], 0);
#pragma unroll
    for (int i = 1; i < N; i += 2) {
        shift_clear_low_word<M>(odd, wide);
        if (i + 1 < N) shift_clear_low_word<M>(wide, odd);
    }
    Fp<M> r;
    merge<N>(r.w, wide, odd);
    r.w[0] = add_cc(r.w[0], wide[N]);
#pragma unroll
    for (int i = 1; i < N - 1; i++) r.w[i] = addc_cc(r.w[i], wide[N + i]);
    r.w[N - 1] = addc(r.w[N - 1], wide[2 * N - 1]);
    return Constants<Fp<M>>::lazy ? r : within_bound(r);
}

template <class M>
ZK_INLINE Fp<M> square(const Fp<M>& root) {
    constexpr int N = M::N;
    const Fp<M> a = held(root);
    uint32_t wide[2 * N], even[2 * N] = {}, odd[2 * N] = {};
    cross_products<N, 0>(even, a.w);
    cross_products<N, 1>(odd, a.w);
    double_and_add_squares<N>(wide, even, odd, a.w);
    return reduce<M>(wide);
}

// ---- sums

template <class M>
ZK_INLINE Fp<M> add(const Fp<M>& first, const Fp<M>& second) {
    Fp<M> a = held(first);
    const Fp<M> b = held(second);
    a.w[0] = add_cc(a.w[0], b.w[0]);
#pragma unroll
    for (int i = 1; i < M::N; i++) a.w[i] = addc_cc(a.w[i], b.w[i]);
    return within_bound(a);
}

// a + b without a reduction, where both are lazy: a factor, not a value to keep
template <class M>
ZK_INLINE Fp<M> plain_sum(const Fp<M>& a, const Fp<M>& b) {
    Fp<M> r;
    r.w[0] = add_cc(a.w[0], b.w[0]);
#pragma unroll
    for (int i = 1; i < M::N - 1; i++) r.w[i] = addc_cc(a.w[i], b.w[i]);
    r.w[M::N - 1] = addc(a.w[M::N - 1], b.w[M::N - 1]);
    return r;
}

template <class M>
ZK_INLINE Fp<M> sub(const Fp<M>& first, const Fp<M>& second) {
    constexpr auto bound = bound_of<M>();
    Fp<M> a = held(first);
    const Fp<M> b = held(second);
    a.w[0] = sub_cc(a.w[0], b.w[0]);
#pragma unroll
    for (int i = 1; i < M::N; i++) a.w[i] = subc_cc(a.w[i], b.w[i]);
    uint32_t below = subc(0, 0);  // all ones where a < b
    a.w[0] = add_cc(a.w[0], below & bound.w[0]);
#pragma unroll
    for (int i = 1; i < M::N; i++) a.w[i] = addc_cc(a.w[i], below & bound.w[i]);
    return a;
}

// bound - a, in (0, bound]: an operand of mul_add_mul, not a value to keep
template <class M>
ZK_INLINE Fp<M> negative_operand(const Fp<M>& positive) {
    constexpr auto bound = bound_of<M>();
    const Fp<M> a = held(positive);
    Fp<M> r;
    r.w[0] = sub_cc(bound.w[0], a.w[0]);
#pragma unroll
    for (int i = 1; i < M::N; i++) r.w[i] = subc_cc(bound.w[i], a.w[i]);
    return r;
}

// (a b - c d) / R with one reduction
template <class M>
ZK_INLINE Fp<M> mul_sub_mul(const Fp<M>& a, const Fp<M>& b, const Fp<M>& c, const Fp<M>& d) {
    return mul_add_mul(a, b, negative_operand(c), d);
}

template <class M>
ZK_INLINE Fp<M> neg(const Fp<M>& a) {
    return within_bound(negative_operand(a));
}

template <class M>
ZK_INLINE Fp<M> twice(const Fp<M>& a) {
    return add(a, a);
}

// ---- values

template <class M>
ZK_INLINE Fp<M> from_words(const Words<M::N>& x) {
    Fp<M> r;
#pragma unroll
    for (int i = 0; i < M::N; i++) r.w[i] = x.w[i];
    return r;
}

template <class M>
ZK_INLINE Words<M::N> as_words(const Fp<M>& value) {
    const Fp<M> a = held(value);
    Words<M::N> x;
#pragma unroll
    for (int i = 0; i < M::N; i++) x.w[i] = a.w[i];
    return x;
}

template <class M>
ZK_INLINE void set_zero(Fp<M>& a) {
#pragma unroll
    for (int i = 0; i < M::N / 4; i++) reinterpret_cast<uint4*>(&a)[i] = {0, 0, 0, 0};
}

template <class M>
ZK_INLINE void set_one(Fp<M>& a) {
    constexpr Words<M::N> one = power_of_two<M>(32 * M::N);
    a = from_words<M>(one);
}

template <class M>
ZK_INLINE bool is_zero(const Fp<M>& value) {
    constexpr auto p = words_of(M{});
    const Fp<M> a = held(value);
    uint32_t any = 0, other = 0;
#pragma unroll
    for (int i = 0; i < M::N; i++) {
        any |= a.w[i];
        other |= a.w[i] ^ p.w[i];
    }
    return any == 0 || other == 0;  // lazily, zero is 0 or p
}

template <class M>
ZK_INLINE bool is_canonical(const Fp<M>& a) {
    return !at_least(as_words(a), words_of(M{}));
}

// ---- forms

// Montgomery form of a number below p.
template <class M>
ZK_INLINE Fp<M> to_montgomery(const Words<M::N>& x) {
    constexpr Words<M::N> radix_squared = power_of_two<M>(64 * M::N);
    return mul(from_words<M>(held(x)), from_words<M>(radix_squared));
}

// The number below p that an element stands for.
template <class M>
ZK_INLINE Words<M::N> from_montgomery(const Fp<M>& a) {
    Fp<M> unit;
    set_zero(unit);
    unit.w[0] = 1;
    return as_words(canonical(mul(a, unit)));
}
