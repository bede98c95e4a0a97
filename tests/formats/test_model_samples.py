"""Samples in files of every kind give the same arrays; what does not fit is refused by its place."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from zkgpu.errors import FormatError, UsageError, ZkgpuError
from zkgpu.formats.samples import read_samples

ROWS = np.array([[1.5, -2.0, 3e-2], [0.0, 4.0, 5.0]])
ONE, TWO = {"x": (0, 3)}, {"x": (0, 3), "k": (0, 1)}


def text(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode()


@pytest.mark.parametrize(
    "data",
    [
        text(ROWS.tolist()),
        text({"x": ROWS.tolist(), "other": ["text"]}),
        text({"input_data": [ROWS.ravel().tolist()], "output_data": [[1]]}),
        text({"input_data": [ROWS.tolist()]}),
        text("1.5,-2,3e-2\n0,4,5\n"),
        text("\ufeffa,b,c\r\n1.5,-2,0.03\r\n0,4,5"),
        text("a;b;c\n1.5;-2;.03\n\n0;4;5."),
        text('"a, b"\tb\tc\n1.5\t-2\t+3E-2\n0\t4\t5\n'),
    ],
)
def test_one_input_has_the_same_samples_however_they_are_written(data: bytes) -> None:
    read = read_samples(data, ONE)
    assert np.array_equal(read["x"] if isinstance(read, dict) else read, ROWS)


def test_several_inputs_are_told_apart_by_name_or_by_order() -> None:
    k = np.array([[7.0], [8.0]])
    for data in ({"x": ROWS.tolist(), "k": k.tolist()}, {"input_data": [ROWS.ravel().tolist(), [7, 8]]}):
        read = read_samples(text(data), TWO)
        assert list(read) == ["x", "k"]
        assert np.array_equal(read["x"], ROWS)
        assert np.array_equal(read["k"], k)


def test_columns_are_matched_by_name_with_inputs_of_one_number_each() -> None:
    inputs = {"petal_width__cm_": (0, 1), "Class": (0, 1), "flag": (0,)}
    read = read_samples(text("flag,Class,more,petal width (cm)\nTrue,2,9,0.5\nfalse,3,9,0.25"), inputs)
    assert read["petal_width__cm_"].tolist() == [[0.5], [0.25]]
    assert read["Class"].tolist() == [[2.0], [3.0]]
    assert read["flag"].tolist() == [1.0, 0.0]


def test_rows_of_a_table_take_the_shape_of_a_sample() -> None:
    assert read_samples(text("1,2,3,4"), {"x": (1, 1, 2, 2)}).tolist() == [[[[1, 2], [3, 4]]]]
    assert read_samples(text("1,2\n3,4\n5,6\n7,8"), {"x": (2, 2)}).tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert read_samples(text("1,2\n3,4"), {"x": (0, 0)}).tolist() == [[1, 2], [3, 4]]


WRONG = {
    "'x' has rows of different lengths": ({"x": [[1, 2, 3], [1, 2]]}, ONE),
    "'x' holds something that is no number": ({"x": [["12", 2, 3]]}, ONE),
    "the list holds something that is no number": ([[1, None, 3]], ONE),
    "7 numbers for input 'x', which takes 3": ({"input_data": [[1] * 7]}, ONE),
    "one list of numbers for each of 2 inputs": ({"input_data": [[1] * 3]}, TWO),
    "an axis of no fixed length": ({"input_data": [[1] * 3]}, {"x": (0, 0)}),
    "line 3 has 2 columns": ("a,b,c\n1,2,3\n4,5\n", ONE),
    "line 2, column 2: no number": ("a,b,c\n1,,3\n", ONE),
    "line 2, column 3: no number": ("1,2,3\n1,2,nan\n", ONE),
    "no row of numbers": ("a,b,c\n", ONE),
    "2 columns, but input 'x' takes 3": ("1,2\n3,4\n", ONE),
    "a first line must name the columns": ("1,2,3,4\n", TWO),
    "no column is called 'x'": ("a,k\n1,2\n", {"x": (0, 1), "k": (0, 1)}),
    "takes 3 numbers a sample: a table has one a column": ("x,k\n1,2\n", TWO),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_is_refused_by_its_place(message: str) -> None:
    value, inputs = WRONG[message]
    with pytest.raises((FormatError, UsageError)) as error:
        read_samples(text(value), inputs)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"\xff\xfe\x00", b"{", b"[1, 2", b"\x1f\x8b\x08junk", b"r1cs\x01", b"<html>"]
)
def test_what_is_no_data_is_refused(data: bytes, tmp_path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ZkgpuError, match="file") as error:
        read_samples(tmp_path / "file", ONE)
    assert error.value.exit_code in (2, 3)


def test_text_has_a_budget_too() -> None:
    for data in (b"1,2,3\n" * 100, b"[" + b"1," * 300 + b"1]"):
        with pytest.raises(FormatError, match="more than the 500 allowed"):
            read_samples(data, ONE, memory=500)
