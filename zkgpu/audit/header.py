"""The header of a block, as Ethereum hashes it, and the randomness in it that draws samples.

The draw takes the header's prevRandao (EIP-4399: the field that was the mix hash) and not the block's hash: whoever
puts a block together can try any number of hashes, but has no influence on that value; and who proposes a block has one
choice, to leave it out. The contract knows the hash (EIP-2935, else BLOCKHASH) and is shown the header behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zkgpu.errors import FormatError, UsageError
from zkgpu.transcript import keccak256

# in order; a fork adds to the end. Yellow Paper 4.4; EIP-1559, 4895, 4844, 4788, 7685
_BYTES = {
    "parentHash": 32,
    "sha3Uncles": 32,
    "miner": 20,
    "stateRoot": 32,
    "transactionsRoot": 32,
    "receiptsRoot": 32,
    "logsBloom": 256,
    "extraData": None,
    "mixHash": 32,
    "nonce": 8,
    "withdrawalsRoot": 32,
    "parentBeaconBlockRoot": 32,
    "requestsHash": 32,
}
_ALWAYS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
)
_LATER = (
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
_HEX = re.compile(r"0x[0-9a-fA-F]*", re.ASCII)
_FIXED = 448  # bytes before the difficulty, whose lengths are the same in every header
_BETWEEN = 6  # fields from there to the mix hash
_STRING, _LONG, _WORD = 0x80, 0xB8, 32  # first byte of a short string, and of a long one; bytes


def encode(block: Mapping[str, Any]) -> bytes:
    """The header of a block as `eth_getBlockByNumber` gives it, in RLP.

    Raises FormatError for a block that is none, or whose hash is not that of the header: one of a later fork, perhaps.
    """
    if not isinstance(block, Mapping) or any(name not in block for name in (*_ALWAYS, "hash")):
        raise FormatError("not a block: give what eth_getBlockByNumber returns")
    header = unchecked(block)
    if keccak256(header) != _field("hash", block["hash"]):
        raise FormatError("its hash is not that of its header: a field was changed, or is not known to this version")
    return header


def unchecked(block: Mapping[str, Any]) -> bytes:
    """The same, whatever the block says of its hash."""
    later = [name for name in _LATER if name in block]
    return _rlp([_field(name, block[name]) for name in (*_ALWAYS, *later)])


def randao_of(header: bytes) -> bytes:
    """32 bytes of randomness, as the contract finds them. Raises UsageError for bytes that are no header."""
    place = _FIXED
    for _ in range(_BETWEEN):
        first = header[place] if place < len(header) else _LONG
        if first >= _LONG:
            raise UsageError("these bytes are not the header of a block")
        place += 1 if first < _STRING else 1 + first - _STRING
    found = header[place + 1 : place + 1 + _WORD]
    if len(found) != _WORD or header[place] != _STRING + _WORD:
        raise UsageError("these bytes are not the header of a block")
    return found


def _field(name: str, value: Any) -> bytes:
    """A field's bytes: a number without leading zeros, others as they are."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise FormatError(f"its {name} is not written as 0x and hexadecimal digits")
    if name not in (*_BYTES, "hash"):
        number = int(value, 16) if len(value) > 2 else 0
        return number.to_bytes((number.bit_length() + 7) // 8, "big")
    size = _WORD if name == "hash" else _BYTES[name]
    if len(value) % 2 or (size is not None and len(value) != 2 + 2 * size):
        raise FormatError(f"its {name} has not as many bytes as that of a block")
    return bytes.fromhex(value[2:])


def _rlp(fields: list[bytes]) -> bytes:
    """A list of strings in RLP (Yellow Paper, appendix B)."""
    body = b"".join(_string(field) for field in fields)
    return _prefix(0xC0, len(body)) + body


def _string(data: bytes) -> bytes:
    return data if len(data) == 1 and data[0] < _STRING else _prefix(_STRING, len(data)) + data


def _prefix(start: int, length: int) -> bytes:
    if length < 56:
        return bytes([start + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([start + 55 + len(digits)]) + digits
