import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkgpu.curves.bn254 import Fr
from zkgpu.msm.plan import (
    Cost,
    SharedDigits,
    balanced_bits,
    bucket_sets,
    bucket_width,
    comb_width,
    share_out,
    signed_digits,
    sparse_width,
    window_sizes,
    windows_of,
)


@pytest.mark.parametrize("width", range(2, 16))
@pytest.mark.parametrize("bits", [1, 2, 7, 8, 63, 64, 252, 253])
def test_the_digits_of_the_extreme_magnitudes_of_each_length_add_up(width, bits):
    for k in ((1 << bits) - 1, 1 << (bits - 1)):
        digits = signed_digits(k, width)
        assert len(digits) == windows_of(bits, width)
        assert sum(d << (width * w) for w, d in enumerate(digits)) == k
        assert all(-(1 << (width - 1)) < d <= 1 << (width - 1) for d in digits)


def test_zero_needs_no_window():
    assert windows_of(0, 8) == 0


def test_balanced_scalars_fit_in_their_bits():
    assert (Fr.modulus // 2).bit_length() <= balanced_bits(Fr.modulus)


def histogram(**counts):
    return [counts.get(f"b{b}", 0) for b in range(256)]


def test_a_window_counts_the_scalars_long_enough_to_reach_it():
    assert window_sizes(histogram(b0=9, b1=5, b3=2, b4=7, b20=1), 4) == [15, 8, 1, 1, 1, 1]
    assert window_sizes(histogram(b0=9), 4) == []


def test_larger_sums_use_wider_windows():
    cost = Cost(addition=44, bucket=75)
    widths = [bucket_width(histogram(b253=1 << k), cost, 4) for k in (4, 10, 14, 18, 24)]
    assert widths == sorted(widths)
    assert widths[-1] == 15


def test_bits_use_the_narrowest_windows():
    assert bucket_width(histogram(b1=1 << 16), Cost(addition=44, bucket=75), 4) == 4


def test_tables_grow_with_their_use():
    assert comb_width(10, 253) < comb_width(1000, 253) < comb_width(1 << 16, 253)
    assert sparse_width(100, 100, 253) < sparse_width(100, 100_000, 253)


def test_windows_a_stride_apart_share_their_buckets():
    sets = bucket_sets([9, 8, 7, 6, 5, 0], stride=2)
    assert [(s.weight, [r.window for r in s.ranges], s.size) for s in sets] == [(0, [0, 2, 4], 21), (1, [1, 3], 14)]


all_digits = st.lists(
    st.tuples(st.lists(st.integers(0, 10_000), max_size=30), st.integers(1, 9), st.integers(1, 2000)), max_size=4
)


@given(all_digits, st.integers(1, 9))
def test_tasks_cover_every_window_of_all_digits_once(shapes, threads):
    given_digits = [
        SharedDigits(bucket_sets(sorted(sizes, reverse=True), stride), Cost(44, 75), buckets)
        for sizes, stride, buckets in shapes
    ]
    tasks = share_out(given_digits, threads)
    for k, (sizes, stride, _) in enumerate(shapes):
        for window, size in enumerate(sorted(sizes, reverse=True)):
            sets = [s for task in tasks if task.digits == k for s in task.sets]
            assert all(p.window % stride == s.weight for s in sets for p in s.ranges)
            ranges = sorted((p.begin, p.end) for s in sets for p in s.ranges if p.window == window)
            begins, ends = [b for b, _ in ranges], [e for _, e in ranges]
            assert [*begins, size] == [0, *ends] if size else not ranges


SIZES = {
    "even": [65536] * 19,
    "skewed": [65536] + [655] * 18,
    "one": [65536],
    "two": [100_000, 100_000, 10],
    "small": [300] * 50,
}


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("stride", [1, 4, 50])
@pytest.mark.parametrize("name", SIZES)
def test_workers_that_take_one_task_at_a_time_end_together(name, threads, stride):
    sizes, buckets, cost = SIZES[name], 100 if name == "small" else 1000, Cost(1, 1)
    shared, loads = SharedDigits(bucket_sets(sizes, stride), cost, buckets), [0.0] * threads
    uncut = sum(sizes) + len(shared.sets) * buckets
    for task in share_out([shared], threads):
        loads[loads.index(min(loads))] += task.cost
    assert max(loads) < 1.1 * uncut / threads + 3 * buckets


def test_one_thread_gets_small_sets_together_and_cuts_nothing():
    tasks = share_out([SharedDigits(bucket_sets([300] * 50, 50), Cost(1, 1), 16)], 1)
    assert len(tasks) == 1
    assert len(share_out([SharedDigits(bucket_sets([65536] * 19, 19), Cost(1, 1), 4096)], 1)) == 19
