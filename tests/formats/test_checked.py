"""Files whose points passed are remembered by digest, in a folder only the user can write."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from zkgpu.store import digests as checked
from zkgpu.store import prepared

DIGEST = checked.digest(np.frombuffer(b"a file", dtype=np.uint8))


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_digest_is_known_once_remembered(cache):
    assert not checked.is_known(DIGEST)
    checked.remember(DIGEST)
    assert checked.is_known(DIGEST)
    assert not checked.is_known(DIGEST[::-1])


def test_marks_are_private(cache):
    checked.remember(DIGEST)
    assert stat.S_IMODE((cache / "checked" / DIGEST).stat().st_mode) == 0o600
    assert stat.S_IMODE((cache / "checked").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="permission bits and links are POSIX")
def test_a_mark_that_others_can_write_or_that_is_a_link_counts_for_nothing(cache):
    checked.remember(DIGEST)
    mark = cache / "checked" / DIGEST
    mark.chmod(0o602)
    assert not checked.is_known(DIGEST)
    mark.rename(mark.with_name("elsewhere"))
    mark.symlink_to("elsewhere")
    assert not checked.is_known(DIGEST)


@pytest.mark.skipif(os.name != "posix", reason="permission bits and links are POSIX")
def test_what_was_prepared_of_a_key_is_not_followed_where_others_can_write_it_or_it_is_a_link(cache):
    value = (np.arange(1 << 17, dtype=np.uint64), 7)
    prepared.keep(DIGEST, "x", value)
    assert np.array_equal(prepared.load(DIGEST, "x")[0], value[0])
    entry = cache / "prepared" / f"{DIGEST}-x.bin"
    entry.chmod(0o602)
    assert prepared.load(DIGEST, "x") is None
    entry.chmod(0o600)
    entry.rename(entry.with_name("elsewhere"))
    entry.symlink_to("elsewhere")
    assert prepared.load(DIGEST, "x") is None


@pytest.mark.parametrize("folder", ["", "checked"])
def test_marks_in_a_folder_that_others_can_write_count_for_nothing(cache, folder):
    checked.remember(DIGEST)
    os.chmod(cache / folder, 0o777)
    assert not checked.is_known(DIGEST)
    checked.remember(DIGEST[::-1])
    os.chmod(cache / folder, 0o700)
    assert not checked.is_known(DIGEST[::-1])


def test_a_cache_that_cannot_be_made_only_costs_time(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "file" / "cache"))
    checked.remember(DIGEST)
    assert not checked.is_known(DIGEST)


def test_the_digest_covers_every_byte():
    data = np.zeros(1000, dtype=np.uint8)
    digests = {checked.digest(data)}
    for i in (0, 500, 999):
        changed = data.copy()
        changed[i] = 1
        digests.add(checked.digest(changed))
    assert len(digests) == 4
