"""The portable path, with every feature of the CPU masked in NumPy, LLVM and here, gives the golden proof."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests" / "data" / "samples" / "multiplier"
PROGRAM = """
import sys
from pathlib import Path

import zkgpu
from zkgpu.backend import open_backend
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.groth16 import Prover, verify
from zkgpu.groth16.json import read_verifying_key, write_proof
from zkgpu.groth16.prover import Blinding
from zkgpu.groth16.zkey import read_zkey
from zkgpu.jit.isa import supported
from zkgpu.jit.target import host_targets

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
print(*(isa.name for isa in supported()), *(target.name for target in host_targets()))

circuit = zkgpu.Circuit()
x, y = circuit.private("x"), circuit.public("y")
circuit.assert_equal(x**3 + x + 5, y)
made = zkgpu.unsafe_setup(circuit)
shown = zkgpu.Prover(made, circuit=circuit).prove({"x": 3, "y": 35})
print(zkgpu.verify(made.verifying_key, shown))

backend = open_backend("cpu")
key = read_zkey(folder / "multiplier_groth16.zkey", backend.first_invalid_point)
prover = Prover(key, backend, circuit=read_r1cs(folder / "multiplier.r1cs"))
assignment = read_wtns(folder / "witness.wtns")
proof, inputs = prover.prove(assignment, _blinding=Blinding(12345, 67890)), prover.public_inputs(assignment)
write_proof(out, proof)
vk = read_verifying_key(folder / "groth16_vk.json")
print(verify(vk, inputs, proof), verify(vk, [inputs[0] ^ 1, *inputs[1:]], proof))
"""


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="features are those of x86-64")
def test_without_any_feature_of_the_cpu_the_proof_is_the_same(tmp_path: Path) -> None:
    masked = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"]),
        "NUMBA_CPU_NAME": "x86-64",
        "NUMBA_CPU_FEATURES": "+sse2",
    }
    out, environment = tmp_path / "proof.json", {**os.environ, **masked, "PYTHONPATH": str(ROOT)}
    environment.pop("ZKGPU_CPU_PATH", None)
    program = [sys.executable, "-W", "error", "-c", PROGRAM, str(SAMPLE), str(out)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == ["portable x86-64", "True", "True False"], done.stderr
    assert out.read_bytes() == (SAMPLE / "groth16_proof_r12345_s67890.json").read_bytes()
