"""The mode of rounding that products of doubles rely on: to nearest, as every thread begins.

A library may set another one for the thread that it runs in (fesetround in C), and every product would be wrong.
"""

from __future__ import annotations

from zkgpu.errors import ResourceError

_one, _little = 1.0, 2.0**-60  # variables: sums of constants are taken when this is compiled


def rounds_to_nearest() -> bool:
    """Whether this thread does: in another mode a little more than 1 rounds up, or a little less down."""
    return _one + _little == _one == _one - _little


def require_rounding() -> None:
    """Raises ResourceError unless this thread rounds to nearest."""
    if not rounds_to_nearest():
        raise ResourceError(
            "this thread was set to round otherwise than to nearest (fesetround), and products by the instruction set "
            "'fma' would be wrong: set it back, or set ZKGPU_CPU_PATH to 'portable'"
        )
