"""What becomes of tabular models: every kind that skl2onnx converts, with several tables, float and proven.

    python bench/tabular.py                               # all pairs: an hour of one core
    python bench/tabular.py --kind SVC --table iris       # those whose names hold these words
    python bench/tabular.py --prove                       # and a proof of one row of each, set up and verified

prints a line a pair and appends it to bench/results/tabular.jsonl; then the counts. Models are fitted to three quarters
of a table, converted with the converters' defaults but zipmap, compiled with zkgpu's, and asked for rows of the last
quarter: by onnxruntime, and by the integers that a proof would show. Numbers out of an input's range are brought to its
end (`clamped_rows`); rows are refused, and not compared, where a clamp would move values within the model far
(`refused_rows`). What compile refuses is no failure, but its reason is told. Needs scikit-learn and skl2onnx, and for
their kinds xgboost, lightgbm and onnxmltools.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

try:
    import onnxruntime
    from skl2onnx import to_onnx
    from tabular_kinds import CLASSIFY, KINDS, REGRESS, Kind, Table, pairs, shortened, table
except ImportError as error:
    raise SystemExit(f"tabular: {error}: pip install scikit-learn skl2onnx onnxmltools xgboost lightgbm") from error

from harness import context  # noqa: E402
from lines import RESULTS  # noqa: E402

from zkgpu import open_backend  # noqa: E402
from zkgpu.errors import UsageError, ZkgpuError  # noqa: E402
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup, verify  # noqa: E402

_CALIBRATION, _TESTED = 200, 200  # rows at most
_PROVEN = 200_000  # constraints at most, of pairs that are proven
_CLOSE = 0.01  # of the largest number: how far an answer that agrees may be
_LEAST_AGREEMENT = 0.99
_OLDER = {"": 18, "ai.onnx.ml": 3}  # opsets
_SECONDS = 600  # a pair

Line = dict[str, Any]


def converted(kind: Kind, given: Table) -> Any:
    """The fitted estimator as ONNX has it."""
    estimator = kind.make().fit(given.x, *([given.y] if kind.task != "describe" else []))
    if type(estimator).__module__.startswith(("xgboost", "lightgbm")):
        return _by_onnxmltools(estimator, given.x.shape[1])
    tries: list[dict[str, Any]] = [{}, {"target_opset": _OLDER}]
    tries += [{"options": {id(estimator): {"zipmap": False}}, **one} for one in tries] if kind.task == CLASSIFY else []
    for options in tries[::-1]:  # some have no such option, some know older operators only
        try:
            return to_onnx(estimator, given.x[:1], **options)
        except Exception as error:
            reason = error
    raise reason


def _by_onnxmltools(estimator: Any, width: int) -> Any:
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert = convert_xgboost if type(estimator).__module__.startswith("xgboost") else convert_lightgbm
    given = {} if convert is convert_xgboost else {"zipmap": False}
    return convert(estimator, initial_types=[("X", FloatTensorType([None, width]))], **given)


def tried(kind: Kind, name: str, limb: int | None, prove: bool) -> Line:
    """The facts of one pair."""
    given = shortened(table(name)) if kind.keeps_rows else table(name)
    found: Line = {"model": kind.name, "table": name, **({"limb": limb} if limb else {})}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = converted(kind, given)
    except Exception as error:  # of the estimator or its converter: of any kind
        return {**found, "result": "not converted", "reason": _first_line(error)}
    try:
        with _no_longer_than(_SECONDS):
            compiled = compile_model(model, given.x[:_CALIBRATION], limb=limb)
            found |= _compared(kind, compiled, model, given)
            found["constraints"] = compiled.circuit.r1cs.n_constraints
    except ZkgpuError as error:
        result = "too far off" if "allow-error" in str(error) else "refused"
        return {**found, "result": result, "reason": _first_line(error)}
    except Exception as error:
        traceback.print_exc()
        return {**found, "result": "crashed", "reason": f"{type(error).__name__}: {_first_line(error)}"}
    found["result"] = "compiled"
    if prove and found["constraints"] <= _PROVEN:
        found["proven"] = _proven(compiled, given.x_test[0])
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def _no_longer_than(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _compared(kind: Kind, compiled: CompiledModel, model: Any, given: Table) -> Line:
    """Scores of both models, and how far their answers agree, on rows that neither fitting nor compiling has seen."""
    x, y = given.x_test[:_TESTED], given.y_test[:_TESTED]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in compiled.model.outputs]
    answers = [session.run(names, {session.get_inputs()[0].name: row[None]}) for row in x]
    floats = [np.stack(one) for one in zip(*answers, strict=True)]
    predicted = [_predicted(compiled, row) for row in x]
    kept = [i for i, row in enumerate(predicted) if row is not None]
    x, y, floats = x[kept], y[kept], [one[kept] for one in floats]
    rows = [row for row in predicted if row is not None]
    proven = [np.stack([row[name] for row in rows]) for name in names]
    moved = [sum(compiled.count_moved(row[None]).values()) for row in x]
    main = next((i for i, one in enumerate(floats) if one.dtype.kind in "iub"), 0)  # the label, where there is one
    found: Line = {
        "rows": len(x),
        "refused_rows": len(predicted) - len(kept),
        "clamped_rows": int(np.count_nonzero(moved)),
        "agreement": round(_agreement(floats[main], proven[main]), 4),
        "error": round(max(map(_error, floats, proven)), 5),
    }
    score = {CLASSIFY: _accuracy, REGRESS: _r2}.get(kind.task)
    if score is not None:
        found |= {"float_score": score(y, floats[main]), "proven_score": score(y, proven[main])}
    return found


def _predicted(compiled: CompiledModel, row: NDArray[Any]) -> dict[str, NDArray[Any]] | None:
    """The answers for a row whose inputs are brought to the ends of their ranges; None where it is refused."""
    try:
        found = compiled.run(compiled.quantized(row[None], clamp=True))
    except UsageError:
        return None
    return {t.name: np.asarray(found[t.name], dtype=np.float64) * t.scale for t in compiled.model.outputs}


def _agreement(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The share of rows all of whose numbers are close; whole numbers must be equal."""
    wanted, found = wanted.reshape(len(wanted), -1), found.reshape(len(found), -1)
    allowed = 0 if wanted.dtype.kind in "iub" else _CLOSE * float(np.abs(wanted).max())
    return float((np.abs(found - wanted) <= allowed).all(axis=1).mean())


