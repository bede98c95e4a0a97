"""Verifiers for the EVM: a contract's source, and the calldata that calls it with a proof."""

from zkgpu.solidity.calldata import arguments, calldata, calldata_text, gas_limit
from zkgpu.solidity.contract import verifier_source
from zkgpu.solidity.linking import CompiledContract, standin_source

__all__ = [
    "CompiledContract",
    "arguments",
    "calldata",
    "calldata_text",
    "gas_limit",
    "standin_source",
    "verifier_source",
]
