"""Models of other libraries as ONNX: estimators of scikit-learn by skl2onnx, modules of PyTorch by torch.onnx."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from zkgpu.errors import UsageError
from zkgpu.extras import EXTRAS
from zkgpu.zkml.samples import loaded

_OPSET = 18  # of the operators that estimators become
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # colors of a terminal
_ELSEWHERE = ("xgboost", "lightgbm", "catboost")  # whose estimators skl2onnx does not convert
_UNKNOWN = {"x": (0, 0)}  # the input of a model before it is known


def as_onnx(source: Any, example: Any = None) -> Any:
    """The source as `OnnxModel.read` takes it: an estimator or a module converted, anything else as it is.

    Args:
        example: what the model takes, from which inputs and their names, and a module's shapes are taken: an array or a
            tensor, a mapping of such by name, a tuple of a module's arguments, a table of pandas, or a file of samples

    Raises UsageError where the converter is not installed, does not take the model, or nothing says what it takes.
    """
    if _is_a(source, "sklearn.base", "BaseEstimator"):
        return _from_estimator(source, example)
    if _is_a(source, "torch.nn.modules.module", "Module"):
        return _from_module(source, example)
    return source


def _is_a(source: Any, module: str, name: str) -> bool:
    """Whether it is of a class of a library, which is not imported for that."""
    return any((kind.__module__, kind.__name__) == (module, name) for kind in type(source).__mro__)


def _require(extra: str, what: str) -> None:
    if not EXTRAS[extra].is_installed:
        needed = EXTRAS[extra]
        raise UsageError(f"{what} needs the package {needed.package}: {needed.hint()}, or give an ONNX file")


def _converted(what: str, error: BaseException) -> UsageError:
    """With the reason that a converter gives last: what it raises itself may say no more than at which step it was."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _ESCAPES.sub("", str(error)).strip().splitlines() or [type(error).__name__]
    return UsageError(f"{what}: {lines[0]} ({type(error).__name__})")


# scikit-learn


def _from_estimator(estimator: Any, example: Any) -> Any:
    """One input 'x' of a row of numbers; or one a column, of its name, where the example has columns by name."""
    library = type(estimator).__module__.partition(".")[0]
    if library in _ELSEWHERE:
        raise UsageError(
            f"an estimator of {library} is converted by that library or by onnxmltools: give its ONNX file"
        )
    _require("sklearn", "an estimator of scikit-learn")
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    columns = _columns(example)
    if columns is None:
        inputs = [("x", FloatTensorType([None, _features(estimator, example)]))]
    else:
        inputs = [(name, FloatTensorType([None, 1])) for name in columns]
    opset = min(_OPSET, skl2onnx.__max_supported_opset__)
    try:
        return skl2onnx.convert_sklearn(estimator, initial_types=inputs, target_opset={"": opset, "ai.onnx.ml": 3})
    except Exception as error:  # each converter raises what it likes
        raise _converted("skl2onnx cannot convert this estimator", error) from error


def _columns(example: Any) -> list[str] | None:
    """The names of columns, where there are several."""
    if hasattr(example, "columns") and hasattr(example, "to_numpy"):
        return [str(name) for name in example.columns]
    return list(example) if isinstance(example, Mapping) and len(example) > 1 else None


def _features(estimator: Any, example: Any) -> int:
    found = getattr(estimator, "n_features_in_", None)
    if found is None and example is not None:
        found = np.asarray(loaded(example, _UNKNOWN)).shape[-1]
    if found is None:
        raise UsageError("the estimator does not say how many features it takes: fit it first, or give an example")
    return int(found)


# PyTorch


def _from_module(module: Any, example: Any) -> Any:
    """The module in evaluation mode, traced with the example; inputs have the names of its arguments."""
    _require("torch", "a module of PyTorch")
    import torch

    if example is None:
        raise UsageError("a module of PyTorch needs an example of its inputs: give example=, a batch of one")
    example = loaded(example, _UNKNOWN)
    named = example if isinstance(example, Mapping) else {}
    weights = [weight.dtype for weight in module.parameters() if weight.is_floating_point()]
    kind = next(iter(weights), torch.float32)
    by_name = {name: _tensor(torch, value, kind) for name, value in named.items()}
    given = example if isinstance(example, tuple) else (example,)
    arguments = () if by_name else tuple(_tensor(torch, value, kind) for value in given)
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(module, arguments, kwargs=by_name or None, dynamo=True, verbose=False)
        return made.model_proto
    except Exception as error:  # of whatever the module's own code raises
        raise _converted("torch.onnx cannot export this module with this example", error) from error
    finally:
        module.train(was_training)


def _tensor(torch: Any, value: Any, kind: Any) -> Any:
    """A tensor as it is; of an array the first entry, as a batch of one, in the type that modules take.

    Args:
        kind: of real numbers, torch's: that of the module's weights
    """
    if isinstance(value, torch.Tensor):
        return value
    first = np.asarray(value)[:1]
    kinds = {"f": np.float32, "i": np.int64, "u": np.int64}
    made = torch.from_numpy(np.ascontiguousarray(first.astype(kinds.get(first.dtype.kind, first.dtype))))
    return made.to(kind) if made.is_floating_point() else made
