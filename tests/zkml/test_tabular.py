"""What scikit-learn's exporter does to tables: scalers before trees, support vector machines, norms, categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.zkml.networks import proven_output
from tests.zkml.test_trees import FEATURES, Grown
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.storage import dump, parse

DRAW = np.random.default_rng(11)
ROWS = DRAW.normal(size=(48, FEATURES)).astype(np.float32)
LABEL, SCORES = ("label", TensorProto.INT64), ("scores", TensorProto.FLOAT)
OUT = ("out", TensorProto.FLOAT)
_OF_TABLES = ("Scaler", "Binarizer", "Imputer", "FeatureVectorizer", "OneHotEncoder", "LabelEncoder", "Normalizer")
_OF_TABLES += ("LinearClassifier",)
_OF_TABLES += (
    "ArrayFeatureExtractor",
    "SVMClassifier",
    "SVMRegressor",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
)


@pytest.fixture(autouse=True)
def _draws_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test draws the same numbers, whichever tests ran before it in its process."""
    monkeypatch.setitem(globals(), "DRAW", np.random.default_rng(3))


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    domain = "ai.onnx.ml" if operator in _OF_TABLES else ""
    given = {k: v for k, v in attributes.items() if v is not None}
    return helper.make_node(operator, inputs.split(), outputs.split(), f"/{outputs.split()[0]}", domain=domain, **given)


def table(
    nodes: Sequence[Any],
    ends: Sequence[tuple[str, int]] = (OUT,),
    kind: int = TensorProto.FLOAT,
    width: int = FEATURES,
    rank: int = 2,
    **arrays: Any,
) -> Any:
    """A model of rows x, with its outputs and constants."""
    x = helper.make_tensor_value_info("x", kind, ["N", width])
    axes = ["N", "columns", "categories"]
    outputs = [helper.make_tensor_value_info(n, k, axes[: 1 if n == "label" else rank]) for n, k in ends]
    constants = [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()]
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    graph = helper.make_graph(list(nodes), "table", [x], outputs, constants)
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


def both(proto: Any, rows: np.ndarray, compiled: CompiledModel) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each output what the integers say, and what onnxruntime says, row by row."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in compiled.model.outputs]
    found = [compiled.predict(row[None], clamp=True) for row in rows]
    wanted = [session.run(names, {"x": row[None]}) for row in rows]
    return [(np.stack([f[n] for f in found]), np.stack([w[i] for w in wanted])) for i, n in enumerate(names)]


def assert_same(proto: Any, rows: np.ndarray = ROWS, most: float = 0.003, **options: Any) -> CompiledModel:
    """Whole numbers equal, others nearly so; and the circuit shows what the integers say of one row."""
    compiled = compile_model(proto, rows, test_data=rows, limb=8, **options)
    for found, wanted in both(proto, rows, compiled):
        assert found.shape == wanted.shape
        allowed = 0 if wanted.dtype.kind in "iub" else most * np.abs(wanted).max()
        assert np.abs(found - wanted).max() <= allowed
    integers = compiled.quantized(rows[:1], clamp=True)
    for tensor in compiled.model.outputs:
        shown = proven_output(compiled.circuit, compiled.circuit_inputs(integers), tensor.name)
        assert (np.asarray(shown) == compiled.run(integers)[tensor.name]).all()
    return compiled


# scalers before trees


def forest(rows: np.ndarray, **options: Any) -> Any:
    """Trees whose thresholds are among the numbers that they will see, as after fitting."""
    draw = np.random.default_rng(5)
    grown = Grown(8, 4, 3, threshold=lambda: draw.choice(rows.ravel()), **options)
    return node(
        "TreeEnsembleClassifier", "s", "label scores", classlabels_int64s=[0, 1, 2], **grown.attributes("class")
    )


