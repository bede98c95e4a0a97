"""Functions of one number: what tables are made of. Floats in, floats out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.zkml import restated

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_erf = np.frompyfunc(erf, 1, 1)


def erf_of(x: Floats) -> Floats:
    return np.asarray(_erf(x), dtype=np.float64)


def sigmoid(x: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))


def gelu(x: Floats, approximate: str = "none") -> Floats:
    """x times the normal distribution function, or its tanh approximation (arXiv 1606.08415)."""
    if approximate == "tanh":
        approximated: Floats = 0.5 * x * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return approximated
    return 0.5 * x * (1 + erf_of(x / sqrt(2)))


def truncated(x: Floats, least: int, greatest: int) -> Floats:
    """Towards 0, as a cast does; not a number where the type holds none. A part in 10^12 below an integer is it."""
    whole = np.trunc(x * (1 + 1e-12))
    return np.where((whole >= least) & (whole <= greatest), whole, np.nan)


def integer_quotient(x: Any, y: Any) -> Any:
    """x / y towards 0, of whole numbers."""
    return np.trunc(np.rint(x) / np.rint(y))


def _truth(x: Any) -> Floats:
    return np.asarray(x, dtype=np.float64)


def _hard_sigmoid(x: Floats, alpha: float = 0.2, beta: float = 0.5) -> Floats:
    return np.clip(alpha * x + beta, 0, 1)


def _selu(x: Floats, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Floats:
    return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _shrink(x: Floats, bias: float = 0.0, lambd: float = 0.5) -> Floats:
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


# of integers


def _whole(x: Any) -> Any:
    """Python integers, which no shift overflows."""
    return np.rint(x).astype(np.int64).astype(object)


def _modulo(x: Any, y: Any, fmod: int = 0) -> Floats:
    """The remainder, with the sign of the dividend as C has it, or with that of the divisor."""
    return np.asarray(np.fmod(x, y) if fmod else np.mod(x, y))


def _bit_shift(x: Any, y: Any, direction: str, mask: int) -> Floats:
    shifted = _whole(x) << _whole(y) if direction == "LEFT" else _whole(x) >> _whole(y)
    return np.asarray(shifted & mask, dtype=np.float64)


def _bitwise(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Floats]:
    return lambda x, y: np.asarray(operation(_whole(x), _whole(y)), dtype=np.float64)


FUNCTIONS: Mapping[str, Callable[..., Floats]] = {
    "Abs": lambda x: np.abs(x),
    "Acos": lambda x: np.arccos(np.clip(x, -1, 1)),
    "Acosh": lambda x: np.arccosh(np.maximum(x, 1)),
    "Asin": lambda x: np.arcsin(np.clip(x, -1, 1)),
    "Asinh": lambda x: np.arcsinh(x),
    "Atan": lambda x: np.arctan(x),
    "Atanh": lambda x: np.arctanh(x),
    "BitwiseNot": lambda x, mask: np.asarray(_whole(x) ^ mask, dtype=np.float64),
    restated.BOOLEAN: lambda x: (x != 0).astype(np.float64),
    restated.CAST: truncated,
    restated.EXP: lambda x: np.exp(np.minimum(x, 0)),
    restated.LOG: lambda x: np.log(np.maximum(x, 1)),
    "Ceil": lambda x: np.ceil(x),
    "Celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    "Cos": lambda x: np.cos(x),
    "Cosh": lambda x: np.cosh(x),
    "Elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "Erf": lambda x: erf_of(x),
    "Exp": lambda x: np.exp(x),
    "Floor": lambda x: np.floor(x),
    "Gelu": gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5),
    "Log": lambda x: np.log(x),
    "Mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "Reciprocal": lambda x: 1 / x,
    "Round": lambda x: np.rint(x),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": lambda x: sigmoid(x),
    "Sign": lambda x: np.sign(x),
    "Sin": lambda x: np.sin(x),
    "Sinh": lambda x: np.sinh(x),
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": lambda x: np.sqrt(x),
    "Swish": lambda x, alpha=1.0: x * sigmoid(alpha * x),
    "Tan": lambda x: np.tan(x),
    "Tanh": lambda x: np.tanh(x),
    "ThresholdedRelu": lambda x, alpha=1.0: np.where(x > alpha, x, 0.0),
}
"""One input, any shape; attributes as keywords. Each costs a table, which may reach a step beyond what was seen."""

CHEAP: Mapping[str, Callable[..., Floats]] = {
    restated.DEQUANTIZE: lambda x, scale, zero: (x - zero) * scale,
    "Identity": lambda x: x,
    "LeakyRelu": lambda x, alpha=0.01: np.where(x >= 0, x, alpha * x),
    "Neg": lambda x: -x,
    "Not": lambda x: 1.0 - x,
    restated.QUANTIZE: lambda x, scale, zero, least, greatest: np.clip(np.rint(x / scale) + zero, least, greatest),
    "Relu": lambda x: np.maximum(x, 0),
}
"""Functions of one input that cost less than a table, but may be part of one."""

BINARY: Mapping[str, Callable[..., Any]] = {
    "Add": lambda x, y: x + y,
    "And": lambda x, y: x * y,
    "BitShift": _bit_shift,
    "BitwiseAnd": _bitwise(np.bitwise_and),
    "BitwiseOr": _bitwise(np.bitwise_or),
    "BitwiseXor": _bitwise(np.bitwise_xor),
    "Div": lambda x, y: x / y,
    restated.DIVISION: integer_quotient,
    "Greater": lambda x, y: _truth(x > y),
    "GreaterOrEqual": lambda x, y: _truth(x >= y),
    "Less": lambda x, y: _truth(x < y),
    "LessOrEqual": lambda x, y: _truth(x <= y),
    "Max": lambda *x: reduce(np.maximum, x),
    "Mean": lambda *x: reduce(np.add, x) / len(x),
    "Min": lambda *x: reduce(np.minimum, x),
    "Mod": _modulo,
    "Mul": lambda x, y: x * y,
    "Or": lambda x, y: x + y - x * y,
    "Pow": lambda x, y: np.power(x, y),
    restated.POWER: lambda x, y: np.trunc(np.power(np.rint(x), y)),
    "Sub": lambda x, y: x - y,
    "Sum": lambda *x: reduce(np.add, x),
    "Where": lambda condition, x, y: np.where(np.not_equal(condition, 0), x, y),
    "Xor": lambda x, y: x + y - 2 * x * y,
}
"""Functions of two inputs or more, of truths as 0 and 1, which are functions of one when all come from it or are
single numbers. Equal is none: a table of rounded numbers would miss it."""
