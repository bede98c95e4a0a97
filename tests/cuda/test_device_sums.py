"""Multi-scalar multiplications on the emulated device: tables, chunks, skewed scalars."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend import cuda
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.gpu.elements import scalar
from zkgpu.gpu.program import U32, DeviceArray, Grid, Program, Programs, upload
from zkgpu.msm import cuda as buckets
from zkgpu.msm import cuda_lists
from zkgpu.msm.cuda import BucketSums, Shape, Weighing, best_shape
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.msm.plan import balanced_bits

r = Fr.modulus
BITS = balanced_bits(r)


def multiples(group: Group, n: int) -> tuple[np.ndarray, list[int]]:
    """(rows of points, their logarithms), with infinity, repeats and opposites among them."""
    logs = [(i * i - 3 * i + (i % 5 == 0)) % 17 - 6 for i in range(n)]
    points = {k: k % r * group.generator for k in set(logs)}
    return group.to_rows(points[k] for k in logs), logs


def xyzz_rows(group: Group, logs: list[int]) -> np.ndarray:
    """Multiples of the generator as sums, with denominators that are not 1."""
    field = group.base_field
    width, z = group.row_limbs // (2 * field.limbs), 12345
    flat = []
    for k in logs:
        point, zz, zzz = k % r * group.generator, z * z % field.modulus, pow(z, 3, field.modulus)
        c = [int(v) for v in point.coordinates()]
        known = [0 if k % r == 0 else v for v in (zz, zzz)]
        flat += [v * zz % field.modulus for v in c[:width]] + [v * zzz % field.modulus for v in c[width:]]
        flat += [v for scale in known for v in [scale, *[0] * (width - 1)]]
    return field.to_montgomery_limbs(flat)


def check(backend: CudaBackend, group: Group, factors: list[int]) -> None:
    rows, logs = multiples(group, len(factors))
    total = backend.msm(backend.points(group, rows), backend.vector(Fr.to_limbs(factors)))
    assert total == sum(k * f for k, f in zip(logs, factors, strict=True)) % r * group.generator


def some(n: int) -> list[int]:
    edges = [0, 1, r - 1, r >> 1, (r >> 1) + 1, 2, 1 << 253]
    return [edges[i] if i < len(edges) else pow(5, 3 * i, r) for i in range(n)]


@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
@pytest.mark.parametrize("n", [1, 9, 40])
def test_tables_of_multiples_give_the_same_sum(driver: EmulatedDriver, group: Group, n: int) -> None:
    check(CudaBackend(driver, BN254, tables=True), group, some(n))


@pytest.mark.parametrize("n", [7, 8, 9, 33])
def test_points_stream_through_in_chunks(driver: EmulatedDriver, n: int) -> None:
    check(CudaBackend(driver, BN254, chunk=8), G1, some(n))


def test_windows_of_all_chunks_are_joined_once(driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = launches(monkeypatch)
    check(CudaBackend(driver, BN254, chunk=8, tables=False), G1, some(33))
    assert seen.count("weigh_buckets") == 5
    assert seen.count("join_windows") == 1


@pytest.mark.parametrize("n", [7, 8, 9, 33])
def test_points_with_tables_are_summed_in_chunks_too(driver: EmulatedDriver, n: int) -> None:
    check(CudaBackend(driver, BN254, chunk=8, tables=True), G1, some(n))


def test_tables_are_made_of_more_points_than_a_chunk_where_memory_allows(
    driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "LEAST_FOR_TABLES", 1)
    backend = CudaBackend(driver, BN254, chunk=8)
    rows, _ = multiples(G1, 33)
    assert backend.points(G1, rows).has_tables
    monkeypatch.setattr(cuda, "MOST_ENTRIES", 33)
    assert not backend.points(G1, rows).has_tables


@pytest.mark.parametrize("width", range(2, 10))
def test_every_width_of_window_gives_the_same_sum(
    driver: EmulatedDriver, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "best_shape", lambda n, tables, order: Shape(width, tables, BITS))
    check(CudaBackend(driver, BN254), G1, some(12))


@pytest.mark.parametrize("factor", [0, 1, r - 1, 12345])
def test_a_heavy_bucket_is_cut_and_summed_as_a_tree(driver: EmulatedDriver, factor: int) -> None:
    check(CudaBackend(driver, BN254), G1, [factor] * 400)


def numbered(driver: EmulatedDriver, keys: np.ndarray) -> tuple[DeviceArray, DeviceArray]:
    """Keys on the device, and as their values the places they have."""
    return upload(driver, U32, keys.astype(np.uint32)), upload(driver, U32, np.arange(len(keys), dtype=np.uint32))


def check_sorting(driver: EmulatedDriver, keys: np.ndarray, largest: int, dropped: int = cuda_lists.NOTHING) -> None:
    """Values come in the order of their keys, without those that are dropped, and runs begin where they should."""
    lists, kept = WorkLists(Programs(driver), BN254), keys[keys != dropped]
    order, starts = lists.sort(*numbered(driver, keys), largest, dropped)
    found = order.read(np.uint32)[: len(kept)]
    assert np.array_equal(keys[found], np.sort(kept))
    assert np.array_equal(np.sort(found), np.flatnonzero(keys != dropped))
    assert np.array_equal(starts.read(np.uint32), np.searchsorted(np.sort(kept), np.arange(largest + 1)))


def random_keys(n: int, largest: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, largest + 1, n, dtype=np.uint32)


@pytest.mark.parametrize(
    ("n", "largest"), [(0, 5), (0, 5000), (1, 0), (1, 1), (5, 1), (700, 3), (20000, 50), (9000, 70000)]
)
def test_sorting_orders_values_by_key_and_finds_each_run(driver: EmulatedDriver, n: int, largest: int) -> None:
    check_sorting(driver, random_keys(n, largest), largest)


@pytest.mark.parametrize("n", [4095, 4096, 4097, 8200])
@pytest.mark.parametrize("largest", [512, 2047, 2048, (1 << 17) + 1])
def test_tiles_that_end_early_and_many_bins_are_sorted(driver: EmulatedDriver, n: int, largest: int) -> None:
    check_sorting(driver, random_keys(n, largest), largest)


@pytest.mark.parametrize("n", [1023, 1024, 1025, 5000])
@pytest.mark.parametrize("kind", ["equal", "0 and 1", "one other"])
@pytest.mark.parametrize("largest", [1999, 5000])
def test_keys_that_share_a_bin_are_sorted_by_many_blocks(
    driver: EmulatedDriver, n: int, kind: str, largest: int
) -> None:
    keys = np.full(n, largest - 1, np.uint32)
    if kind == "0 and 1":
        keys = np.arange(n, dtype=np.uint32) % 7 // 6
    elif kind == "one other":
        keys[n // 2] = 0
    check_sorting(driver, keys, largest)


@pytest.mark.parametrize("largest", [9, 5000])
@pytest.mark.parametrize("dropped", ["some", "all", "all but the last", "a whole tile"])
def test_a_key_can_be_left_out_of_sorting(driver: EmulatedDriver, largest: int, dropped: str) -> None:
    keys = random_keys(9000, largest)
    if dropped == "some":
        keys[::3] = largest
    else:
        keys[: {"all": 9000, "all but the last": 8999, "a whole tile": 4096}[dropped]] = largest
    check_sorting(driver, keys, largest, dropped=largest)


@pytest.mark.parametrize("largest", [512, 3000])
def test_values_are_put_in_order_without_their_runs(driver: EmulatedDriver, largest: int) -> None:
    keys = random_keys(5000, largest)
    order = WorkLists(Programs(driver), BN254).order(*numbered(driver, keys), largest).read(np.uint32)
    assert np.array_equal(keys[order], np.sort(keys))
    assert np.array_equal(np.sort(order), np.arange(5000))


@pytest.fixture(
    params=[[3, 4, 9], *(pytest.param(bits, marks=pytest.mark.slow) for bits in ([9, 4, 3], [1, 2, 1, 12]))], ids=str
)
def many_levels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Several levels, in tiles that few keys fill; the largest key."""
    monkeypatch.setattr(cuda_lists, "levels", lambda n, largest: request.param)
    monkeypatch.setattr(cuda_lists, "HELD", 2)
    return (1 << sum(request.param)) - 1


