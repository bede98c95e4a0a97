// Operations of a field over arrays, for the tests. Appended to the numbers of a curve.

ZK_KERNEL(128) field_binary(uint32_t n, uint32_t operation, const F* a, const F* b, F* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    switch (operation) {
        case 0: out[i] = mul(a[i], b[i]); break;
        case 1: out[i] = add(a[i], b[i]); break;
        case 2: out[i] = sub(a[i], b[i]); break;
        case 3: out[i] = neg(a[i]); break;
        case 4: out[i] = square(a[i]); break;
        case 5: out[i] = inverse(a[i]); break;
        case 6: out[i] = canonical(a[i]); break;
        case 7: set_zero(out[i]); out[i].FIRST_WORD = is_zero(a[i]); break;
    }
}
