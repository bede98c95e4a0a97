"""Values are restored as they were, and nothing but this package's dataclasses is ever made of a file."""

import json

import numpy as np
import pytest

from zkgpu.curves.bn254 import G2
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import IFMA
from zkgpu.store import values

MATRIX = SparseMatrix((2, 3), np.arange(3), np.zeros(2, np.int32), np.ones(2, np.int32), np.ones((2, 4), np.uint64))


def round_trip(value):
    arrays = []
    text = json.dumps(values.describe(value, arrays))
    return values.restore(json.loads(text), [array.reshape(-1).view(np.uint8) for array in arrays])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -1.5,
        "text",
        (),
        (1, (2, None)),
        IFMA,
        (IFMA, "x"),
        [1, [IFMA]],
        range(3, 9, 2),
        frozenset({2, 1}),
    ],
)
def test_plain_values_tuples_and_dataclasses_come_back_equal(value):
    assert round_trip(value) == value


def test_a_group_comes_back_as_the_one_object_it_is():
    assert round_trip((G2,))[0] is G2


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.int64, np.uint64, np.float64])
@pytest.mark.parametrize("shape", [(0,), (5,), (2, 0), (2, 3, 4)])
def test_arrays_keep_type_shape_and_values(dtype, shape):
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    for given in (array, array[::-1]):
        back = round_trip(given)
        assert (back.dtype, back.shape) == (given.dtype, given.shape)
        assert np.array_equal(back, given)


def test_what_occurs_twice_comes_back_as_one_object_and_its_arrays_once():
    arrays = []
    back = values.restore(
        values.describe((MATRIX, [MATRIX], MATRIX.table), arrays), [a.reshape(-1).view(np.uint8) for a in arrays]
    )
    assert back[0] is back[1][0]
    assert back[0].table is back[2]
    assert len(arrays) == 4


def test_what_holds_something_twice_may_itself_occur_twice():
    inner = (MATRIX,)
    back = round_trip((inner, inner, IFMA, (inner, IFMA)))
    assert back[0][0] is back[1][0] is back[3][0][0]
    assert back[2] is back[3][1]
    assert back[2] == IFMA


def test_known_arrays_are_named_and_not_kept():
    arrays = []
    described = values.describe((MATRIX.table, MATRIX.indices), arrays, [MATRIX.indices])
    assert len(arrays) == 1
    assert values.restore(described, [arrays[0].reshape(-1).view(np.uint8)], [MATRIX.indices])[1] is MATRIX.indices


def test_large_integers_in_arrays_come_back():
    array = np.array([[2**300, -1], [0, 7]], dtype=object)
    assert np.array_equal(round_trip(array), array)


def test_a_matrix_comes_back_with_every_array():
    back = round_trip(MATRIX)
    assert back.shape == MATRIX.shape
    for name in ("indptr", "indices", "coefficient", "table"):
        assert np.array_equal(getattr(back, name), getattr(MATRIX, name))


@pytest.mark.parametrize("value", [{1}, {"a": 1}, object(), np.array(["text"]), np.array([None]), b"bytes"])
def test_what_no_file_can_hold_is_refused(value):
    with pytest.raises(TypeError, match="cannot be kept"):
        values.describe(value, [])


@pytest.mark.parametrize(
    "described",
    [
        {"class": ["os", "system", {}]},
        {"class": ["subprocess", "Popen", {"args": "ls"}]},
        {"class": ["zkgpu.formats.atomic", "write_text", {"path": "x", "text": "y"}]},
        {"class": ["zkgpu.formats.container", "SectionReader", {}]},
        {"class": ["zkgpu.store.prepared", "Path", {}]},
        {"class": ["zkgpu.jit.isa", "NoSuchThing", {}]},
        {"class": ["zkgpu.jit.isa", "InstructionSet", {"name": "ifma"}]},
        {"group": "no group"},
        {"array": [0, "<u8", [1]]},
        {"other": 1},
        {},
        [1],
    ],
)
def test_a_description_of_anything_else_is_refused(described):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, IndexError)):
        values.restore(described, [])