SKEWED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "all alike": lambda keys: keys,
    "equal": lambda keys: keys * 0 + 12345,
    "equal upper bits": lambda keys: keys % 4 + 8000,
    "equal lower bits": lambda keys: keys & ~255,
    "half equal": lambda keys: np.where(keys % 2, 777, keys),
    "a full bin and some keys elsewhere": lambda keys: np.where(np.arange(len(keys)) % 50, keys % 512, keys),
    "sorted": np.sort,
}


@pytest.mark.parametrize("kind", SKEWED)
def test_any_keys_are_sorted_in_many_levels(driver: EmulatedDriver, many_levels: int, kind: str) -> None:
    keys = SKEWED[kind](random_keys(3000, many_levels).astype(np.int64)).astype(np.uint32)
    check_sorting(driver, keys, many_levels)
    check_sorting(driver, keys, many_levels, dropped=int(keys[17]))


@pytest.mark.parametrize("n", [0, 1, 512, 1023, 1025])
def test_a_level_may_have_any_number_of_keys(driver: EmulatedDriver, many_levels: int, n: int) -> None:
    check_sorting(driver, random_keys(n, 40) + 5000, many_levels)


@pytest.mark.parametrize("three", [0, cuda_lists.THREE_LEVELS])
def test_levels_are_what_every_device_has_room_for(three: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_lists, "THREE_LEVELS", three)
    for n, bits in itertools.product([0, 1, 5000, 1 << 20, 1 << 23, 1 << 25, 50 << 20, 201 << 20], range(1, 24)):
        first, *later = cuda_lists.levels(n, (1 << bits) - 1)
        assert first + sum(later) == bits
        assert 2 * 4 * ((1 << first) + cuda_lists.SORT_TILE) <= 48 << 10
        assert sum(later) <= 16, "a staged key has 16 bits"
        for level in later:
            assert 1 << level <= 8 * cuda_lists.LATER_THREADS, "each thread has 8 counters"
            tile = cuda_lists.later_tile(level)
            assert 4096 <= tile <= cuda_lists.LATER_THREADS * cuda_lists.HELD
            assert cuda_lists.shared_by(level, tile) <= 48 << 10