OFFSET, SCALE = (
    DRAW.normal(size=FEATURES).astype(np.float32),
    (10.0 ** DRAW.uniform(-3, 3, FEATURES)).astype(np.float32),
)
SCALERS = {
    "Scaler": ([node("Scaler", "x", "s", offset=OFFSET.tolist(), scale=SCALE.tolist())], {}),
    "Scaler of one": ([node("Scaler", "x", "s", offset=[0.3], scale=[7.0])], {}),
    "falling": ([node("Sub", "x o", "d"), node("Mul", "d c", "s")], {"o": OFFSET, "c": -SCALE}),
    "from a constant": ([node("Sub", "o x", "d"), node("Div", "d c", "s")], {"o": OFFSET, "c": SCALE}),
    "columns": (
        [
            node("ArrayFeatureExtractor", "x a", "first"),
            node("ArrayFeatureExtractor", "x b", "second"),
            node("Scaler", "first", "scaled", offset=[0.1, 0.2], scale=[3.0, 0.01]),
            node("Mul", "second c", "m"),
            node("Add", "m d", "n"),
            node("Concat", "scaled n", "s", axis=1),
        ],
        {"a": np.array([3, 0]), "b": np.array([1, 4, 2]), "c": SCALE[:3], "d": OFFSET[:3]},
    ),
}


def scaled(nodes: Sequence[Any], arrays: dict[str, np.ndarray]) -> np.ndarray:
    proto = table(nodes, [("s", TensorProto.FLOAT)], **arrays)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": ROWS})[0]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(("Scaler", f"BRANCH_{mode}") for mode in ("LEQ", "LT", "GTE", "GT")),
        *(("falling", f"BRANCH_{mode}") for mode in ("LEQ", "LT", "GTE", "GT")),
        ("Scaler of one", "BRANCH_LEQ"),
        ("from a constant", "BRANCH_LT"),
        ("columns", "BRANCH_LEQ"),
    ],
)
def test_trees_of_scaled_numbers_answer_as_onnxruntime_does_at_each_threshold(name: str, mode: str) -> None:
    nodes, arrays = SCALERS[name]
    proto = table([*nodes, forest(scaled(nodes, arrays), mode=mode)], [LABEL, SCORES], **arrays)
    near = np.nextafter(ROWS, DRAW.choice([-9, 0, 9], ROWS.shape).astype(np.float32))
    compiled = assert_same(proto, np.concatenate([ROWS[:24], near[:24]]), 1e-4)
    assert [type(operation).__name__ for operation in compiled.model.operations][:1] == ["Steps"]


@pytest.mark.parametrize("axis", [0, -2])
def test_tables_one_above_the_other_have_no_more_columns(axis: int) -> None:
    nodes = [node("Mul", "x c", "s"), node("Concat", "s x", "both", axis=axis), forest(ROWS)]
    nodes[2].input[0] = "both"
    c = np.full(FEATURES, 2, np.float32)
    assert_same(table(nodes, [LABEL, SCORES], c=c), most=1e-3, bits=16)


def test_a_column_that_a_scaler_makes_constant_is_on_one_side() -> None:
    nodes = [node("Scaler", "x", "s", offset=[0.0], scale=[0.0, 1.0, 1.0, 1.0, 0.0]), forest(ROWS)]
    nodes[0] = node("Scaler", "x", "s", offset=[0.5] * FEATURES, scale=[0.0, 1.0, 1.0, 1.0, 0.0])
    assert_same(table(nodes, [LABEL, SCORES]), most=1e-4)


# support vector machines

VECTORS = DRAW.normal(size=(12, FEATURES)).astype(np.float32)
KERNELS = {"LINEAR": 0.0, "POLY": 3.0, "RBF": 0.0, "SIGMOID": 0.0}


