"""The operands of gadgets: wires of one circuit, or what can be made such."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from zkgpu.circuits.circuit import Circuit

F = TypeVar("F", bound=Callable[..., Any])


def on_wires(*names: str) -> Callable[[F], F]:
    """A gadget whose operands of these names come as wires of one circuit, whatever numbers and lists were given.

    It raises UsageError when none of them is a wire.
    """

    def decorate(gadget: F) -> F:
        signature = inspect.signature(gadget)

        @functools.wraps(gadget)
        def run(*arguments: Any, **named: Any) -> Any:
            given = signature.bind(*arguments, **named).arguments
            circuit = Circuit.of(*(given[name] for name in names), gadget=gadget.__name__)
            return gadget(**(given | {name: circuit.wires(given[name]) for name in names}))

        return cast(F, run)

    return decorate
