// Carry-chain primitives on 32-bit words: PTX on the device, portable C++ everywhere else.
//
// The only file with inline PTX. Every kernel is written on these names, so the same sources run on a GPU (compiled
// by NVRTC) and on any machine's CPU (compiled by a C++ compiler, for tests).
//
// x_cc sets the carry flag, xc uses it, xc_cc does both. A chain must not be interrupted by anything else that sets
// the flag; on the host the flag is a thread-local word.
#pragma once

#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <cstdint>
#endif

#ifdef __CUDA_ARCH__
#define ZK_INLINE __device__ __forceinline__
#define ZK_MEMBER __device__ __forceinline__
// for what is long and used often: one copy a module, called
#define ZK_CALLED static __device__ __noinline__

// volatile keeps the instructions of a chain in order: the flag is no operand the compiler knows of
#define ZK_PTX2(name, instruction)                                                            \
    ZK_INLINE uint32_t name(uint32_t a, uint32_t b) {                                         \
        uint32_t r;                                                                           \
        asm volatile(instruction " %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));                  \
        return r;                                                                             \
    }
#define ZK_PTX3(name, instruction)                                                            \
    ZK_INLINE uint32_t name(uint32_t a, uint32_t b, uint32_t c) {                             \
        uint32_t r;                                                                           \
        asm volatile(instruction " %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));      \
        return r;                                                                             \
    }

ZK_PTX2(add_cc, "add.cc.u32")
ZK_PTX2(addc_cc, "addc.cc.u32")
ZK_PTX2(addc, "addc.u32")
ZK_PTX2(sub_cc, "sub.cc.u32")
ZK_PTX2(subc_cc, "subc.cc.u32")
ZK_PTX2(subc, "subc.u32")
ZK_PTX2(mul_lo, "mul.lo.u32")
ZK_PTX2(mul_hi, "mul.hi.u32")
// lo and hi halves of a * b, plus c: pairs of these fuse into one wide multiply-add
ZK_PTX3(mad_lo_cc, "mad.lo.cc.u32")
ZK_PTX3(madc_lo_cc, "madc.lo.cc.u32")
ZK_PTX3(madc_hi_cc, "madc.hi.cc.u32")
ZK_PTX3(madc_hi, "madc.hi.u32")

// What is in memory is read again after this, instead of waiting in registers.
ZK_INLINE void forget_memory() { asm volatile("" ::: "memory"); }

#undef ZK_PTX2
#undef ZK_PTX3

#else
#define ZK_INLINE static inline
#define ZK_MEMBER inline
#define ZK_CALLED static inline

static thread_local uint32_t zk_carry;

ZK_INLINE uint32_t zk_split(uint64_t sum) {
    zk_carry = (uint32_t)(sum >> 32) & 1u;
    return (uint32_t)sum;
}

ZK_INLINE uint32_t add_cc(uint32_t a, uint32_t b) { return zk_split((uint64_t)a + b); }
ZK_INLINE uint32_t addc_cc(uint32_t a, uint32_t b) { return zk_split((uint64_t)a + b + zk_carry); }
ZK_INLINE uint32_t addc(uint32_t a, uint32_t b) { return a + b + zk_carry; }
// a borrow shows as the low bit of the wrapped upper half
ZK_INLINE uint32_t sub_cc(uint32_t a, uint32_t b) { return zk_split((uint64_t)a - b); }
ZK_INLINE uint32_t subc_cc(uint32_t a, uint32_t b) { return zk_split((uint64_t)a - b - zk_carry); }
ZK_INLINE uint32_t subc(uint32_t a, uint32_t b) { return a - b - zk_carry; }
ZK_INLINE uint32_t mul_lo(uint32_t a, uint32_t b) { return a * b; }
ZK_INLINE uint32_t mul_hi(uint32_t a, uint32_t b) { return (uint32_t)(((uint64_t)a * b) >> 32); }
ZK_INLINE uint32_t mad_lo_cc(uint32_t a, uint32_t b, uint32_t c) { return add_cc(mul_lo(a, b), c); }
ZK_INLINE uint32_t madc_lo_cc(uint32_t a, uint32_t b, uint32_t c) { return addc_cc(mul_lo(a, b), c); }
ZK_INLINE uint32_t madc_hi_cc(uint32_t a, uint32_t b, uint32_t c) { return addc_cc(mul_hi(a, b), c); }
ZK_INLINE uint32_t madc_hi(uint32_t a, uint32_t b, uint32_t c) { return addc(mul_hi(a, b), c); }
ZK_INLINE void forget_memory() {}
#endif
