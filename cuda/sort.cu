// From scalars to work lists: signed digits, prefix sums, a counting sort in levels, and the cutting of long runs
// into pieces. Knows nothing of points.
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

constexpr uint32_t SCAN_WORDS = 33;  // what block_scan asks for

// Exclusive sums of a block's tile, `width` values a thread, which lies behind the words of block_scan; they go to
// `sums`, and totals[block] is the sum of the tile. All of it passes through shared memory, so that neighbouring
// threads load and store neighbours; an odd width spreads the threads' rows over all banks.
ZK_INLINE void scan_staged(uint32_t n, uint32_t width, uint32_t* shared, uint32_t* sums, uint32_t* totals) {
    uint32_t *tile = shared + SCAN_WORDS, *row = tile + threadIdx.x * width, size = blockDim.x * width, sum = 0, total;
    __syncthreads();
    for (uint32_t i = 0; i < width; i++) sum += row[i];
    uint32_t before = block_scan(sum, shared, total);
    for (uint32_t i = 0; i < width; i++) {
        uint32_t own = row[i];
        row[i] = before;
        before += own;
    }
    __syncthreads();
    uint64_t first = (uint64_t)blockIdx.x * size;
    for (uint32_t i = threadIdx.x; i < size && first + i < n; i += blockDim.x) sums[first + i] = tile[i];
    if (threadIdx.x == 0) totals[blockIdx.x] = total;
}

// Exclusive sums of each tile in place.
ZK_KERNEL(256) scan_tiles(uint32_t n, uint32_t width, uint32_t* values, uint32_t* totals) {
    uint32_t* shared = shared_memory<uint32_t>();
    uint64_t first = (uint64_t)blockIdx.x * blockDim.x * width;
    for (uint32_t i = threadIdx.x; i < blockDim.x * width; i += blockDim.x)
        shared[SCAN_WORDS + i] = first + i < n ? values[first + i] : 0;
    scan_staged(n, width, shared, values, totals);
}

// Each value grows by the totals of the tiles before its own. Every block sums those for itself: they are few, and
// sums of them all would take launches of their own.
ZK_KERNEL(256) add_tiles(uint32_t n, uint32_t tile, const uint32_t* totals, uint32_t* values) {
    uint32_t sum = 0, before;
    for (uint32_t i = threadIdx.x; i < blockIdx.x; i += blockDim.x) sum += totals[i];
    block_scan(sum, shared_memory<uint32_t>(), before);
    uint64_t first = (uint64_t)blockIdx.x * tile, end = first + tile < n ? first + tile : n;
    for (uint64_t i = first + threadIdx.x; i < end; i += blockDim.x) values[i] += before;
}

// ---- counting sort

constexpr uint32_t NOTHING = 0xFFFFFFFFu;  // a key that none has

// What a thread takes at a time of an array, every blockDim-th entry: it waits for memory once for all of them.
template <uint32_t N>
struct Batch {
    static constexpr uint32_t SIZE = N;
    uint32_t w[SIZE];
};
using Few = Batch<4>;

// The words from `at` on; `otherwise` at `end` and beyond.
template <class B>
ZK_INLINE B words_from(uint64_t at, uint64_t end, uint32_t otherwise, const uint32_t* words) {
    B batch;
#pragma unroll
    for (uint32_t k = 0; k < B::SIZE; k++, at += blockDim.x) batch.w[k] = at < end ? words[at] : otherwise;
    return batch;
}

// The values of a batch of keys, without those of dropped keys.
ZK_INLINE Few values_of(const Few& keys, uint64_t at, uint32_t dropped, const uint32_t* values) {
    Few batch;
#pragma unroll
    for (uint32_t k = 0; k < Few::SIZE; k++, at += blockDim.x) batch.w[k] = keys.w[k] != dropped ? values[at] : 0;
    return batch;
}

// How many keys of begin .. end are for each counter; all threads of the block have to wait before and after.
ZK_INLINE void count_range(uint64_t begin, uint64_t end, uint32_t dropped, uint32_t low_bits, uint32_t mask,
                           const uint32_t* keys, uint32_t* count) {
    for (uint64_t i = begin + threadIdx.x; i < end; i += Few::SIZE * blockDim.x) {
        Few key = words_from<Few>(i, end, dropped, keys);
#pragma unroll
        for (uint32_t k = 0; k < Few::SIZE; k++)
            if (key.w[k] != dropped) atomicAdd(&count[key.w[k] >> low_bits & mask], 1u);
    }
}

