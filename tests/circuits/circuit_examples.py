"""A small circuit, and a way to evaluate an expression of wires in one."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Circuit


def cubic() -> Circuit:
    c = Circuit()
    x, out = c.private("x"), c.public("out")
    c.assert_equal(x**3 + x + 5, out, label="cubic")
    return c


def evaluate(build, **inputs):
    """The value of build(wires) in a circuit whose public inputs are `inputs`."""
    c = Circuit()
    wires = {name: c.public(name, shape=np.shape(value)) for name, value in inputs.items()}
    c.output("result", build(*wires.values()))
    compiled = c.compile()
    return compiled.value("result", compiled.witness(inputs))
