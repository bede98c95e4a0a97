"""A contract deployed and called in an EVM in memory, where pyrevm is installed."""

from __future__ import annotations

from typing import Any

from zkgpu.errors import SelfCheckError
from zkgpu.records import dataclass
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
    """Deploys the verifier that `code` creates, and makes two calls; None when pyrevm is not installed.

    Raises SelfCheckError unless it accepts the valid one and refuses the altered one: by its answer, or by reverting.
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
        accepted = _accepts(evm, address, valid)
        call_gas = evm.result.gas_used
    if not accepted or _accepts(evm, address, altered):
        raise SelfCheckError(f"the contract {'accepts an altered' if accepted else 'refuses the valid'} call")
    return OnChain(deploy_gas, call_gas, len(evm.get_code(address)))


def _accepts(evm: Any, address: str, call: bytes) -> bool:
    try:
        return int.from_bytes(evm.message_call(_CALLER, address, call, gas=_PLENTY), "big") == 1
    except RuntimeError:  # it reverted
        return False
