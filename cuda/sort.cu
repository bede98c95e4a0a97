// From scalars to work lists: signed digits, prefix sums, a counting sort in two levels, and the cutting of long
// runs into pieces. Knows nothing of points.
#include "field.cuh"
#include "grid.cuh"

constexpr uint32_t SIGN = 0x80000000u;

// ---- digits

// the smaller of k and r - k, and which of the two it is
ZK_INLINE Number balanced(const Number& k, bool& negative) {
    Number opposite = minus(words_of(Scalar::Prime{}), k);
    negative = !at_least(opposite, k);
    return negative ? opposite : k;
}

ZK_INLINE void shift_right(Number& k, uint32_t bits) {
    constexpr int N = sizeof(Number) / 4;
#pragma unroll
    for (int i = 0; i < N - 1; i++) k.w[i] = (uint32_t)((((uint64_t)k.w[i + 1] << 32) | k.w[i]) >> bits);
    k.w[N - 1] >>= bits;
}

// The signed digits of base 2^width of each scalar: digit d of window w asks for the point `i + w * point_step`, with
// its sign in the top bit, in bucket |d| - 1 + w * bucket_step; key `none` stands for d = 0. Row w of keys and values
// holds window w. A digit above half of the base becomes negative and carries one into the next window.
ZK_KERNEL(128) split_digits(uint32_t n, uint32_t width, uint32_t windows, uint32_t bucket_step, uint32_t point_step,
                            uint32_t none, const Scalar* scalars, uint32_t* keys, uint32_t* values) {
    uint32_t i = thread_index();
    if (i >= n) return;
    bool negative;
    Number k = balanced(from_montgomery(scalars[i]), negative);
    uint32_t carry = 0, base = 1u << width;
    for (uint32_t w = 0; w < windows; w++, shift_right(k, width)) {
        uint32_t digit = (k.w[0] & (base - 1)) + carry;
        carry = digit > base / 2;
        if (carry) digit = base - digit;
        bool minus_point = negative != (carry != 0);
        uint64_t at = (uint64_t)w * n + i;
        keys[at] = digit ? w * bucket_step + digit - 1 : none;
        values[at] = (i + w * point_step) | (minus_point ? SIGN : 0);
    }
}

// ---- prefix sums

// Exclusive sums of tiles of `width` values a thread, in place; totals[block] is the sum of the tile.
ZK_KERNEL(256) scan_tiles(uint32_t n, uint32_t width, uint32_t* values, uint32_t* totals) {
    uint64_t first = (uint64_t)thread_index() * width, end = first + width < n ? first + width : n;
    uint32_t sum = 0, total;
    for (uint64_t i = first; i < end; i++) sum += values[i];
    uint32_t before = block_scan(sum, shared_memory<uint32_t>(), total);
    for (uint64_t i = first; i < end; i++) {
        uint32_t own = values[i];
        values[i] = before;
        before += own;
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = total;
}

// values[i] += before[i / tile]
ZK_KERNEL(256) add_tiles(uint32_t n, uint32_t tile, const uint32_t* before, uint32_t* values) {
    uint32_t i = thread_index();
    if (i < n) values[i] += before[i / tile];
}

// ---- counting sort

// First level: counts[bin * blocks + block] is how many keys of the block's tile have the upper bits `bin`; one more
// entry is 0, for the sum of all. Keys that equal `dropped` are left out: most digits of a real witness are zero.
ZK_KERNEL(256) count_bins(uint32_t n, uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t dropped,
                          const uint32_t* keys, uint32_t* counts) {
    uint32_t* count = shared_memory<uint32_t>();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += blockDim.x) count[bin] = 0;
    __syncthreads();
    uint64_t first = (uint64_t)blockIdx.x * tile, end = first + tile < n ? first + tile : n;
    for (uint64_t i = first + threadIdx.x; i < end; i += blockDim.x)
        if (keys[i] != dropped) atomicAdd(&count[keys[i] >> low_bits], 1u);
    __syncthreads();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += blockDim.x) {
        uint64_t at = (uint64_t)bin * gridDim.x + blockIdx.x;
        counts[at] = count[bin];
    }
    if (thread_index() == 0) counts[(uint64_t)bins * gridDim.x] = 0;
}

