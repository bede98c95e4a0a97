"""Weights in a file beside the model's, as exporters write large ones: model.onnx and model.onnx.data.

A model names the file, and the place in it. It is a stranger's word: only a file of the model's own folder is opened,
by its plain name, and only the weights of the main graph are read, whose sizes follow from their shapes.
Source: the ONNX documentation, ExternalData.md; onnx.TensorProto.external_data.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from zkgpu.errors import FormatError, ResourceError
from zkgpu.formats.container import Bytes, map_file

MOST = (1 << 31) - (1 << 20)  # bytes of all weights: a message of protobuf has less than 2 GB
_NUMBER, _NAME = re.compile(r"[0-9]{1,18}", re.ASCII), re.compile(r"[^/\\\0]+")


def load_weights(onnx: Any, proto: Any, model: Path) -> None:
    """Puts weights that lie in files beside the model's into it.

    Raises FormatError naming the tensor for a place outside of the folder or the file, UsageError for a file that is
    not there, ResourceError for more than a model in memory can hold.
    """
    files: dict[str, Bytes] = {}
    left = MOST
    for tensor in proto.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        place = {entry.key: entry.value for entry in tensor.external_data}
        path = _beside(tensor.name, place.get("location", ""), model)
        data = files[path] = files[path] if path in files else map_file(path)
        start, size = _number(tensor.name, place, "offset", 0), _size(onnx, tensor)
        left -= size
        if left < 0:
            raise ResourceError(
                f"weights '{tensor.name}' and those before take more than {MOST:,} bytes: split the model"
            )
        if _number(tensor.name, place, "length", size) != size:
            raise FormatError(
                f"weights '{tensor.name}' of shape {tuple(tensor.dims)} take {size:,} bytes, not the length given"
            )
        if start + size > data.size:
            raise FormatError(
                f"weights '{tensor.name}' end at byte {start + size:,} of {os.path.basename(path)}, which has "
                f"{data.size:,}: copy it again"
            )
        tensor.raw_data = data[start : start + size].tobytes()
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _beside(name: str, location: str, model: Path) -> str:
    """The real path of a file in the model's folder. Raises FormatError for a place that is, or leads, elsewhere."""
    plain, folder = location.removeprefix("./"), os.path.realpath(model.parent)
    is_name = _NAME.fullmatch(plain) is not None and plain not in (".", "..")
    path = os.path.realpath(os.path.join(folder, plain)) if is_name else ""
    if os.path.dirname(path) != folder:
        raise FormatError(f"weights '{name}' lie in {location!r}, which is not in the model's own folder: put it there")
    return path


def _number(name: str, place: dict[str, str], key: str, default: int) -> int:
    text = place.get(key, "")
    if text and not _NUMBER.fullmatch(text):
        raise FormatError(f"weights '{name}' lie at the {key} {text[:20]!r}, which is no number of bytes")
    return int(text) if text else default


def _size(onnx: Any, tensor: Any) -> int:
    """The bytes of a tensor. Raises FormatError for a type that has no whole bytes, such as text."""
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        kind = None
    if kind is None or kind.kind == "O" or min(tensor.dims, default=0) < 0:
        raise FormatError(f"weights '{tensor.name}' are no numbers, or of no shape: they cannot lie in another file")
    bits = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}.get(kind.name, 8 * kind.itemsize)
    return -(-int(math.prod(tensor.dims)) * int(bits) // 8)