def test_more_keys_are_sorted_in_more_levels() -> None:
    sizes = [
        (5000, 512),
        (1 << 21, 1 << 17),
        (13 << 20, 1 << 19),
        (52 << 20, 1 << 20),
        (48 << 20, 1 << 21),
        (192 << 20, 1 << 21),
    ]
    found = [cuda_lists.levels(n, largest) for n, largest in sizes]
    assert found == [[10], [9, 9], [9, 11], [7, 7, 7], [7, 7, 8], [8, 7, 7]]


def launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels launched from now on."""
    seen, launch = [], Program.launch

    def recorded(self: Program, kernel: str, grid: Grid, **arguments: DeviceArray | int) -> None:
        seen.append(kernel)
        launch(self, kernel, grid, **arguments)

    monkeypatch.setattr(Program, "launch", recorded)
    return seen


def test_work_lists_take_few_launches(driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    lists, seen = WorkLists(Programs(driver), BN254), launches(monkeypatch)
    starts = upload(driver, U32, np.arange(6001, dtype=np.uint32))
    few, many = numbered(driver, random_keys(9000, 512)), numbered(driver, random_keys(9000, 5000))
    scan = ["scan_tiles", "add_tiles"]
    for work, wanted in [
        (lambda: lists.exclusive_sums(upload(driver, U32, np.ones(4096, np.uint32))), scan[:1]),
        (lambda: lists.exclusive_sums(upload(driver, U32, np.ones(20000, np.uint32))), scan),
        (lambda: lists.order(*few, 512), ["count_bins", "scan_tiles", "move_to_bins"]),
        (lambda: lists.sort(*few, 512), ["count_bins", "scan_tiles", "move_to_bins", "starts_of_bins"]),
        (
            lambda: lists.sort(*many, 5000),
            ["count_bins", "scan_tiles", "move_to_bins", "count_keys", *scan, "move_to_keys"],
        ),
        (lambda: lists.cut(starts.part(0, 4000), 4000, 8), ["count_pieces", "cut_pieces"]),
    ]:
        seen.clear()
        work()
        assert seen == wanted


# lengths of runs, and how many more pieces there may be than there are
RUNS = {
    "one run": ([5000], 0),
    "one entry": ([1], 3000),
    "no entry": ([0] * 40, 3000),
    "single entries": ([1] * 3000, 5),
    "empty runs at both ends": ([0] * 900 + [3000, 1, 2] + [0] * 900, 2000),
    "empty runs between blocks": ([2048, 0, 0, 0, 2048, 1], 1024),
    "all lengths": (list(range(90)), 0),
}


@pytest.mark.parametrize("case", RUNS)
@pytest.mark.parametrize("size", [2, 8])
def test_runs_are_cut_into_pieces(driver: EmulatedDriver, case: str, size: int) -> None:
    lengths, more = RUNS[case]
    starts = np.cumsum([0, *lengths])
    expected = [
        (s + k, min(s + k + size, s + length))
        for s, length in zip(starts[:-1].tolist(), lengths, strict=True)
        for k in range(0, length, size)
    ]
    lists = WorkLists(Programs(driver), BN254)
    pieces = lists.cut(upload(driver, U32, starts.astype(np.uint32)), sum(lengths) + more * size, size)
    begin, end, missing, names = (
        a.read(np.uint32).tolist() for a in (pieces.begin, pieces.end, pieces.missing, pieces.names)
    )
    found = list(zip(begin, end, strict=True))
    assert pieces.bound >= len(expected)
    assert found[: len(expected)] == expected
    assert set(found[len(expected) :]) <= {(0, 0)}
    assert missing == [size - (e - b) for b, e in found]
    assert names == list(range(pieces.bound))
    longest = lists.longest_first(pieces, size).read(np.uint32)
    assert [missing[i] for i in longest] == sorted(missing)
    assert sorted(longest.tolist()) == names


@pytest.mark.parametrize("n", [1, 31, 129, 1025, 4352, 4353, 20000])
def test_exclusive_sums_are_the_sums_before_each_value(driver: EmulatedDriver, n: int) -> None:
    values = np.arange(n, dtype=np.uint32) % 7
    array = upload(driver, U32, values)
    WorkLists(Programs(driver), BN254).exclusive_sums(array)
    assert np.array_equal(array.read(np.uint32), np.cumsum(values) - values)


@pytest.mark.parametrize("width", [2, 5, 13, 16, 22])
def test_digits_sum_to_their_scalar_and_stay_within_half_of_the_base(driver: EmulatedDriver, width: int) -> None:
    values, shape = some(40), Shape(width, False, BITS)
    scalars = upload(driver, scalar(Fr), Fr.to_montgomery_limbs(values))
    lists = WorkLists(Programs(driver), BN254)
    keys, signed = lists.digits(scalars, width, shape.windows, shape.set_buckets, 0, shape.buckets)
    key, sign = (a.read(np.uint32).reshape(shape.windows, -1) for a in (keys, signed))
    for i, value in enumerate(values):
        total = 0
        for w in range(shape.windows):
            if key[w, i] == shape.buckets:
                continue
            digit = int(key[w, i]) - w * shape.set_buckets + 1
            assert 1 <= digit <= shape.set_buckets
            assert int(sign[w, i]) & 0x7FFFFFFF == i
            total += (-digit if int(sign[w, i]) >> 31 else digit) << (width * w)
        assert total % r == value


def test_shares_of_buckets_fill_their_windows_and_a_device() -> None:
    for shape in (Shape(width, tables, BITS) for width in range(2, 23) for tables in (False, True)):
        weighing = Weighing.of(shape)
        share = 1 << weighing.bits
        assert share == min(4, shape.set_buckets) or shape.buckets // share >= 1 << 15
        assert weighing.blocks * weighing.threads * share == shape.set_buckets
        assert weighing.threads_of_blocks << weighing.bits_of_blocks == weighing.blocks
        assert 1 << weighing.unit_bits == shape.set_buckets // weighing.blocks
    assert Weighing.of(Shape(22, True, BITS)).bits == 5


@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
@pytest.mark.parametrize("lengths", [[1], [0, 1, 2], [4, 5, 0, 6], [131, 3, 128, 129, 0], [300] + [1, 2] * 100])
def test_the_parts_of_each_run_are_joined(driver: EmulatedDriver, group: Group, lengths: list[int]) -> None:
    sums = BucketSums(Programs(driver), BN254, group)
    starts = np.cumsum([0, *lengths]).astype(np.uint32)
    logs = [(i * i - 3 * i) % 17 - 6 for i in range(starts[-1])]
    parts = upload(driver, sums.sum, xyzz_rows(group, logs))
    runs = upload(driver, U32, starts)
    sums.join_runs(runs, parts)
    joined = sums.to_points(sums.spread(runs, parts))
    assert joined == [sum(logs[i:j]) % r * group.generator for i, j in itertools.pairwise(starts)]


@pytest.mark.parametrize(("share", "block"), [(1, 1), (1, 2), (2, 4), (4, 8), (4, 64)])
def test_buckets_are_weighed_by_any_number_of_threads(
    driver: EmulatedDriver, share: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few buckets a thread and threads a block: every level has work, or only some have."""
    monkeypatch.setattr(buckets, "LEAST_SHARE", share)
    monkeypatch.setattr(buckets, "BLOCK", block)
    weighing = Weighing.of(Shape(7, False, BITS))
    assert (1 << weighing.bits, weighing.threads) == (share, min(block, 64 // share))
    monkeypatch.setattr(buckets, "best_shape", lambda n, tables, order: Shape(7, tables, BITS))
    check(CudaBackend(driver, BN254), G1, some(30))
    check(CudaBackend(driver, BN254, tables=True, chunk=16), G2, some(30))


def test_wider_windows_pay_for_more_points() -> None:
    widths = [best_shape(1 << k, tables, Fr.modulus).width for tables in (False, True) for k in range(0, 27, 2)]
    assert widths == [*sorted(widths[:14]), *sorted(widths[14:])]
    assert best_shape(1 << 22, True, Fr.modulus).windows < best_shape(1 << 10, True, Fr.modulus).windows


@pytest.mark.parametrize("n", [1, 2, 70])
def test_multiples_of_one_point_come_from_a_table_of_its_digits(driver: EmulatedDriver, n: int) -> None:
    factors = some(n)
    backend = CudaBackend(driver, BN254)
    base = 5 * G1.generator
    assert G1.from_rows(backend.fixed_base(base, backend.vector(Fr.to_limbs(factors)))) == [k * base for k in factors]
    assert backend.fixed_base(G1.infinity, backend.vector(Fr.to_limbs(factors))).any() == 0
