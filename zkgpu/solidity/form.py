"""The contract of a proof system, for whoever has a key or a proof of it."""

from __future__ import annotations

from typing import Any

from zkgpu.errors import UsageError
from zkgpu.evm.form import ContractForm
from zkgpu.systems.registry import NAMES, contract_form


def form_of(value: Any, what: str) -> ContractForm:
    """The form for a key or a proof. Raises UsageError for anything else; `what` is the type that is wanted."""
    system = getattr(value, "system", None)
    if system not in NAMES or type(value).__name__ != what:
        raise UsageError(f"a {type(value).__name__} is given, not a {what}: read it from its file")
    return contract_form(system)
