"""BLAKE2b whose state is written down: against the standard library, at the edges of blocks, and against snarkjs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from zkgpu import open_backend
from zkgpu.ceremony.chain import first_challenge
from zkgpu.ceremony.challenge import encode_short
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.errors import FormatError
from zkgpu.store.open_hash import STATE_BYTES, OpenHash

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
MESSAGE = bytes(range(256)) * 5


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 256, 257, 1000])
@pytest.mark.parametrize("cut", [0, 1, 128, 255])
def test_a_hash_taken_up_again_is_that_of_the_whole_message(size: int, cut: int) -> None:
    begun = OpenHash()
    begun.update(MESSAGE[:size][:cut])
    resumed = OpenHash.resumed(begun.state())
    resumed.update(MESSAGE[:size][cut:])
    assert resumed.digest() == hashlib.blake2b(MESSAGE[:size]).digest()


@pytest.mark.parametrize("at", [192, 200])
def test_a_state_with_wrong_counts_is_refused(at: int) -> None:
    written = bytearray(OpenHash().state())
    written[at] = 129
    with pytest.raises(FormatError, match="not the state of"):
        OpenHash.resumed(bytes(written))


def test_the_state_is_the_one_that_snarkjs_wrote_for_the_same_points() -> None:
    ptau, state = read_ptau(SAMPLES / "pot6_1.ptau"), OpenHash()
    state.update(first_challenge(ptau.curve, ptau.power))
    for _, _, group, rows in ptau.points():
        state.update(encode_short(group, rows, open_backend("cpu")))
    ours, theirs = state.state(), ptau.contributions[0].partial_hash
    rest = int.from_bytes(theirs[200:208], "little")
    assert len(ours) == STATE_BYTES
    assert (ours[:rest], ours[128:]) == (theirs[:rest], theirs[128:])  # between them lies what was there before
