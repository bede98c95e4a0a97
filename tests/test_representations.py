"""What Python shows of an object that holds a secret: its class, and not the secret."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits.committed import FirstRound
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import UsageError
from zkgpu.fields.cpu import CpuField
from zkgpu.groth16 import committer, prover
from zkgpu.groth16.setup import ToxicWaste
from zkgpu.inference import CompiledModel
from zkgpu.jit.isa import choose
from zkgpu.msm.scalars import Balanced, Digits
from zkgpu.plonk import prover as plonk
from zkgpu.poly.polynomials import Coefficients
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.compiled import Recipe
from zkgpu.zkml.graph import Graph, Node
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.lowering.builder import Builder
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.operations import Combine, IntegerModel, Linear, Lookup, Softmax
from zkgpu.zkml.quantize import Quantization
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.visibility import Visibilities

CANARY = 1234567891234567
SECRET = np.array([[[CANARY]]])
LIMBS = Fr.to_limbs([CANARY])
LAYER = Linear("layer", ("x",), "y", SECRET, SECRET[0], SECRET[0])
MODEL = IntegerModel((), (), (LAYER, Combine("c", ("y",), "z", (SECRET,), SECRET)), 8)
RECIPE = Recipe(Calibration({}, {}, frozenset()), {}, Settings(), ())
GRAPH = Graph({}, (), (Node("n", "Gemm", ("x",), ("y",), {"value": SECRET}),), {"w": SECRET}, {})

HOLDERS: dict[str, Callable[[], object]] = {
    "blinding of Groth16": lambda: prover.Blinding(CANARY, CANARY, CANARY),
    "blinding of PLONK": lambda: plonk.Blinding((CANARY,) * 11),
    "toxic waste": lambda: ToxicWaste(CANARY, CANARY, CANARY, CANARY, CANARY),
    "opening": lambda: committer.Opening(LIMBS, b"%d" % CANARY, ()),
    "first round": lambda: FirstRound((CANARY,), LIMBS, b"%d" % CANARY),
    "polynomial": lambda: Coefficients(ReferenceBackend(BN254).vector(LIMBS), {0: CANARY}),
    "vector of the reference": lambda: ReferenceBackend(BN254).vector(LIMBS),
    "vector of the CPU": lambda: CpuField(Fr, choose("portable")).vector(LIMBS),
    "scalars": lambda: Balanced(LIMBS, Fr.to_limbs([1])[0], np.array([51], np.uint8), [CANARY]),
    "digits": lambda: Digits(SECRET[0], SECRET[0, 0], [CANARY]),
    "layer": lambda: LAYER,
    "sum of tensors": lambda: MODEL.operations[1],
    "table": lambda: Lookup("l", ("x",), "y", SECRET[0, 0], 0),
    "softmax": lambda: Softmax("s", ("x",), "y", 1, SECRET[0, 0], 8),
    "integer model": lambda: MODEL,
    "compiled model": lambda: CompiledModel(MODEL, Visibilities(), RECIPE),
    "quantization": lambda: Quantization(MODEL, {}, {}, {}, {}),
    "float model": lambda: GRAPH,
    "builder": lambda: Builder(GRAPH, RECIPE.calibration, Settings(), [LAYER], {"y": Interval(SECRET, SECRET)}),
    "interval": lambda: Interval(SECRET, SECRET),
    "weights with their range": lambda: Ranged(SECRET, 0, 255),
    "error": lambda: UsageError("it is wrong", values=str(CANARY)),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_holds_a_secret_does_not_show_it(name):
    held = HOLDERS[name]()
    for shown in (repr(held), str(held), f"{[held]}"):
        assert str(CANARY) not in shown
        assert f"{CANARY:x}" not in shown
        assert type(held).__name__ in shown or isinstance(held, Exception)
