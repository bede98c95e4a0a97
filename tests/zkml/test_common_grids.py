"""Tables that layers with the same function share: which do, and that none of them loses a step."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from tests.zkml.test_residual_streams import gpt, sentences
from zkgpu.inference import compile_model
from zkgpu.zkml.functions import gelu, sigmoid
from zkgpu.zkml.graph import Node
from zkgpu.zkml.layers.tables import table_key
from zkgpu.zkml.lowering.common_grids import SPREAD, Grid, Reader, behavior, grids_of
from zkgpu.zkml.operations import Lookup


def readers(*reaches: float) -> list[Reader]:
    return [Reader(f"{i}", -reach, reach, 2 * reach / 4095) for i, reach in enumerate(reaches)]


def rows(grids: dict[str, Grid]) -> float:
    return sum(grid.rows for grid in set(grids.values()))


def fewest_rows(of: list[Reader]) -> float:
    """By trying all partitions of neighbors."""
    order = sorted(of, key=lambda reader: reader.scale)
    found = []
    for count in range(len(order)):
        for cuts in combinations(range(1, len(order)), count):
            ends = [0, *cuts, len(order)]
            parts = [order[a:b] for a, b in pairwise(ends)]
            if all(part[-1].scale <= part[0].scale * 2**SPREAD for part in parts):
                found.append(sum(Grid.of(part).rows for part in parts))
    return min(found)


@pytest.mark.parametrize(
    ("reaches", "tables"),
    [
        ((3.0,), 1),
        ((3.0, 3.1, 2.9, 3.3), 1),
        ((1.0, 3.0), 2),
        ((1.0, 1.1, 30.0, 31.0, 29.0), 2),
        ((1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 3.9), 2),
        (tuple(4.0**i for i in range(6)), 6),
    ],
)
def test_layers_that_reach_about_as_far_share_and_the_rows_are_the_fewest(
    reaches: tuple[float, ...], tables: int
) -> None:
    found = grids_of(readers(*reaches))
    assert len(set(found.values())) == tables
    assert rows(found) == pytest.approx(fewest_rows(readers(*reaches)))
    assert rows(found) <= 4095 * len(reaches) * (1 + 1e-9)


def test_no_layer_gets_a_coarser_unit_or_a_shorter_range() -> None:
    reaches = np.random.default_rng(1).lognormal(1, 1, 9)
    given = readers(*reaches)
    found = grids_of(given)
    for reader in given:
        low, high = found[reader.name].span
        assert low <= reader.low < reader.high <= high
        assert reader.scale / 2**SPREAD <= found[reader.name].scale <= reader.scale


def test_functions_are_told_apart_by_what_they_give() -> None:
    nodes = [Node(f"{f}", "Function", ("x",), ("y",), {"function": f}) for f in (gelu, lambda x: gelu(x), sigmoid)]
    first, again, other = map(behavior, nodes)
    assert first == again != other


def functions(limb: int = 8) -> tuple[list[Lookup], float]:
    """Those of a language model of two layers, and how far it is from the float model."""
    model = compile_model(gpt(), sentences(40), bits="stream", limb=limb)
    assert model.accuracy is not None
    return [op for op in model.model.operations if isinstance(op, Lookup)], model.accuracy.outputs[0].error


def test_a_language_model_has_one_table_of_its_function_no_coarser_than_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared, error = functions()
    monkeypatch.setattr("zkgpu.zkml.lowering.scales.grids_of", lambda readers: {})
    alone, error_of_several = functions()
    assert len(shared) == len(alone) == 2
    assert len({table_key(op.table, op.first) for op in shared}) == 1
    assert len({table_key(op.table, op.first) for op in alone}) == 2
    # values of the layer that reaches farther take more units of the other's, which are the finer ones
    assert max(op.table.max() for op in alone) < 0.999 * shared[0].table.max()
    assert max(len(op.table) for op in alone) < len(shared[0].table) < sum(len(op.table) for op in alone)
    assert error < 1.1 * error_of_several
