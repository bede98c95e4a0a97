"""BLAKE2b's compression of many blocks, for a hash whose state can be seen: what the hashes of libraries hide.

RFC 7693, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.jit.kernel import kernel, on_stack, subroutine

BLOCK_BYTES = 128
_FRACTIONS = (  # of the square roots of the first eight primes, as in SHA-512
    *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
    *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
)
_ORDERS = (  # of the message's words in each round
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    *(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    *(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    *(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    *(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    *(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    *(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    *(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    *(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    *(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
_PLACES = (  # of the four words that each of a round's eight mixings takes
    *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
    *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
)
_ROUNDS = 12

Words = NDArray[np.uint64]


def first_state(digest_bytes: int = 64) -> Words:
    """(8,) uint64: the state before the first block, without a key."""
    state = np.array(_FRACTIONS, np.uint64)
    state[0] ^= np.uint64(0x01010000 | digest_bytes)
    return state


def compress(state: Words, blocks: Words, done: int, last: int | None = None) -> None:
    """Takes blocks of 16 words, (n, words), into the state (8,), which is changed.

    Args:
        done: bytes that were taken in before
        last: bytes of the last of these blocks, when it ends the message; the block is filled up with zeros
    """
    orders = np.array([_ORDERS[16 * (i % 10) : 16 * (i % 10) + 16] for i in range(_ROUNDS)], np.int64)
    ends = -1 if last is None else last
    compress_blocks()(state, blocks, np.array(_FRACTIONS, np.uint64), orders, np.array(_PLACES, np.int64), done, ends)


@kernel
def compress_blocks() -> Callable[..., None]:
    """compress(state, blocks, fractions, orders, places, done, last): see `compress`; last is -1 within a message."""
    working = on_stack((16,), np.uint64)
    turned = subroutine(_rotated)

    def run(state: Any, blocks: Any, fractions: Any, orders: Any, places: Any, done: int, last: int) -> None:
        v, taken = working(), np.uint64(done)
        for block in range(len(blocks)):
            ends = last >= 0 and block == len(blocks) - 1
            taken += np.uint64(last) if ends else np.uint64(BLOCK_BYTES)
            for i in range(8):
                v[i], v[i + 8] = state[i], fractions[i]
            v[12] ^= taken
            if ends:
                v[14] ^= np.uint64(0xFFFFFFFFFFFFFFFF)
            for turn in range(len(orders)):
                for step in range(8):
                    a, b, c, d = places[step, 0], places[step, 1], places[step, 2], places[step, 3]
                    v[a] += v[b] + blocks[block, orders[turn, 2 * step]]
                    v[d] = turned(v[d] ^ v[a], 32)
                    v[c] += v[d]
                    v[b] = turned(v[b] ^ v[c], 24)
                    v[a] += v[b] + blocks[block, orders[turn, 2 * step + 1]]
                    v[d] = turned(v[d] ^ v[a], 16)
                    v[c] += v[d]
                    v[b] = turned(v[b] ^ v[c], 63)
            for i in range(8):
                state[i] ^= v[i] ^ v[i + 8]

    return run


def _rotated(word: Any, bits: int) -> Any:
    """A word of 64 bits, turned right."""
    return (word >> np.uint64(bits)) | (word << np.uint64(64 - bits))
