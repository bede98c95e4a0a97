"""The cache folder forgets what nothing has used for a month, and no more than that."""

import os
import time
from pathlib import Path

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
    """Of the entries, without the mark."""
    return sorted(path.name for path in folder.iterdir() if path.name != pruning.TAG)


def digest(letter, length=24):
    """What a folder of kernels may be called."""
    return letter * length


def entries(folder, days):
    """Folders of these letters, used so many days ago."""
    for letter, used in days.items():
        entry(folder, digest(letter), used)


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir()
    pruning.mark(folder)
    return folder


def test_entries_of_the_last_month_and_the_newest_few_stay(kept):
    entries(kept, {"a": 0, "b": 29, "c": 28, "d": 27, "e": 31, "f": 400})
    pruning.prune(kept)
    assert names(kept) == [digest(letter) for letter in "abcd"]


def test_the_newest_stay_however_old_they_are(kept):
    entries(kept, {"a": 100, "b": 200, "c": 300, "d": 400})
    pruning.prune(kept)
    assert names(kept) == [digest(letter) for letter in "abc"]


@pytest.mark.parametrize(("size", "left"), [(30, "abc"), (29, "ab"), (10, "a"), (9, ""), (0, "")])
def test_shrinking_removes_what_was_used_longest_ago(kept, size, left):
    entries(kept, {"c": 3, "a": 1, "b": 2})
    pruning.shrink(kept, size)
    assert names(kept) == [digest(letter) for letter in left]


def test_foreign_entries_stay_and_so_does_all_in_a_folder_that_is_not_marked(kept):
    foreign = ["thesis", digest("g"), digest("a") + ".txt", "A" * 24, digest("a", 23), ".hidden"]
    entries(kept, dict.fromkeys("bcdef", 400))
    for name in foreign:
        entry(kept, name, 400)
    (kept / pruning.TAG).write_bytes(pruning.SIGNATURE + b"# made by another program\n")
    before = names(kept)
    pruning.prune(kept)
    pruning.shrink(kept, 0)
    pruning.clear(kept)
    assert names(kept) == before
    pruning.mark(kept)
    pruning.prune(kept)
    assert len(names(kept)) == len(foreign) + pruning.KEPT_ENTRIES
    pruning.clear(kept)
    assert names(kept) == sorted(foreign)


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
    (tmp_path / "cache").mkdir(mode=0o700)
    return cache.own_folder("kernels")


def test_the_first_process_of_a_new_version_removes_the_kernels_of_forgotten_ones(kernels):
    entries(kernels, {"a": 1, "b": 2, "c": 3, "d": 40, "e": 50})
    current = cache.kernel_folder()
    assert names(kernels) == sorted([*map(digest, "abc"), current.name])
    assert names(kernels.parent) == ["kernels", "kernels.lock"], "nothing half removed is left"


def test_a_folder_in_use_is_marked_so_and_others_are_left_alone(kernels):
    current = cache.kernel_folder()
    entries(kernels, {"a": 100})
    for days, fresh in ((100, True), (0, False)):
        then = time.time() - days * DAY - 60
        os.utime(current, (then, then))
        assert cache.kernel_folder() == current
        assert (time.time() - current.stat().st_mtime < 30) == fresh, "marked once an hour"
    assert names(kernels) == sorted([digest("a"), current.name])


def test_the_report_tells_current_kernels_from_outdated_ones(kernels):
    current = cache.kernel_folder()
    (current / "kernel-1.code").write_bytes(bytes(5))
    entry(kernels, digest("a"), 100, size=7)
    prepared = cache.own_folder("prepared")
    for what in ("matrices", "cpu-ifma"):
        (prepared / f"{digest('b', 64)}-{what}.bin").write_bytes(bytes(11))
    info = cache.cache_info()
    assert (info.entries, info.outdated, info.outdated_bytes) == (1, 1, 7)
    assert (info.prepared, info.prepared_bytes) == (1, 22)
    assert info.bytes == 34 + 2 * len(pruning.MARK)
    cache.clear_cache()
    assert cache.cache_info() == cache.CacheInfo(kernels.parent, 0, 0)
    assert names(kernels.parent) == []


def tree(folder):
    """Every file below a folder, and what is in it."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "a link to it"])
def test_clearing_a_cache_in_somebodys_folder_takes_nothing_of_theirs(tmp_path, monkeypatch, linked):
    home = tmp_path / "home"
    for name in ("thesis.txt", "kernels.txt", "photos/1.png", "checked/notes.txt", "prepared/readme"):
        (home / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode())
    home.chmod(0o700)
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "link" if linked else home))
    before = tree(home)
    current = cache.kernel_folder()
    (current / "kernel-1.code").write_bytes(bytes(5))
    (cache.own_folder("checked") / digest("a", 64)).touch()  # in a folder of theirs, which keeps it
    cache.clear_cache()
    assert tree(home).items() - before.items() == {(Path("checked") / digest("a", 64), b"")}
    assert before.items() <= tree(home).items()


def test_folders_behind_links_are_neither_marked_nor_cleared(tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    entry(outside, digest("a"), 0)
    cache_folder = tmp_path / "cache"
    cache_folder.mkdir(mode=0o700)
    (cache_folder / "kernels").symlink_to(outside)
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(cache_folder))
    cache.own_folder("kernels")
    cache.clear_cache()
    assert names(outside) == [digest("a")]
    assert not (outside / pruning.TAG).exists()


def test_a_cache_of_an_earlier_version_is_taken_over_and_cleared(tmp_path, monkeypatch):
    old = tmp_path / "cache" / "kernels"
    old.mkdir(parents=True, mode=0o700)
    entry(old, digest("a"), 1)
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear_cache()
    assert names(tmp_path / "cache") == []