def _error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The root of the mean squared difference, over that of the float values; of whole numbers, 0."""
    if wanted.dtype.kind in "iub":
        return 0.0
    wanted, found = wanted.ravel().astype(np.float64), found.ravel()
    return float(np.sqrt(((found - wanted) ** 2).sum() / max((wanted**2).sum(), 1e-300)))


def _accuracy(y: NDArray[Any], labels: NDArray[Any]) -> float:
    return round(float((np.ravel(labels) == y).mean()), 4)


def _r2(y: NDArray[Any], found: NDArray[Any]) -> float:
    return round(1 - float(((np.ravel(found) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()), 4)


def _proven(compiled: CompiledModel, row: NDArray[Any]) -> str:
    """What was checked: a proof of one row is accepted, and none with an output changed."""
    backend = open_backend(threads=1)
    key = unsafe_setup(compiled, backend)
    statement = Prover(compiled, key, backend).prove(row[None], clamp=True)
    if not verify(key.verifying_key, statement):
        raise SystemExit("a proof was refused")
    return "one proof accepted"


def counts(lines: list[Line]) -> list[str]:
    """What became of the pairs, in a few lines."""
    results = Counter(line["result"] for line in lines)
    compiled = [line for line in lines if line["result"] == "compiled"]
    below = [line for line in compiled if line["agreement"] < _LEAST_AGREEMENT]
    told = [f"{len(lines)} pairs: " + ", ".join(f"{count} {result}" for result, count in results.most_common())]
    told.append(f"compiled, but below 99 % of agreement: {len(below)}")
    told += [f"  {one['model']} on {one['table']}: {one['agreement']}" for one in below]
    reasons = Counter(
        (line["result"], line["model"], line["reason"][:120]) for line in lines if line["result"] != "compiled"
    )
    told += [f"  {n} x {result}: {model}: {reason}" for (result, model, reason), n in reasons.most_common()]
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="", help="only kinds whose name holds this")
    parser.add_argument("--table", default="", help="only tables whose name holds this")
    parser.add_argument("--limb", type=int, help="one width of limbs, instead of the best of nine: quicker")
    parser.add_argument("--prove", action="store_true", help="prove and verify a row of each pair as well")
    parser.add_argument("--to", type=Path, default=RESULTS / "tabular.jsonl", help="where lines are appended")
    chosen = parser.parse_args()
    lines = []
    for kind, name in pairs(tuple(kind for kind in KINDS if chosen.kind in kind.name)):
        if chosen.table in name:
            line = tried(kind, name, chosen.limb, chosen.prove)
            with chosen.to.open("a") as file:
                file.write(json.dumps({"bench": "tabular", **context(), **line}) + "\n")
            facts = {k: v for k, v in line.items() if k not in ("model", "table", "result")}
            print(f"{line['model']:<50} {name:<14} {line['result']:<14}", *facts.values(), flush=True)
            lines.append(line)
    print("\n".join(counts(lines)))


if __name__ == "__main__":
    main()
