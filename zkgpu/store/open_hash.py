"""BLAKE2b-512 whose state can be written down after some of a message, and taken up again by somebody else.

    unfinished block[128] | state u64[8] | bytes taken in u64 | bytes of the unfinished block u64 | zero[8]

A block is taken in when something follows it, so that the unfinished one of a long message has 1 to 128 bytes. What
lies behind these in the block means nothing. So snarkjs' ceremonies keep the hash of a response before its last part.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError
from zkgpu.jit.blake2b import BLOCK_BYTES, compress, first_state

STATE_BYTES = 216
_AT_STATE, _AT_COUNTS = 128, 192


class OpenHash:
    """BLAKE2b-512 of what `update` was given."""

    def __init__(self) -> None:
        self._state, self._taken, self._rest = first_state(), 0, b""

    @classmethod
    def resumed(cls, written: bytes) -> OpenHash:
        """The hash as `state` wrote it down. Raises FormatError for bytes that are no such state."""
        taken, size = (int.from_bytes(written[at : at + 8], "little") for at in (_AT_COUNTS, _AT_COUNTS + 8))
        if len(written) != STATE_BYTES or size > BLOCK_BYTES or taken % BLOCK_BYTES:
            raise FormatError("this is not the state of a BLAKE2b hash: copy the file again")
        hash_ = cls()
        hash_._state = np.frombuffer(written, "<u8", 8, _AT_STATE).astype(np.uint64)
        hash_._taken, hash_._rest = taken, written[:size]
        return hash_

    def update(self, data: bytes) -> None:
        message = self._rest + data
        whole = max(len(message) - 1, 0) // BLOCK_BYTES * BLOCK_BYTES
        if whole:
            blocks = np.frombuffer(message, "<u8", whole // 8).reshape(-1, BLOCK_BYTES // 8).astype(np.uint64)
            compress(self._state, blocks, self._taken)
        self._taken, self._rest = self._taken + whole, message[whole:]

    def state(self) -> bytes:
        """216 bytes, which `resumed` takes."""
        counts = self._taken.to_bytes(8, "little") + len(self._rest).to_bytes(8, "little")
        return self._rest.ljust(BLOCK_BYTES, b"\0") + self._state.astype("<u8").tobytes() + counts + bytes(8)

    def digest(self) -> bytes:
        """64 bytes: the hash of all so far, which may go on."""
        state = self._state.copy()
        block = np.frombuffer(self._rest.ljust(BLOCK_BYTES, b"\0"), "<u8").reshape(1, -1).astype(np.uint64)
        compress(state, block, self._taken, len(self._rest))
        digest: bytes = state.astype("<u8").tobytes()
        return digest


def blake2b_of(data: NDArray[np.uint8]) -> bytes:
    """BLAKE2b-512 of the bytes of a mapped file, as `b2sum` gives it."""
    state = hashlib.blake2b()
    for begin in range(0, len(data), 1 << 22):
        state.update(data[begin : begin + (1 << 22)].data)
    return state.digest()
