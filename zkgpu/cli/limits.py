"""Options for how much of this machine a file from elsewhere may take."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zkgpu.cli.declaring import option
from zkgpu.cli.types import Refused

if TYPE_CHECKING:
    from zkgpu.circom import Limits

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text: str) -> int:
    """Bytes: 4G, 500M, 1048576. Raises Refused."""
    found = re.fullmatch(r"(\d{1,15})([KMGT]?)(i?B)?", text, re.ASCII | re.IGNORECASE)
    if not found or not int(found[1]):
        raise Refused("give bytes, such as 4G, 500M or 1048576")
    return int(found[1]) * _UNITS[found[2].upper()]


def _seconds(text: str) -> float:
    """A time above 0 that ends. Raises Refused."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise Refused("give seconds, such as 600 or 0.5")
    return seconds


memory_option = option(
    "--memory", metavar="SIZE", kind=size, help="What files from elsewhere may make of themselves: 4G, say."
)
witness_timeout_option = option(
    "--witness-timeout",
    metavar="SECONDS",
    kind=_seconds,
    default=600,
    show_default=True,
    help="How long a circuit's calculator may run.",
)


def witness_limits(seconds: float, memory: int | None, wires: int | None = None) -> Limits:
    """What the options allow a circuit's calculator."""
    from zkgpu.circom import Limits

    limits = Limits(seconds=seconds, wires=wires)
    return limits if memory is None else replace(limits, memory=memory)
