"""A key file's second opening finds in the cache what the first one made, and nothing else but that."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.backend.cpu import CpuBackend
from zkgpu.errors import ResourceError, UnsatisfiedError
from zkgpu.groth16 import unsafe_setup, verify, zkey
from zkgpu.groth16.prover import Blinding, Prover
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.jit import pruning
from zkgpu.jit.isa import IFMA, supported
from zkgpu.store import digests as checked
from zkgpu.store import prepared

ROOT = Path(__file__).parents[2]
QUERIES = ("a_query", "b_g1_query", "b_g2_query", "l_query", "h_query")
BLINDING = Blinding(12345, 67890)


def files(folder):
    """Names of what is kept, without the folder's mark."""
    return sorted(path.name for path in folder.iterdir() if path.name != pruning.TAG)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A cache of its own for what is made of keys, small ones included; kernels stay where they are."""
    home = tmp_path / "prepared"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(prepared, "_folder", lambda: home)
    monkeypatch.setattr(checked, "_folder", lambda: tmp_path)
    monkeypatch.setattr(prepared, "LEAST_BYTES", 0)
    return home


@pytest.fixture
def key_file(statement, tmp_path):
    path = tmp_path / "key.zkey"
    write_zkey(path, statement.key)
    return path


def opened(key_file, backend):
    key = read_zkey(key_file, backend.first_invalid_point)
    return key, Prover(key, backend)


def arrays_of(key):
    queries = [getattr(key, name) for name in QUERIES]
    matrices = [(m.indptr, m.indices, m.coefficient, m.table) for m in (key.a, key.b)]
    return [*queries, *matrices[0], *matrices[1]]


def refuse(*arguments):
    raise AssertionError("made again what the cache holds")


def test_a_second_opening_makes_nothing_again_and_proves_the_same(folder, key_file, statement, backend, monkeypatch):
    first, prover = opened(key_file, backend)
    proof = prover.prove(statement.assignment, _blinding=BLINDING)
    names = sorted(path.name.partition("-")[2] for path in folder.iterdir())
    assert names == sorted(["matrices.bin"] + ([f"{backend.resident_form}.bin"] if backend.resident_form else []))
    monkeypatch.setattr(zkey, "_read_matrices", refuse)
    if backend.resident_form:
        monkeypatch.setattr(CpuBackend, "points", refuse)
        monkeypatch.setattr(CpuBackend, "matrix", refuse)
    second, prover = opened(key_file, backend)
    plain = [f.name for f in fields(first) if f.compare and f.name not in ("a", "b", *QUERIES)]
    assert [getattr(second, name) for name in plain] == [getattr(first, name) for name in plain]
    assert all(np.array_equal(x, y) for x, y in zip(arrays_of(first), arrays_of(second), strict=True))
    assert prover.prove(statement.assignment, _blinding=BLINDING) == proof


def test_paths_of_the_processor_do_not_meet(folder, key_file, statement):
    proofs = [
        opened(key_file, open_backend("cpu", instructions=path))[1].prove(statement.assignment, _blinding=BLINDING)
        for path in ("portable", *(["ifma"] if IFMA in supported() else []), "portable")
    ]
    assert len(set(proofs)) == 1


def test_a_key_that_was_changed_or_not_checked_is_not_taken_for_its_file(folder, key_file, statement):
    backend = open_backend("cpu")
    key, _ = opened(key_file, backend)
    changed = replace(key, h_query=key.h_query[::-1].copy())
    assert key.file_digest is not None
    assert changed.file_digest is read_zkey(key_file).file_digest is None
    with pytest.raises(UnsatisfiedError):
        Prover(changed, backend).prove(statement.assignment)
    assert Prover(key, backend).prove(statement.assignment)


def test_another_file_has_entries_of_its_own(folder, key_file, statement):
    backend = open_backend("cpu")
    opened(key_file, backend)
    before = set(folder.iterdir())
    write_zkey(key_file, unsafe_setup(statement.r1cs, open_backend("reference")))
    key, prover = opened(key_file, backend)
    assert verify(key.verifying_key, prover.public_inputs(statement.assignment), prover.prove(statement.assignment))
    assert len(set(folder.iterdir()) - before) == len(before) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "magic", "hash", "size", "table", "text", "array"])
def test_a_damaged_entry_is_noticed_and_replaced(folder, key_file, statement, caplog, damage):
    backend = open_backend("cpu")
    opened(key_file, backend)
    (entry,) = folder.glob("*-cpu-*.bin")
    whole = entry.read_bytes()
    table = int.from_bytes(whole[48:56], "little")
    text = -(-(56 + table) // 64) * 64
    at = {"magic": 3, "hash": 20, "size": 55, "table": 60, "text": text, "array": len(whole) - 1}.get(damage)
    data = bytearray(whole)
    if at is not None:
        data[at] ^= 1
    entry.write_bytes({"cut": data[: len(data) // 2], "empty": b""}.get(damage, data))
    with caplog.at_level(logging.WARNING):
        _, prover = opened(key_file, backend)
    assert "unreadable" in caplog.text
    assert prover.prove(statement.assignment)
    assert entry.read_bytes() == whole


def test_an_entry_of_other_sources_is_replaced_without_a_word(folder, key_file, monkeypatch, caplog):
    backend = open_backend("cpu")
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "_stamp", lambda: bytes(32))
        opened(key_file, backend)
    (entry,) = folder.glob("*-cpu-*.bin")
    old = entry.read_bytes()
    opened(key_file, backend)
    assert entry.read_bytes() != old
    assert not caplog.records


def test_entries_are_for_the_user_alone(folder, key_file):
    opened(key_file, open_backend("cpu"))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_folder_that_others_can_write_is_not_used(key_file, monkeypatch, tmp_path):
    monkeypatch.setattr(checked, "_folder", lambda: tmp_path)
    monkeypatch.setattr(prepared, "LEAST_BYTES", 0)
    backend = open_backend("cpu")
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    opened(key_file, backend)
    assert len(files(tmp_path / "cache" / "prepared")) == 2
    os.chmod(tmp_path / "cache" / "prepared", 0o777)
    with pytest.raises(ResourceError):
        prepared._folder()
    monkeypatch.setattr(prepared, "_unpacked", refuse)
    opened(key_file, backend)


def test_little_is_not_kept_and_never_more_than_the_limit(folder, monkeypatch):
    value = np.zeros(1000, np.uint64)
    monkeypatch.setattr(prepared, "LEAST_BYTES", 10_000)
    pruning.mark(folder)
    prepared.keep("a" * 64, "x", value)
    assert not files(folder)
    monkeypatch.setattr(prepared, "LEAST_BYTES", 0)
    monkeypatch.setattr(prepared, "MOST_BYTES", 20_000)
    monkeypatch.setattr(prepared, "MOST_OF_DISK", 1 << 60)
    prepared.keep("a" * 64, "x", np.zeros(3000, np.uint64))
    assert not files(folder)
    for k, name in enumerate("abc"):
        prepared.keep(name * 64, "x", value)
        os.utime(folder / f"{name * 64}-x.bin", (k, k))
    assert [name[0] for name in files(folder)] == ["b", "c"]
    assert np.array_equal(prepared.load("b" * 64, "x"), value)
    prepared.keep("d" * 64, "x", value)
    assert [name[0] for name in files(folder)] == ["b", "d"], "the one used last stays"


def test_what_is_loaded_is_the_process_s_own(folder):
    prepared.keep("a", "x", np.arange(100))
    mine = prepared.load("a", "x")
    mine[:] = 7
    assert np.array_equal(prepared.load("a", "x"), np.arange(100))


PROGRAM = """
import os, sys
from zkgpu import open_backend
from zkgpu.formats import wtns
from zkgpu.groth16 import zkey
from zkgpu.groth16 import Prover

key_file, witness = sys.argv[1:]
backend = open_backend("cpu")
prover = Prover(zkey.read_zkey(key_file, backend.first_invalid_point), backend)
assignment = wtns.read_wtns(witness).copy()
os.truncate(key_file, 100)
prover.prove(assignment)
print("proven", flush=True)
prover.key.h_query.sum()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("openings", [1, 2])
def test_a_key_file_cut_short_after_it_was_opened_changes_no_proof(samples, tmp_path, openings):
    witness, environment = samples / "range" / "witness.wtns", {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(openings):
        key_file = tmp_path / "key.zkey"
        key_file.write_bytes((samples / "range" / "range_groth16.zkey").read_bytes())
        command = [sys.executable, "-c", PROGRAM, str(key_file), str(witness)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout == "proven\n"
        assert done.returncode == -signal.SIGBUS, "the file was not read through a map, so nothing was tested"
