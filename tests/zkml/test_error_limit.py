"""How far integers may be from floats: measured on samples held out, refused beyond a limit, reported below it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli.program import main
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import compile_model
from zkgpu.zkml import accuracy as report
from zkgpu.zkml import comparing

SAMPLES = normal(64, 6)


def good():
    return model([node("Gemm", "x w", "z"), node("Tanh", "z", "out")], {"x": ("N", 6)}, weights={"w": normal(6, 5)})


def bad_scores():
    return model([node("MatMul", "x w", "z"), node("Relu", "z", "out")], {"x": ("N", 6)}, weights={"w": normal(6, 3)})


FAR = SAMPLES.copy()
FAR[0] = 1e4  # a single row beside which all others are nothing, in every column


def test_a_model_far_from_its_floats_is_refused_naming_the_worst_layer() -> None:
    with pytest.raises(FormatError, match=r"output 'out' agrees in .*%.*its error is .*%; the worst layer is node '/"):
        compile_model(bad_scores(), FAR, limb=6)


def test_what_is_allowed_is_compiled_and_told() -> None:
    with pytest.raises(FormatError, match="--allow-error"):
        compile_model(bad_scores(), FAR, limb=6)
    compiled = compile_model(bad_scores(), FAR, limb=6, allow_error=2.0)
    assert compiled.accuracy.amiss > 0.05
    assert any("worst layer" in line for line in compiled.accuracy.warnings)
    for wrong in (-0.1, float("nan")):
        with pytest.raises(UsageError, match="a share"):
            compile_model(good(), SAMPLES, limb=6, allow_error=wrong)


def test_a_good_model_has_nothing_to_tell() -> None:
    compiled = compile_model(good(), SAMPLES, limb=6)
    assert (compiled.accuracy.samples, compiled.accuracy.held_out, compiled.accuracy.warnings) == (16, True, ())


def test_the_figure_comes_from_samples_that_the_calibration_has_not_seen() -> None:
    """Every fourth sample is larger than the others: that shows where it is held out, and only there."""
    samples = SAMPLES / 16
    samples[3::4] *= 16
    with pytest.raises(FormatError, match="its error is"):
        compile_model(good(), samples, limb=6)
    compiled = compile_model(good(), np.roll(samples, 1, axis=0), limb=6)
    assert compiled.accuracy.amiss < 0.05


def test_a_proof_of_a_sample_that_was_held_out_is_not_refused() -> None:
    compiled = compile_model(good(), SAMPLES, limb=6)
    assert all(compiled.quantized(sample) for sample in SAMPLES)


def test_with_few_samples_it_says_so() -> None:
    compiled = compile_model(good(), SAMPLES[:31], limb=6)
    (line,) = compiled.accuracy.warnings
    assert "31 samples of the calibration: give 32 or more" in line
    assert compile_model(good(), SAMPLES[:12], test_data=SAMPLES[:12], limb=6).accuracy.held_out


def test_what_a_comparison_says_is_judged_by_agreement() -> None:
    """As numbers, one wrong answer in fifty of rare ones would be an error of a third."""
    truths = [
        [node("Gemm", "x w", "z"), node("Greater", "z t", "g"), node("Cast", "g", "out", to=1)],
        [node("Gemm", "x w", "z"), node("Greater", "z t", "g"), node("Where", "g one zero", "out")],
        [node("Gemm", "x w", "z"), node("Tanh", "z", "u"), node("Greater", "u t", "g"), node("Cast", "g", "out", to=1)],
    ]
    weights = {"w": normal(6, 5), "t": np.array(0.9), "one": np.array(1.0), "zero": np.array(0.0)}
    for nodes in truths:
        used = {name: value for name, value in weights.items() if any(name in n.input for n in nodes)}
        compiled = compile_model(model(nodes, {"x": ("N", 6)}, weights=used), SAMPLES, limb=6)
        (output,) = compiled.accuracy.outputs
        assert output.named
        assert output.agreement >= 0.95


def test_shares_are_no_truths_because_they_lie_between_0_and_1() -> None:
    """A Relu of 0 to 1 in whole units, of numbers that are none."""
    shares = model(
        [node("Clip", "x lo hi", "out")], {"x": ("N", 6)}, weights={"lo": np.array(0.0), "hi": np.array(1.0)}
    )
    (output,) = compile_model(shares, SAMPLES, limb=6).accuracy.outputs
    assert not output.named
    assert 0 < output.error < 0.02


def accuracy(samples: int = 100, **figures: object) -> report.Accuracy:
    output = report.OutputAccuracy("y", **{"agreement": 1.0, "error": 0.0, **figures})
    return report.Accuracy(samples, (output,), ("y", 0.0), {"y": 0.0})


@pytest.mark.parametrize(
    ("figures", "amiss"),
    [
        ({"error": 0.06}, 0.06),
        ({"error": float("nan")}, np.inf),
        ({"agreement": 0.5}, 0.0),  # near ties, of which `clear` says that they are
        ({"clear": 0.9}, 0.09),
        ({"agreement": 0.9, "named": True}, 0.09),
        ({"error": 9.0, "named": True}, -0.01),  # the distance of two classes' numbers means nothing
    ],
)
def test_what_counts_of_an_output(figures: dict[str, object], amiss: float) -> None:
    assert accuracy(**figures).amiss == pytest.approx(amiss)


def test_one_other_answer_is_luck_among_many_and_not_among_few() -> None:
    assert accuracy(samples=8, agreement=7 / 8, named=True).amiss <= 0
    assert accuracy(samples=4, agreement=3 / 4, named=True).amiss == 0.25


def run(capsys, *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments)])
    return int(stopped.value.code or 0), capsys.readouterr().err


def test_the_command_refuses_with_exit_3_and_warns_where_it_is_allowed(tmp_path, capsys) -> None:
    onnx.save(bad_scores(), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", FAR)
    given = ["zkml", "compile", tmp_path / "m.onnx", "--calibrate", tmp_path / "x.npy", "-o", tmp_path / "build"]
    code, errors = run(capsys, *given)
    assert code == 3
    assert "the worst layer is node '/" in errors
    assert not (tmp_path / "build").exists()
    code, errors = run(capsys, *given, "--allow-error", 2)
    assert code == 0
    assert "the worst layer is" in errors


def test_what_is_no_sample_of_usual_size_is_told_by_the_inputs() -> None:
    samples = normal(16, 6)
    assert comparing.of_usual_size({"x": samples}).all()
    samples[3] *= 100
    assert np.flatnonzero(~comparing.of_usual_size({"x": samples, "y": normal(16, 2)})).tolist() == [3]
    assert comparing.of_usual_size({"x": samples[:4]}).all()  # too few to tell
    samples[4:] = 0
    assert comparing.of_usual_size({"x": samples}).all()  # most are nothing


def test_what_is_to_be_0_has_no_error_as_a_share_of_it() -> None:
    """Each row is a sample: the square of its difference, and that of its float value."""
    assert comparing._relative(np.array([[2.0, 0.0], [3.0, 0.0]])) == 0.0
    assert comparing._relative(np.array([[1.0, 0.0], [3.0, 16.0]])) == 0.5


def test_an_attempt_that_fails_leaves_what_was_made_before(monkeypatch) -> None:
    from zkgpu.zkml import choosing

    def failing(*_: object) -> object:
        raise FormatError("no scale fits")

    proto, samples = bad_scores(), FAR.copy()
    samples[3] = 2e4
    monkeypatch.setattr(choosing, "_SMALL", -1)
    best = choosing._quantized
    monkeypatch.setattr(
        choosing, "_quantized", lambda g, b, wanted, limb: (failing if wanted.ramps else best)(g, b, wanted, limb)
    )
    assert not compile_model(proto, samples, limb=6, allow_error=9).recipe.settings.ramps