// First level: counts[bin * blocks + block] is how many keys of the block's tile have the upper bits `bin`; one more
// entry is 0, for the sum of all. Keys that equal `dropped` are left out: most digits of a real witness are zero.
// The counters of later levels are cleared on the way, which saves a launch.
ZK_KERNEL(512) count_bins(uint32_t n, uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t dropped,
                          const uint32_t* keys, uint32_t* counts, uint32_t counters, uint32_t* zeros) {
    uint32_t* count = shared_memory<uint32_t>();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += blockDim.x) count[bin] = 0;
    __syncthreads();
    uint64_t first = (uint64_t)blockIdx.x * tile, end = first + tile < n ? first + tile : n;
    count_range(first, end, dropped, low_bits, NOTHING, keys, count);
    for (uint64_t i = thread_index(); i < counters; i += (uint64_t)gridDim.x * blockDim.x) zeros[i] = 0;
    __syncthreads();
    for (uint32_t bin = threadIdx.x; bin < bins; bin += blockDim.x) {
        uint64_t at = (uint64_t)bin * gridDim.x + blockIdx.x;
        counts[at] = count[bin];
    }
    if (thread_index() == 0) counts[(uint64_t)bins * gridDim.x] = 0;
}

// Where a block's keys go: next[bin] is the bin's first place in the tile as it is staged, and shift[bin] leads from
// there to its first place outside. Neighbours in `places` differ by the block's keys in the bin. Gives their number.
ZK_INLINE uint32_t places_in_tile(uint32_t bins, const uint32_t* places, uint32_t* next, uint32_t* shift,
                                  uint32_t* for_scan) {
    uint32_t kept = 0, total;
    for (uint32_t first = 0; first < bins; first += blockDim.x, kept += total) {
        uint32_t bin = first + threadIdx.x, from = 0, count = 0;
        if (bin < bins) {
            uint64_t at = (uint64_t)bin * gridDim.x + blockIdx.x;
            from = places[at];
            count = places[at + 1] - from;
        }
        uint32_t start = kept + block_scan(count, for_scan, total);
        if (bin < bins) {
            next[bin] = start;
            shift[bin] = from - start;
        }
    }
    __syncthreads();
    return kept;
}

// Keys and values to their bins; `places` are the exclusive sums of the counts. The tile is put in order in shared
// memory first: then neighbouring threads store to neighbouring places, as far as a bin goes, and not to one each.
// A bin of the lowest level has one key, which nobody asks for again.
ZK_KERNEL(512) move_to_bins(uint32_t n, uint32_t tile, uint32_t low_bits, uint32_t bins, uint32_t dropped,
                            const uint32_t* keys, const uint32_t* values, const uint32_t* places,
                            uint32_t* keys_out, uint32_t* values_out) {
    uint32_t *next = shared_memory<uint32_t>(), *shift = next + bins;
    uint32_t *staged_keys = shift + bins, *staged_values = staged_keys + tile;
    uint32_t kept = places_in_tile(bins, places, next, shift, staged_keys);
    uint64_t first = (uint64_t)blockIdx.x * tile, end = first + tile < n ? first + tile : n;
    for (uint64_t i = first + threadIdx.x; i < end; i += Few::SIZE * blockDim.x) {
        Few key = words_from<Few>(i, end, dropped, keys), value = values_of(key, i, dropped, values);
#pragma unroll
        for (uint32_t k = 0; k < Few::SIZE; k++) {
            if (key.w[k] == dropped) continue;
            uint32_t at = atomicAdd(&next[key.w[k] >> low_bits], 1u);
            staged_keys[at] = key.w[k];
            staged_values[at] = value.w[k];
        }
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < kept; i += blockDim.x) {
        uint32_t at = i + shift[staged_keys[i] >> low_bits];
        if (low_bits) keys_out[at] = staged_keys[i];
        values_out[at] = staged_values[i];
    }
}

