// Number-theoretic transforms in passes: a pass takes tiles of the vector through shared memory and does several
// stages on each, radix 8 in registers. Forward natural order in and bit-reversed out; back the other way: nothing is
// ever permuted.
//
// A stage takes remainders modulo X^(2m) - r^2 to those modulo X^m - r and X^m + r: (a, b) -> (a + r b, a - r b), with
// one root r a block. Blocks are the nodes of a binary tree, numbered from 1 at the top as in a heap, and roots[node]
// is the root of each. The top is X^n - offset^n, so a coset costs no product of its own, and as blocks never meet
// again there are no twiddles between passes (Fiduccia 1972; Bernstein, "Multidigit multiplication for mathematicians",
// 2001). Back, (u, v) -> (u + v, (u - v) / r) gives n times the coefficients.
//
// A pass splits every block of 2^log_block neighbours into rows of 2^(log_block - log_rows) and transforms the columns,
// 2^log_columns neighbouring ones in a tile.
#include "field.cuh"
#include "grid.cuh"

// The roots of all nodes, in a table.
struct WholeRoots {
    const Scalar* table;

    ZK_MEMBER Scalar of(uint32_t node) const { return table[node]; }
};

// The roots of the first 2^log_whole nodes in a table; of others high[node >> log_whole] * low[node mod 2^log_whole].
struct SplitRoots {
    uint32_t log_whole;
    const Scalar *whole, *high, *low;

    ZK_MEMBER Scalar of(uint32_t node) const {
        if (node >> log_whole == 0) return whole[node];
        return mul(high[node >> log_whole], low[node & ((1u << log_whole) - 1)]);
    }
};

struct Tile {
    uint32_t log_block, log_rows, log_columns, node;  // node: of the tile's block
    uint64_t block, column;  // where the tile's block begins, and the tile's first column in it

    ZK_MEMBER uint32_t size() const { return 1u << (log_rows + log_columns); }
    ZK_MEMBER uint64_t index(uint32_t at) const {
        uint32_t row = at >> log_columns, of_column = at & ((1u << log_columns) - 1);
        return block + ((uint64_t)row << (log_block - log_rows)) + column + of_column;
    }
};

ZK_INLINE Tile tile_of(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns) {
    uint32_t log_tiles = log_block - log_rows - log_columns;  // tiles in a block
    uint32_t place = blockIdx.x >> log_tiles;
    uint64_t column = (uint64_t)(blockIdx.x & ((1u << log_tiles) - 1)) << log_columns;
    uint32_t node = (1u << (log_size - log_block)) + place;
    return {log_block, log_rows, log_columns, node, (uint64_t)place << log_block, column};
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

// (a, b) -> (a + r b, a - r b)
ZK_INLINE void divide(Scalar& a, Scalar& b, const Scalar& root) {
    Scalar product = mul(b, root);
    b = sub(a, product);
    a = add(a, product);
}

// (u, v) -> (u + v, (u - v) / r)
ZK_INLINE void restore(Scalar& u, Scalar& v, const Scalar& inverse) {
    Scalar difference = sub(u, v);
    u = add(u, v);
    v = mul(difference, inverse);
}

// One round: the LOG stages of distances 2^(LOG - 1) d ... d on 2^LOG elements in registers, d = 2^log_distance rows.
template <int LOG, bool FORWARD, class Roots>
ZK_INLINE void round_of(const Tile& tile, const Planes& planes, uint32_t group, uint32_t log_distance,
                        const Roots& roots) {
    constexpr int COUNT = 1 << LOG;
    uint32_t log_step = log_distance + tile.log_columns;
    uint32_t block = group >> log_step, first = (block << (log_step + LOG)) + (group & ((1u << log_step) - 1));
    uint32_t node = (tile.node << (tile.log_rows - LOG - log_distance)) + block;
    Scalar x[COUNT];
#pragma unroll
    for (int k = 0; k < COUNT; k++) x[k] = planes.get(first + ((uint32_t)k << log_step));
#pragma unroll
    for (int s = 0; s < LOG; s++) {
        int level = FORWARD ? s : LOG - 1 - s, half = COUNT >> (level + 1);
#pragma unroll
        for (int j = 0; j < 1 << level; j++) {
            Scalar root = roots.of((node << level) + (uint32_t)j);
#pragma unroll
            for (int k = 2 * half * j; k < 2 * half * j + half; k++) {
                if (FORWARD) divide(x[k], x[k + half], root);
                else restore(x[k], x[k + half], root);
            }
        }
    }
#pragma unroll
    for (int k = 0; k < COUNT; k++) planes.put(first + ((uint32_t)k << log_step), x[k]);
}

template <int LOG, bool FORWARD, class Roots>
ZK_INLINE void round_of_tile(const Tile& tile, const Planes& planes, uint32_t log_distance, const Roots& roots) {
    uint32_t groups = tile.size() >> LOG;
#pragma unroll 1
    for (uint32_t group = threadIdx.x; group < groups; group += blockDim.x)
        round_of<LOG, FORWARD>(tile, planes, group, log_distance, roots);
    __syncthreads();
}

// the columns of a tile in shared memory, natural order to bit-reversed
template <class Roots>
ZK_INLINE void transform_tile(const Tile& tile, const Planes& planes, const Roots& roots) {
    uint32_t left = tile.log_rows;
    for (; left >= 3; left -= 3) round_of_tile<3, true>(tile, planes, left - 3, roots);
    if (left == 2) round_of_tile<2, true>(tile, planes, 0, roots);
    if (left == 1) round_of_tile<1, true>(tile, planes, 0, roots);
}

// the columns of a tile, bit-reversed order to natural, times the number of rows
template <class Roots>
ZK_INLINE void restore_tile(const Tile& tile, const Planes& planes, const Roots& roots) {
    uint32_t done = 0;
    for (; done + 3 <= tile.log_rows; done += 3) round_of_tile<3, false>(tile, planes, done, roots);
    if (tile.log_rows - done == 2) round_of_tile<2, false>(tile, planes, done, roots);
    if (tile.log_rows - done == 1) round_of_tile<1, false>(tile, planes, done, roots);
}

// A pass forward, which may be in place. Row y of the grid is vector y.
template <class Roots>
ZK_INLINE void pass_forward(uint32_t log_size, const Tile& tile, const Roots& roots, const Scalar* in, Scalar* out) {
    Planes planes = planes_of(tile.size());
    uint64_t vector = (uint64_t)blockIdx.y << log_size;
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) planes.put(at, in[vector + tile.index(at)]);
    __syncthreads();
    transform_tile(tile, planes, roots);
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) out[vector + tile.index(at)] = planes.get(at);
}

