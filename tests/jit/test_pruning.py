"""The cache folder forgets what nothing has used for a month, and no more than that."""

import os
import time

import pytest

from zkgpu.jit import cache, pruning

DAY = 24 * 3600


def entry(folder, name, days, size=10):
    """A folder with one file in it, used so many days ago."""
    path = folder / name
    path.mkdir()
    (path / "file").write_bytes(bytes(size))
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_entries_of_the_last_month_and_the_newest_few_stay(tmp_path):
    for name, days in {"a": 0, "b": 29, "c": 28, "d": 27, "e": 31, "f": 400}.items():
        entry(tmp_path, name, days)
    pruning.prune(tmp_path)
    assert names(tmp_path) == ["a", "b", "c", "d"]


def test_the_newest_stay_however_old_they_are(tmp_path):
    for name, days in {"a": 100, "b": 200, "c": 300, "d": 400}.items():
        entry(tmp_path, name, days)
    pruning.prune(tmp_path)
    assert names(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize(("size", "left"), [(30, "abc"), (29, "ab"), (10, "a"), (9, ""), (0, "")])
def test_shrinking_removes_what_was_used_longest_ago(tmp_path, size, left):
    for name, days in {"c": 3, "a": 1, "b": 2}.items():
        entry(tmp_path, name, days)
    pruning.shrink(tmp_path, size)
    assert names(tmp_path) == list(left)


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    entry(tmp_path, "outside", 0)
    (inside / "link").symlink_to(outside)
    pruning.remove(inside / "link")
    assert names(inside) == []
    assert names(outside) == ["file"]


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "kernels"
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "cache").chmod(0o700)
    return folder


def test_the_first_process_of_a_new_version_removes_the_kernels_of_forgotten_ones(kernels):
    for name, days in {"a": 1, "b": 2, "c": 3, "d": 40, "e": 50}.items():
        entry(kernels, name, days)
    current = cache.kernel_folder()
    assert names(kernels) == sorted(["a", "b", "c", current.name])
    assert names(kernels.parent) == ["kernels", "kernels.lock"], "nothing half removed is left"


def test_a_folder_in_use_is_marked_so_and_others_are_left_alone(kernels):
    current = cache.kernel_folder()
    entry(kernels, "old", 100)
    for days, fresh in ((100, True), (0, False)):
        then = time.time() - days * DAY - 60
        os.utime(current, (then, then))
        assert cache.kernel_folder() == current
        assert (time.time() - current.stat().st_mtime < 30) == fresh, "marked once an hour"
    assert names(kernels) == sorted(["old", current.name])


def test_the_report_tells_current_kernels_from_outdated_ones(kernels):
    current = cache.kernel_folder()
    (current / "kernel-1.nbc").write_bytes(bytes(5))
    entry(kernels, "old", 100, size=7)
    prepared = kernels.parent / "prepared"
    prepared.mkdir()
    for what in ("matrices", "cpu-ifma"):
        (prepared / f"digest-{what}.bin").write_bytes(bytes(11))
    info = cache.cache_info()
    assert (info.entries, info.outdated, info.outdated_bytes) == (1, 1, 7)
    assert (info.prepared, info.prepared_bytes, info.bytes) == (1, 22, 34)
    cache.clear_cache()
    assert cache.cache_info() == cache.CacheInfo(kernels.parent, 0, 0)
