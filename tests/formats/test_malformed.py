"""Malformed files are refused: at once, in one line that names the file, and without memory by their say-so."""

import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malformed import ALL, EXTREMES, KINDS, PLONK_ZKEY, R1CS, ZKEY, Case, extreme_counts, le, patched, sections

import zkgpu
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.curves.bn254 import BN254, G2, Fq2, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, PointError, UsageError, ZkgpuError
from zkgpu.formats.container import MAX_SECTIONS, open_container
from zkgpu.groth16.zkey import read_zkey


def refusal(sample, case: Case, folder: Path) -> str:
    """The message of the error that reading the case raises; fails when it is accepted, slow or not one line."""
    path = folder / "bad"
    path.write_bytes(case.data)
    start = time.thread_time()
    try:
        sample.read(path)
    except FormatError as error:
        message = str(error)
        assert time.thread_time() - start < 1, f"{case.name}: slow"
        assert message.startswith(f"{path}: "), f"{case.name}: {message}"
        assert "\n" not in message, case.name
        return message
    raise AssertionError(f"{sample.format}, {case.name}: accepted")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.format)
def test_every_malformed_file_is_refused(sample, kind, tmp_path):
    sample.read(_written(tmp_path, sample.data))
    refused = [refusal(sample, case, tmp_path) for case in kind(sample)]
    assert refused


def test_there_are_thousands_of_malformed_files():
    assert sum(1 for sample in ALL for kind in KINDS for _ in kind(sample)) > 4000


def test_a_message_says_where_and_how_to_mend(tmp_path):
    message = refusal(ZKEY, Case("cut", ZKEY.data[:4000]), tmp_path)
    assert "section 9" in message
    assert "4,000 bytes" in message
    assert message.endswith("the file is truncated, copy it again")


