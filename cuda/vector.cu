// Vectors of scalars: forms, sparse matrix times vector, batch inversion, prefix products, division by X - root.
#include "inversion.cuh"
#include "grid.cuh"

// canonical numbers -> Montgomery form
ZK_KERNEL(128) numbers_to_scalars(uint32_t n, const Number* numbers, Scalar* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = to_montgomery<Scalar::Prime>(numbers[i]);
}

// Montgomery form -> canonical numbers
ZK_KERNEL(128) scalars_to_numbers(uint32_t n, const Scalar* scalars, Number* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = from_montgomery(scalars[i]);
}

// out[row] = sum of table[coefficient[k]] * vector[column[k]] over the entries k of the row. The host has cut long
// rows into pieces, so that no thread works much longer than its neighbours.
ZK_KERNEL(128) matrix_times_vector(uint32_t rows, const uint64_t* begin, const uint32_t* column,
                                   const uint32_t* coefficient, const Scalar* table, const Scalar* vector,
                                   Scalar* out) {
    uint32_t row = thread_index();
    if (row >= rows) return;
    uint64_t k = begin[row], end = begin[row + 1];
    Scalar sum;
    set_zero(sum);
    for (; k + 1 < end; k += 2)  // two products, one reduction
        sum = add(sum, mul_add_mul(table[coefficient[k]], vector[column[k]], table[coefficient[k + 1]],
                                   vector[column[k + 1]]));
    if (k < end) sum = add(sum, mul(table[coefficient[k]], vector[column[k]]));
    out[row] = sum;
}

// out[i] = 1 / values[i], and 0 for 0: each thread inverts the product of its share, entries i, i + step, i + 2 step
// ... (Montgomery's trick). Not in place.
ZK_KERNEL(128) invert(uint32_t n, uint32_t step, const Scalar* values, Scalar* out) {
    uint32_t first = thread_index();
    if (first >= step || first >= n) return;
    Scalar product;
    set_one(product);
    for (uint64_t i = first; i < n; i += step) {
        out[i] = product;
        if (!is_zero(values[i])) product = mul(product, values[i]);
    }
    product = inverse(product);
    for (uint32_t left = (n - 1 - first) / step + 1; left > 0; left--) {
        uint64_t i = first + (uint64_t)(left - 1) * step;
        Scalar value = values[i];
        if (is_zero(value)) {
            set_zero(out[i]);
        } else {
            out[i] = mul(out[i], product);
            product = mul(product, value);
        }
    }
}

// out[i] = product of values of the thread's share up to i; shares are `width` neighbours. totals[share] = all of it
ZK_KERNEL(128) multiply_shares(uint32_t n, uint32_t width, const Scalar* values, Scalar* out, Scalar* totals) {
    uint32_t share = thread_index();
    uint64_t i = (uint64_t)share * width, end = i + width < n ? i + width : n;
    if (i >= n) return;
    Scalar product = values[i];
    out[i] = product;
    for (i++; i < end; i++) out[i] = product = mul(product, values[i]);
    totals[share] = product;
}

// out[i] *= before[share - 1]: what comes before a share, for all but the first
ZK_KERNEL(128) scale_shares(uint32_t n, uint32_t width, const Scalar* before, Scalar* out) {
    uint32_t i = thread_index();
    if (i < n && i >= width) out[i] = mul(out[i], before[i / width - 1]);
}

// values[share] = sum of coefficients[i] x^(i - first) over the share from `first` on. Shares are `width` neighbours;
// the first one lacks `missing` of them, the last one those beyond n
ZK_KERNEL(128) evaluate_shares(uint32_t n, uint32_t width, uint32_t missing, const Scalar* x,
                               const Scalar* coefficients, Scalar* values) {
    uint64_t share = thread_index(), i = (share + 1) * width - missing;
    uint64_t first = share ? share * width - missing : 0;
    if (first >= n) return;
    if (i > n) i = n;
    Scalar sum = coefficients[--i];
    while (i > first) sum = add(mul(sum, x[0]), coefficients[--i]);
    values[share] = sum;
}

// out[i] = coefficients[i + 1] + x out[i + 1] within each share, whose last entry is above[share]; shares are full
// but for the first
ZK_KERNEL(128) divide_shares(uint32_t n, uint32_t width, uint32_t missing, const Scalar* x,
                             const Scalar* coefficients, const Scalar* above, Scalar* out) {
    uint64_t share = thread_index(), i = (share + 1) * width - missing;
    uint64_t first = share ? share * width - missing : 0;
    if (first >= n) return;
    Scalar quotient = above[share];
    out[--i] = quotient;
    while (i > first) {
        quotient = add(mul(quotient, x[0]), coefficients[i]);
        out[--i] = quotient;
    }
}
