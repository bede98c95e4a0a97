"""The disk cache: hit by a second process, safe when many start at once, closed to other users."""

import logging
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from zkgpu.errors import ResourceError
from zkgpu.jit import cache
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import kernel, operation, subroutine

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
import numpy as np
from tests.jit.test_cache import scaled_square
for factor in (2, 3):
    out = np.zeros(4, np.uint64)
    scaled_square(factor)(out, np.array([5, 0, 0, 0], np.uint64))
    assert out.tolist() == [25 * factor, 0, 0, 0], out
print("compiled" if "numba" in sys.modules else "loaded", "llvmlite" if "llvmlite" in sys.modules else "")
"""

MODULUS = (1 << 250) + 207  # odd is enough for these products


@kernel
def scaled_square(factor):
    """factor * x^2 for x far below the modulus: the two Montgomery products lose R twice, the constants restore it."""

    @operation(PORTABLE, MODULUS)
    def square(e, out, x):
        restore = e.exact(pow(2, 512, MODULUS))
        value = e.load(x, e.integer(0))
        e.store(((value * value) * restore).small(factor), out, e.integer(0))

    @subroutine
    def inner(out, x):
        square(out, x)

    def run(out, x):
        inner(out, x)

    return run


def start(folder):
    environment = {**os.environ, "ZKGPU_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def outcome(process):
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    compiled, _, llvm = output.strip().partition(" ")
    assert bool(llvm) == (compiled == "compiled"), "kernels that are compiled need no LLVM"
    return compiled


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(folder))
    return folder


def test_a_second_process_loads_what_the_first_compiled(cache_folder):
    assert outcome(start(cache_folder)) == "compiled"
    assert outcome(start(cache_folder)) == "loaded"
    assert cache.cache_info().entries == 2


def test_eight_processes_may_start_on_an_empty_cache(cache_folder):
    results = [outcome(process) for process in [start(cache_folder) for _ in range(8)]]
    assert set(results) <= {"compiled", "loaded"}
    assert outcome(start(cache_folder)) == "loaded"
    assert cache.cache_info().entries == 2


def spoiled_entries():
    """What may befall an entry, by name: a function of the entry and of another one."""
    return {
        "cut": lambda entry, other: entry.write_bytes(entry.read_bytes()[:100]),
        "empty": lambda entry, other: entry.write_bytes(b""),
        "a bit of the code flipped": lambda entry, other: flip(entry, -100),
        "a bit of the hash flipped": lambda entry, other: flip(entry, 20),
        "another kernel's": lambda entry, other: entry.write_bytes(other.read_bytes()),
        "a link": lambda entry, other: (entry.rename(entry.with_suffix(".old")), entry.symlink_to(entry.stem + ".old")),
        "a pipe": lambda entry, other: (entry.unlink(), os.mkfifo(entry, 0o600)),
        "writable by others": lambda entry, other: entry.chmod(0o606),
        "writable by a group": lambda entry, other: entry.chmod(0o660),
        "bare code": lambda entry, other: entry.write_bytes(PLANTED),
    }


PLANTED = b'{"entry": 0, "needs": [], "imports": []}\n' + b"\xcc" * 64  # whoever runs it is trapped


def flip(entry, at):
    data = bytearray(entry.read_bytes())
    data[at] ^= 1
    entry.write_bytes(data)


@pytest.fixture(scope="module")
def entries_of_two(tmp_path_factory):
    """A folder with the entries of two kernels, and their names."""
    folder = tmp_path_factory.mktemp("kernels") / "cache"
    outcome(start(folder))
    return folder, [entry.name for entry in folder.rglob("*.code")]


@pytest.mark.skipif(os.name != "posix", reason="permission bits, links and pipes are POSIX")
@pytest.mark.parametrize("how", spoiled_entries())
def test_an_entry_that_is_not_whole_and_the_users_own_is_never_run(entries_of_two, tmp_path, how):
    folder, names = entries_of_two
    shutil.copytree(folder, tmp_path / "cache")
    entry, other = (next((tmp_path / "cache").rglob(name)) for name in names)
    spoiled_entries()[how](entry, other)
    with pytest.raises((ValueError, OSError)):
        cache.checked(entry)
    assert len(cache.checked(other)) > 100


@pytest.mark.skipif(os.name != "posix", reason="owners are POSIX")
def test_what_another_user_owns_is_never_run(entries_of_two, monkeypatch):
    folder, names = entries_of_two
    entry = next(folder.rglob(names[0]))
    assert len(cache.checked(entry)) > 100
    monkeypatch.setattr(cache.os, "getuid", lambda: entry.stat().st_uid + 1)
    with pytest.raises(ValueError, match="only the user may write"):
        cache.checked(entry)
    with pytest.raises(ResourceError, match="others can write"):
        cache.private_folder(entry.parent)


def test_entries_that_are_not_used_are_made_anew(cache_folder, entries_of_two):
    shutil.copytree(entries_of_two[0], cache_folder)
    first, second = cache_folder.rglob("*.code")
    flip(first, -100)
    second.chmod(0o606)
    assert outcome(start(cache_folder)) == "compiled"
    assert second.stat().st_mode & 0o077 == 0
    assert outcome(start(cache_folder)) == "loaded"


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_files_and_folders_are_for_the_user_alone(cache_folder):
    outcome(start(cache_folder))
    for entry in [cache_folder, *cache_folder.rglob("*")]:
        assert entry.stat().st_mode & 0o077 == 0, entry


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
@pytest.mark.parametrize("part", ["", "kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_others_can_write_is_refused(cache_folder, part, mode):
    folder = cache_folder / part
    folder.mkdir(parents=True, mode=0o700)
    folder.chmod(mode)
    with pytest.raises(ResourceError, match="remove it, or"):
        cache.kernel_folder()


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert cache.kernel_folder() is None
    assert "not kept" in caplog.text


def test_any_change_of_a_source_changes_the_digest(tmp_path):
    for room in cache.ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.py").write_text("one")
    seen = {cache.source_digest(tmp_path)}
    for room in cache.ROOMS:
        (tmp_path / room / "a.py").write_text("two")
        seen.add(cache.source_digest(tmp_path))
    (tmp_path / "jit" / "b.py").write_text("")
    seen.add(cache.source_digest(tmp_path))
    assert len(seen) == len(cache.ROOMS) + 2


def test_clearing_removes_every_entry(cache_folder):
    outcome(start(cache_folder))
    assert cache.cache_info().bytes > 100
    cache.clear_cache()
    assert cache.cache_info() == cache.CacheInfo(cache_folder, 0, 0)
    cache.clear_cache()


def test_one_set_of_parameters_is_built_once():
    assert scaled_square(2) is scaled_square(2)
    assert scaled_square(2) is not scaled_square(3)
    assert scaled_square(2).__name__ != scaled_square(3).__name__


def test_kernels_of_several_parameters_live_side_by_side():
    for factor in (2, 3, 2):
        out = np.zeros(4, np.uint64)
        scaled_square(factor)(out, np.array([7, 0, 0, 0], np.uint64))
        assert out.tolist() == [49 * factor, 0, 0, 0]


def test_a_callee_compiled_by_itself_is_refused():
    import numba

    callee = numba.njit(lambda x: x + 1)

    @kernel
    def caller():
        def run(x):
            return callee(x)

        return run

    with pytest.raises(TypeError, match="callee"):
        caller()(1)


def test_an_index_counted_from_the_end_is_refused_in_kernels_alone():
    import numba
    from numba.core.errors import TypingError

    @kernel
    def last_word():
        def run(x):
            x[-1] = 5

        return run

    with pytest.raises(TypingError, match="index -1: those of kernels count from 0"):
        last_word()(np.zeros(4, np.uint64))
    assert numba.njit(lambda x, k: x[k])(np.arange(4), -1) == 3


def test_a_file_of_the_cache_is_opened_as_bytes_where_systems_know_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry").write_bytes(b"\x1a\r\n")
    binary, opened, asked = 1 << 30, os.open, []
    monkeypatch.setattr(os, "O_BINARY", binary, raising=False)
    monkeypatch.setattr(os, "open", lambda path, flags: asked.append(flags) or opened(path, flags & ~binary))
    with cache.open_own(tmp_path / "entry") as file:
        assert file.read() == b"\x1a\r\n"
    assert asked[0] & binary


def test_an_entry_is_read_once_and_never_copied(tmp_path: Path) -> None:
    path, size = tmp_path / "large.code", 1 << 22
    path.write_bytes(cache.sealed(path.name, bytes(size)))
    path.chmod(0o600)
    tracemalloc.start()
    try:
        assert len(cache.checked(path)) == size
        of_reading = tracemalloc.get_traced_memory()[1]
        whole = path.read_bytes()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert len(cache.opened(path.name, whole)) == size
        of_opening = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert of_reading < 1.2 * size
    assert of_opening < 0.2 * size
