"""Verifiers for the EVM: a contract's source, and the calldata that calls it with a proof."""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
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

_HOMES = {
    "CompiledContract": "zkgpu.solidity.linking",
    "arguments": "zkgpu.solidity.calldata",
    "calldata": "zkgpu.solidity.calldata",
    "calldata_text": "zkgpu.solidity.calldata",
    "gas_limit": "zkgpu.solidity.calldata",
    "standin_source": "zkgpu.solidity.linking",
    "verifier_source": "zkgpu.solidity.contract",
}
__getattr__ = names_of(__name__, _HOMES)
