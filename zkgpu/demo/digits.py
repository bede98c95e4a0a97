"""A convolutional network that reads a handwritten digit: its compiled form, an image, and its contract."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from zkgpu.evm.in_memory import OnChain, call_verifier
from zkgpu.groth16.keys import VerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.solidity import CompiledContract, calldata
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.storage import parse

# a three from scikit-learn's digits (UCI's Optical Recognition of Handwritten Digits, CC BY 4.0), pixels from 0 to 16
IMAGE = np.array(
    [
        [0, 2, 10, 15, 16, 16, 14, 0],
        [0, 7, 11, 4, 6, 15, 9, 0],
        [0, 0, 0, 6, 15, 12, 0, 0],
        [0, 0, 3, 16, 9, 0, 0, 0],
        [0, 0, 5, 16, 8, 0, 0, 0],
        [0, 0, 0, 11, 15, 2, 0, 0],
        [0, 0, 1, 6, 16, 2, 0, 0],
        [0, 1, 16, 16, 6, 0, 0, 0],
    ]
)


def model() -> CompiledModel:
    """The network with its weights, as `examples/learn_digits_cnn.py` learnt and compiled it."""
    return parse(files("zkgpu.demo").joinpath("digits_cnn.npz").read_bytes(), "digits_cnn.npz")


def ask_contract(key: VerifyingKey, statement: Statement) -> OnChain | None:
    """What the contract costs that accepts the proof, and refuses it beside values whose last bit is another.

    None where there is no EVM. Raises SelfCheckError when the contract answers otherwise.
    """
    compiled = CompiledContract.parse(files("zkgpu.demo").joinpath("digits_contract.json").read_text())
    packed = statement.packed
    altered = packed[:-1] + bytes([packed[-1] ^ 1])
    valid, invalid = (calldata(statement.proof, statement.public_inputs, packed=p) for p in (packed, altered))
    return call_verifier(compiled.for_key(key), valid, invalid)
