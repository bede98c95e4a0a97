"""Blocks that were never built, as a node tells them."""

from __future__ import annotations

import hashlib

from zkgpu.audit.header import unchecked
from zkgpu.transcript import keccak256


def block_of(number: int, fork: int = 0) -> dict[str, str]:
    """What eth_getBlockByNumber gives; blocks of another fork have another randomness."""
    random = hashlib.sha256(f"block {number} {fork}".encode()).hexdigest()
    hashes = ("parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "withdrawalsRoot")
    later = ("parentBeaconBlockRoot", "requestsHash")
    block = {name: "0x" + hashlib.sha256(name.encode()).hexdigest() for name in (*hashes, *later)}
    block |= {
        "miner": "0x" + "12" * 20,
        "logsBloom": "0x" + "00" * 256,
        "nonce": "0x" + "00" * 8,
        "mixHash": f"0x{random}",
    }
    block |= {
        "difficulty": "0x0",
        "number": hex(number),
        "gasLimit": "0x1c9c380",
        "gasUsed": "0x0",
        "timestamp": "0x7f",
    }
    block |= {
        "extraData": "0x" + "ee" * (number % 33),
        "baseFeePerGas": "0x7",
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
    }
    return {**block, "hash": "0x" + keccak256(unchecked(block)).hex()}
