"""What a transaction's data costs, and the most that a transaction may have."""

from __future__ import annotations

TRANSACTION = 21_000  # before anything is computed
CALLDATA_BYTE = 16  # that is not zero (EIP-2028)
FLOOR_BYTE = 40  # that is not zero, where the transaction computes less than that (EIP-7623)
MOST_GAS = 1 << 24  # of a transaction (EIP-7825)
MOST_CALLDATA = 1 << 17  # bytes of a transaction that nodes pass on to each other (go-ethereum's txMaxSize)


def transaction_gas(computed: int, calldata: int) -> int:
    """Gas of a transaction that would take `computed` without the floor on its bytes of calldata."""
    return max(computed, TRANSACTION + FLOOR_BYTE * calldata)


def hashed_gas(size: int) -> int:
    """Gas to copy that many bytes of calldata into fresh memory and hash them (Yellow Paper, appendices G and H)."""
    words = -(-size // 32)
    return 12 * words + words * words // 512
