"""The models of one node that the onnx package tests runtimes with: an answer near onnxruntime's, or a refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import onnx
from zkgpu.errors import FormatError, UsageError
from zkgpu.zkml.compiled import compile_model

LEAST = 1_050  # variants of its 1,884 models that compile


def variants(case: Any) -> Iterator[tuple[Any, dict[str, np.ndarray]]]:
    """The model with all of its inputs computed, and with the first one only; four samples of what the case has."""
    names = [info.name for info in case.model.graph.input]
    given = dict(zip(names, case.data_sets[0][0], strict=True))
    if not all(isinstance(value, np.ndarray | np.generic) for value in given.values()):
        return
    yield case.model, {name: np.stack([value] * 4) for name, value in given.items()}
    if len(names) > 1:
        first = onnx.ModelProto()
        first.CopyFrom(case.model)
        first.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(given[n]), n) for n in names[1:])
        yield first, {names[0]: np.stack([given[names[0]]] * 4)}


def outcome(model: Any, samples: dict[str, np.ndarray]) -> str:
    """Whether it compiles, close to onnxruntime, or is refused in one line. Whatever else is raised is a bug."""
    try:
        compile_model(model, samples, limb=8)
    except (FormatError, UsageError) as error:
        return "refused in many lines" if "\n" in str(error) else "refused"
    return "compiled"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the package's own models overflow in their making
def test_every_node_model_is_answered_or_refused() -> None:
    cases = pytest.importorskip("onnx.backend.test.case.node").collect_testcases()
    found = Counter(outcome(*made) for case in cases if case.model is not None for made in variants(case))
    assert found["compiled"] >= LEAST
    assert set(found) == {"compiled", "refused"}
