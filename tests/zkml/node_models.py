"""The models of one node that the onnx package tests runtimes with, and what is made of each.

`python -m tests.zkml.node_models` tries them all, takes minutes, and writes the file of expected outcomes anew.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from zkgpu.errors import ZkgpuError
from zkgpu.inference import CompiledModel, compile_model

EXPECTED = Path(__file__).parents[1] / "data" / "onnx" / "node_models.json"
RIGHT, INACCURATE, REFUSED, WRONG, ERROR = "right", "inaccurate", "refused", "wrong", "error"
BEST_FIRST = (RIGHT, INACCURATE, REFUSED)
DISPUTED = {f"test_resize_downsample_scales_{kind}_align_corners" for kind in ("linear", "cubic")}
"""Of which onnxruntime, whose answers zkgpu's are held against, gives others than the package."""
SAMPLES = 4
NEAR = 0.05  # of an output's size


def cases() -> list[Any]:
    """Those of which all inputs are numbers."""
    with warnings.catch_warnings():  # the package's own models overflow in their making
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases()
    return [case for case in found if case.model is not None and case.name not in DISPUTED and _has_numbers(case)]


def _has_numbers(case: Any) -> bool:
    given = case.data_sets[0][0]
    return bool(given) and all(isinstance(value, np.ndarray | np.generic) for value in given)


def variants(case: Any) -> Iterator[tuple[Any, dict[str, np.ndarray]]]:
    """The model with all of its inputs computed, with the first only, and with the last only; with samples."""
    names = [info.name for info in case.model.graph.input]
    given = dict(zip(names, case.data_sets[0][0], strict=False))
    for kept in [list(given)] if len(given) == 1 else [list(given), names[:1], names[-1:]]:
        made = onnx.ModelProto()
        made.CopyFrom(case.model)
        known = [onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in given.items() if n not in kept]
        made.graph.initializer.extend(known)
        yield made, {name: np.stack([given[name]] * SAMPLES) for name in kept if name in given}


def outcome(case: Any, *, until_right: bool = False) -> str:
    """The worst that a variant does that it must not, or else the best that one does.

    Args:
        until_right: leave the other variants out when one is right
    """
    found = set()
    for model, samples in variants(case):
        found.add(outcome_of(model, samples, case.data_sets[0][1]))
        if until_right and RIGHT in found:
            break
    bad = found & {ERROR, WRONG}
    return ERROR if ERROR in bad else WRONG if bad else next(kind for kind in BEST_FIRST if kind in found)


def outcome_of(model: Any, samples: Mapping[str, np.ndarray], wanted: Iterable[Any]) -> str:
    """What one model does. Whatever is raised that names no fault of the model is a bug."""
    try:
        compiled = compile_model(model, samples, limb=8, allow_error=np.inf)
        answers = compiled.predict({name: values[0] for name, values in samples.items()}, clamp=True)
    except ZkgpuError as error:
        return REFUSED if "\n" not in str(error) else ERROR
    except Exception:
        return ERROR
    names = [info.name for info in model.graph.output]
    right = all(is_near(answers[n], v) for n, v in zip(names, wanted, strict=False) if n in answers)
    return RIGHT if right else INACCURATE if is_refused(compiled) else WRONG


def is_near(found: np.ndarray, wanted: Any) -> bool:
    """Of the same shape, and within a twentieth by the root of the mean square; of whole numbers most are equal."""
    expected = np.asarray(wanted)
    if found.shape != expected.shape:
        return False
    if expected.dtype.kind in "iub" and expected.size and (found == expected).mean() >= 1 - NEAR:
        return True
    finite = np.isfinite(expected)
    distance = np.sqrt(((found - expected.astype(np.float64))[finite] ** 2).sum())
    return bool(distance <= NEAR * np.sqrt((expected.astype(np.float64)[finite] ** 2).sum()))


def is_refused(compiled: CompiledModel) -> bool:
    """Whether it is compiled only because any error was allowed."""
    return compiled.accuracy is None or not compiled.accuracy.amiss <= 0.05


def expected() -> dict[str, Any]:
    """The counts by outcome, and the names of those that are not refused."""
    found: dict[str, Any] = json.loads(EXPECTED.read_text())
    return found


def summary(outcomes: Mapping[str, str]) -> dict[str, Any]:
    named = {kind: sorted(name for name, found in outcomes.items() if found == kind) for kind in (RIGHT, INACCURATE)}
    plain = Counter(found for name, found in outcomes.items() if "_expanded" not in name)
    return {
        "onnx": onnx.__version__,
        "all": dict(Counter(outcomes.values()).most_common()),
        "without expanded ones": dict(plain.most_common()),
        **named,
    }


if __name__ == "__main__":
    outcomes = {case.name: outcome(case) for case in cases()}
    for name, found in outcomes.items():
        if found in (WRONG, ERROR):
            print(name, found)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else EXPECTED
    target.write_text(json.dumps(summary(outcomes), indent=1) + "\n")
