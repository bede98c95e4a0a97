"""Samples for a model in a file: .npy and .npz, JSON with lists of numbers, and tables as .csv. Told by their content.

JSON is an object of nested lists by name; the nested list alone, for a model with one input; or what EZKL has, an
object {"input_data": [[..], [..]]} with one flat list an input, in the model's order. A table has one row a sample. Its
first line may name the columns, which must then be the model's inputs where each of them is one number a sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, InputError, ZkgpuError
from zkgpu.formats import strict_json
from zkgpu.formats.arrays import read_arrays
from zkgpu.formats.container import Bytes, Source, map_file, name_of
from zkgpu.formats.kinds import signature_kind
from zkgpu.formats.strict_json import Misfit

Array = NDArray[Any]
Shapes = Mapping[str, tuple[int, ...]]

MAX_TEXT = 1 << 28  # bytes of JSON, or of a table
_EZKL = "input_data"
_ARRAYS = (b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")  # the last one of an archive with nothing in it
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_TRUTHS = {"true": 1.0, "false": 0.0}
_NO_LETTER = re.compile(r"[^0-9A-Za-z]")


def read_samples(
    source: Source, inputs: Shapes, *, only: bool = False, memory: int | None = None
) -> Array | dict[str, Array]:
    """What a file holds for the inputs of a model: by name, or one array for its one input.

    Args:
        inputs: the shape of each input, in the model's order; 0 for a length that is open
        only: leave out what an .npz file holds besides
        memory: bytes that the arrays of an .npz file may take, and text may have

    Raises FormatError, naming file and place, for anything else; InputError for a table that does not fit the inputs.
    """
    name, data = name_of(source), map_file(source)
    head = data[:64].tobytes()
    if head.startswith(_ARRAYS) or not head.strip() or signature_kind(data) is not None:
        return read_arrays(source, names=inputs if only else None, memory=memory)
    try:
        if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            return _from_json(source, inputs, memory or MAX_TEXT)
        return _from_table(_text(data, memory or MAX_TEXT), inputs)
    except ZkgpuError as error:
        raise error if str(error).startswith(name) else error.within(name) from None


# JSON


def _from_json(source: Source, inputs: Shapes, most: int) -> Array | dict[str, Array]:
    value = strict_json.load(source, "a JSON file of samples", most, keep_misfits=True)
    if isinstance(value, list):
        return _numbers(value, "the list")
    if _EZKL in value and _EZKL not in inputs:
        return _from_ezkl(value[_EZKL], inputs)
    if value and not value.keys() & inputs.keys():
        raise InputError(f"it holds {', '.join(value)}, but the model has the inputs {', '.join(inputs)}")
    return {name: _numbers(item, f"'{name}'") for name, item in value.items() if name in inputs}


def _numbers(value: Any, what: str) -> Array:
    """A nested list as an array. Raises FormatError for a list of uneven rows, and for what is no number."""
    for leaf in _leaves(value):
        if isinstance(leaf, Misfit) or type(leaf) in (int, float, bool):
            continue
        raise FormatError(f"{what} holds something that is no number", values=f"it is {strict_json.shown(leaf)}")
    try:
        return np.array(value, dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{what} has rows of different lengths, or a number that is too large") from error


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _from_ezkl(value: Any, inputs: Shapes) -> dict[str, Array]:
    """One flat list for each input, of one sample or of several after another."""
    if not isinstance(value, list) or len(value) != len(inputs):
        raise FormatError(f'"{_EZKL}" must be a list with one list of numbers for each of {len(inputs)} inputs')
    found = {}
    for (name, shape), item in zip(inputs.items(), value, strict=True):
        flat, size = _numbers(item, f'"{_EZKL}" for {name!r}').ravel(), _size(name, shape)
        if not flat.size or flat.size % size:
            raise FormatError(f'"{_EZKL}" has {flat.size:,} numbers for input {name!r}, which takes {size:,} a sample')
        found[name] = flat.reshape(-1, *_inner(shape))
    return found


def _size(name: str, shape: Sequence[int]) -> int:
    """Numbers of one sample."""
    if not all(shape[1:]):
        raise InputError(f"input '{name}' has an axis of no fixed length: give its samples as nested lists, by name")
    return math.prod(_inner(shape))


def _inner(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a sample: without a batch of one, or of any size."""
    return tuple(shape[1:]) if shape and shape[0] in (0, 1) else tuple(shape)


# tables


def _text(data: Bytes, most: int) -> str:
    if data.size > most:
        raise FormatError(f"{data.size:,} bytes of text, more than the {most:,} allowed: give it more with --memory")
    try:
        return data.tobytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"byte {error.start:,} is not UTF-8, nor is it an array of NumPy: give .npy, .npz, .json or .csv"
        ) from None


def _from_table(text: str, inputs: Shapes) -> Array | dict[str, Array]:
    """One row a sample: the columns in order for one input, or by name for inputs of one number each."""
    names, rows = _rows(text)
    if len(inputs) == 1:
        ((name, shape),) = inputs.items()
        width = 0 if not all(shape[1:]) else _size(name, shape)
        if width not in (0, rows.shape[1]) and (not shape or shape[0] in (0, 1)):
            raise InputError(f"{rows.shape[1]} columns, but input '{name}' takes {width} numbers a sample")
        return rows.reshape(-1, *_inner(shape)) if width and rows.size % width == 0 else rows
    if names is None:
        raise InputError(f"the model has {len(inputs)} inputs: a first line must name the columns")
    return by_column(names, rows, inputs)


def by_column(names: Sequence[str], rows: Array, inputs: Shapes) -> dict[str, Array]:
    """The columns of a table as inputs of one number each; an exporter may have written _ for what is no letter.

    Raises InputError for an input that no column is, and for one of more numbers.
    """
    places = {_plain(name): i for i, name in enumerate(names)} | {name: i for i, name in enumerate(names)}
    for name, shape in inputs.items():
        if name not in places:
            raise InputError(f"no column is called '{name}', as an input of the model is")
        if _size(name, shape) != 1:
            raise InputError(f"input '{name}' takes {_size(name, shape)} numbers a sample: a table has one a column")
    return {name: rows[:, places[name]].reshape(-1, *_inner(shape)) for name, shape in inputs.items()}


def _plain(name: str) -> str:
    return _NO_LETTER.sub("_", name.strip())


def _rows(text: str) -> tuple[list[str] | None, Array]:
    """(names of the columns where the first line has them, numbers of shape (rows, columns))."""
    import csv

    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    lines = [(i, row) for i, row in enumerate(csv.reader(text.splitlines(), delimiter=separator), 1) if any(row)]
    names = lines.pop(0)[1] if lines and not all(_is_number(cell) for cell in lines[0][1]) else None
    width = len(names) if names is not None else len(lines[0][1]) if lines else 0
    if not lines:
        raise FormatError("the table has no row of numbers")
    for i, row in lines:
        if len(row) != width:
            raise FormatError(f"line {i} has {len(row)} columns, those before have {width}")
        for place, cell in enumerate(row):
            if not _is_number(cell):
                raise FormatError(f"line {i}, column {place + 1}: no number", values=f"it is {cell[:40]}")
    return names, np.array([[_value(cell) for cell in row] for _, row in lines], dtype=np.float64)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None or cell.strip().lower() in _TRUTHS


def _value(cell: str) -> float:
    truth = _TRUTHS.get(cell.strip().lower())
    return float(cell) if truth is None else truth
