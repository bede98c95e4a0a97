"""One sample or a batch along axis 0, as arrays, tables or files: the same answers, and a proof for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.backend import open_backend
from zkgpu.errors import UsageError
from zkgpu.inference import Prover, compile_model, unsafe_setup, verify

SAMPLES = np.random.default_rng(1).integers(0, 17, (40, 6))


def dense(shape: Any = ("N", 6)) -> Any:
    return model([node("MatMul", "x w", "out")], {"x": shape}, weights={"w": normal(6, 3)})


@pytest.fixture(scope="module")
def compiled() -> Any:
    return compile_model(dense(), SAMPLES, limb=4)


def write(path: Path, rows: np.ndarray) -> list[Path]:
    """The rows in a file of each kind."""
    np.save(path / "x.npy", rows)
    np.savez(path / "x.npz", x=rows)
    (path / "x.json").write_text(json.dumps({"x": rows.tolist()}))
    (path / "ezkl.json").write_text(json.dumps({"input_data": [rows.ravel().tolist()]}))
    np.savetxt(path / "x.csv", rows, delimiter=",", header="a,b,c,d,e,f", comments="", fmt="%d")
    return [path / name for name in ("x.npy", "x.npz", "x.json", "ezkl.json", "x.csv")]


def test_files_are_calibration_and_input(compiled: Any, tmp_path: Path) -> None:
    wanted = compiled.predict(SAMPLES)["out"]
    for path in write(tmp_path, SAMPLES):
        assert np.array_equal(compile_model(dense(), path, limb=4).predict(path)["out"], wanted), path


def test_a_batch_is_answered_sample_by_sample(compiled: Any) -> None:
    alone = [compiled.predict(row)["out"] for row in SAMPLES[:5]]
    for batch in (SAMPLES[:5], SAMPLES[:5, None], {"x": SAMPLES[:5]}):
        assert np.array_equal(compiled.predict(batch)["out"], np.concatenate(alone))
    assert compiled.predict(SAMPLES[0])["out"].shape == compiled.predict(SAMPLES[:1])["out"].shape == (1, 3)


def test_a_model_of_a_fixed_batch_is_answered_as_such() -> None:
    fixed = compile_model(dense((2, 6)), SAMPLES.reshape(20, 2, 6), limb=4)
    assert fixed.predict(SAMPLES[:2])["out"].shape == (2, 3)
    assert fixed.predict(SAMPLES[:6].reshape(3, 2, 6))["out"].shape == (3, 2, 3)
    with pytest.raises(UsageError, match=r"must hold numbers of shape \(2, 6\)"):
        fixed.predict(SAMPLES[:3])


def test_batches_that_do_not_fit_together_are_refused() -> None:
    both = model([node("Add", "x y", "out")], {"x": ("N", 6), "y": ("N", 6)})
    compiled = compile_model(both, {"x": SAMPLES, "y": SAMPLES}, limb=4)
    assert compiled.predict({"x": SAMPLES[:3], "y": SAMPLES[:3]})["out"].shape == (3, 6)
    for x, y in ((3, 2), (3, 1)):
        with pytest.raises(UsageError, match="different numbers of samples"):
            compiled.predict({"x": SAMPLES[:x], "y": SAMPLES[:y]})


def test_a_batch_is_proven_sample_by_sample(compiled: Any) -> None:
    backend = open_backend("cpu")
    key = unsafe_setup(compiled, backend)
    prover = Prover(compiled, key, backend)
    made = prover.prove(SAMPLES[:2])
    assert [verify(key.verifying_key, one) for one in made] == [True, True]
    assert made[0].packed != made[1].packed
    assert made[1].packed == prover.prove(SAMPLES[1]).packed
    far = SAMPLES[:3].copy()
    far[2, 1] = 1000
    with pytest.raises(UsageError, match=r"sample 2: input 'x' at index \[0, 1\]"):
        prover.prove(far)


def test_one_sample_without_an_axis_in_front_is_told_to_add_one() -> None:
    image = model([node("Relu", "x", "out")], {"x": ("N", 1, 4, 4)})
    with pytest.raises(UsageError, match=r"even one sample needs an axis in front, array\[numpy.newaxis\]"):
        compile_model(image, normal(1, 4, 4))
