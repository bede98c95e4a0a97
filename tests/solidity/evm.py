"""A contract deployed in an EVM in memory, and what it says of a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zkgpu.extras import hint

pyrevm = pytest.importorskip("pyrevm", reason=hint("evm"))

CONTRACTS = Path(__file__).parents[1] / "data" / "solidity"
CALLER, THIEF = "0x" + "11" * 20, "0x" + "77" * 20
PLENTY = 10**7

TRUE, FALSE, REVERT, HALT = "true", "false", "revert", "halt"


STAND_IN = 0x77
ANSWER_BYTES = {5: 32, 6: 64, 7: 64, 8: 32}  # of a precompile
_RETURN, _REVERT = 0xF3, 0xFD


def creation_code(name: str) -> bytes:
    return bytes.fromhex((CONTRACTS / f"{name}.bin").read_text())


class Contract:
    """The contract that `code` creates. gas_used is that of the last transaction, intrinsic gas included.

    beside   a contract in whose chain to create it, if not in one of its own
    """

    def __init__(self, code: bytes, beside: Contract | None = None) -> None:
        self.evm: Any = beside.evm if beside else pyrevm.EVM(spec_id="CANCUN")
        for account in (CALLER, THIEF):
            self.evm.set_balance(account, 10**20)
        self.address = self.evm.deploy(CALLER, code)
        self.deploy_gas = self.gas_used

    @property
    def gas_used(self) -> int:
        used: int = self.evm.result.gas_used
        return used

    @property
    def runtime_size(self) -> int:
        return len(self.evm.get_code(self.address))

    def place(self, address: int, code: bytes) -> None:
        """Put a contract with this runtime code at the address."""
        self.evm.insert_account_info(f"0x{address:040x}", pyrevm.AccountInfo(code=code))

    def call(self, data: bytes, gas: int = PLENTY, sender: str = CALLER) -> str:
        """TRUE or FALSE as returned, TRUE for an empty answer, REVERT with its data in hex, or HALT."""
        try:
            answer = self.evm.message_call(sender, self.address, data, gas=gas)
        except RuntimeError as error:
            return _failure(str(error))
        return {b"": TRUE, b"\x01": TRUE, b"\x00": FALSE}[answer[31:]]


def _failure(message: str) -> str:
    if message.startswith("Revert"):
        return REVERT + " " + message.split("output: ")[1].split(" ")[0]
    if "OutOfGas" in message or "CallGasCostMoreThanGasLimit" in message:
        return HALT
    raise AssertionError(f"the EVM failed in an unforeseen way: {message}")


def verdicts_with_stand_ins(code: bytes, precompile: int, data: bytes) -> Iterator[list[str]]:
    """What the contract says of a call when something else stands where it asks a precompile, at one place or the next.

    First code that gives the precompile's own answer, then the same reverting, with a word more, with a byte less, and
    no code at all.
    """
    here, there = (bytes([0x60, address, 0x5A, 0xFA]) for address in (precompile, STAND_IN))  # PUSH1, GAS, STATICCALL
    parts, size = code.split(here), ANSWER_BYTES[precompile]
    for site in range(1, len(parts)):
        contract = Contract(here.join(parts[:site]) + there + here.join(parts[site:]))
        verdicts = []
        for end, length in ((_RETURN, size), (_REVERT, size), (_RETURN, size + 32), (_RETURN, size - 1)):
            contract.place(STAND_IN, _forwarding(precompile, end, length))
            verdicts.append(contract.call(data))
        contract.place(STAND_IN, b"")
        yield [*verdicts, contract.call(data)]


def with_products(code: bytes, scalars: Mapping[int, Collection[int]]) -> Contract:
    """The contract, failing where it multiplies a point of one of these x by anything but these scalars."""
    here, there = (bytes([0x60, address, 0x5A, 0xFA]) for address in (7, STAND_IN))
    contract = Contract(code.replace(here, there))
    guards = b""
    for x, known in scalars.items():
        guards += _guard(len(guards), x, known)
    contract.place(STAND_IN, guards + _forwarding(7, _RETURN, ANSWER_BYTES[7]))
    return contract


def _guard(start: int, x: int, scalars: Collection[int]) -> bytes:
    """Code that reverts if the first word of calldata is x and the third none of the scalars; `start` is its place."""
    right = bytes([0x5F, 0x35, 0x7F]) + x.to_bytes(32, "big") + bytes([0x14, 0x15])  # CALLDATALOAD, EQ, ISZERO
    for scalar in scalars:
        right += bytes([0x60, 0x40, 0x35, 0x7F]) + scalar.to_bytes(32, "big") + bytes([0x14, 0x17])  # EQ, OR
    behind = start + len(right) + 7
    return right + bytes([0x61, *behind.to_bytes(2, "big"), 0x57, 0x5F, 0x5F, _REVERT, 0x5B])  # JUMPI, JUMPDEST


def _forwarding(precompile: int, end: int, length: int) -> bytes:
    """Code that hands its calldata to the precompile, and ends with so many bytes of the answer."""
    copied = bytes.fromhex("365f5f37")  # CALLDATACOPY(0, 0, CALLDATASIZE)
    asked = bytes([0x60, ANSWER_BYTES[precompile], 0x5F, 0x36, 0x5F, 0x60, precompile, 0x5A, 0xFA, 0x50])
    return copied + asked + bytes([0x60, length, 0x5F, end])
