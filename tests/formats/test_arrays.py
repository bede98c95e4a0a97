"""Arrays of files: what they take is known before it is taken, and any damage is a named error."""

from __future__ import annotations

import io
import os
import resource
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.errors import FormatError, ResourceError, UsageError, ZkgpuError
from zkgpu.formats.arrays import read_arrays, read_stored

X = np.arange(12.0).reshape(3, 4)


def saved(save=np.savez, **arrays) -> bytes:
    out = io.BytesIO()
    save(out, **arrays)
    return out.getvalue()


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def headed(header: str, data: bytes = b"") -> bytes:
    """An .npy file with this header."""
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize("array", [X, X.T, np.int8(3), np.zeros((0, 3)), np.arange(5, dtype=">i4"), X[::2] > 3])
def test_what_numpy_saves_is_read_back(tmp_path, array):
    (tmp_path / "x.npy").write_bytes(npy(array))
    for read in (read_arrays(npy(array)), read_arrays(tmp_path / "x.npy")):
        assert read.dtype == np.asarray(array).dtype
        assert np.array_equal(read, array)
    for save in (np.savez, np.savez_compressed):
        (tmp_path / "x.npz").write_bytes(saved(save, x=array, y=X))
        read = read_arrays(tmp_path / "x.npz")
        assert np.array_equal(read["x"], array)
        assert np.array_equal(read["y"], X)


def test_an_archive_of_nothing_holds_nothing_from_a_file_as_from_bytes(tmp_path):
    (tmp_path / "x.npz").write_bytes(saved())
    assert read_arrays(tmp_path / "x.npz") == read_arrays(saved()) == {}


def test_of_an_archive_only_what_is_asked_for_is_read():
    assert list(read_arrays(saved(x=X, big=np.zeros(1 << 20)), names=["x", "z"], memory=1 << 10)) == ["x"]


def bomb(size: int) -> bytes:
    """An archive that inflates to so many bytes, a thousandth of that in size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w", force_zip64=True) as x:
        x.write(headed(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}"))
        for _ in range(size >> 20):
            x.write(bytes(1 << 20))
    return out.getvalue()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_a_bomb_is_refused_before_it_is_inflated():
    data, before = bomb(64 << 20), peak()
    with pytest.raises(ResourceError, match=r"'x\.npy' in it takes 67,\d+,\d+ bytes.*--memory"):
        read_arrays(data, memory=16 << 20)
    assert peak() < before + (32 << 20)
    assert read_arrays(data, memory=80 << 20)["x"].size == 64 << 20


def test_many_small_arrays_share_one_budget():
    data = saved(np.savez_compressed, **{f"x{i}": np.zeros(1 << 10) for i in range(20)})
    with pytest.raises(ResourceError, match="x7"):
        read_arrays(data, memory=60 << 10)


def test_an_archive_that_lies_about_its_sizes_inflates_to_no_more():
    data = bytearray(bomb(64 << 20))
    at = data.rindex(b"PK\x01\x02") + 24  # the size that the directory gives
    data[at : at + 4] = (1 << 10).to_bytes(4, "little")
    before = peak()
    with pytest.raises(FormatError):
        read_arrays(bytes(data), memory=1 << 20)
    assert peak() < before + (32 << 20)


def test_a_member_that_says_it_has_gigabytes_is_read_without_them(tmp_path):
    array = np.arange(1 << 12)
    data = bytearray(saved(x=array))
    at = data.rindex(b"PK\x01\x02") + 20  # how long it is where it is compressed, which it is not
    data[at : at + 4] = (1 << 31).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(data)
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (1 << 28), before[1]))
    try:
        with suppress(FormatError):  # zipfile of later releases of Python refuses it
            assert np.array_equal(read_arrays(tmp_path / "x.npz")["x"], array)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|V8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|S0', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
        f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'1,' * 33}), }}",
        "{'descr': '<f8'}",
        "((((((((((",
        "",
    ],
)
def test_a_header_that_makes_no_sense_is_refused(header):
    with pytest.raises(FormatError, match=r"^bytes: "):
        read_arrays(headed(header, bytes(8)))


def encrypted(data: bytes) -> bytes:
    """The archive with its first member marked as encrypted, of which zipfile makes a RuntimeError."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[data.index(mark) + offset] |= 1
    return bytes(changed)


def test_an_encrypted_member_is_refused():
    for read in (lambda data: read_arrays(data), lambda data: read_stored(data, "m")):
        with pytest.raises(FormatError, match="damaged"):
            read(encrypted(saved(x=X)))


def test_pipes_devices_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match=r"not a regular file|cannot be read"):
            read_arrays(path)


GOOD = (saved(x=X, y=np.arange(9)), saved(np.savez_compressed, x=X, y=np.arange(9)), npy(X))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3), st.floats(0, 1))
def test_any_damage_is_one_of_our_errors(data, patches, cut):
    damaged = bytearray(data)
    for where, byte in patches:
        damaged[int(where * (len(data) - 1))] = byte
    for changed in (bytes(damaged), bytes(damaged[: int(cut * len(data))])):
        for read in (lambda data: read_arrays(data or b" "), lambda data: read_stored(data, "m")):
            with suppress(ZkgpuError):
                read(changed)
