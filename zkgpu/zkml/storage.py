"""A compiled model as the bytes of one file: arrays of integers and a JSON description, in an uncompressed .npz."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.gadgets.limbs import WIDEST_LIMB
from zkgpu.circuits.numbers import distinct
from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.formats.arrays import read_stored
from zkgpu.zkml import operations
from zkgpu.zkml.accuracy import Accuracy, OutputAccuracy
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.compiled import CompiledModel, Recipe
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.operations import LARGEST, Arrange, IntegerModel, Operation, Softmax, Tensor
from zkgpu.zkml.ranges import Interval, analyze
from zkgpu.zkml.sizes import require_room
from zkgpu.zkml.streams import Places
from zkgpu.zkml.visibility import Visibilities, require_names

_VERSION = 2
_DTYPES = {"|u1", "|i1", "<i2", "<i4", "<i8"}  # of the description, and of what `_smallest` chooses
_KINDS: dict[str, type[Operation]] = {kind.__name__: kind for kind in Operation.__subclasses__()}
_BASE = {"layer", "inputs", "output"}
_LATER = {"places", "seen", "shifts"}  # what earlier programs wrote no word of

Arrays = dict[str, NDArray[Any]]


def dump(compiled: CompiledModel) -> bytes:
    """The file's bytes. Equal models give equal bytes."""
    arrays: Arrays = {}
    description = {
        "zkgpu model": _VERSION,
        "model": _describe(compiled.model, arrays),
        "reference": None if compiled.reference is None else _describe(compiled.reference, arrays),
        "visibilities": asdict(compiled.visibilities),
        "labels": {name: list(labels) for name, labels in compiled.labels.items()},
        "recipe": {
            "low": dict(compiled.recipe.calibration.low),
            "high": dict(compiled.recipe.calibration.high),
            "integral": sorted(compiled.recipe.calibration.integral),
            "units": dict(compiled.recipe.calibration.units),
            "columns": {name: list(reaches) for name, reaches in compiled.recipe.calibration.columns.items()},
            "places": {name: asdict(own) for name, own in compiled.recipe.calibration.places.items()},
            "channels": {name: list(ends) for name, ends in compiled.recipe.calibration.channels.items()},
            "scales": dict(compiled.recipe.scales),
            "settings": asdict(compiled.recipe.settings),
            "outputs": list(compiled.recipe.outputs),
        },
        "accuracy": None if compiled.accuracy is None else asdict(compiled.accuracy),
    }
    text = json.dumps(description, sort_keys=True).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {"description": np.frombuffer(text, dtype=np.uint8), **arrays}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return out.getvalue()


def _describe(model: IntegerModel, arrays: Arrays) -> dict[str, Any]:
    return {
        "inputs": [asdict(tensor) for tensor in model.inputs],
        "outputs": [asdict(tensor) for tensor in model.outputs],
        "limb": model.limb,
        "operations": [_describe_operation(operation, arrays) for operation in model.operations],
    }


def _describe_operation(operation: Operation, arrays: Arrays) -> dict[str, Any]:
    own = {f.name: _describe_value(getattr(operation, f.name), arrays) for f in fields(operation)}
    return {"kind": type(operation).__name__, **own}


def _describe_value(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, tuple):
        return [_describe_value(v, arrays) for v in value]
    if not isinstance(value, np.ndarray):
        return value
    name = f"a{len(arrays)}"
    arrays[name] = value.astype(_smallest(value), order="C")
    return {"array": name}


def _smallest(value: NDArray[Any]) -> type[np.signedinteger[Any]]:
    low, high = (int(value.min()), int(value.max())) if value.size else (0, 0)
    kinds: tuple[type[np.signedinteger[Any]], ...] = (np.int8, np.int16, np.int32)
    return next((k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max), np.int64)


def parse(data: bytes, name: str, memory: int | None = None) -> CompiledModel:
    """The model in a file's bytes; every index and range is checked.

    Args:
        memory: bytes that its tensors may take, see `sizes.require_room`

    Raises FormatError that begins with `name`, ResourceError for more than the memory.
    """
    arrays = read_stored(data, name)
    try:
        _require_integers(arrays)
        description = json.loads(arrays.pop("description").tobytes())
        if description.get("zkgpu model") != _VERSION:
            raise FormatError("its version is not the one this program writes")
        return _compiled(description, arrays, memory)
    except ResourceError as error:
        raise error.within(name) from error
    except (FormatError, UsageError) as error:
        raise FormatError(f"{name}: {error}: compile the model again") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a description that makes no sense leads to
        raise FormatError(f"{name}: not a compiled model ({type(error).__name__}): compile it again") from error