def machine(classes: int, kernel: str, **attributes: Any) -> dict[str, Any]:
    per_class = [12 // classes] * classes
    pairs = classes * (classes - 1) // 2
    given = {
        "support_vectors": VECTORS.ravel().tolist(),
        "coefficients": DRAW.normal(size=12 * (classes - 1)).tolist(),
        "rho": DRAW.normal(size=pairs).tolist(),
        "kernel_type": kernel,
        "kernel_params": [0.2, 0.3 if kernel != "RBF" else 0.0, KERNELS[kernel]],
        "vectors_per_class": per_class,
        "classlabels_ints": [7, -2, 30, 11][:classes],
    }
    return {**given, **attributes}


@pytest.mark.parametrize(("kernel", "classes"), [("LINEAR", 3), ("POLY", 2), ("RBF", 4), ("SIGMOID", 3), ("RBF", 2)])
def test_votes_of_all_pairs_of_classes(kernel: str, classes: int) -> None:
    assert_same(table([node("SVMClassifier", "x", "label scores", **machine(classes, kernel))], [LABEL, SCORES]))


@pytest.mark.parametrize("kernel", ["LINEAR", "RBF"])
def test_probabilities_of_two_classes(kernel: str) -> None:
    given = machine(2, kernel, prob_a=[-1.7], prob_b=[0.2])
    assert_same(table([node("SVMClassifier", "x", "label scores", **given)], [LABEL, SCORES]), most=0.01)


def test_probabilities_of_three_classes_are_refused_and_their_labels_are_not() -> None:
    given = machine(3, "RBF", prob_a=[-1.0, -1.2, -0.8], prob_b=[0.1, 0.2, 0.0])
    proto = table([node("SVMClassifier", "x", "label scores", **given)], [LABEL, SCORES])
    with pytest.raises(FormatError, match=r"'/label' \(SVMClassifier\): its probabilities of three or more classes"):
        compile_model(proto, ROWS)
    assert_same(proto, tensors=["label"])


@pytest.mark.parametrize(("kernel", "one_class"), [("LINEAR", 0), ("POLY", 0), ("SIGMOID", 0), ("RBF", 0), ("RBF", 1)])
def test_a_regressor_of_support_vectors(kernel: str, one_class: int) -> None:
    given = machine(2, kernel)
    wanted = ("support_vectors", "coefficients", "rho", "kernel_type", "kernel_params")
    attributes = {name: given[name] for name in wanted}
    proto = table([node("SVMRegressor", "x", "out", n_supports=12, one_class=one_class, **attributes)])
    assert_same(proto)


def classifiers_with_names() -> dict[str, Any]:
    names = {"classlabels_strings": ["setosa", "virginica", "versicolor"]}
    grown = Grown(4, 3, 3).attributes("class")
    linear = {"coefficients": OFFSET.tolist() * 3, "intercepts": [0.1, 0.3, -0.2], "post_transform": "SOFTMAX"}
    linear["coefficients"] = DRAW.normal(size=3 * FEATURES).tolist()
    return {
        "LinearClassifier": {**linear, **names},
        "SVMClassifier": {**machine(3, "RBF", classlabels_ints=None), **names},
        "TreeEnsembleClassifier": {**grown, **names},
    }


@pytest.mark.parametrize("operator", ["LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"])
def test_classes_with_names_are_their_places_and_the_names_are_told_beside_them(operator: str) -> None:
    attributes = classifiers_with_names()[operator]
    ends = [("label", TensorProto.STRING), SCORES]
    proto = table([node(operator, "x", "label scores", **attributes)], ends)
    compiled = compile_model(proto, ROWS, test_data=ROWS, limb=8)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(["label"], {"x": ROWS})[0].tolist()
    found = [int(compiled.predict(row[None])["label"][0]) for row in ROWS]
    assert [compiled.labels["label"][place] for place in found] == wanted
    assert len(set(wanted)) > 1
    assert next(o for o in compiled.accuracy.outputs if o.name == "label").agreement == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_params": [0.2, 0.3, 2.5], "kernel_type": "POLY"}, "the kernel POLY of degree 2.5"),
        ({"post_transform": "SOFTMAX"}, "post_transform NONE"),
    ],
)
def test_machines_that_are_not_supported_are_refused_by_the_node(changes: dict[str, Any], message: str) -> None:
    given = {**machine(3, "POLY"), **changes}
    proto = table([node("SVMClassifier", "x", "label scores", **given)], [LABEL, SCORES])
    with pytest.raises(FormatError, match=f"'/label'.*{message}"):
        compile_model(proto, ROWS)


# norms and quotients


@pytest.mark.parametrize("norm", ["L1", "L2", "MAX"])
def test_rows_over_their_norm(norm: str) -> None:
    rows = ROWS.copy()
    rows[:, 1] = np.abs(rows[:, 1]) + np.float32(0.5)
    rows[::5] = -np.abs(rows[::5]) - np.float32(0.5)  # of which the largest entry is below 0
    assert_same(table([node("Normalizer", "x", "out", norm=norm)]), rows, most=0.005, bits=12)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_a_row_of_zeros_stays_as_it_is(norm: str) -> None:
    proto = table([node("Normalizer", "x", "out", norm=norm)])
    compiled = compile_model(proto, np.append(ROWS, np.zeros((1, FEATURES), np.float32), axis=0), limb=8)
    assert (compiled.predict(np.zeros((1, FEATURES)))["out"] == 0).all()


@pytest.mark.parametrize("power", [1, 2])
def test_norms_of_the_main_domain(power: int) -> None:
    assert_same(table([node("LpNormalization", "x", "out", p=power, axis=-1)]), most=0.005, bits=12)


