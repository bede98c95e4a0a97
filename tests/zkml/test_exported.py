"""Models as PyTorch's and scikit-learn's exporters write them, against onnxruntime; one of them proven."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.zkml.models import onnx
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError
from zkgpu.inference import Prover, compile_model, unsafe_setup, values_of, verify
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.onnx_model import OnnxModel

FOLDER = Path(__file__).parents[1] / "data" / "onnx"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))


def samples_for(name: str) -> np.ndarray:
    """Values of the size that the model was made for: of flowers in centimetres, or about 0."""
    dims = onnx.load(FOLDER / f"{name}.onnx").graph.input[0].type.tensor_type.shape.dim
    normal = np.random.default_rng(2).normal(size=(40, *(dim.dim_value for dim in dims[1:])))
    return np.abs(normal) * 2 + 1 if name.startswith("scikit") else normal


def compiled(name: str):
    return compile_model(FOLDER / f"{name}.onnx", samples_for(name), test_data=samples_for(name), limb=6)


def test_all_the_files_are_there() -> None:
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_model_is_close_to_onnxruntime_and_its_circuit_holds(name: str) -> None:
    made = compiled(name)
    for output in made.accuracy.outputs:
        assert output.agreement >= 0.95
        assert output.error < 0.025
    integers = made.quantized(samples_for(name)[3])
    circuit = made.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(made.circuit_inputs(integers))))
    for output, value in made.run(integers).items():
        assert (np.asarray(shown[output]) == value).all()


def operators(name: str) -> set[str]:
    return {n.op_type for n in onnx.load(FOLDER / f"{name}.onnx").graph.node}


def test_both_exporters_of_pytorch_give_the_same_circuit() -> None:
    traced, exported = (compiled(f"pytorch_encoder{kind}") for kind in ("", "_dynamo"))
    assert traced.circuit.r1cs.n_constraints == exported.circuit.r1cs.n_constraints
    assert {"Shape", "Gather", "Concat", "Pow", "Sqrt", "Erf", "Constant"} <= operators("pytorch_encoder")
    assert {"LayerNormalization", "Gelu"} <= operators("pytorch_encoder_dynamo")


def test_the_attention_of_a_pytorch_encoder_is_proven() -> None:
    made, x, backend = compiled("pytorch_encoder"), samples_for("pytorch_encoder")[7], open_backend("cpu")
    prover = Prover(made, unsafe_setup(made, backend), backend)
    inference = prover.prove(x)
    assert verify(prover.verifying_key, inference)
    proven = values_of(prover.verifying_key, inference)["out"].astype(float) * made.model.outputs[0].scale
    floats = FloatModel(OnnxModel.read(FOLDER / "pytorch_encoder.onnx").with_shapes({"x": (1, *x.shape)})).run(
        {"x": x[None]}
    )["out"]
    assert np.abs(proven - floats).max() < 0.03


def test_a_dictionary_of_probabilities_is_shown_by_them() -> None:
    for name in ("logistic", "two_classes", "perceptron"):
        assert "ZipMap" in operators(f"scikit_learn_{name}")
        made = compiled(f"scikit_learn_{name}")
        label, probabilities = (np.ravel(v) for v in made.predict(samples_for("scikit_learn_logistic")[0]).values())
        assert probabilities.sum() == pytest.approx(1, abs=0.02)
        assert int(label[0]) == probabilities.argmax()
    file, data = FOLDER / "scikit_learn_logistic.onnx", samples_for("scikit_learn_logistic")
    (only,) = compile_model(file, data, tensors=("output_probability",)).model.outputs
    assert only.name == "probabilities"


def test_a_regressor_with_a_transform_is_refused() -> None:
    regressor = onnx.load(FOLDER / "scikit_learn_ridge.onnx")
    regressor.graph.node[0].attribute.append(onnx.helper.make_attribute("post_transform", "SOFTMAX"))
    with pytest.raises(FormatError, match=r"'LinearRegressor'.*post_transform = 'SOFTMAX' is not supported"):
        compile_model(regressor, np.ones((4, 3)))


def test_scores_inside_of_a_classifier_are_calibrated() -> None:
    """Their range is not that of the features: features here are tiny, scores are large."""
    made = compile_model(FOLDER / "scikit_learn_two_classes.onnx", samples_for("scikit_learn_two_classes") / 100)
    low, high = made.recipe.calibration.bounds("label.scores")
    assert high - low > 5
    assert max(output.error for output in made.accuracy.outputs) < 0.01