def _require_integers(arrays: Arrays) -> None:
    for name, array in arrays.items():
        if array.dtype.str not in _DTYPES:
            raise FormatError(f"'{name}.npy' in it is not an array of integers as this program writes them")


def _compiled(description: Mapping[str, Any], arrays: Arrays, memory: int | None) -> CompiledModel:
    model, intervals = _model(description["model"], arrays, memory)
    reference = None if description["reference"] is None else _model(description["reference"], arrays, memory)[0]
    visibilities = Visibilities(**description["visibilities"])
    require_names(model, visibilities)
    labels = {name: tuple(given) for name, given in description["labels"].items()}
    recipe, accuracy = _recipe(description["recipe"]), _accuracy(description["accuracy"])
    compiled = CompiledModel(model, visibilities, recipe, accuracy, reference, labels)
    return compiled if visibilities.weights_are_given else compiled.with_known(_intervals=intervals)


def _recipe(recipe: Mapping[str, Any]) -> Recipe:
    low, high, scales = ({str(k): float(v) for k, v in recipe[key].items()} for key in ("low", "high", "scales"))
    columns = {str(k): tuple(map(float, reaches)) for k, reaches in recipe.get("columns", {}).items()}
    channels = {str(k): _ends_of_channels(ends) for k, ends in recipe.get("channels", {}).items()}
    places = {str(k): _places(own) for k, own in recipe.get("places", {}).items()}
    units = {str(k): float(unit) for k, unit in recipe.get("units", {}).items()}
    calibration = Calibration(low, high, frozenset(recipe["integral"]), columns, channels, places, units)
    return Recipe(calibration, scales, Settings(**recipe["settings"]), tuple(recipe["outputs"]))


def _places(own: Mapping[str, Any]) -> Places:
    low, high, rms = (tuple(map(float, own[key])) for key in ("low", "high", "rms"))
    if not 0 < len(low) == len(high) == len(rms):
        raise FormatError("what was seen at each position is of several lengths")
    return Places(low, high, rms)


