import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkgpu.curves.bn254 import Fr
from zkgpu.msm.plan import (
    BALANCED_BITS,
    Cost,
    bucket_width,
    comb_width,
    signed_digits,
    slices,
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
    assert (Fr.modulus // 2).bit_length() <= BALANCED_BITS


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
    assert comb_width(10) < comb_width(1000) < comb_width(1 << 16)
    assert sparse_width(100, 100) < sparse_width(100, 100_000)


@given(st.lists(st.integers(0, 10_000), max_size=30), st.integers(1, 9), st.integers(1, 2000))
def test_slices_cover_every_window_once(sizes, threads, buckets):
    parts = slices(sizes, buckets, threads)
    for window, size in enumerate(sizes):
        ranges = sorted((s.begin, s.end) for s in parts if s.window == window)
        begins, ends = [b for b, _ in ranges], [e for _, e in ranges]
        assert [*begins, size] == [0, *ends] if size else not ranges


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize(
    "sizes", [[65536] * 19, [65536] + [655] * 18, [65536], [100_000, 100_000, 10]], ids=["even", "skewed", "one", "two"]
)
def test_workers_that_take_one_slice_at_a_time_end_together(sizes, threads):
    buckets, loads = 1000, [0] * threads
    for part in slices(sizes, buckets, threads):
        loads[loads.index(min(loads))] += part.end - part.begin + buckets
    assert max(loads) < 1.2 * (sum(sizes) / threads + 4 * buckets)
