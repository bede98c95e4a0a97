"""What a wire cannot do while a circuit is written, and what to write instead."""

from __future__ import annotations

from typing import NoReturn

from zkgpu.errors import UsageError


class NoValueYet:
    """Refuses, by UsageErrors, what Python and NumPy would do with a value that is known."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise UsageError("a wire has no value yet to compare: use circuit.assert_equal or gadgets.is_equal")

    def __hash__(self) -> int:
        raise UsageError(
            "a wire has no value yet to be found by in a set or a dict: use gadgets.is_equal or gadgets.Table"
        )

    def __lt__(self, other: object) -> bool:
        raise UsageError("a wire has no value yet to compare: use gadgets.less_than, less_equal or assert_less_than")

    __le__ = __gt__ = __ge__ = __lt__

    def _is_no_integer(self, *_: object) -> NoReturn:
        raise UsageError("a wire has no value yet to be a number: compute it in a hint, or with gadgets")

    __int__ = __float__ = __index__ = __complex__ = __round__ = _is_no_integer

    def _has_no_bits(self, *_: object) -> NoReturn:
        raise UsageError(
            "a wire is an element of a field, which has no bits: use gadgets.to_bits, or logical_and, logical_or, "
            "logical_xor and logical_not for booleans"
        )

    __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _has_no_bits
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = __invert__ = _has_no_bits

    def _has_no_remainder(self, *_: object) -> NoReturn:
        raise UsageError("a field has no remainders: use gadgets.integer_divide, which gives quotient and remainder")

    __mod__ = __floordiv__ = __divmod__ = __rmod__ = __rfloordiv__ = __rdivmod__ = _has_no_remainder

    def _has_no_sign(self) -> NoReturn:
        raise UsageError("a field has no sign: take gadgets.to_bits of x + 2^(bits - 1), and select by the uppermost")

    __abs__ = _has_no_sign

    def __rpow__(self, base: object) -> NoReturn:
        raise UsageError("a wire cannot be an exponent: multiply selected powers by its bits, gadgets.to_bits")

    def __bool__(self) -> bool:
        raise UsageError("a wire has no value yet to branch on: use gadgets.select")
