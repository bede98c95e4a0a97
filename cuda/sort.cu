// From scalars to work lists: signed digits, prefix sums, a counting sort in two levels, and the cutting of long
// runs into pieces. Knows nothing of points.
#include "field.cuh"
#include "grid.cuh"

constexpr uint32_t SIGN = 0x80000000u, ALONE = 0x80000000u;

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

ZK_KERNEL(256) clear_words(uint32_t n, uint32_t* words) {
    uint32_t i = thread_index();
    if (i < n) words[i] = 0;
}

// The part of a block's tile that lies in one bin, from `begin` on: keys that differ only in their lower bits.
struct Segment {
    uint32_t begin, end, bin;
};

ZK_INLINE Segment segment_from(uint32_t begin, uint32_t tile_end, uint32_t low_bits, uint32_t tiles,
                               const uint32_t* places, const uint32_t* keys) {
    uint32_t bin = keys[begin] >> low_bits, end = places[(uint64_t)(bin + 1) * tiles];
    return {begin, end < tile_end ? end : tile_end, bin};
}

// how many keys of the segment have each value of the lower bits; all threads of the block take part
ZK_INLINE void count_segment(const Segment& segment, uint32_t low_bits, const uint32_t* keys, uint32_t* count) {
    uint32_t size = 1u << low_bits;
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) count[i] = 0;
    __syncthreads();
    for (uint32_t i = segment.begin + threadIdx.x; i < segment.end; i += blockDim.x)
        atomicAdd(&count[keys[i] & (size - 1)], 1u);
    __syncthreads();
}

// Second level, over keys in their bins. A block takes a tile, however many bins it meets: many equal keys, which fill
// one bin, keep all blocks busy. Here counts[key] grows by the number of equal keys in the tile.
ZK_KERNEL(256) count_keys(uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t tiles, const uint32_t* places,
                          const uint32_t* keys, uint32_t* counts) {
    uint32_t* count = shared_memory<uint32_t>();
    uint32_t n = places[(uint64_t)bins * tiles], begin = blockIdx.x * tile;
    if (begin >= n) return;
    uint32_t tile_end = tile < n - begin ? begin + tile : n;
    while (begin < tile_end) {
        Segment segment = segment_from(begin, tile_end, low_bits, tiles, places, keys);
        count_segment(segment, low_bits, keys, count);
        for (uint32_t i = threadIdx.x; i < 1u << low_bits; i += blockDim.x)
            if (count[i]) atomicAdd(&counts[(segment.bin << low_bits) + i], count[i]);
        __syncthreads();
        begin = segment.end;
    }
}

// Values to their places: starts[key] are the exclusive sums of the counts, and used[key] is how many places of the
// key are taken, 0 at first. No order among equal keys.
ZK_KERNEL(256) move_to_keys(uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t tiles, const uint32_t* places,
                            const uint32_t* keys, const uint32_t* values, const uint32_t* starts, uint32_t* used,
                            uint32_t* values_out) {
    uint32_t* place = shared_memory<uint32_t>();
    uint32_t n = places[(uint64_t)bins * tiles], begin = blockIdx.x * tile, mask = (1u << low_bits) - 1;
    if (begin >= n) return;
    uint32_t tile_end = tile < n - begin ? begin + tile : n;
    while (begin < tile_end) {
        Segment segment = segment_from(begin, tile_end, low_bits, tiles, places, keys);
        count_segment(segment, low_bits, keys, place);
        for (uint32_t i = threadIdx.x; i <= mask; i += blockDim.x) {
            uint32_t key = (segment.bin << low_bits) + i;
            if (place[i]) place[i] = starts[key] + atomicAdd(&used[key], place[i]);
        }
        __syncthreads();
        for (uint32_t i = segment.begin + threadIdx.x; i < segment.end; i += blockDim.x)
            values_out[atomicAdd(&place[keys[i] & mask], 1u)] = values[i];
        __syncthreads();
        begin = segment.end;
    }
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

// lefts[pair] = where the first of the pair's two elements is: run r has the pairs first_pair[r] .. first_pair[r + 1].
// ALONE in the top bit says that the run ends with it.
ZK_KERNEL(128) name_pairs(uint32_t runs, uint32_t pairs, const uint32_t* starts, const uint32_t* first_pair,
                          uint32_t* lefts) {
    uint32_t pair = thread_index();
    if (pair >= pairs || pair >= first_pair[runs]) return;
    uint32_t run = run_of(pair, runs, first_pair), left = starts[run] + 2 * (pair - first_pair[run]);
    lefts[pair] = left + 1 < starts[run + 1] ? left : left | ALONE;
}
