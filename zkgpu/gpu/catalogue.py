"""Every module of kernels that a CUDA backend loads: what is compiled ahead of time, and nothing else.

Expressions are those that provers, setups and self-tests trace (backend/expression.py); their kernels are kept as text
in cuda/expressions.txt, since this room is below all provers.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from zkgpu.curves import CURVES, Curve
from zkgpu.gpu.elements import point_source, scalar_source
from zkgpu.gpu.source import Source, load, read

SCALAR_FILES = ("ntt.cu", "vector.cu", "sort.cu")
POINT_FILES = ("msm.cu", "points.cu")
EXPRESSIONS = "expressions.txt"
_KERNEL = re.compile(r"^ZK_KERNEL.*?^}\n", re.MULTILINE | re.DOTALL)


@lru_cache
def sources() -> tuple[Source, ...]:
    """All modules, those first that take longest to compile."""
    points = [point_source(curve, degree, file) for curve in CURVES for file in POINT_FILES for degree in (2, 1)]
    subgroups = [point_source(curve, 2, "subgroup.cu") for curve in CURVES]
    scalars = [scalar_source(curve, file) for curve in CURVES for file in SCALAR_FILES]
    expressions = [expression_source(curve, text) for curve in CURVES for text in expressions_known()]
    return (*points, *subgroups, *scalars, load("matmul.cu"), *expressions)


def expression_source(curve: Curve, text: str) -> Source:
    """The module of one traced expression, whose name has some of the text's digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return load("grid.cuh", f"{curve.name}.cuh", text, name=f"{curve.name}_pointwise_{digest}.cu")


def expressions_known() -> list[str]:
    """The kernels in cuda/expressions.txt."""
    return _KERNEL.findall(read(EXPRESSIONS))
