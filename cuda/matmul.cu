// Products of matrices of 8-bit integers, exactly, in 32-bit sums. Rows are packed four neighbours to a word.
#include "grid.cuh"

// A block has 64 x 64 entries of the product, a thread 4 x 4 of them; 16 words of each row go through shared memory at
// a time, transposed. A column more than 64 keeps the lanes that write one in different banks, four keep 16-byte loads.
constexpr uint32_t TILE = 64, DEPTH = 16, PITCH = TILE + 4, SHARE = 4;

// rows `first` .. of a matrix, words `at` .. of each; what is beyond the matrix is zero, which adds nothing
ZK_INLINE void load_tile(uint32_t* tile, const uint32_t* matrix, uint32_t rows, uint32_t words, uint32_t first,
                         uint32_t at) {
    uint32_t word = at + threadIdx.x % DEPTH;
#pragma unroll
    for (uint32_t i = threadIdx.x / DEPTH; i < TILE; i += 256 / DEPTH) {
        uint32_t row = first + i;
        bool inside = row < rows && word < words;
        tile[threadIdx.x % DEPTH * PITCH + i] = inside ? matrix[(uint64_t)row * words + word] : 0;
    }
}

// out = left right^T: left has `rows` rows and right `columns`, all of `words` words. Sums must fit 32 bits.
ZK_KERNEL(256) multiply_bytes(uint32_t rows, uint32_t columns, uint32_t words, const uint32_t* left,
                              const uint32_t* right, uint32_t* out) {
    uint32_t *a = shared_memory<uint32_t>(), *b = a + DEPTH * PITCH;
    uint32_t tiles = (columns + TILE - 1) / TILE;
    uint32_t row = blockIdx.x / tiles * TILE, column = blockIdx.x % tiles * TILE;
    uint32_t x = threadIdx.x % 16 * SHARE, y = threadIdx.x / 16 * SHARE;
    int32_t sums[SHARE][SHARE] = {};
    for (uint32_t at = 0; at < words; at += DEPTH) {
        load_tile(a, left, rows, words, row, at);
        load_tile(b, right, columns, words, column, at);
        __syncthreads();
#pragma unroll 4
        for (uint32_t k = 0; k < DEPTH; k++) {
            uint4 p = *reinterpret_cast<const uint4*>(a + k * PITCH + y);
            uint4 q = *reinterpret_cast<const uint4*>(b + k * PITCH + x);
            uint32_t left_words[SHARE] = {p.x, p.y, p.z, p.w}, right_words[SHARE] = {q.x, q.y, q.z, q.w};
#pragma unroll
            for (uint32_t i = 0; i < SHARE; i++)
#pragma unroll
                for (uint32_t j = 0; j < SHARE; j++)
                    sums[i][j] = __dp4a((int32_t)left_words[i], (int32_t)right_words[j], sums[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (uint32_t i = 0; i < SHARE; i++)
#pragma unroll
        for (uint32_t j = 0; j < SHARE; j++)
            if (row + y + i < rows && column + x + j < columns)
                out[(uint64_t)(row + y + i) * columns + column + x + j] = (uint32_t)sums[i][j];
}
