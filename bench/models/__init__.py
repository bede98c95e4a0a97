"""The architectures of `bench/architectures.py`: by name, what builds each with seeded random weights.

Every module of this folder that has a table BUILDERS, of names and functions without arguments, adds its models.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx


class Architecture(NamedTuple):
    """A model as an exporter writes it, and what it is asked about.

    Attributes:
        model: with inputs of known shapes
        draw: (count, random) to samples: an array with a first axis that counts them, or such by the input's name
        options: of compile_model, where the defaults do not suit: bits, limb, percentile
    """

    model: onnx.ModelProto
    draw: Callable[[int, np.random.Generator], Any]
    options: Mapping[str, Any] = {}


def builders() -> dict[str, Callable[[], tuple[Any, ...]]]:
    """All tables together; a builder's answer begins with the model and the function that draws samples."""
    found: dict[str, Callable[[], tuple[Any, ...]]] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        found |= getattr(importlib.import_module(f"{__name__}.{module}"), "BUILDERS", {})
    return found
