"""Keys without matrices: the circuit has them, and is named by its digest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit, SparseMatrix
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, UsageError
from zkgpu.groth16 import Prover, contribute, unsafe_setup
from zkgpu.groth16.circuit_digest import circuit_digest
from zkgpu.groth16.keys import ProvingKey
from zkgpu.groth16.proof import Blinding
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.store import digests, prepared
from zkgpu.systems.registry import system_of

BACKEND = open_backend("cpu", threads=1)
INPUTS = {"x": [3, 4, 5, 6], "y": 2}


def circuit_of(factor: int = 5, last: int = 1) -> CompiledCircuit:
    c = Circuit()
    x, y = c.private("x", 4), c.public("y")
    c.output("z", (x * factor + y) * x[::-1] + x * last)
    return c.compile()


COMPILED = circuit_of()
R = COMPILED.r1cs
BLINDING = Blinding(7, 11, 13)


@pytest.fixture(scope="module")
def key() -> ProvingKey:
    return unsafe_setup(R, BACKEND)


@pytest.fixture
def bare(key: ProvingKey, tmp_path: Path) -> ProvingKey:
    write_zkey(tmp_path / "key.zkey", key.without_matrices(R))
    return read_zkey(tmp_path / "key.zkey", BACKEND.first_invalid_point)


def test_a_key_without_matrices_leaves_out_44_bytes_an_entry(bare: ProvingKey, key: ProvingKey, tmp_path: Path) -> None:
    write_zkey(tmp_path / "whole.zkey", key)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole.zkey", "key.zkey")]
    assert sizes[0] - sizes[1] == 44 * (key.a.entries + key.b.entries) + 4 - 32
    assert (bare.n_wires, bare.domain_size, bare.a.entries) == (key.n_wires, key.domain_size, 0)


def test_with_its_circuit_it_makes_the_same_proof_as_a_whole_key(bare: ProvingKey, key: ProvingKey) -> None:
    witness = COMPILED.witness(INPUTS)
    wanted = Prover(key, BACKEND, allow_insecure_key=True).prove(witness, _blinding=BLINDING)
    for given, circuit in ((bare.with_circuit(R), None), (bare, R)):
        prover = Prover(given, BACKEND, circuit=circuit, allow_insecure_key=True)
        assert prover.prove(witness, _blinding=BLINDING) == wanted
    assert bare.with_circuit(R).file_digest == bare.file_digest is not None


def test_a_key_holds_no_copy_of_its_circuits_matrices(bare: ProvingKey, key: ProvingKey) -> None:
    whole = bare.with_circuit(R)
    assert whole.circuit is R
    assert whole.a.entries == whole.b.entries == 0
    assert all(mine.is_same(other) for mine, other in zip(whole.matrices(), (key.a, key.b), strict=True))


def test_what_was_prepared_needs_no_matrices(bare: ProvingKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    monkeypatch.setattr(prepared, "_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(prepared, "LEAST_BYTES", 0)
    witness = COMPILED.witness(INPUTS)
    first, second = (Prover(bare.with_circuit(R), BACKEND, allow_insecure_key=True) for _ in range(2))
    with monkeypatch.context() as none:
        none.setattr(ProvingKey, "matrices", lambda _: pytest.fail("made again"))
        third = Prover(bare.with_circuit(R), BACKEND, allow_insecure_key=True)
    proofs = [prover.prove(witness, _blinding=BLINDING) for prover in (first, second, third)]
    assert proofs[0] == proofs[1] == proofs[2]


def test_a_known_file_is_hashed_once_when_it_is_opened(
    bare: ProvingKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hashed: list[int] = []
    whole = digests.digest
    monkeypatch.setattr(digests, "digest", lambda data: (hashed.append(len(data)), whole(data))[1])
    assert read_zkey(tmp_path / "key.zkey", BACKEND.first_invalid_point).file_digest == bare.file_digest
    assert len(hashed) == 1


def test_a_circuit_with_a_digest_is_not_gone_through_and_a_changed_one_has_none(bare: ProvingKey) -> None:
    known = R.with_digest(circuit_digest(R))
    assert bare.with_circuit(known).circuit is known
    assert circuit_digest(R.with_digest(bytes(32))) == bytes(32)
    assert circuit_digest(replace(R.with_digest(bytes(32)))) == circuit_digest(R)


def test_without_its_circuit_or_with_another_it_is_refused_by_name(bare: ProvingKey) -> None:
    with pytest.raises(UsageError, match="no matrices"):
        Prover(bare, BACKEND, allow_insecure_key=True)
    for other in (circuit_of(6).r1cs, circuit_of(last=2).r1cs):
        with pytest.raises(UsageError, match="another circuit"):
            bare.with_circuit(other)
        with pytest.raises(UsageError, match="another circuit"):
            Prover(bare, BACKEND, circuit=other, allow_insecure_key=True)


def test_the_registry_knows_whose_key_it_is_and_says_so(bare: ProvingKey) -> None:
    system = system_of(bare)
    assert system.holds_circuit(bare, R)
    assert not system.holds_circuit(bare, circuit_of(last=2).r1cs)
    assert circuit_digest(R).hex() in str(system.describe_key(bare))


def test_contributions_keep_what_the_key_is_bound_to(bare: ProvingKey, tmp_path: Path) -> None:
    write_zkey(tmp_path / "next.zkey", contribute(bare, BACKEND, name="second"))
    again = read_zkey(tmp_path / "next.zkey")
    assert again.circuit_digest == circuit_digest(R)
    Prover(again.with_circuit(R), BACKEND, allow_insecure_key=True).prove(COMPILED.witness(INPUTS))


def test_a_damaged_digest_is_refused(bare: ProvingKey, tmp_path: Path) -> None:
    data = bytearray((tmp_path / "key.zkey").read_bytes())
    at = data.find(circuit_digest(R))
    data[at] ^= 1
    (tmp_path / "key.zkey").write_bytes(data)
    with pytest.raises(UsageError, match="another circuit"):
        read_zkey(tmp_path / "key.zkey").with_circuit(R)
    (tmp_path / "key.zkey").write_bytes(bytes(data).replace(len(circuit_digest(R)).to_bytes(8, "little"), bytes(8), 1))
    with pytest.raises(FormatError):
        read_zkey(tmp_path / "key.zkey")


def shuffled(m: SparseMatrix, seed: int) -> SparseMatrix:
    """The same matrix: its table in another order, with a value twice and one in no entry, its rows in another."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(m.table))
    table = np.concatenate([m.table[order], m.table[:1], Fr.to_limbs([12345])])
    place = np.argsort(order)
    entries = rng.permutation(m.entries)
    return SparseMatrix.from_entries(
        m.shape, m.row_of_entry()[entries], m.indices[entries], place[m.coefficient[entries]], table
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_digest_is_of_the_constraints_and_not_of_their_order_in_memory(seed: int) -> None:
    same = replace(R, a=shuffled(R.a, seed), b=shuffled(R.b, seed + 9), c=shuffled(R.c, seed), labels=((0, "named"),))
    assert circuit_digest(same) == circuit_digest(R)


def changed(m: SparseMatrix, name: str, at: int, value: int) -> SparseMatrix:
    part = getattr(m, name).copy()
    part[at] = value
    return replace(m, **{name: part})


@pytest.mark.parametrize("side", ["a", "b", "c"])
def test_the_digest_changes_with_every_entry(side: str) -> None:
    m = getattr(R, side)
    column = int(m.indices[0])
    others = [
        changed(m, "indices", 0, next(w for w in range(m.shape[1]) if w != column and w not in m.indices[:4])),
        replace(
            m, table=np.concatenate([Fr.to_limbs([987654321]), m.table[1:]]) if 0 in m.coefficient else m.table + 1
        ),
    ]
    assert all(circuit_digest(replace(R, **{side: other})) != circuit_digest(R) for other in others)


def test_the_digest_covers_what_is_public() -> None:
    moved = replace(R, n_public_inputs=R.n_public_inputs + 1, n_private_inputs=R.n_private_inputs - 1)
    assert circuit_digest(moved) != circuit_digest(R)