def test_the_length_of_a_row_of_few_units_is_that_of_its_entries() -> None:
    proto = table(
        [node("Cast", "x", "f", to=TensorProto.FLOAT), node("LpNormalization", "f", "out")], kind=TensorProto.INT64
    )
    rows = np.arange(48 * FEATURES).reshape(48, FEATURES) % 9
    rows[::3], rows[::3, 0] = 0, 1
    compiled = compile_model(proto, rows, limb=8)
    assert compiled.predict(np.eye(1, FEATURES, dtype=np.int64))["out"][0, 0] == pytest.approx(1, abs=0.001)


def test_a_quotient_of_two_tensors_either_of_which_may_be_negative() -> None:
    nodes = [node("MatMul", "x w", "a"), node("Mul", "x x", "q"), node("Add", "q c", "b"), node("Div", "a b", "out")]
    w = DRAW.normal(size=(FEATURES, FEATURES)).astype(np.float32)
    for c in (0.7, -40.0):
        assert_same(table(nodes, w=w, c=np.float32(c)), most=0.01, bits=12)


def test_a_constant_row_over_a_tensor() -> None:
    nodes = [node("Mul", "x x", "q"), node("Add", "q c", "b"), node("Div", "w b", "out")]
    assert_same(table(nodes, w=OFFSET, c=np.float32(1.0)), most=0.01, bits=12)


def test_a_divisor_of_either_sign_is_refused_and_so_is_one_that_becomes_0() -> None:
    nodes = [node("MatMul", "x w", "a"), node("Add", "x c", "b"), node("Div", "a b", "out")]
    w = DRAW.normal(size=(FEATURES, FEATURES)).astype(np.float32)
    with pytest.raises(FormatError, match=r"'/out' \(Div\): its divisor was seen from .* it must have one sign"):
        compile_model(table(nodes, w=w, c=np.float32(0.0)), ROWS)
    positive = (np.abs(ROWS) + 0.5).astype(np.float32)
    compiled = compile_model(table(nodes, w=w, c=np.float32(0.0)), positive, limb=8)
    row = positive[:1].copy()
    row[0, 2] = 1e-3  # far below what was seen
    inputs = {"x": np.round(row / compiled.model.inputs[0].scale).astype(np.int64)}
    with pytest.raises(UsageError, match="divides by a number that is not above 0, or far smaller"):
        compiled.run(inputs)


# columns and categories


def test_columns_of_a_constant_table_at_computed_places_are_refused() -> None:
    nodes = [node("ArgMax", "x", "i", axis=1, keepdims=0), node("ArrayFeatureExtractor", "t i", "out")]
    with pytest.raises(FormatError, match=r"'/out' \(ArrayFeatureExtractor\): .* its data must be a single row"):
        compile_model(table(nodes, t=np.arange(2 * FEATURES, dtype=np.float32).reshape(2, FEATURES)), ROWS)


def test_columns_are_taken_and_joined() -> None:
    nodes = [
        node("ArrayFeatureExtractor", "x a", "p"),
        node("ArrayFeatureExtractor", "x b", "q"),
        node("FeatureVectorizer", "p q", "out", inputdimensions=[2, 1]),
    ]
    assert_same(table(nodes, a=np.array([4, 1]), b=np.array(2)), most=0.005)


def test_a_binarizer_tells_numbers_from_its_threshold() -> None:
    grid = (DRAW.integers(-3, 4, (60, FEATURES)) / 2).astype(np.float32)
    assert_same(table([node("Binarizer", "x", "out", threshold=0.5)]), grid)


def test_an_imputer_of_numbers_leaves_them_alone() -> None:
    given = {"imputed_value_floats": [3.0], "replaced_value_float": float("nan")}
    assert_same(table([node("Imputer", "x", "out", **given)]), most=0.005)
    proto = table([node("Log", "x", "l"), node("Imputer", "l", "out", **given)])
    with pytest.raises(FormatError, match=r"'/out'.*'l' is not known to be numbers"):
        compile_model(proto, np.abs(ROWS) + 1)
    given["replaced_value_float"] = 0.0
    with pytest.raises(FormatError, match=r"'/out'.*only what is not a number can be replaced"):
        compile_model(table([node("Imputer", "x", "out", **given)]), ROWS)


CATEGORIES = DRAW.choice([2, 5, 9], (60, 2)).astype(np.int64)