// starts[bin] = where the first tile's keys of the bin begin, which is where the bin does
ZK_KERNEL(256) starts_of_bins(uint32_t bins, uint32_t tiles, const uint32_t* places, uint32_t* starts) {
    uint32_t bin = thread_index();
    if (bin < bins) starts[bin] = places[(uint64_t)bin * tiles];
}

// Nothing in a sort needs it; bench/gpu_run times launches of it.
ZK_KERNEL(256) clear_words(uint32_t n, uint32_t* words) {
    uint32_t i = thread_index();
    if (i < n) words[i] = 0;
}

// ---- later levels of the sort

// Keys in their bins, as the level before left them: bin b begins at begins[b * step], and one more word is where the
// last one ends. Of a key in a bin, this level orders the upper `bits` bits and leaves the `low` bits to the next.
struct Level {
    uint32_t low, bits, step;
    const uint32_t *begins, *keys;

    ZK_MEMBER uint32_t size() const { return 1u << bits; }
    ZK_MEMBER uint32_t bin_at(uint32_t at) const { return keys[at] >> (low + bits); }
    ZK_MEMBER uint32_t begin_of(uint32_t bin) const { return begins[(uint64_t)bin * step]; }
};

// Part of the keys, and the bin of its first.
struct Range {
    uint32_t begin, end, bin;
};

// The block's tile, empty where it lies beyond all keys. Whatever bins it meets: many equal keys, which fill one bin,
// keep all blocks busy.
ZK_INLINE Range tile_of(const Level& level, uint32_t tile, uint32_t bins) {
    uint32_t n = level.begin_of(bins), begin = blockIdx.x * tile;
    if (begin >= n) return {n, n, bins};
    return {begin, tile < n - begin ? begin + tile : n, level.bin_at(begin)};
}

// Whether the bins of a tile have fewer keys than the block has threads: counting keys of one bin after another in
// shared memory would take longer than an atomic operation on global memory for each.
ZK_INLINE bool is_scattered(const Level& level, const Range& tile) {
    uint32_t bins = level.bin_at(tile.end - 1) - tile.bin + 1;
    return (uint64_t)bins * blockDim.x > tile.end - tile.begin;
}

// the tile's keys from `begin` on that lie in one bin
ZK_INLINE Range segment_of(const Level& level, const Range& tile, uint32_t begin) {
    uint32_t bin = level.bin_at(begin), end = level.begin_of(bin + 1);
    return {begin, end < tile.end ? end : tile.end, bin};
}

// counts[key >> low] grows by the number of such keys in the tile.
ZK_KERNEL(512) count_keys(uint32_t tile, uint32_t low, uint32_t bits, uint32_t bins, uint32_t step,
                          const uint32_t* begins, const uint32_t* keys, uint32_t* counts) {
    uint32_t* count = shared_memory<uint32_t>();
    Level level = {low, bits, step, begins, keys};
    Range all = tile_of(level, tile, bins);
    if (all.begin == all.end) return;
    if (is_scattered(level, all)) return count_range(all.begin, all.end, NOTHING, low, NOTHING, keys, counts);
    for (uint32_t begin = all.begin; begin < all.end;) {
        Range segment = segment_of(level, all, begin);
        for (uint32_t i = threadIdx.x; i < level.size(); i += blockDim.x) count[i] = 0;
        __syncthreads();
        count_range(segment.begin, segment.end, NOTHING, low, level.size() - 1, keys, count);
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < level.size(); i += blockDim.x)
            if (count[i]) atomicAdd(&counts[(segment.bin << bits) + i], count[i]);
        __syncthreads();
        begin = segment.end;
    }
}

// Where keys and values of a level go: starts[key >> low] are the exclusive sums of the counts, and used[key >> low]
// is how many places are taken, 0 at first. No order among equal keys. Nobody asks for the keys of the last level.
struct Places {
    const uint32_t* starts;
    uint32_t *used, *keys_out, *values_out;

    ZK_MEMBER uint32_t take(uint32_t key, uint32_t count) const { return starts[key] + atomicAdd(&used[key], count); }
};

// A thread holds its share of a tile in registers until places are known, so that memory is read once.
using Held = Batch<12>;
using Own = Batch<8>;  // as many of a level's counters are a thread's own