def test_memory_stays_below_the_files_size_plus_64_megabytes(tmp_path):
    """Peak resident memory of a process that reads every file with an extreme count, over that of a good read."""
    for i, (sample, case) in enumerate((s, c) for s in ALL for c in extreme_counts(s)):
        (tmp_path / f"{i}.{sample.format}").write_bytes(case.data)
    for sample in ALL:
        (tmp_path / f"good.{sample.format}").write_bytes(sample.data)
    program = f"""
        import pathlib, resource
        from malformed import ALL
        from zkgpu.errors import FormatError
        folder = pathlib.Path({str(tmp_path)!r})
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for s in ALL:
            s.read(folder / f"good.{{s.format}}")
        before = peak()
        for s in ALL:
            for bad in folder.glob(f"[0-9]*.{{s.format}}"):
                try:
                    s.read(bad)
                except FormatError:
                    pass
        print(peak() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    run = subprocess.run(command, cwd=Path(__file__).parent, env=_environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 64 << 20


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.format)
def test_random_damage_never_causes_anything_but_our_errors(sample, tmp_path):
    path = tmp_path / "damaged"

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.integers(0, len(sample.data) - 1), st.binary(min_size=1, max_size=8)), max_size=4))
    def damage(patches):
        data = sample.data
        for at, new in patches:
            data = patched(data, at, new)
        path.write_bytes(data)
        with suppress(ZkgpuError):
            sample.read(path)

    damage()


def test_a_wire_twice_in_one_sum_is_refused(tmp_path):
    start, _ = sections(R1CS.data)[2]
    count = int.from_bytes(R1CS.data[start : start + 4], "little")
    entry = R1CS.data[start + 4 : start + 40]
    doubled = R1CS.data[:start] + le(count + 1, 4) + entry + R1CS.data[start + 4 :]
    size = sections(R1CS.data)[2][1]
    message = refusal(R1CS, Case("doubled", patched(doubled, start - 8, le(size + 36, 8))), tmp_path)
    assert "twice in one sum" in message


def test_custom_gates_are_refused_and_an_empty_list_of_them_is_not(tmp_path):
    more = patched(R1CS.data, 8, le(4, 4))
    R1CS.read(_written(tmp_path, more + le(4, 4) + le(4, 8) + le(0, 4)))
    message = refusal(R1CS, Case("gates", more + le(4, 4) + le(4, 8) + le(1, 4)), tmp_path)
    assert "custom templates, which are not supported" in message


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.format)
def test_unknown_sections_are_skipped_even_twice(sample, tmp_path):
    count = int.from_bytes(sample.data[8:12], "little")
    unknown = le(77, 4) + le(5, 8) + b"hello"
    sample.read(_written(tmp_path, patched(sample.data, 8, le(count + 2, 4)) + unknown + unknown))


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.format)
def test_sections_may_come_in_any_order(sample, tmp_path):
    bodies = [sample.data[start - 12 : start + size] for start, size in sections(sample.data).values()]
    for order in (sorted(bodies), sorted(bodies, reverse=True)):
        sample.read(_written(tmp_path, sample.data[:12] + b"".join(order)))


def test_a_walk_over_millions_of_empty_sections_is_refused(tmp_path):
    count = 2_000_000
    path = _written(tmp_path, b"zkey" + le(1, 4) + le(count, 4) + (le(99, 4) + bytes(8)) * count)
    start = time.thread_time()
    with pytest.raises(FormatError, match=str(MAX_SECTIONS)):
        open_container(path, b"zkey", (1,))
    assert time.thread_time() - start < 1


def test_a_header_point_outside_the_subgroup_is_refused(tmp_path):
    x = next(x for i in range(1, 99) if Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.square(x := (i, 0)), x), G2.b)) is not None)
    outside = Point(G2, x, Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.square(x), x), G2.b)))
    assert outside.is_on_curve()
    start = sections(ZKEY.data)[2][0]
    path = _written(tmp_path, patched(ZKEY.data, start + 212, G2.to_rows([outside]).tobytes()))
    with pytest.raises(PointError, match="beta2 is outside the prime-order subgroup"):
        read_zkey(path)


def test_every_query_point_is_checked_once_and_the_file_remembered(tmp_path):
    path = _written(tmp_path, ZKEY.data)
    seen = []

    def validate(group, rows):
        seen.append((group.name, rows.shape[0]))

    for _ in range(2):
        read_zkey(path, validate)
    assert seen == [
        ("BN254 G1", 4),
        ("BN254 G1", 7),
        ("BN254 G1", 7),
        ("BN254 G2", 7),
        ("BN254 G1", 3),
        ("BN254 G1", 8),
    ]
    path.write_bytes(ZKEY.data.replace(b"sample", b"simple"))
    read_zkey(path, validate)
    assert len(seen) == 12


@pytest.mark.parametrize("sample", [ZKEY, PLONK_ZKEY], ids=lambda sample: sample.format)
def test_a_key_that_changes_between_digest_and_validation_is_refused_and_not_remembered(sample, tmp_path):
    """A good key in the place of a bad one while it is checked: the bad one is not known afterwards."""
    path = _written(tmp_path, sample.data)
    opened = []

    def validate(group, rows):
        with open(path, "r+b") as stream:  # in place, as the file is mapped
            stream.seek(len(sample.data) - 1)
            stream.write(bytes([sample.data[-1] ^ 1 ^ len(opened)]))
        opened.append(rows.shape)

    for _ in range(2):
        with pytest.raises(FormatError, match="changed while it was read"):
            sample.read(path, validate)
        opened.clear()
        path.write_bytes(sample.data)
    sample.read(path, lambda group, rows: opened.append(rows.shape))
    assert opened


def test_a_query_point_off_the_curve_is_refused_each_time_it_is_read(tmp_path):
    start = sections(ZKEY.data)[9][0]
    path = _written(tmp_path, patched(ZKEY.data, start + 3 * 64, le(12345, 32)))
    for _ in range(2):
        with pytest.raises(PointError, match="H points: point 3: it is not on the curve"):
            read_zkey(path, ReferenceBackend(BN254).first_invalid_point)


@pytest.mark.parametrize("value", EXTREMES)
def test_a_witness_count_never_decides_what_is_allocated(value, tmp_path):
    header = le(32, 4) + le(Fr.modulus, 32) + le(value % 2**32, 4)
    data = b"wtns" + le(2, 4) + le(2, 4) + le(1, 4) + le(40, 8) + header + le(2, 4) + le(value, 8)
    sample = ALL[1]
    refusal(sample, Case("only a header", data), tmp_path)


def test_folders_pipes_and_missing_files_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe", "/dev/zero"):
        with pytest.raises(UsageError, match=r"cannot be read|not a regular file"):
            read_zkey(tmp_path / name)


def test_indices_are_copied_out_of_the_file_before_use(tmp_path):
    """Who rewrites the file after it was checked cannot smuggle an index past the checks."""
    path = _written(tmp_path, ZKEY.data)
    key = read_zkey(path)
    before = key.a.indices.copy()
    with open(path, "r+b") as stream:
        stream.seek(sections(ZKEY.data)[4][0])
        stream.write(b"\xff" * 400)
    assert np.array_equal(key.a.indices, before)


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def _environment():
    paths = [str(Path(zkgpu.__file__).parent.parent), str(Path(__file__).parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
