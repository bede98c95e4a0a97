"""Large arrays in files without names, and what becomes of them where the disk has no room."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from zkgpu.jit import memory

MAPS = Path("/proc/self/maps")


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE", 1 << 16)


@pytest.mark.skipif(not MAPS.exists(), reason="tells from /proc what lies where")
def test_large_arrays_lie_in_files_that_vanish(tmp_path: Path, small_is_large: None) -> None:
    with memory.large_in_files(tmp_path):
        large, few = memory.aligned_zeros((1 << 14,)), memory.aligned_zeros((16,))
    large[:] = np.arange(1 << 14)
    assert str(tmp_path) in MAPS.read_text()
    assert not large.ctypes.data % memory.CACHE_LINE
    assert int(large.sum()) == (1 << 14) * ((1 << 14) - 1) // 2
    assert not few.any()
    assert not os.listdir(tmp_path)
    del large
    assert str(tmp_path) not in MAPS.read_text()
    elsewhere = memory.aligned_zeros((1 << 14,))
    assert str(tmp_path) not in MAPS.read_text()
    assert not elsewhere.any()


def test_without_room_on_the_disk_they_lie_in_memory(
    tmp_path: Path, small_is_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with memory.large_in_files(tmp_path):
        array = memory.aligned_zeros((1 << 14,))
    array[:] = 7
    assert int(array.sum()) == 7 << 14
    assert not os.listdir(tmp_path)


def test_asking_for_an_array_changes_nothing() -> None:
    array = memory.aligned_zeros((1 << 12,))
    memory.will_need(array[3:])
    memory.will_need(array[:0])
    assert not array.any()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library keeps nothing to give back")
def test_freed_memory_goes_back_to_the_system() -> None:
    held = [bytearray(100_000) for _ in range(1000)]  # below the size from which each has pages of its own
    del held[1::2], held[:-1]  # what is left lies at the end, and keeps the rest from going by itself
    before = anonymous_bytes()
    memory.give_back()
    assert before - anonymous_bytes() > 40_000_000


def anonymous_bytes() -> int:
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]) << 10
