// The difference of two products, of a lazy field or its extension, for the tests.

ZK_KERNEL(128) field_difference(uint32_t n, const F* a, const F* b, const F* c, const F* d, F* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = mul_sub_mul(a[i], b[i], c[i], d[i]);
}