// Keys and values to their bins; `places` are the exclusive sums of the counts.
ZK_KERNEL(256) move_to_bins(uint32_t n, uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t dropped,
                            const uint32_t* keys, const uint32_t* values, const uint32_t* places,
                            uint32_t* keys_out, uint32_t* values_out) {
    uint32_t* place = shared_memory<uint32_t>();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += blockDim.x) {
        uint64_t at = (uint64_t)bin * gridDim.x + blockIdx.x;
        place[bin] = places[at];
    }
    __syncthreads();
    uint64_t first = (uint64_t)blockIdx.x * tile, end = first + tile < n ? first + tile : n;
    for (uint64_t i = first + threadIdx.x; i < end; i += blockDim.x) {
        if (keys[i] == dropped) continue;
        uint32_t at = atomicAdd(&place[keys[i] >> low_bits], 1u);
        keys_out[at] = keys[i];
        values_out[at] = values[i];
    }
}

// turns `size` counts into exclusive sums that begin at `before`; all threads of the block take part
ZK_INLINE void scan_shared(uint32_t* counts, uint32_t size, uint32_t before, uint32_t* scratch) {
    for (uint32_t base = 0; base < size; base += blockDim.x) {
        uint32_t i = base + threadIdx.x, total;
        uint32_t sum = block_scan(i < size ? counts[i] : 0, scratch, total);
        if (i < size) counts[i] = before + sum;
        before += total;
    }
    __syncthreads();
}

// Second level: a block sorts one bin by the lower bits, and writes where every key's run begins: starts[key], for
// keys up to and with `keys_end`, whose start is the number of values with a smaller key. No order within a run.
ZK_KERNEL(256) sort_bin(uint32_t low_bits, uint32_t tiles, uint32_t keys_end, const uint32_t* places,
                        const uint32_t* keys, const uint32_t* values, uint32_t* starts, uint32_t* values_out) {
    uint32_t size = 1u << low_bits, mask = size - 1;
    uint32_t* counts = shared_memory<uint32_t>();
    uint32_t begin = places[(uint64_t)blockIdx.x * tiles];
    uint32_t end = places[(uint64_t)(blockIdx.x + 1) * tiles];
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) counts[i] = 0;
    __syncthreads();
    for (uint64_t i = (uint64_t)begin + threadIdx.x; i < end; i += blockDim.x) atomicAdd(&counts[keys[i] & mask], 1u);
    __syncthreads();
    scan_shared(counts, size, begin, counts + size);
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) {
        uint32_t key = (blockIdx.x << low_bits) + i;
        if (key <= keys_end) starts[key] = counts[i];
    }
    __syncthreads();
    for (uint64_t i = (uint64_t)begin + threadIdx.x; i < end; i += blockDim.x)
        values_out[atomicAdd(&counts[keys[i] & mask], 1u)] = values[i];
}

// ---- pieces of runs

// counts[run] = number of pieces of at most `size` that the run is cut into; counts[runs] = 0, for the sum of all
ZK_KERNEL(128) count_pieces(uint32_t runs, uint32_t size, const uint32_t* starts, uint32_t* counts) {
    uint32_t run = thread_index();
    if (run < runs) counts[run] = (starts[run + 1] - starts[run] + size - 1) / size;
    if (run == runs) counts[run] = 0;
}

// the last run that begins at or before `piece`
ZK_INLINE uint32_t run_of(uint32_t piece, uint32_t runs, const uint32_t* first_piece) {
    uint32_t low = 0, high = runs;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (first_piece[middle] <= piece) low = middle;
        else high = middle;
    }
    return low;
}

// Where each piece begins and ends; beyond the last piece both are 0. missing[piece] = size - length orders the
// pieces from long to short; `pieces` is only a bound on their number, since the number itself is on the device.
ZK_KERNEL(128) cut_pieces(uint32_t runs, uint32_t size, uint32_t pieces, const uint32_t* starts,
                          const uint32_t* first_piece, uint32_t* begin, uint32_t* end, uint32_t* missing,
                          uint32_t* names) {
    uint32_t piece = thread_index();
    if (piece >= pieces) return;
    uint32_t from = 0, to = 0;
    if (piece < first_piece[runs]) {
        uint32_t run = run_of(piece, runs, first_piece);
        from = starts[run] + (piece - first_piece[run]) * size;
        to = starts[run + 1] - from < size ? starts[run + 1] : from + size;
    }
    begin[piece] = from;
    end[piece] = to;
    missing[piece] = size - (to - from);
    names[piece] = piece;
}