// A pass back, with the inverses of the roots. The last one divides by n: the second half of the coefficients by the
// root of node 1, which holds 1/n, and the first half by that of node 0, which is 1/n.
template <class Roots>
ZK_INLINE void pass_back(uint32_t log_size, const Tile& tile, const Roots& roots, const Scalar* in, Scalar* out) {
    Planes planes = planes_of(tile.size());
    uint64_t vector = (uint64_t)blockIdx.y << log_size;
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) planes.put(at, in[vector + tile.index(at)]);
    __syncthreads();
    restore_tile(tile, planes, roots);
    uint32_t scaled = tile.log_block == log_size ? tile.size() / 2 : 0;
    for (uint32_t at = threadIdx.x; at < tile.size(); at += blockDim.x) {
        Scalar x = planes.get(at);
        out[vector + tile.index(at)] = at < scaled ? mul(x, roots.of(0)) : x;
    }
}

ZK_KERNEL(128) transform_pass(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                              const Scalar* roots, const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    pass_forward(log_size, tile, WholeRoots{roots}, in, out);
}

ZK_KERNEL(128) restore_pass(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                            const Scalar* roots, const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    pass_back(log_size, tile, WholeRoots{roots}, in, out);
}

// 3 blocks: left to itself, the compiler makes room for 4 on sm_100 and spills
ZK_KERNEL(128, 3) transform_pass_split(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                                       uint32_t log_whole, const Scalar* whole, const Scalar* high, const Scalar* low,
                                       const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    pass_forward(log_size, tile, SplitRoots{log_whole, whole, high, low}, in, out);
}

ZK_KERNEL(128) restore_pass_split(uint32_t log_size, uint32_t log_block, uint32_t log_rows, uint32_t log_columns,
                                  uint32_t log_whole, const Scalar* whole, const Scalar* high, const Scalar* low,
                                  const Scalar* in, Scalar* out) {
    Tile tile = tile_of(log_size, log_block, log_rows, log_columns);
    pass_back(log_size, tile, SplitRoots{log_whole, whole, high, low}, in, out);
}

// out[i] = the root of node i 2^log_step: that of the first node of its level, times a factor for each bit of its place
// in the level. levels[0] is what stands at place 0, where there is no node.
ZK_KERNEL(128) roots_of(uint32_t n, uint32_t log_step, const Scalar* levels, const Scalar* factors, Scalar* out) {
    uint32_t i = thread_index();
    if (i >= n) return;
    uint32_t node = i << log_step, level = 32 - __clz(node);
    Scalar x = levels[level];
    for (uint32_t bits = node, k = 0; bits > 1; bits >>= 1, k++)
        if (bits & 1) x = mul(x, factors[k]);
    out[i] = x;
}
