"""A large file is hashed once while it stays as it is, and again after any change that its owner could make."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from zkgpu.store import digests

DATA = bytes(range(256)) * 4


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "LARGE", 1)
    monkeypatch.setattr(digests, "SETTLED_NANOSECONDS", 0)
    path = tmp_path / "key.zkey"
    path.write_bytes(DATA)
    return path


def hashed(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool]:
    """Its digest, and whether its bytes were hashed for that."""
    calls = []
    whole = digests.digest
    monkeypatch.setattr(digests, "digest", lambda data: (calls.append(1), whole(data))[1])
    found = digests.digest_of(path, np.frombuffer(path.read_bytes(), np.uint8))
    monkeypatch.setattr(digests, "digest", whole)
    assert found == whole(np.frombuffer(path.read_bytes(), np.uint8))
    return found, bool(calls)


def test_a_file_that_stays_as_it_is_is_hashed_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = hashed(file, monkeypatch), hashed(file, monkeypatch)
    assert (first[0], first[1], second[1]) == (second[0], True, False)


def test_a_change_that_hides_its_time_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed(file, monkeypatch)
    before = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"x")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashed(file, monkeypatch)[1]


def test_another_file_in_its_place_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed(file, monkeypatch)
    other = file.with_name("other")
    other.write_bytes(DATA[::-1])
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    os.replace(other, file)
    assert hashed(file, monkeypatch)[1]


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_files_that_others_may_write_are_hashed_each_time(
    file: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(mode)
    assert [hashed(file, monkeypatch)[1] for _ in range(2)] == [True, True]


def test_files_that_were_just_written_are_hashed_each_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED_NANOSECONDS", 10**12)
    assert [hashed(file, monkeypatch)[1] for _ in range(2)] == [True, True]


@pytest.mark.parametrize("note", [b"", b"0" * 63, b"z" * 64, b"0" * 65, b"\xff" * 64])
def test_a_damaged_note_counts_for_nothing(file: Path, note: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed(file, monkeypatch)
    (entry,) = [p for p in (file.parent / "cache" / "checked").iterdir() if p.name != "CACHEDIR.TAG"]
    entry.write_bytes(note)
    assert hashed(file, monkeypatch)[1]
    assert not hashed(file, monkeypatch)[1]


def test_small_files_and_bytes_are_hashed_and_not_noted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.frombuffer(DATA, np.uint8)
    assert digests.digest_of(DATA, data) == digests.digest(data)
    monkeypatch.setattr(digests, "LARGE", len(DATA) + 1)
    assert [hashed(file, monkeypatch)[1] for _ in range(2)] == [True, True]


def test_a_mapped_file_found_whole_needs_no_second_hash_until_it_changes(file: Path) -> None:
    def is_known() -> bool:
        with digests.hashed_before(file, len(DATA)) as known:
            return known

    assert [is_known(), is_known()] == [False, True]
    file.write_bytes(DATA[::-1])
    assert [is_known(), is_known()] == [False, True]


def test_a_mapped_file_that_was_damaged_is_not_noted_as_whole(file: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"), digests.hashed_before(file, len(DATA)) as known:
            raise ValueError(f"{'damaged' if not known else 'known'}")


def test_notes_of_one_file_are_apart(file: Path) -> None:
    made = [
        digests.noted_of(file, len(DATA), what, lambda digit=digit: digit * 64)
        for what, digit in ((b"a", "1"), (b"b", "2"))
    ]
    again = [digests.noted_of(file, len(DATA), what, lambda: pytest.fail("made again")) for what in (b"a", b"b")]
    assert made == again == ["1" * 64, "2" * 64]
