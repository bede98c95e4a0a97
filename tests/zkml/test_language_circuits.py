"""Circuits of language models: the embedding as one table, and the token of the largest of many logits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml import test_challenged_layers as challenged
from tests.zkml.networks import compiled, model_of, unpublished
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_residual_streams import llama, sentences
from tests.zkml.test_second_witnesses import forged
from tests.zkml.test_stored_circuits import assert_kept
from zkgpu.circuits.program import Multiply
from zkgpu.inference import compile_model
from zkgpu.zkml.layers.plan import plan_of
from zkgpu.zkml.layers.tables import Tables, table_key
from zkgpu.zkml.operations import ArgMax, IntegerModel, Rows, Total
from zkgpu.zkml.visibility import Visibilities

tested = challenged.tested  # fixture
VOCABULARY, WIDTH = 60, 12
EMBEDDING = np.random.default_rng(1).integers(-400, 400, (VOCABULARY, WIDTH))
TOKENS = [3, 59, 0]


def embedding() -> IntegerModel:
    rows = Rows("e", ("x",), "rows", EMBEDDING, 0)
    return model_of([rows, Total("t", ("rows",), "out")], x=((3,), 0, VOCABULARY - 1))


def test_every_value_of_an_embedding_is_pinned() -> None:
    assert_every_wire_is_pinned(compiled(embedding()), {"x": TOKENS})


@pytest.mark.parametrize("entry", [0, 5, WIDTH - 1])
def test_no_entry_of_an_embedding_is_that_of_another_token(entry: int) -> None:
    def other(*_: Any) -> Any:
        found = EMBEDDING[TOKENS]
        found[1, entry] = EMBEDDING[4, entry]
        return found

    honest = np.bincount(TOKENS, minlength=VOCABULARY)
    hints = {"e/row of a table": other, "table rows 0/multiplicities": lambda *_: honest}
    assert_forgery_fails(unpublished(embedding()), {"x": np.array(TOKENS)}, hints)


def test_an_embedding_is_counted_exactly_its_entries_too() -> None:
    rows = Rows("e", ("x",), "out", np.abs(EMBEDDING) + 1, 1)
    for visibilities in (Visibilities(), Visibilities(inputs={"x": "private"})):
        told, built = sizes(model_of(rows, x=((3,), 1, VOCABULARY)), visibilities)
        assert_same(told, built)
        assert abs(told.entries - built.entries) < 0.1 * built.entries


def test_an_embedding_comes_back_from_a_file() -> None:
    assert_kept(embedding(), {"x": np.array(TOKENS)})


def test_a_whole_language_model_is_counted_exactly_and_comes_back_from_a_file() -> None:
    model = compile_model(llama(every_position=False), sentences(32), bits="stream", limb=8)
    integers = model.quantized(sentences(1, seed=7))
    assert_same(*sizes(model.model, model.visibilities))
    assert_kept(model.model, integers)


def test_tests_at_challenges_prove_a_whole_language_model_too(tested: None) -> None:
    """Scores of turned queries and keys, shares of values that are not written, and rows side by side, all at once."""
    model = compile_model(llama(every_position=False), sentences(32), bits="stream", limb=8)
    ways = Counter(layer.way for layer in model.account.layers)
    assert (ways["scores"], ways["mixture"]) == (2, 2)
    packed = plan_of(model.model, Visibilities()).weighings  # what attention gives, gates, and second layers
    assert len(packed) == 2 * 3
    assert_same(*sizes(model.model, model.visibilities))
    assert_kept(model.model, model.quantized(sentences(1, seed=7)))


def test_layers_that_read_equal_tables_share_one() -> None:
    tables = Tables()
    assert tables.of_rows(EMBEDDING, 0) is tables.of_rows(EMBEDDING.astype(np.int16), 0)
    assert tables.of_rows(EMBEDDING, 0) is not tables.of_rows(EMBEDDING, 1)
    assert tables.of(EMBEDDING[:, 0], 0) is not tables.of_rows(EMBEDDING[:, :1], 0)
    assert table_key(EMBEDDING, 0) != table_key(EMBEDDING.reshape(WIDTH, VOCABULARY), 0)


def largest(n: int) -> IntegerModel:
    return model_of(ArgMax("m", ("x",), "out"), x=((2, n), -9, 9))


def test_the_largest_of_many_is_found_in_as_many_steps_as_that_of_few() -> None:
    steps = [compiled(largest(n)).program.steps for n in (5, 500)]
    few, many = (sum(isinstance(step, Multiply) for step in of_all) for of_all in steps)
    assert few == many


@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_products_that_one_of_the_distances_is_0_are_pinned(n: int) -> None:
    x = np.random.default_rng(2).integers(-9, 10, (2, n))
    assert_every_wire_is_pinned(compiled(largest(n)), {"x": x})


@pytest.mark.parametrize("top", [10, 8])
def test_a_maximum_that_no_entry_has_is_refused_whatever_the_products_are(top: int) -> None:
    """Larger than all: no distance is 0, and the last product is."""
    x = [[1, 9, 3, 5]]
    made = ArgMax("m", ("x",), "out")
    forged(made, x, -9, 9, maximum=lambda *_: np.array([4 * top + 2]), products=lambda *_: np.zeros((2, 1), dtype=int))
    forged(made, x, -9, 9, maximum=lambda *_: np.array([4 * top + 2]))
