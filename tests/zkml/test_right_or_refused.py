"""Models that are easily misread: right against onnxruntime, by a session of its own, or refused by a node's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.zkml.float_faults import MODELS, REFUSED, samples_for
from tests.zkml.models import model, node, normal, onnx
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, ModelStatement, compile_model

FOLDER = Path(__file__).parents[1] / "data" / "onnx" / "failures"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}
REFUSED_FILES = {
    "bn_training": "BatchNormalization:y.*training_mode = 1",
    "clip_dyn": "Clip:y.*input 'ng' is computed",
    "dropout_training": "Dropout:y.*training mode",
    "matmul_int8_like": "operator MatMulInteger is not supported",
    "slice_computed": "Slice:y.*input 'i' is computed",
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


def test_a_label_is_shown_as_it_is_and_not_rounded() -> None:
    """A table of 8 bits has no room for 1990 .. 1999, and %.6g none for ids of seven digits."""
    for name in ("classes that are years", "large numbers of classes"):
        samples = samples_for(name)
        compiled = compile_model(MODELS[name], samples, limb=6)
        found = {int(compiled.predict(sample, clamp=True)["label"].ravel()[0]) for sample in samples}
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in MODELS[name].graph.node[0].attribute}
        labels = attributes["classlabels_ints"]
        assert found <= set(labels)
        (shown,) = (t for t in ModelStatement.of(compiled).packed if t.name == "label")
        assert shown.as_text(np.array([max(labels)])).endswith(f": {max(labels)}")


def test_numbers_between_those_of_a_calibration_with_whole_numbers_are_refused_or_counted() -> None:
    dense = model([node("MatMul", "x w", "out")], {"x": (1, 6)}, weights={"w": normal(6, 3)})
    compiled = compile_model(dense, np.random.default_rng(3).integers(-9, 10, (40, 6)).astype(float), limb=6)
    given = np.array([1.0, 2.0, 0.4, -3.0, 0.0, 99.0])
    with pytest.raises(UsageError, match=r"input 'x' at index \[0, 2\] is no whole number"):
        compiled.quantized(given)
    assert compiled.quantized(given, clamp=True)["x"].tolist() == [[1, 2, 0, -3, 0, 9]]
    assert compiled.count_moved(given) == {"x": 2}
    assert compiled.count_moved(np.ones(6)) == {}
