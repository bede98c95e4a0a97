"""Quotients of two tensors, rounded down."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Circuit, Wires
from zkgpu.errors import FormatError
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Divide
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import quotient


def divide(
    checks: Checks, operation: Divide, x: Wires, y: Wires, intervals: tuple[Interval, Interval, Interval]
) -> Wires:
    """q = floor(2^shift x / y) for y > 0: 2^shift x = q y + rest with 0 <= rest < y.

    0 <= rest and rest <= y - 1 are enforced by two range checks whose low ends are exact: together they leave no y
    below 1, and one q. That y is not below `least` is enforced by a third, unless the interval of y says so. The range
    check of q, exact at both ends, keeps q y from wrapping around the field, as does Checks.require_room; the high ends
    of the others do no more than that.

    Args:
        intervals: of x, of y, and of the quotient
    """
    dividend, divisor, out = intervals
    if divisor.greatest < 1:
        raise FormatError("it divides by a number that is never above 0")
    q = Circuit.of(x).hint(
        lambda v, w: quotient(v, np.maximum(w, 1), operation.shift),
        [x, y],
        shape=x.shape,
        label="quotient",
        signed=True,
    )
    bits = checks.within(q, out.least, out.greatest)
    checks.require_room(x, max(dividend.reach_bits + operation.shift, bits + divisor.reach_bits) + 2)
    rest = Circuit.of(x).materialize(x * (1 << operation.shift) - q * y)
    checks.within(rest, 0, divisor.greatest - 1, exactly=False)
    checks.within(y - 1 - rest, 0, divisor.greatest - 1, exactly=False)
    if operation.least > 1 and (checks.weights_are_given or divisor.least < operation.least):
        checks.within(y - operation.least, 0, max(divisor.greatest - operation.least, 1), exactly=False)
    return q
