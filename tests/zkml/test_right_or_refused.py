"""Models that are easily misread: right against onnxruntime, by a session of its own, or refused by a node's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.zkml.float_faults import MODELS, REFUSED, samples_for
from tests.zkml.models import onnx
from zkgpu.errors import FormatError
from zkgpu.zkml.compiled import CompiledModel, compile_model

FOLDER = Path(__file__).parents[1] / "data" / "onnx" / "failures"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}
REFUSED_FILES = {
    "bn_training": "BatchNormalization:y.*training_mode = 1",
    "clip_dyn": "Clip:y.*input 'ng' is computed",
    "deep_mlp_24": "output 'y'.*worst layer is node",
    "dropout_training": "Dropout:y.*training mode",
    "gather_embedding": "Gather:y.*input 'x' is computed",
    "layernorm_extra_out": "LayerNormalization:y.*output 'mean'",
    "matmul_int8_like": "operator MatMulInteger is not supported",
    "rmsnorm_rsqrt": "output 'y'.*worst layer is node",
    "slice_computed": "Slice:y.*input 'i' is computed",
    "tanh_saturated": "output 'y'.*worst layer is node 'Tanh:y'",
    "wide_features_dense": "output 'y'.*worst layer is node 'Div:z'",
}


def assert_right(proto: Any, compiled: CompiledModel, samples: np.ndarray) -> None:
    """Every output of every sample, in shape and within a twenty-fifth of its size; of whole numbers 19 in 20 equal."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given, names = session.get_inputs()[0], [tensor.name for tensor in compiled.model.outputs]
    kind = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(bool)": bool}.get(given.type)
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    integral = {o.name for o in session.get_outputs() if o.type in ("tensor(int64)", "tensor(int32)")}
    shape = [dim if isinstance(dim, int) else 1 for dim in given.shape]
    for sample in samples:
        wanted = session.run(names, {given.name: sample.reshape(shape).astype(kind or samples.dtype)})
        found = compiled.predict(sample, clamp=True)
        for name, value in zip(names, wanted, strict=True):
            assert found[name].shape == value.shape
            pairs[name].append((found[name], value))
    for name, values in pairs.items():
        found, wanted = (np.array(side, dtype=np.float64) for side in zip(*values, strict=True))
        if name in integral:
            assert (found == wanted).mean() >= 0.95
            continue
        assert np.sqrt(((found - wanted) ** 2).sum()) <= 0.04 * np.sqrt((wanted**2).sum()), name


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_misread_is_right_or_refused_by_its_node(name: str) -> None:
    samples = np.load(FILES[name].with_suffix(".npz"))["x"]
    if name in REFUSED_FILES:
        with pytest.raises(FormatError, match=REFUSED_FILES[name]):
            compile_model(FILES[name], samples, limb=6)
        return
    assert_right(onnx.load(FILES[name]), compile_model(FILES[name], samples, limb=6), samples)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_same_kind_is_right_or_refused_by_its_node(name: str) -> None:
    samples = samples_for(name)
    if name in REFUSED:
        with pytest.raises(FormatError, match=f"'/.*{REFUSED[name]}"):
            compile_model(MODELS[name], samples, limb=6)
        return
    assert_right(MODELS[name], compile_model(MODELS[name], samples, limb=6), samples)
