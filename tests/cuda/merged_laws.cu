// Operations of a prime field that its extension does not have, for the tests.

ZK_KERNEL(128) field_merged(uint32_t n, const F* a, const F* b, const F* c, const F* d, F* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = mul_add_mul(a[i], b[i], c[i], d[i]);
}

ZK_KERNEL(128) field_forms(uint32_t n, const F* a, F* montgomery, F* number) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Words<F::N> x;
    for (int j = 0; j < F::N; j++) x.w[j] = a[i].w[j];
    montgomery[i] = to_montgomery<F::Prime>(x);
    x = from_montgomery(a[i]);
    for (int j = 0; j < F::N; j++) number[i].w[j] = x.w[j];
}
