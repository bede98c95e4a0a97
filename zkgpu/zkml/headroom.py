"""Which activations need no clamp at the top: values may reach beyond their own width where that costs less.

A Relu of n values that reach up to R takes a choice and the range check of a distance below R (`layers.rounding`). A
clamp at the top takes as much again, or a table of some 2 R rows for both ends that all such clamps share
(`layers.clamp_tables`), which is no more than the Relu where there are values enough for its rows. What is not clamped
makes the numbers of the next layer longer, by a limb at most.
"""

from __future__ import annotations

LONGEST_TABLE = 1 << 18  # rows of a table of clamps
_BY_TABLE = 4  # constraints a value by which a table is less than the range checks of both ends, at most
_BY_OPEN = 3  # the same of no clamp
_WIDEST = 30  # bits up to which what reads an activation takes it as it is


def is_cheaper_open(reach: int, entries: int, read_by: int, limb: int) -> bool:
    """Whether values up to `reach` take fewer constraints if they are not clamped.

    Args:
        read_by: how many values the layers that read them have
        limb: bits of a limb in range checks
    """
    is_looked_up = 2 * reach <= min(LONGEST_TABLE, _BY_TABLE * entries)
    return not is_looked_up and reach < 1 << min(2 * limb, _WIDEST) and read_by <= _BY_OPEN * entries
