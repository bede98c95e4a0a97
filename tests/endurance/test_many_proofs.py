"""One process, many proofs: none repeats an element, memory stays where it was, threads do not disturb each other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from zkgpu.backend import open_backend
from zkgpu.groth16 import Proof, Prover, verify

pytestmark = pytest.mark.slow

SETTLED, PROOFS = 100, 1000
GROWTH = 0.01  # of the resident memory once settled


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_thousand_proofs_repeat_no_element_and_keep_no_memory(cubic: Any) -> None:
    prover = Prover(cubic.key, open_backend("cpu"))
    seen: set[object] = set()
    settled = 0
    for count in range(1, PROOFS + 1):
        proof = prover.prove_circuit(cubic.circuit, cubic.inputs(3)).proof
        seen |= {str(proof.a), str(proof.b), str(proof.c)}
        assert len(seen) == 3 * count
        if count == SETTLED:
            settled = resident()
    own = 400 * 3 * PROOFS  # what `seen` takes
    assert resident() - settled < GROWTH * settled + own


def test_eight_threads_prove_eight_circuits_over_one_backend(powers: Any) -> None:
    backend = open_backend("cpu")

    def prove(number: int) -> tuple[int, Proof]:
        statement = powers[number % len(powers)]
        return number, Prover(statement.key, backend).prove_circuit(statement.circuit, statement.inputs(2)).proof

    with ThreadPoolExecutor(8) as pool:
        proofs = list(pool.map(prove, range(80)))
    for number, proof in proofs:
        statement = powers[number % len(powers)]
        assert verify(statement.key.verifying_key, [2**statement.degree], proof)
