// One kind of instruction in a loop, to find out how many of them a multiprocessor does in a clock. Appended to the
// numbers of a curve. Every kernel runs `rounds` rounds of UNROLLED steps on CHAINS chains a thread, which do not wait
// for each other, writes what came out, and in clocks[block] how many clocks the block took.

constexpr uint32_t CHAINS = 8, UNROLLED = 8;

// chains of numbers x, from x = thread + 65,537 chain on, by x = step(x)
template <class T, class Step>
ZK_INLINE T run_chains(uint32_t rounds, uint64_t* clocks, Step step) {
    T x[CHAINS], sum = 0;
#pragma unroll
    for (uint32_t k = 0; k < CHAINS; k++) x[k] = (T)(thread_index() + 65537u * k);
    __syncthreads();
    uint64_t began = (uint64_t)clock64();
#pragma unroll 1
    for (uint32_t i = 0; i < rounds; i++)
#pragma unroll
        for (uint32_t j = 0; j < UNROLLED; j++)
#pragma unroll
            for (uint32_t k = 0; k < CHAINS; k++) x[k] = step(x[k]);
    __syncthreads();
    if (threadIdx.x == 0) clocks[blockIdx.x] = (uint64_t)clock64() - began;
#pragma unroll
    for (uint32_t k = 0; k < CHAINS; k++) sum += x[k];
    return sum;
}

ZK_KERNEL(1024) rate_multiply_add(uint32_t rounds, uint32_t a, uint32_t b, uint64_t* out, uint64_t* clocks) {
    out[thread_index()] = run_chains<uint32_t>(rounds, clocks, [=](uint32_t x) { return x * a + b; });
}

// a wide product added to 64 bits: both halves of a product in one instruction, as in products of fields
ZK_KERNEL(1024) rate_wide(uint32_t rounds, uint32_t a, uint32_t b, uint64_t* out, uint64_t* clocks) {
    out[thread_index()] = run_chains<uint64_t>(rounds, clocks, [=](uint64_t x) {
        uint32_t low = mad_lo_cc(a, b, (uint32_t)x), high = madc_hi(a, b, (uint32_t)(x >> 32));
        return (uint64_t)high << 32 | low;
    });
}

// two additions, the second with the carry of the first
ZK_KERNEL(1024) rate_carry(uint32_t rounds, uint64_t* out, uint64_t* clocks) {
    out[thread_index()] = run_chains<uint64_t>(rounds, clocks, [=](uint64_t x) {
        uint32_t low = (uint32_t)x, high = (uint32_t)(x >> 32), sum = add_cc(low, high);
        return (uint64_t)addc(high, low) << 32 | sum;
    });
}

ZK_INLINE uint64_t fixed_point(double x) { return (uint64_t)(x * 4294967296.0); }

ZK_KERNEL(1024) rate_double(uint32_t rounds, uint32_t a, uint32_t b, uint64_t* out, uint64_t* clocks) {
    double half = 0.5 * a, more = b;
    out[thread_index()] = fixed_point(run_chains<double>(rounds, clocks, [=](double x) { return fma(x, half, more); }));
}

// out[thread] = step(step(... out[thread]))
template <class Step>
ZK_INLINE void run_scalars(uint32_t rounds, Scalar* out, uint64_t* clocks, Step step) {
    Scalar x = out[thread_index()];
    __syncthreads();
    uint64_t began = (uint64_t)clock64();
#pragma unroll 1
    for (uint32_t i = 0; i < rounds; i++) x = step(x);
    __syncthreads();
    if (threadIdx.x == 0) clocks[blockIdx.x] = (uint64_t)clock64() - began;
    out[thread_index()] = x;
}

ZK_KERNEL(1024) rate_product(uint32_t rounds, const Scalar* factor, Scalar* out, uint64_t* clocks) {
    Scalar y = *factor;
    run_scalars(rounds, out, clocks, [=](const Scalar& x) { return mul(x, y); });
}

ZK_KERNEL(1024) rate_square(uint32_t rounds, Scalar* out, uint64_t* clocks) {
    run_scalars(rounds, out, clocks, [](const Scalar& x) { return square(x); });
}
