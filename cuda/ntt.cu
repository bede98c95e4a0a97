// Number-theoretic transforms in passes: a pass takes tiles of the vector through shared memory and does several
// stages on each, radix 8 in registers. Forward by decimation in frequency, natural order in and bit-reversed out;
// back by decimation in time: nothing is ever permuted (Gentleman and Sande 1966; Cooley and Tukey 1965).
//
// A pass splits every block of 2^log_block neighbours into rows of 2^(log_block - log_rows) and transforms the columns,
// 2^log_columns neighbouring ones in a tile. Between passes entry (row i, column j) of a block meets the twiddle
// omega_block^(j reverse(i)).
#include "field.cuh"
#include "grid.cuh"

// Powers of one element, base^e = high[e >> log_low] * low[e mod 2^log_low]
ZK_INLINE Scalar power(const Scalar* low, const Scalar* high, uint32_t log_low, uint64_t e) {
    return mul(high[e >> log_low], low[e & ((1u << log_low) - 1)]);
}

struct Tile {
    uint32_t log_size, log_block, log_rows, log_columns;
    uint64_t block, column;  // where the tile's block begins, and the tile's first column in it

    ZK_MEMBER uint32_t size() const { return 1u << (log_rows + log_columns); }
    ZK_MEMBER uint32_t row(uint32_t at) const { return at >> log_columns; }
    ZK_MEMBER uint64_t column_of(uint32_t at) const { return column + (at & ((1u << log_columns) - 1)); }
    ZK_MEMBER uint64_t index(uint32_t at) const {
        return block + ((uint64_t)row(at) << (log_block - log_rows)) + column_of(at);
    }
    // exponent of the twiddle in powers of omega, whose order is 2^log_size
    ZK_MEMBER uint64_t twiddle(uint32_t at) const {
        uint64_t reversed = __brev(row(at)) >> (32 - log_rows);
        return (column_of(at) * reversed) << (log_size - log_block);
    }
};

ZK_INLINE Tile tile_of(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns) {
    uint32_t log_tiles = log_block - log_rows - log_columns;  // tiles in a block
    uint64_t block = (uint64_t)(blockIdx.x >> log_tiles) << log_block;
    uint64_t column = (uint64_t)(blockIdx.x & ((1u << log_tiles) - 1)) << log_columns;
    return {log_size, log_block, log_rows, log_columns, block, column};
}

// Elements in shared memory as two planes of 16 bytes, one place in nine unused: whether a warp walks with stride 1 or
// 8, its lanes meet different banks.
struct Planes {
    uint4 *low, *high;

    ZK_MEMBER Scalar get(uint32_t at) const {
        Scalar x;
        reinterpret_cast<uint4*>(&x)[0] = low[at + at / 8];
        reinterpret_cast<uint4*>(&x)[1] = high[at + at / 8];
        return x;
    }
    ZK_MEMBER void put(uint32_t at, const Scalar& x) const {
        low[at + at / 8] = reinterpret_cast<const uint4*>(&x)[0];
        high[at + at / 8] = reinterpret_cast<const uint4*>(&x)[1];
    }
};

ZK_INLINE Planes planes_of(uint32_t size) {
    uint4* shared = shared_memory<uint4>();
    return {shared, shared + size + size / 8};
}

// (a, b) -> (a + b, (a - b) w)
ZK_INLINE void decimate(Scalar& a, Scalar& b, const Scalar& w) {
    Scalar difference = sub(a, b);
    a = add(a, b);
    b = mul(difference, w);
}

// (a, b) -> (a + b w, a - b w)
ZK_INLINE void restore(Scalar& a, Scalar& b, const Scalar& w) {
    Scalar product = mul(b, w);
    b = sub(a, product);
    a = add(a, product);
}

// One round: the LOG stages of distances 2^(LOG - 1) d ... d on 2^LOG elements in registers, d = 2^log_distance rows.
// roots[k] = omega_m^k, m = 2^(1 + log_roots).
template <int LOG, bool FORWARD>
ZK_INLINE void round_of(const Tile& tile, const Planes& planes, uint32_t group, uint32_t log_distance,
                        const Scalar* roots, uint32_t log_roots) {
    constexpr int COUNT = 1 << LOG;
    uint32_t log_step = log_distance + tile.log_columns;
    uint32_t within = group & ((1u << log_step) - 1);
    uint32_t first = ((group >> log_step) << (log_step + LOG)) + within, row = within >> tile.log_columns;
    Scalar x[COUNT];
#pragma unroll
    for (int k = 0; k < COUNT; k++) x[k] = planes.get(first + ((uint32_t)k << log_step));
#pragma unroll
    for (int s = 0; s < LOG; s++) {
        int stage = FORWARD ? LOG - 1 - s : s, half = 1 << stage;
#pragma unroll
        for (int j = 0; j < half; j++) {
            // row (j d + row) of a block of 2 half d rows
            Scalar w = roots[(((uint32_t)j << log_distance) + row) << (log_roots - log_distance - stage)];
#pragma unroll
            for (int k = j; k < COUNT; k += 2 * half) {
                if (FORWARD) decimate(x[k], x[k + half], w);
                else restore(x[k], x[k + half], w);
            }
        }
    }
#pragma unroll
    for (int k = 0; k < COUNT; k++) planes.put(first + ((uint32_t)k << log_step), x[k]);
}

