// Moduli and plain numbers of N words of 32 bits, with what the compiler works out from a modulus alone.
#pragma once

#include "ptx.cuh"

template <int N>
struct alignas(16) Words {
    uint32_t w[N];
};

// An odd modulus, little-endian words.
template <uint32_t... words>
struct Modulus {
    static constexpr int N = sizeof...(words);
};

template <uint32_t... words>
ZK_INLINE constexpr Words<sizeof...(words)> words_of(Modulus<words...>) {
    return {{words...}};
}

template <int N>
ZK_INLINE constexpr bool at_least(Words<N> a, Words<N> b) {
    for (int i = N - 1; i >= 0; i--)
        if (a.w[i] != b.w[i]) return a.w[i] > b.w[i];
    return true;
}

template <int N>
ZK_INLINE constexpr Words<N> minus(Words<N> a, Words<N> b) {
    uint64_t borrow = 0;
    for (int i = 0; i < N; i++) {
        uint64_t t = (uint64_t)a.w[i] - b.w[i] - borrow;
        a.w[i] = (uint32_t)t;
        borrow = (t >> 32) & 1;
    }
    return a;
}

template <int N>
ZK_INLINE constexpr Words<N> twice(Words<N> a) {
    uint32_t carry = 0;
    for (int i = 0; i < N; i++) {
        uint32_t top = a.w[i] >> 31;
        a.w[i] = (a.w[i] << 1) | carry;
        carry = top;
    }
    return a;
}

// 2^e mod p, for a modulus below half of R
template <class M>
ZK_INLINE constexpr Words<M::N> power_of_two(int e) {
    Words<M::N> p = words_of(M{}), x{};
    x.w[0] = 1;
    for (int i = 0; i < e; i++) {
        x = twice(x);
        if (at_least(x, p)) x = minus(x, p);
    }
    return x;
}

// -1/p mod 2^32, by Newton's iteration: each step doubles the number of right bits
ZK_INLINE constexpr uint32_t negative_inverse(uint32_t p) {
    uint32_t x = 1;
    for (int i = 0; i < 5; i++) x *= 2 - p * x;
    return 0u - x;
}

// whether 4p < R
template <class M>
ZK_INLINE constexpr bool is_lazy() {
    return words_of(M{}).w[M::N - 1] < 0x40000000u;
}

template <class M>
ZK_INLINE constexpr Words<M::N> bound_of() {
    return is_lazy<M>() ? twice(words_of(M{})) : words_of(M{});
}