def test_categories_become_rows_of_a_single_1() -> None:
    proto = table(
        [node("OneHotEncoder", "x", "out", cats_int64s=[5, 2, 9, 7], zeros=1)], kind=TensorProto.INT64, width=2, rank=3
    )
    assert_same(proto, CATEGORIES)


@pytest.mark.parametrize("after", ["Tanh", "Abs"])
def test_exchanged_labels_are_numbers_for_what_follows(after: str) -> None:
    """Their range is their own, and not that of the places that they are found by."""
    given = {"keys_int64s": list(range(FEATURES)), "values_floats": [-15.0, 7.0, *[0.25] * (FEATURES - 2)]}
    nodes = [
        node("ArgMax", "x", "place", axis=1, keepdims=0),
        node("LabelEncoder", "place", "label", default_float=2.5, **given),
        helper.make_node(after, ["label"], ["out"]),
    ]
    assert_same(table(nodes, rank=1), most=0.005)


@pytest.mark.parametrize("kind", ["int64", "float"])
def test_labels_are_exchanged(kind: str) -> None:
    values = {"values_int64s": [40, -3, 8]} if kind == "int64" else {"values_floats": [0.5, -3.25, 8.0]}
    given = {"keys_int64s": [5, 2, 4], **values, f"default_{kind}": 6 if kind == "int64" else 0.75}
    ends = [("out", TensorProto.INT64 if kind == "int64" else TensorProto.FLOAT)]
    proto = table([node("LabelEncoder", "x", "out", **given)], ends, kind=TensorProto.INT64, width=2)
    assert_same(proto, CATEGORIES, 1e-3)


def test_names_are_refused() -> None:
    given = {"cats_strings": ["a", "b"]}
    proto = table([node("OneHotEncoder", "x", "out", **given)], kind=TensorProto.INT64, width=2, rank=3)
    with pytest.raises(FormatError, match=r"'/out'.*cats_strings"):
        compile_model(proto, CATEGORIES)


# decimals

BINS = np.array([1.1, 2.7, 5.2, 6.3], np.float32)


@pytest.mark.parametrize("operator", ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
@pytest.mark.parametrize("beside", [np.nextafter(BINS, np.float32(-9)), BINS, np.nextafter(BINS, np.float32(9))])
def test_decimals_are_compared_as_single_precision_has_them(operator: str, beside: np.ndarray) -> None:
    rows = (np.arange(80)[:, None] / 10).astype(np.float32)
    nodes = [node(operator, "x bins", "truths"), node("Cast", "truths", "out", to=TensorProto.INT64)]
    compiled = assert_same(table(nodes, [("out", TensorProto.INT64)], width=1, bins=beside), rows)
    assert compiled.model.inputs[0].scale == 0.1
    assert parse(dump(compiled), "model.npz").recipe.calibration.units == {"x": 0.1}


@pytest.mark.parametrize("rows", [np.arange(31) / 10, np.arange(80) / 10 + 0.00004, np.arange(80) * 3.0])
def test_few_numbers_others_than_decimals_and_whole_ones_have_no_unit(rows: np.ndarray) -> None:
    proto = table([node("Mul", "x w", "out")], width=1, w=np.array([0.37], np.float32))
    assert not compile_model(proto, rows[:, None].astype(np.float32), limb=8).recipe.calibration.units


# precision


@pytest.mark.parametrize("names", [False, True])
def test_small_models_of_tables_take_more_bits_where_labels_ask_for_them(names: bool) -> None:
    """Two classes whose scores differ by little: as a product with a wide column, and as one with a narrow one."""
    sizes = np.array([0.3, 5.0, 20_000.0])
    rows = (DRAW.normal(size=(200, 3)) * sizes).astype(np.float32)
    w = (DRAW.normal(size=(3, 2)) / sizes[:, None]).astype(np.float32)
    nodes = [node("Gemm", "x w", "scores"), node("ArgMax", "scores", "place" if names else "label", axis=1, keepdims=0)]
    called = [node("Gather", "classes place", "named"), node("Cast", "named", "label", to=TensorProto.INT64)]
    constants = {"w": w, "classes": np.array([1990.0, 1991.0], np.float32)}
    proto = table(nodes + called * names, [LABEL, SCORES], width=3, **constants)
    assert assert_same(proto, rows, 0.002).recipe.settings.bits > 8
    assert compile_model(proto, rows, limb=8, bits=8, allow_error=1).recipe.settings.bits == 8