template <int LOG, bool FORWARD>
ZK_INLINE void round_of_tile(const Tile& tile, const Planes& planes, uint32_t log_distance, const Scalar* roots,
                             uint32_t log_roots) {
    uint32_t groups = tile.size() >> LOG;
#pragma unroll 1
    for (uint32_t group = threadIdx.x; group < groups; group += blockDim.x)
        round_of<LOG, FORWARD>(tile, planes, group, log_distance, roots, log_roots);
    __syncthreads();
}

// the columns of a tile in shared memory, natural order to bit-reversed
ZK_INLINE void transform_tile(const Tile& tile, const Planes& planes, const Scalar* roots, uint32_t log_roots) {
    uint32_t left = tile.log_rows;
    for (; left >= 3; left -= 3) round_of_tile<3, true>(tile, planes, left - 3, roots, log_roots);
    if (left == 2) round_of_tile<2, true>(tile, planes, 0, roots, log_roots);
    if (left == 1) round_of_tile<1, true>(tile, planes, 0, roots, log_roots);
}

// the columns of a tile, bit-reversed order to natural, without the factor 1/rows
ZK_INLINE void restore_tile(const Tile& tile, const Planes& planes, const Scalar* roots, uint32_t log_roots) {
    uint32_t done = 0;
    for (; done + 3 <= tile.log_rows; done += 3) round_of_tile<3, false>(tile, planes, done, roots, log_roots);
    if (tile.log_rows - done == 2) round_of_tile<2, false>(tile, planes, done, roots, log_roots);
    if (tile.log_rows - done == 1) round_of_tile<1, false>(tile, planes, done, roots, log_roots);
}

// A pass forward. On its way in, entry i is scaled by shift^i where `shifted` (the coset, in the first pass); on its
// way out it meets its twiddle, except in the last pass, which has one column. Row y of the grid is vector y.
ZK_KERNEL(128) transform_pass(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                              uint32_t log_roots, const Scalar* roots, uint32_t log_low, const Scalar* omega_low,
                              const Scalar* omega_high, uint32_t shifted, const Scalar* shift_low,
                              const Scalar* shift_high, const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    Planes planes = planes_of(tile.size());
    uint64_t vector = (uint64_t)blockIdx.y << log_size;
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) {
        uint64_t i = tile.index(at);
        Scalar x = in[vector + i];
        planes.put(at, shifted ? mul(x, power(shift_low, shift_high, log_low, i)) : x);
    }
    __syncthreads();
    transform_tile(tile, planes, roots, log_roots);
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) {
        Scalar x = planes.get(at);
        if (log_block != log_rows) x = mul(x, power(omega_low, omega_high, log_low, tile.twiddle(at)));
        out[vector + tile.index(at)] = x;
    }
}

// A pass back: the twiddle on the way in, and on the way out of the last pass the factor shift^i, which holds 1/n.
ZK_KERNEL(128) restore_pass(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                            uint32_t log_roots, const Scalar* roots, uint32_t log_low, const Scalar* omega_low,
                            const Scalar* omega_high, uint32_t shifted, const Scalar* shift_low,
                            const Scalar* shift_high, const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    Planes planes = planes_of(tile.size());
    uint64_t vector = (uint64_t)blockIdx.y << log_size;
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) {
        Scalar x = in[vector + tile.index(at)];
        if (log_block != log_rows) x = mul(x, power(omega_low, omega_high, log_low, tile.twiddle(at)));
        planes.put(at, x);
    }
    __syncthreads();
    restore_tile(tile, planes, roots, log_roots);
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) {
        uint64_t i = tile.index(at);
        Scalar x = planes.get(at);
        out[vector + i] = shifted ? mul(x, power(shift_low, shift_high, log_low, i)) : x;
    }
}

// out[i] = base^i * factor, the tables of the passes: parameters are base^(2^k) in squares[k], and the factor
ZK_KERNEL(128) powers_of(uint32_t n, const Scalar* squares, const Scalar* factor, Scalar* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Scalar x = *factor;
    for (uint32_t bits = i, k = 0; bits; bits >>= 1, k++)
        if (bits & 1) x = mul(x, squares[k]);
    out[i] = x;
}
