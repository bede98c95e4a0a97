"""Estimators of scikit-learn and modules of PyTorch are compiled as they are: the same answers, and clear refusals.

Neither library is in the environment of the tests: where it is missing, only the refusals are tested.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import normal
from zkgpu.errors import UsageError
from zkgpu.inference import check, compile_model

ROWS = normal(60, 4)
LABELS = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)


def class_of(module: str, name: str) -> type:
    """A class that says to be of another library."""
    return type(name, (), {"__module__": module})


@pytest.mark.parametrize(
    ("base", "package", "extra"),
    [
        (("sklearn.base", "BaseEstimator"), "skl2onnx", "sklearn"),
        (("torch.nn.modules.module", "Module"), "onnxscript", "torch"),
    ],
)
def test_without_its_package_the_message_says_what_to_install(
    base: Any, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = type("Mine", (class_of(*base),), {})()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    for ask in (lambda: compile_model(model, ROWS), lambda: check(model)):
        with pytest.raises(UsageError, match=rf"pip install 'zkgpu\[{extra}\]'"):
            ask()


# scikit-learn


def test_a_fitted_pipeline_is_compiled() -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
    compiled = compile_model(fitted, ROWS, limb=6)
    label = next(tensor.name for tensor in compiled.model.outputs if "label" in tensor.name)
    found = compiled.predict(ROWS)[label]
    assert (found == fitted.predict(ROWS)).mean() >= 0.98
    assert check(fitted).is_supported


def test_columns_of_a_table_are_inputs_of_their_names(tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    pandas = pytest.importorskip("pandas")
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    table = pandas.DataFrame(ROWS, columns=["a", "b (cm)", "c", "d"])
    parts = ColumnTransformer([("one", StandardScaler(), ["a", "c"]), ("two", MinMaxScaler(), ["b (cm)", "d"])])
    fitted = make_pipeline(parts, LinearRegression()).fit(table, ROWS @ [1.0, 2.0, 3.0, 4.0])
    compiled = compile_model(fitted, table, limb=6)
    assert len(compiled.model.inputs) == 4
    wanted = fitted.predict(table)
    table.assign(more=1.0).to_csv(tmp_path / "table.csv", index=False)
    for given in (table, tmp_path / "table.csv"):
        found = compiled.predict(given)["variable"].ravel()
        assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_an_estimator_that_is_not_fitted_or_not_known_is_refused() -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LinearRegression

    class Own(BaseEstimator):
        n_features_in_ = 4

    with pytest.raises(UsageError, match="fit it first"):
        check(LinearRegression())
    with pytest.raises(UsageError, match="skl2onnx cannot convert"):
        compile_model(Own(), ROWS)


# PyTorch


def network() -> Any:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.ReLU(), torch.nn.Linear(8, 2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_module_is_compiled_in_evaluation_mode_and_left_as_it_was() -> None:
    module = network()
    torch = pytest.importorskip("torch")
    compiled = compile_model(module, ROWS, limb=6, weights="private")
    assert module.training
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(ROWS.astype(np.float32))).numpy()
    (found,) = compiled.predict(ROWS).values()
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    assert check(module, example=torch.zeros(1, 4)).is_supported
    with torch.no_grad():
        module[0].weight *= 0.9
    assert compiled.with_weights(module).predict(ROWS).keys() == compiled.predict(ROWS).keys()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_arguments_of_a_module_are_inputs_of_their_names() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Both(torch.nn.Module):
        def forward(self, left: Any, right: Any) -> Any:
            return torch.relu(left) + right

    compiled = compile_model(Both(), {"right": ROWS, "left": ROWS}, limb=6)
    assert {tensor.name for tensor in compiled.model.inputs} == {"left", "right"}
    with pytest.raises(UsageError, match="cannot export this module"):
        compile_model(Both(), {"right": ROWS, "up": ROWS})
    with pytest.raises(UsageError, match="needs an example"):
        check(Both())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_a_module_of_other_numbers_than_single_ones_takes_an_example_of_its_own(kind: str) -> None:
    torch = pytest.importorskip("torch")
    module = network().to(getattr(torch, kind))
    compiled = compile_model(module, torch.from_numpy(ROWS).requires_grad_(), limb=6, example=ROWS)
    (found,) = compiled.predict(torch.from_numpy(ROWS).requires_grad_()).values()
    with torch.no_grad():
        wanted = network().eval()(torch.from_numpy(ROWS.astype(np.float32))).numpy()
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