// The keys of a tile one by one.
ZK_INLINE void move_scattered(const Level& level, const Range& tile, const uint32_t* values, const Places& to) {
    uint64_t first = tile.begin + threadIdx.x;
    Held key = words_from<Held>(first, tile.end, NOTHING, level.keys), at;
    Held value = words_from<Held>(first, tile.end, 0, values);
#pragma unroll
    for (uint32_t k = 0; k < Held::SIZE; k++)
        at.w[k] = key.w[k] != NOTHING ? to.take(key.w[k] >> level.low, 1) : 0;
#pragma unroll
    for (uint32_t k = 0; k < Held::SIZE; k++) {
        if (key.w[k] == NOTHING) continue;
        if (level.low) to.keys_out[at.w[k]] = key.w[k];
        to.values_out[at.w[k]] = value.w[k];
    }
}

using Short = unsigned short;

// Shared memory of a block that moves a segment: a word for each counter, and a staged value and key, of which 16 bits
// are enough within a bin, for each entry. Sums over the block need some words before anything is staged.
struct Stage {
    uint32_t *place, *values;
    Short* keys;
};

// Counts the keys of a segment. Each becomes its lower bits, which differ within a bin, and above those 16 how many
// keys of the same counter came before it.
ZK_INLINE void rank_keys(const Level& level, uint32_t* count, Held& key) {
    uint32_t mask = (1u << (level.low + level.bits)) - 1;
#pragma unroll
    for (uint32_t k = 0; k < Held::SIZE; k++) {
        if (key.w[k] == NOTHING) continue;
        uint32_t own = key.w[k] & mask;
        key.w[k] = atomicAdd(&count[own >> level.low], 1u) << 16 | own;
    }
}

// The counts in `place` become places in the stage, in the order of the counters. Gives for each of the thread's own
// what leads from there to the first place outside.
ZK_INLINE Own take_places(const Level& level, uint32_t first_key, const Places& to, const Stage& stage) {
    Own shift;
    uint32_t before = 0, total;
#pragma unroll
    for (uint32_t k = 0; k < Own::SIZE; k++) {
        uint32_t i = threadIdx.x + k * blockDim.x, count = i < level.size() ? stage.place[i] : 0;
        shift.w[k] = count ? to.take(first_key + i, count) : 0;
    }
#pragma unroll
    for (uint32_t k = 0; k < Own::SIZE; k++) {
        uint32_t i = threadIdx.x + k * blockDim.x;
        if (k * blockDim.x >= level.size()) continue;
        uint32_t start = before + block_scan(i < level.size() ? stage.place[i] : 0, stage.values, total);
        before += total;
        shift.w[k] -= start;
        if (i < level.size()) stage.place[i] = start;
    }
    return shift;
}

// Keys of one bin, which go in order to shared memory and from there to their places: neighbouring threads store to
// neighbouring places, as far as the tile has equal keys.
ZK_INLINE void move_segment(const Level& level, const Range& segment, const uint32_t* values, const Places& to,
                            const Stage& stage) {
    for (uint32_t i = threadIdx.x; i < level.size(); i += blockDim.x) stage.place[i] = 0;
    __syncthreads();
    uint64_t first = segment.begin + threadIdx.x;
    Held key = words_from<Held>(first, segment.end, NOTHING, level.keys);
    Held value = words_from<Held>(first, segment.end, 0, values);
    rank_keys(level, stage.place, key);
    __syncthreads();
    Own shift = take_places(level, segment.bin << level.bits, to, stage);
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < Held::SIZE; k++) {
        if (key.w[k] == NOTHING) continue;
        uint32_t own = key.w[k] & 0xFFFF, at = stage.place[own >> level.low] + (key.w[k] >> 16);
        stage.keys[at] = (Short)own;
        stage.values[at] = value.w[k];
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = 0; k < Own::SIZE; k++)
        if (threadIdx.x + k * blockDim.x < level.size()) stage.place[threadIdx.x + k * blockDim.x] = shift.w[k];
    __syncthreads();
    uint32_t bin = segment.bin << level.bits << level.low;
    for (uint32_t i = threadIdx.x; i < segment.end - segment.begin; i += blockDim.x) {
        uint32_t own = stage.keys[i], at = i + stage.place[own >> level.low];
        if (level.low) to.keys_out[at] = bin | own;
        to.values_out[at] = stage.values[i];
    }
    __syncthreads();
}

