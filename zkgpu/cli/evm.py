"""A contract deployed and called in an EVM in memory, where pyrevm is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zkgpu.errors import SelfCheckError
from zkgpu.stages import stage

_CALLER = "0x" + "11" * 20
_PLENTY = 10**7  # gas


@dataclass(frozen=True)
class OnChain:
    """What a contract's life cost: gas of whole transactions, and bytes of its code."""

    deploy_gas: int
    call_gas: int
    code_bytes: int


def call_verifier(code: bytes, valid: bytes, altered: bytes) -> OnChain | None:
    """Deploys the verifier that `code` creates and has it judge two calls; None when pyrevm is not installed.

    Raises SelfCheckError unless it accepts the valid one and refuses the altered one.
    """
    try:
        import pyrevm
    except ImportError:
        return None
    evm: Any = pyrevm.EVM(spec_id="CANCUN")
    evm.set_balance(_CALLER, 10**20)
    with stage("deploy contract"):
        address = evm.deploy(_CALLER, code)
        deploy_gas = evm.result.gas_used
    with stage("call contract"):
        accepted = evm.message_call(_CALLER, address, valid, gas=_PLENTY)
        call_gas = evm.result.gas_used
    refused = evm.message_call(_CALLER, address, altered, gas=_PLENTY)
    if (int.from_bytes(accepted, "big"), int.from_bytes(refused, "big")) != (1, 0):
        raise SelfCheckError("the contract does not judge the demo's proof as Python does")
    return OnChain(deploy_gas, call_gas, len(evm.get_code(address)))
