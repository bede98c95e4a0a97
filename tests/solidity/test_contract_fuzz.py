"""Contracts of random public arrays, held to what Python makes of the same values.

A sample in each run that has a compiler; `pytest -m slow tests/solidity/test_contract_fuzz.py` compiles many more.
ZKGPU_FUZZ_SEED sets which.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from committed_instances import WIDTHS, CommittedRound, PublicArray, Trapdoor, made_trapdoor, widest
from contracts import compile_or_skip
from evm import FALSE, TRUE, Contract

from zkgpu.curves.bn254 import Fr
from zkgpu.solidity import calldata, gas_limit, verifier_source
from zkgpu.solidity.calldata import VerifierFunction

SEED = int(os.environ.get("ZKGPU_FUZZ_SEED", "1"))
SIZES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97)
FUNCTIONS: tuple[VerifierFunction, ...] = ("verifyProof", "requireValidProof")
ALL_OF = 20  # values of an array that are all tried; of a longer one these, from both ends, and some between


def random_array(rng: random.Random, name: str) -> PublicArray:
    """Of any width, signed or not, with the ends of the width, or up to 14 from one or both."""
    bits, signed = 8 * rng.choice(WIDTHS), rng.random() < 0.5
    low = -(1 << bits - 1) if signed else 0
    high = low + (1 << bits) - 1
    return PublicArray(name, (rng.choice(SIZES),), low + rng.choice([0, 0, 1, 14]), high - rng.choice([0, 0, 1, 14]))


def random_secrets(rng: random.Random, name: str) -> Trapdoor:
    arrays = tuple(random_array(rng, f"array {i}") for i in range(rng.choice([1, 1, 2, 3, 5, 8])))
    return made_trapdoor(name, rng.randrange(4), CommittedRound(5, rng.choice([1, 2, 3, 9]), arrays))


def places(array: PublicArray, rng: random.Random) -> list[int]:
    ends = [*range(min(array.size, ALL_OF // 2)), *range(max(0, array.size - ALL_OF // 2), array.size)]
    between = rng.sample(range(array.size), min(array.size, 5))
    return sorted({*ends, *between})


def altered(packed: bytes, arrays: tuple[PublicArray, ...], rng: random.Random) -> Iterator[tuple[bytes, bool]]:
    """The packed values with one of them at or behind an end of its interval, and whether it is inside."""
    start = 0
    for array in arrays:
        whole = widest(array)
        wanted = {array.low - 1, array.low, array.high, array.high + 1, whole.low, whole.high}
        for place in places(array, rng):
            at = start + place * array.width
            for value in sorted(v for v in wanted if whole.low <= v <= whole.high):
                word = value.to_bytes(array.width, "big", signed=array.is_signed)
                inside = array.low <= value <= array.high
                yield packed[:at] + word + packed[at + array.width :], inside
        start += array.packed_size


def hold_against_python(count: int) -> int:
    """How many calls were made of so many contracts."""
    rng, asked = random.Random(SEED), 0
    made = {f"random_{i}": random_secrets(rng, f"random {SEED} {i}") for i in range(count)}
    keys = {name: secrets.verifying_key() for name, secrets in made.items()}
    codes = compile_or_skip({name: verifier_source(key) for name, key in keys.items()})
    for name, secrets in made.items():
        key, arrays, contract = keys[name], secrets.round.arrays, Contract(bytes.fromhex(codes[name]))
        public = [rng.choice([0, 1, Fr.modulus - 1]) for _ in range(key.n_explicit_public)]
        packed = b"".join(a.pack([rng.randint(a.low, a.high) for _ in range(a.size)]) for a in arrays)
        limit = gas_limit(len(public), round_=secrets.round)
        for function in FUNCTIONS:
            data = calldata(secrets.prove(key, public, packed), public, function, packed)
            assert contract.call(data, gas=limit) == TRUE, (SEED, secrets.round)
        widened = tuple(map(widest, arrays))
        for values, inside in altered(packed, arrays, rng):
            proof = secrets.forge(secrets.inputs(key, public, values, widened))
            verdict = contract.call(calldata(proof, public, packed=values))
            assert verdict == (TRUE if inside else FALSE), (SEED, secrets.round, values.hex())
            asked += 1
    return asked


@pytest.mark.node
def test_contracts_of_a_few_random_arrays_take_what_is_in_the_intervals() -> None:
    assert hold_against_python(2) > 20


@pytest.mark.slow
@pytest.mark.node
def test_contracts_of_many_random_arrays_take_what_is_in_the_intervals() -> None:
    assert hold_against_python(60) > 3000