// Keys and values to their places; a tile has at most as many as its threads hold.
ZK_KERNEL(512) move_to_keys(uint32_t tile, uint32_t low, uint32_t bits, uint32_t bins, uint32_t step,
                            const uint32_t* begins, const uint32_t* keys, const uint32_t* values,
                            const uint32_t* starts, uint32_t* used, uint32_t* keys_out, uint32_t* values_out) {
    Level level = {low, bits, step, begins, keys};
    Places to = {starts, used, keys_out, values_out};
    uint32_t *place = shared_memory<uint32_t>(), *staged = place + level.size();
    Stage stage = {place, staged, (Short*)(staged + tile)};
    Range all = tile_of(level, tile, bins);
    if (all.begin == all.end) return;
    if (is_scattered(level, all)) return move_scattered(level, all, values, to);
    for (uint32_t begin = all.begin; begin < all.end;) {
        Range segment = segment_of(level, all, begin);
        move_segment(level, segment, values, to, stage);
        begin = segment.end;
    }
}

// ---- pieces of runs

// A run of n entries is cut into pieces of at most `size`. values[run] = the pieces of the runs before it in its tile
// of `width` runs a thread, as scan_tiles leaves sums; one more entry is there for the sum of all.
ZK_KERNEL(256) count_pieces(uint32_t runs, uint32_t size, const uint32_t* starts, uint32_t width, uint32_t* values,
                            uint32_t* totals) {
    uint32_t* shared = shared_memory<uint32_t>();
    uint64_t first = (uint64_t)blockIdx.x * blockDim.x * width;
    for (uint32_t i = threadIdx.x; i < blockDim.x * width; i += blockDim.x) {
        uint64_t run = first + i;
        shared[SCAN_WORDS + i] = run < runs ? (starts[run + 1] - starts[run] + size - 1) / size : 0;
    }
    scan_staged(runs + 1, width, shared, values, totals);
}

// Some neighbouring runs: the first, and the one behind the last.
struct Runs {
    uint32_t begin, end;
};

// the last of the runs that begins at or before `piece`; the first of them does
ZK_INLINE uint32_t run_of(uint32_t piece, Runs runs, const uint32_t* first_piece) {
    while (runs.end - runs.begin > 1) {
        uint32_t middle = runs.begin + (runs.end - runs.begin) / 2;
        if (first_piece[middle] <= piece) runs.begin = middle;
        else runs.end = middle;
    }
    return runs.begin;
}

// The runs of a block's pieces first .. end, of which there is one at least: two threads search all runs for both
// ends, so that the others need to search between those only. Needs two words of shared memory.
ZK_INLINE Runs runs_of_tile(uint32_t first, uint32_t end, uint32_t runs, const uint32_t* first_piece) {
    uint32_t* found = shared_memory<uint32_t>();
    if (threadIdx.x < 2) found[threadIdx.x] = run_of(threadIdx.x ? end - 1 : first, {0, runs}, first_piece);
    __syncthreads();
    return {found[0], found[1] + 1};
}

// Where each piece begins and ends; beyond the last piece both are 0. missing[piece] = size - length orders the
// pieces from long to short; `pieces` is only a bound on their number, since the number itself is on the device.
ZK_KERNEL(256) cut_pieces(uint32_t runs, uint32_t size, uint32_t pieces, uint32_t tile, const uint32_t* starts,
                          const uint32_t* first_piece, uint32_t* begin, uint32_t* end, uint32_t* missing,
                          uint32_t* names) {
    uint32_t first = blockIdx.x * tile, tile_end = tile < pieces - first ? first + tile : pieces;
    uint32_t there = first_piece[runs], last = tile_end < there ? tile_end : there;
    Runs near = {0, 0};
    if (first < last) near = runs_of_tile(first, last, runs, first_piece);
    for (uint32_t piece = first + threadIdx.x; piece < tile_end; piece += blockDim.x) {
        uint32_t from = 0, to = 0;
        if (piece < last) {
            uint32_t run = run_of(piece, near, first_piece);
            from = starts[run] + (piece - first_piece[run]) * size;
            to = starts[run + 1] - from < size ? starts[run + 1] : from + size;
        }
        begin[piece] = from;
        end[piece] = to;
        missing[piece] = size - (to - from);
        names[piece] = piece;
    }
}
