"""If, Loop, Scan, sequences and functions whose course is known: written out they give what onnxruntime gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, onnx
from tests.zkml.test_recurrent import answers, assert_the_same, written_out
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml.check import check
from zkgpu.zkml.onnx_import import expanded, read_graph
from zkgpu.zkml.onnx_model import OnnxModel

FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL


def info(name: str, kind: int = FLOAT) -> Any:
    """Of floats no shape is told; the others here are single numbers."""
    return onnx.helper.make_tensor_value_info(name, kind, None if kind == FLOAT else [])


def body(nodes: list[Any], inputs: str, outputs: str, weights: dict[str, Any] | None = None, **kinds: int) -> Any:
    """A subgraph; names are of floats unless kinds tell otherwise."""
    ends = [[info(name, kinds.get(name, FLOAT)) for name in names.split()] for names in (inputs, outputs)]
    tensors = [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in (weights or {}).items()]
    return onnx.helper.make_graph(nodes, "body", *ends, tensors)


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def turning(nodes: list[Any], inputs: str, outputs: str, weights: dict[str, Any] | None = None, **kinds: int) -> Any:
    """The body of a Loop that goes on as long as it was told to, unless its nodes make `on`."""
    on = [] if any("on" in made.output for made in nodes) else [node("Identity", "go", "on")]
    kinds = {"i": INT64, "go": BOOL, "on": BOOL, **kinds}
    return body([*nodes, *on], f"i go {inputs}", f"on {outputs}", weights, **kinds)


def loop(count: Any, condition: Any, inputs: str, outputs: str, graph: Any, **more: Any) -> Any:
    """A model of one Loop over x (1, 4)."""
    weights = {"count": np.array(count or 0), "start": np.array(bool(condition)), **more}
    read = f"{'-' if count is None else 'count'} {'-' if condition is None else 'start'} {inputs}"
    return model([node("Loop", read, outputs, body=graph)], {"x": (1, 4)}, tuple(outputs.split()), weights)


def nested() -> Any:
    """A Loop in a Loop, with an If in it that takes turns; all of them read tensors from around them."""
    inner = turning([node("Add", "w x", "u"), node("Mul", "u half", "s")], "w", "s", {"half": floats(0.5)})
    choice = node("If", "odd", "r", then_branch=body([node("Add", "s v", "a")], "", "a"),
                  else_branch=body([node("Sub", "s x", "b")], "", "b"))  # fmt: skip
    nodes = [
        node("Loop", "two go v", "s", body=inner),
        node("Mod", "i two", "rest"),
        node("Cast", "rest", "odd", to=BOOL),
        choice,
        node("Identity", "r", "out_r"),
    ]
    return loop(3, True, "x", "y rows", turning(nodes, "v", "r out_r"), two=np.array(2))


def while_small() -> Any:
    """Doubles a number until it is above 20."""
    nodes = [node("Add", "n n", "m"), node("Less", "m limit", "on"), node("Add", "v x", "w")]
    return loop(None, True, "one x", "n y", turning(nodes, "n v", "m w", n=FLOAT), one=floats(1), limit=floats(20))


def ends_early() -> Any:
    nodes = [node("Less", "i three", "on"), node("Add", "v x", "w")]
    return loop(9, True, "x", "y", turning(nodes, "v", "w"), three=np.array(3))


def for_loop() -> Any:
    """The condition that a Loop of a count alone is given nothing of."""
    nodes = [node("Cast", "i", "t", to=FLOAT), node("Add", "v t", "w"), node("Relu", "w", "row")]
    return loop(4, None, "x", "y rows", turning(nodes, "v", "w row"))


def no_turns() -> Any:
    graph = turning([node("Add", "v v", "w")], "v", "w")
    found = loop(3, False, "x", "y0", graph)
    found.graph.node.append(node("Add", "y0 x", "y"))
    found.graph.output[0].name = "y"
    return found


def scanned(directions: tuple[int, ...] = (0, 1), axis: int = 1, out: tuple[int, int] = (0, 1)) -> Any:
    nodes = [node("Mul", "s a", "p"), node("Add", "p b", "t"), node("Add", "t k", "row")]
    graph = body(nodes, "s a b", "t row", {"k": floats(1, 2, 3)})
    made = node("Scan", "s0 x z", "y rows", body=graph, num_scan_inputs=2, scan_input_directions=list(directions),
                scan_input_axes=[axis, 0], scan_output_axes=[out[0]], scan_output_directions=[out[1]])  # fmt: skip
    x = (3, 4) if axis else (4, 3)
    return model([made], {"s0": (3,), "x": x, "z": (4, 3)}, ("y", "rows"))


def branches(taken: bool) -> Any:
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape one", "length"),
        node("Equal", "length four", "is_four"),
        node(
            "If",
            "is_four",
            "y",
            then_branch=body([node("Add", "x k", "a")], "", "a", {"k": floats(1)}),
            else_branch=body([node("Mul", "x x", "b")], "", "b"),
        ),
    ]
    return model(nodes, {"x": (1, 4)}, ("y",), {"one": np.array(1), "four": np.array(4 if taken else 5)})


def listed() -> Any:
    """A list that a Loop fills, as TorchScript writes it, and every other operator of sequences."""
    onto = turning([node("Mul", "v v", "w"), node("SequenceInsert", "q w", "r")], "v q", "w r")
    for end in (onto.input[3], onto.output[2]):
        end.CopyFrom(onnx.helper.make_tensor_sequence_value_info(end.name, FLOAT, None))
    nodes = [
        node("SequenceEmpty", "", "none"),
        node("Loop", "count go x none", "v all", body=onto),
        node("SequenceAt", "all last", "at"),
        node("SequenceConstruct", "at x v", "three"),
        node("SequenceErase", "three first", "two"),
        node("SequenceInsert", "two at last", "again"),
        node("SequenceLength", "again", "n"),
        node("Cast", "n", "length", to=FLOAT),
        node("ConcatFromSequence", "again", "joined", axis=-1),
        node("ConcatFromSequence", "all", "stacked", axis=0, new_axis=1),
        node("Add", "joined length", "y"),
    ]
    nodes[0].input[:] = []
    weights = {"count": np.array(3), "go": np.array(True), "last": np.array(-1), "first": np.array(0)}
    return model(nodes, {"x": (1, 4)}, ("y", "stacked"), weights)


def split(keepdims: int = 1, lengths: Any = None) -> Any:
    read = "x" if lengths is None else "x lengths"
    nodes = [
        node("SplitToSequence", read, "parts", axis=1, keepdims=keepdims),
        node("Identity", "parts", "same"),
        node("SequenceAt", "same one", "a"),
        node("SequenceAt", "parts zero", "b"),
        node("Mul", "a three", "y"),
        node("Identity", "b", "z"),
    ]
    weights = {"one": np.array(1), "zero": np.array(0), "three": floats(3)}
    weights |= {} if lengths is None else {"lengths": np.array(lengths)}
    return model(nodes, {"x": (2, 5)}, ("y", "z"), weights)


def with_functions() -> Any:
    """A function that calls another one, with an attribute of its own."""
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    inner = onnx.helper.make_function("own", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], opsets)
    scaled = node("Elu", "t", "u")
    scaled.attribute.add(name="alpha", ref_attr_name="steep", type=onnx.AttributeProto.FLOAT)
    twice = onnx.helper.make_node("Twice", ["a"], ["t"], domain="own")
    outer = onnx.helper.make_function("own", "Bent", ["a"], ["u"], [twice, scaled], opsets, ["steep"])
    call = onnx.helper.make_node("Bent", ["x"], ["y"], domain="own", steep=0.5)
    ends = [onnx.helper.make_tensor_value_info(name, FLOAT, [1, 4]) for name in "xy"]
    graph = onnx.helper.make_graph([call], "test", ends[:1], ends[1:])
    return onnx.helper.make_model(graph, opset_imports=opsets, functions=[inner, outer], ir_version=8)


MODELS = {
    "nested": nested(),
    "while": while_small(),
    "ends early": ends_early(),
    "for": for_loop(),
    "no turns": no_turns(),
    "scan": scanned(),
    "scan back": scanned((1, 0), 0, (1, 0)),
    "scan of the last axis": scanned((0, 0), -1, (-1, 1)),
    "then": branches(True),
    "else": branches(False),
    "sequences": listed(),
    "split": split(),
    "split without the axis": split(keepdims=0),
    "split in pairs": split(lengths=2),
    "split by lengths": split(lengths=[1, 4]),
    "functions": with_functions(),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_out_gives_what_onnxruntime_gives(name: str) -> None:
    proto = MODELS[name]
    found = written_out(proto)
    assert not {made.op_type for made in found.graph.node} & {"Loop", "If", "Scan", "Bent", "SequenceAt"}
    assert_the_same(answers(found), answers(proto))


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_out_is_compiled(name: str) -> None:
    proto = MODELS[name]
    draws = np.random.default_rng(1)
    shapes = {i.name: [dim.dim_value for dim in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    samples = {key: draws.normal(size=(9, *shape)) for key, shape in shapes.items()}
    made = compile_model(proto, samples, limb=6)
    assert made.accuracy is not None
    assert all(output.error < 0.02 for output in made.accuracy.outputs)


def computed_count() -> Any:
    """A Loop that takes as many turns as the input says."""
    found = loop(3, True, "x", "y", turning([node("Add", "v v", "w")], "v", "w"))
    found.graph.node.insert(0, node("ReduceMax", "x", "top", keepdims=0))
    found.graph.node.insert(1, node("Cast", "top", "n", to=INT64))
    found.graph.node[2].input[0] = "n"
    return found


def computed_condition() -> Any:
    nodes = [node("Add", "v v", "w"), node("ReduceSum", "w", "sum", keepdims=0), node("Less", "sum ten", "on")]
    return loop(3, True, "x", "y", turning(nodes, "v", "w"), ten=np.float32(10))


def computed_choice() -> Any:
    found = branches(True)
    found.graph.node[2].CopyFrom(node("Cast", "sum", "is_four", to=BOOL))
    found.graph.node.insert(0, node("ReduceSum", "x", "sum", keepdims=0))
    return found


def empty_result() -> Any:
    return loop(3, False, "x", "y rows", turning([node("Add", "v v", "w"), node("Relu", "w", "r")], "v", "w r"))


def many_nodes() -> Any:
    return loop(1 << 40, True, "x", "y", turning([node("Add", "v v", "w")], "v", "w"))


def many_inner_turns() -> Any:
    inner = turning([node("Add", "w x", "s")], "w", "s")
    nodes = [node("Loop", "thousand go v", "s", body=inner), node("Neg", "s", "r")]
    return loop(100, True, "x", "y", turning(nodes, "v", "r"), thousand=np.array(1000))


def given_no_condition() -> Any:
    return loop(9, None, "x", "y", turning([node("Less", "i three", "on"), node("Add", "v x", "w")], "v", "w"),
                three=np.array(3))  # fmt: skip


def beyond_the_list() -> Any:
    found = split()
    found.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array(5), "one"))
    return found


REFUSED = {
    computed_count: r"'/y' \(Loop\): its input 'n' is computed",
    computed_condition: r"'/y' \(Loop\): how often it turns depends on 'v'",
    computed_choice: r"'/y' \(If\): its input 'is_four' is computed",
    empty_result: r"'/y' \(Loop\): it takes no turn, so that its output 'rows' is empty",
    many_nodes: r"'/y' \(Loop\): written out the model has more than",
    many_inner_turns: r"\(Loop\): written out the model has more than",
    given_no_condition: r"'/y' \(Loop\): its body ends it",
    beyond_the_list: r"\(SequenceAt\): its sequence of 5 tensors has no place 5",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_depends_on_the_input_is_refused_by_its_name(make: Any) -> None:
    with pytest.raises(FormatError, match=REFUSED[make]):
        written_out(make())


def test_only_what_the_outputs_need_is_written_out() -> None:
    proto = computed_count()
    proto.graph.node.append(node("Neg", "x", "z"))
    proto.graph.output.append(onnx.helper.make_tensor_value_info("z", FLOAT, [1, 4]))
    found = OnnxModel.read(proto).with_shapes({})
    assert expanded(found, ["z"]).proto is found.proto
    assert [made.operator for made in read_graph(found, ["z"]).nodes] == ["Neg"]


def test_check_tells_of_every_loop_and_cell_that_is_not_written_out() -> None:
    proto = computed_count()
    proto.graph.node.append(node("If", "odd", "b", then_branch=body([node("Neg", "x", "c")], "", "c"),
                                 else_branch=body([node("Abs", "x", "d")], "", "d")))  # fmt: skip
    proto.graph.node.insert(0, node("Cast", "x0", "odd", to=BOOL))
    proto.graph.node.insert(0, node("ReduceMax", "x", "x0", keepdims=0))
    proto.graph.output.append(onnx.helper.make_tensor_value_info("b", FLOAT, [1, 4]))
    found = check(proto)
    assert {(o.operator, o.reason) for o in found.obstacles} == {
        ("Loop", "its input 'n' is computed"),
        ("If", "its input 'odd' is computed"),
    }
    assert check(MODELS["nested"]).is_supported
