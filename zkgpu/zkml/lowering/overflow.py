"""Integers of a file that would wrap around, as ONNX has it, for inputs that are in range."""

from __future__ import annotations

import numpy as np

from zkgpu.zkml.graph import Node, unsupported
from zkgpu.zkml.lowering.builder import Builder

_FEWEST_BYTES = 4  # of an integer that arithmetic is done on (restated.restate)
_LESS = "cast its inputs to float, or to int64, or calibrate with numbers that are as small as those to be proven"


def require_no_overflow(builder: Builder, node: Node) -> None:
    """Raises FormatError where a node's int32 or int64 may leave what that holds: here no number wraps around.

    What the calibration saw does not tell: the largest of two factors may never have met in it.
    """
    for name in node.outputs:
        kind, x = builder.graph.types.get(name), builder.tensors.get(name)
        if x is None or kind is None or kind.kind != "i" or kind.itemsize < _FEWEST_BYTES:
            continue
        interval, holds = builder.interval(x), np.iinfo(kind)
        if interval.greatest * x.scale > holds.max or interval.least * x.scale < holds.min:
            farthest = max(interval.greatest, -interval.least) * x.scale
            reason = f"'{name}' may reach {farthest:.4g}, where {kind} wraps around"
            raise unsupported(node, reason, _LESS, f"node '{node.name}': {reason}: {_LESS}")
