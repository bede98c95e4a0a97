"""What is honored of a node besides its operator, in one table: attributes, optional inputs and outputs, opsets.

Whatever a rule does not read is refused by the node's name, before any rule sees it: an attribute that is not listed,
an input that depends on the model's inputs where a rule takes a constant, a second output that something reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Graph, Node, Refusal, Unsupported, one_value, refuse, unsupported


@dataclass(frozen=True)
class Honored:
    """What the rules for an operator honour.

    Attributes:
        attributes: those that have their effect, whatever their value
        only: those that are taken at one value, which is what their absence means too
        computed: places of the inputs that may depend on the model's inputs; None for all
        constant: of those the ones that may not
        since: the first opset in which a node without further attributes means what the rules take it for
    """

    attributes: frozenset[str] = frozenset()
    only: Mapping[str, Any] = field(default_factory=dict)
    computed: tuple[int, ...] | None = None
    since: int = 1
    constant: tuple[int, ...] = ()


def _of(attributes: str = "", since: int = 1, computed: tuple[int, ...] | None = (0,), **only: Any) -> Honored:
    return Honored(frozenset(attributes.split()), only, computed, since)


def _but(*constant: int, attributes: str = "", since: int = 1) -> Honored:
    """What may have any inputs computed but these."""
    return Honored(frozenset(attributes.split()), since=since, constant=constant)


_ARITHMETIC = _of(since=7, computed=None)  # before, shapes were brought together by attributes
_WINDOWS = "auto_pad dilations kernel_shape pads strides"
_REDUCTION = _of("axes keepdims noop_with_empty_axes")
_SCAN = "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions"
_RECURRENT = "activation_alpha activation_beta activations clip direction hidden_size layout"
_TREES = (
    "nodes_falsenodeids nodes_featureids nodes_hitrates nodes_hitrates_as_tensor nodes_missing_value_tracks_true "
    "nodes_modes nodes_nodeids nodes_treeids nodes_truenodeids nodes_values nodes_values_as_tensor"
)
_BRANCHES = (
    "nodes_falseleafs nodes_falsenodeids nodes_featureids nodes_hitrates nodes_missing_value_tracks_true nodes_modes "
    "nodes_splits nodes_trueleafs nodes_truenodeids"
)
_CLASSES = (
    "class_ids class_nodeids class_treeids class_weights class_weights_as_tensor classlabels_int64s classlabels_strings"
)
_TARGETS = "target_ids target_nodeids target_treeids target_weights target_weights_as_tensor"

_MACHINE = "coefficients kernel_params kernel_type rho support_vectors"

HONORED: Mapping[str, Honored] = {
    "Add": _ARITHMETIC,
    "And": _ARITHMETIC,
    "ArgMax": _of("axis keepdims select_last_index"),
    "ArgMin": _of("axis keepdims select_last_index"),
    "ArrayFeatureExtractor": _of(computed=(0, 1)),
    "Attention": _of("is_causal kv_num_heads q_num_heads scale softcap softmax_precision", computed=(0, 1, 2, 3)),
    "AveragePool": _of(f"{_WINDOWS} ceil_mode count_include_pad"),
    "BatchNormalization": _of("epsilon momentum", since=7, spatial=1, training_mode=0),
    "Binarizer": _of("threshold"),
    "Cast": _of("to saturate round_mode", since=6),
    "BitShift": _of("direction", computed=None),
    "Celu": _of("alpha"),
    "CenterCropPad": _of("axes"),
    "Clip": _of("min max"),
    "Compress": _of("axis"),
    "Concat": _of("axis", since=4, computed=None),
    "ConcatFromSequence": _of("axis new_axis"),
    "Conv": _of(f"{_WINDOWS} group"),
    "ConvTranspose": _of(f"{_WINDOWS} group output_padding output_shape"),
    "CumSum": _of("exclusive reverse"),
    "DepthToSpace": _of("blocksize mode"),
    "DequantizeLinear": _of("axis block_size output_dtype", since=10),
    "Div": _ARITHMETIC,
    "Dropout": _of("ratio seed", since=7),
    "Einsum": _of("equation", computed=None),
    "Elu": _of("alpha"),
    "Equal": _ARITHMETIC,
    "Expand": _of(),
    "FeatureVectorizer": _of("inputdimensions", computed=None),
    "Flatten": _of("axis"),
    "GRU": _of(f"{_RECURRENT} linear_before_reset", since=7, computed=(0, 5)),
    "Gather": _of("axis", computed=(0, 1)),
    "GatherElements": _of("axis", computed=(0, 1)),
    "GatherND": _of("batch_dims", computed=None),
    "Gelu": _of("approximate"),
    "Gemm": _of("alpha beta transA transB", since=7, computed=None),
    "GlobalLpPool": _of("p"),
    "Greater": _ARITHMETIC,
    "GroupNormalization": _of("epsilon num_groups stash_type"),
    "HardSigmoid": _of("alpha beta"),
    "Hardmax": _of("axis"),
    "If": _but(0, attributes="else_branch then_branch"),
    "Imputer": _of("imputed_value_floats imputed_value_int64s replaced_value_float replaced_value_int64"),
    "InstanceNormalization": _of("epsilon"),
    "LSTM": _of(f"{_RECURRENT} input_forget", since=7, computed=(0, 5, 6)),
    "LRN": _of("alpha beta bias size"),
    "LabelEncoder": _of("keys_int64s values_int64s values_floats default_int64 default_float default_string"),
    "LayerNormalization": _of("axis epsilon stash_type"),
    "LeakyRelu": _of("alpha"),
    "Less": _ARITHMETIC,
    "LinearClassifier": _of("classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform"),
    "LinearRegressor": _of("coefficients intercepts targets", post_transform="NONE"),
    "LogSoftmax": _of("axis"),
    "Loop": _but(0, 1, attributes="body"),
    "LpNormalization": _of("axis p"),
    "LpPool": _of(f"{_WINDOWS} ceil_mode p", since=7),
    "MaxPool": _of(f"{_WINDOWS} ceil_mode storage_order"),
    "MeanVarianceNormalization": _of("axes", since=9),
    "Mod": _of("fmod", computed=None),
    "Mul": _ARITHMETIC,
    "Normalizer": _of("norm"),
    "OneHot": _of("axis"),
    "OneHotEncoder": _of("cats_int64s zeros"),
    "Or": _ARITHMETIC,
    "Pad": _of("mode pads value", since=2),
    "PRelu": _of(since=7),
    "Pow": _ARITHMETIC,
    "QuantizeLinear": _of("axis block_size output_dtype precision saturate", since=10),
    "RNN": _of(_RECURRENT, since=7, computed=(0, 5)),
    "RMSNormalization": _of("axis epsilon stash_type"),
    "ReduceL1": _REDUCTION,
    "ReduceL2": _REDUCTION,
    "ReduceLogSum": _REDUCTION,
    "ReduceLogSumExp": _REDUCTION,
    "ReduceMax": _REDUCTION,
    "ReduceMean": _REDUCTION,
    "ReduceMin": _REDUCTION,
    "ReduceProd": _REDUCTION,
    "ReduceSum": _REDUCTION,
    "ReduceSumSquare": _REDUCTION,
    "Reshape": _of("allowzero", since=5),
    "Resize": _of(
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
        "keep_aspect_ratio_policy mode nearest_mode",
        since=10,
    ),
    "ReverseSequence": _of("batch_axis time_axis"),
    "RotaryEmbedding": _of("interleaved num_heads rotary_embedding_dim"),
    "SVMClassifier": _of(
        f"{_MACHINE} classlabels_ints classlabels_strings prob_a prob_b vectors_per_class post_transform"
    ),
    "SVMRegressor": _of(f"{_MACHINE} n_supports one_class", post_transform="NONE"),
    "Scaler": _of("offset scale"),
    "Scan": _but(attributes=_SCAN, since=9),
    **dict.fromkeys(("Scatter", "ScatterElements"), _of("axis reduction", computed=None)),
    "ScatterND": _of("reduction", computed=(0, 2)),
    "Selu": _of("alpha gamma"),
    "SequenceAt": _of(),
    "SequenceConstruct": _of(computed=None),
    "SequenceEmpty": _of("dtype"),
    "SequenceErase": _of(),
    "SequenceInsert": _of(computed=(0, 1)),
    "Shrink": _of("bias lambd"),
    "Slice": _of("starts ends axes"),
    "Softmax": _of("axis"),
    "SpaceToDepth": _of("blocksize"),
    "SplitToSequence": _of("axis keepdims"),
    "Split": _of("axis split num_outputs"),
    "Squeeze": _of("axes"),
    "Sub": _ARITHMETIC,
    "Swish": _of("alpha"),
    "ThresholdedRelu": _of("alpha"),
    "Tile": _of(since=6),
    "TopK": _of("axis k largest sorted"),
    "Transpose": _of("perm"),
    "TreeEnsemble": _of(
        f"{_BRANCHES} leaf_weights leaf_targetids tree_roots n_targets aggregate_function post_transform"
    ),
    "TreeEnsembleClassifier": _of(f"{_TREES} {_CLASSES} base_values base_values_as_tensor post_transform"),
    "TreeEnsembleRegressor": _of(
        f"{_TREES} {_TARGETS} n_targets base_values base_values_as_tensor aggregate_function", post_transform="NONE"
    ),
    "Trilu": _of("upper"),
    "Unsqueeze": _of("axes"),
    "Upsample": _of("mode scales", since=7),
    "Xor": _ARITHMETIC,
}
"""Operators that have attributes, or inputs that must be constants. Of all others every input may be computed."""

_OUTPUTS = {"LayerNormalization": 3, **dict.fromkeys(("LinearClassifier", "SVMClassifier", "TopK"), 2)}  # if not one
_OUTPUTS |= {"TreeEnsembleClassifier": 2}
_WITH_ALL_OUTPUTS = ("GRU", "If", "LSTM", "Loop", "RNN", "Scan", "Split")


def require_honored(graph: Graph, refuse: Refusal = refuse) -> None:
    """Raises FormatError naming the first node of which something would be left out, unless `refuse` does else."""
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    for node in graph.nodes:
        for error in left_out(graph, node, read):
            refuse(error)


def left_out(graph: Graph, node: Node, read: Collection[str]) -> Iterator[Unsupported]:
    """What of a node would have no effect.

    Args:
        read: the tensors of the graph that something reads
    """
    honored = HONORED.get(node.operator, Honored())
    if node.opset < honored.since:
        yield unsupported(node, f"opset {node.opset} is too old", f"convert the model to {honored.since} or newer")
    for name, value in node.attributes.items():
        yield from _of_attribute(node, honored, name, value)
    for name in computed_constants(graph, node):
        yield unsupported(node, f"its input '{name}' is computed", "only a constant is supported there")
    extra = () if node.operator in _WITH_ALL_OUTPUTS else node.outputs[_OUTPUTS.get(node.operator, 1) :]
    for name in (name for name in extra if name in read and name):
        yield unsupported(node, f"its output '{name}' is not supported")
    yield from _of_training(graph, node)


def computed_constants(graph: Graph, node: Node) -> list[str]:
    """The inputs of a node that depend on the model's inputs where its rule wants a constant."""
    honored = HONORED.get(node.operator, Honored())
    found = [(i, name) for i, name in enumerate(node.inputs) if name and name not in graph.constants]
    allowed = honored.computed
    return [name for i, name in found if i in honored.constant or (allowed is not None and i not in allowed)]


def _of_attribute(node: Node, honored: Honored, name: str, value: Any) -> Iterator[Unsupported]:
    if name in honored.only and value != honored.only[name]:
        yield unsupported(node, f"{name} = {value!r} is not supported, only {honored.only[name]!r}")
    if name not in honored.only and name not in honored.attributes:
        yield unsupported(node, f"its attribute {name} is not supported")


def _of_training(graph: Graph, node: Node) -> Iterator[Unsupported]:
    """A node in training mode, other than by an attribute."""
    remedy = "export the model for inference"
    trains = node.operator == "Dropout" and len(node.inputs) > 2 and np.any(graph.constants.get(node.inputs[2], False))
    if trains and one_value(graph.argument(node, 1, "ratio", 0.5)) != 0:
        yield unsupported(node, "it is in training mode", remedy)
    if node.operator == "BatchNormalization" and node.opset < 14 and any(node.outputs[1:]):
        yield unsupported(node, "it is in training mode, as it gives statistics", remedy)
