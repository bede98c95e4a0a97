"""Functions of one number: what tables are made of. Floats in, floats out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_erf = np.frompyfunc(erf, 1, 1)


def erf_of(x: Floats) -> Floats:
    return np.asarray(_erf(x), dtype=np.float64)


def sigmoid(x: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -x))


def gelu(x: Floats, approximate: str = "none") -> Floats:
    """x times the normal distribution function, or its tanh approximation (arXiv 1606.08415)."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf_of(x / sqrt(2)))


def _hard_sigmoid(x: Floats, alpha: float = 0.2, beta: float = 0.5) -> Floats:
    return np.clip(alpha * x + beta, 0, 1)


FUNCTIONS: Mapping[str, Callable[..., Floats]] = {
    "Abs": lambda x, **_: np.abs(x),
    "Elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "Erf": lambda x: erf_of(x),
    "Exp": lambda x: np.exp(x),
    "Gelu": gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5),
    "Log": lambda x: np.log(x),
    "Mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "Reciprocal": lambda x: 1 / x,
    "Sigmoid": lambda x: sigmoid(x),
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "Sqrt": lambda x: np.sqrt(x),
    "Tanh": lambda x: np.tanh(x),
}
"""One input, any shape; attributes as keywords. Each costs a table."""

CHEAP: Mapping[str, Callable[..., Floats]] = {
    "Identity": lambda x: x,
    "LeakyRelu": lambda x, alpha=0.01: np.where(x >= 0, x, alpha * x),
    "Neg": lambda x: -x,
    "Relu": lambda x: np.maximum(x, 0),
}
"""Functions of one input that cost less than a table, but may be part of one."""

BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": lambda x, y: x + y,
    "Div": lambda x, y: x / y,
    "Max": lambda x, y: np.maximum(x, y),
    "Min": lambda x, y: np.minimum(x, y),
    "Mul": lambda x, y: x * y,
    "Pow": lambda x, y: np.power(x, y),
    "Sub": lambda x, y: x - y,
}
"""Functions of two inputs, which are functions of one when both come from it or one is a single number."""