def _ends_of_channels(ends: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    low, high = (tuple(map(float, side)) for side in ends)
    return low, high


def _accuracy(value: Mapping[str, Any] | None) -> Accuracy | None:
    if value is None:
        return None
    outputs = tuple(OutputAccuracy(**output) for output in value["outputs"])
    name, error = value["worst_layer"]
    layers, held_out = dict(value["layers"]), bool(value.get("held_out", True))
    refused, clamped = (int(value.get(key, 0)) for key in ("refused", "clamped"))
    return Accuracy(int(value["samples"]), outputs, (str(name), float(error)), layers, held_out, refused, clamped)


def _model(value: Mapping[str, Any], arrays: Arrays, memory: int | None) -> tuple[IntegerModel, Mapping[str, Interval]]:
    """The model, and what its tensors can hold."""
    limb = value["limb"]
    if type(limb) is not int or not 1 <= limb <= WIDEST_LIMB:
        raise FormatError(f"limbs of {limb} bits")
    inputs, outputs = (tuple(_tensor(item) for item in value[key]) for key in ("inputs", "outputs"))
    steps = tuple(_operation(item, arrays) for item in value["operations"])
    model = IntegerModel(inputs, outputs, steps, limb)
    return model, _checked(model, memory)


def _tensor(value: Mapping[str, Any]) -> Tensor:
    shape = tuple(int(n) for n in value["shape"])
    low, high, scale = int(value["low"]), int(value["high"]), float(value["scale"])
    if low > high or not scale > 0 or any(n < 0 for n in shape) or np.prod(shape, dtype=object) > 1 << 28:
        raise FormatError(f"tensor '{value['name']}' is malformed")
    return Tensor(str(value["name"]), shape, scale, low, high)


def _operation(value: Mapping[str, Any], arrays: Arrays) -> Operation:
    kind = _KINDS[value["kind"]]
    wanted = {f.name for f in fields(kind)}
    value = {**dict.fromkeys(_LATER & wanted), **value}
    if set(value) != wanted | {"kind"}:
        raise FormatError(f"layer '{value.get('layer')}' has other fields than a {value['kind']}")
    own = {name: _value(name, value[name], arrays) for name in wanted - _BASE}
    own |= {"seen": own["seen"] or 0} if "seen" in own else {}
    return kind(str(value["layer"]), tuple(str(i) for i in value["inputs"]), str(value["output"]), **own)


def _value(name: str, value: Any, arrays: Arrays) -> Any:
    if isinstance(value, list):
        return tuple(_value(name, item, arrays) for item in value)
    if isinstance(value, dict):
        return _array(name, value["array"], arrays)
    if value is not None and (type(value) is not int or abs(value) > LARGEST.get(name, LARGEST["other"])):
        raise FormatError(f"{name} is not an integer in range")
    return value


def _array(name: str, key: str, arrays: Arrays) -> NDArray[Any]:
    """In the type that the rules of an operation take: made once, however often it is named."""
    if not (name == "weight" or (name == "table" and arrays[key].ndim == 2)):
        arrays[key] = arrays[key].astype(np.int64, copy=False)
    return arrays[key]


def _checked(model: IntegerModel, memory: int | None) -> Mapping[str, Interval]:
    """What its tensors can hold, once names, shapes, positions and tables were looked at in all operations."""
    sizes = {tensor.name: int(np.prod(tensor.shape, dtype=object)) for tensor in model.inputs}
    for operation in model.operations:
        if operation.output in sizes or not operation.inputs:
            raise FormatError(f"layer '{operation.layer}' writes a tensor twice, or reads none")
        sizes[operation.output] = -1
        check = _CHECKS.get(type(operation))
        if check is not None and not check(operation):
            raise FormatError(f"layer '{operation.layer}' has values out of range")
    require_room(model, memory)
    intervals = analyze(model)
    for operation in model.operations:
        total = sum(intervals[name].low.size for name in operation.inputs)
        if isinstance(operation, Arrange) and operation.positions.size and operation.positions.max() >= total:
            raise FormatError(f"layer '{operation.layer}' reads beyond its input")
    for tensor in model.outputs:
        if intervals[tensor.name].shape != tensor.shape:
            raise FormatError(f"output '{tensor.name}' has another shape")
    return intervals


def _is_walk(places: NDArray[Any], shifts: NDArray[Any], k: int) -> bool:
    """Whether they say where the rows and the k columns of patches lie."""
    flat = places.ndim == 1 and shifts.shape == (k,)
    return (
        flat
        and places.size == distinct(places).size
        and all((v >= 0).all() and (v < 1 << 28).all() for v in (places, shifts))
    )


_CHECKS: dict[type[Operation], Callable[[Any], bool]] = {
    Arrange: lambda op: bool((op.positions >= -1).all()),
    operations.Linear: lambda op: (
        op.weight.ndim == 3
        and op.multiplier.shape == op.bias.shape == op.weight.shape[::2]
        and bool((op.multiplier > 0).all())
        and (op.places is None) == (op.shifts is None)
        and (op.places is None or _is_walk(op.places, op.shifts, op.weight.shape[1]))
    ),
    operations.Requantize: lambda op: (
        op.shift >= 0
        and (op.low is None or op.high is None or op.low <= op.high)
        and op.seen in range(2 * operations.STEEP)
    ),
    operations.Rescale: lambda op: op.shift >= 0 and op.low <= op.high,
    operations.Lookup: lambda op: op.table.ndim == 1 and op.table.size > 0,
    operations.Rows: lambda op: op.table.ndim == 2 and op.table.size > 0,
    operations.Steps: lambda op: (
        op.places.ndim == 1
        and op.places.shape == op.bounds.shape
        and op.places.size > 0
        and bool((op.places >= 0).all())
        and bool((np.diff(op.places) >= 0).all())
        and bool(((np.diff(op.bounds) > 0) | (np.diff(op.places) > 0)).all())
    ),
    operations.TopK: lambda op: op.count > 0,
    Softmax: lambda op: (
        op.table.ndim == 1
        and op.shift >= 0
        and op.bits > 0
        and op.table.size > 0
        and bool((op.table >= 0).all())
        and int(op.table[0]) == int(op.table.max()) > 0
    ),
    operations.Normalize: lambda op: op.bits > 0 and op.epsilon > 0,
    operations.RootMeanSquare: lambda op: op.bits > 0 and op.epsilon > 0,
    operations.Divide: lambda op: op.shift >= 0 and op.most > 0 and op.least > 0,
}
