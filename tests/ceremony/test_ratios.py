"""Many equations in one product of pairings: errors do not cancel, and the first one that is wrong is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zkgpu.ceremony.ratios import Ratio, require_ratios
from zkgpu.curves.bn254 import G1, G2
from zkgpu.errors import FormatError, PointError

ONE, TWO = G1.generator, G2.generator


def ratio(in_g1: int, in_g2: int, wrong: str, *, second: int = 1) -> Ratio:
    return Ratio(ONE, in_g1 * ONE, second * TWO, second * in_g2 * TWO, wrong)


def test_equations_that_hold_pass_with_shared_points_and_without() -> None:
    require_ratios([])
    require_ratios([ratio(5, 5, "a"), ratio(7, 7, "b"), ratio(5, 5, "c", second=3), ratio(1, 1, "d")])


def test_errors_that_would_cancel_in_a_plain_product_are_found() -> None:
    """e(5 P, Q) is short of e(P, 6 Q) by what e(8 P, Q) has more than e(P, 7 Q)."""
    pair = [ratio(5, 6, "the first"), ratio(8, 7, "the second")]
    with pytest.raises(FormatError, match="the first"):
        require_ratios(pair)
    with pytest.raises(FormatError, match="the second"):
        require_ratios([ratio(4, 4, "right"), *pair[::-1]])


@pytest.mark.parametrize(("first", "error"), [(5, PointError), (6, FormatError)])
def test_what_is_wrong_before_a_fault_comes_first(first: int, error: type[Exception]) -> None:
    def faulty() -> Iterator[Ratio]:
        yield ratio(first, 5, "an equation")
        raise PointError("a fault")

    with pytest.raises(error, match="an equation" if first == 6 else "a fault"):
        require_ratios(faulty())
