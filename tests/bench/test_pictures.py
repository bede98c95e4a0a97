"""The README's pictures: drawn from the lines as they are now, and told so by their files."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from chart import COLORS, THEMES, Bars, Chart, Curve, Panel, digest_in, drawn  # noqa: E402
from lines import RESULTS, duration, macs, recorded  # noqa: E402
from pictures import CHARTS, PICTURES, _fit  # noqa: E402

FILES = [(name, theme) for name in CHARTS for theme in THEMES]
STALE = "it shows other lines than bench/results has: run python bench/pictures.py"


def kept(name: str, theme: str) -> str:
    return (PICTURES / f"{name}-{theme}.svg").read_text(encoding="utf-8")


@functools.cache
def chart_of(name: str) -> Chart:
    return CHARTS[name]()


def curves(chart: Chart) -> list[Curve]:
    return [curve for panel in chart.panels if isinstance(panel, Panel) for curve in panel.curves]


def of(points: tuple[tuple[float, float], ...], **facts: str) -> Chart:
    line = {"cpu": "A", "cores": 2, "date": "2026-01-01", "commit": "abc", **facts}
    return Chart(
        "<Proofs> & more", "", (Panel("seconds", "rows", duration, (Curve("x", "zkgpu", points, lines=(line,)),)),)
    )


@pytest.mark.parametrize(("name", "theme"), FILES)
def test_a_kept_picture_is_of_the_lines_as_they_are(name: str, theme: str) -> None:
    assert digest_in(kept(name, theme)) == chart_of(name).digest, STALE


def test_no_other_picture_is_kept() -> None:
    assert {path.name for path in PICTURES.iterdir()} == {f"{name}-{theme}.svg" for name, theme in FILES}


@pytest.mark.parametrize(
    ("name", "theme"), [("startup", "light"), pytest.param("groth16", "dark", marks=pytest.mark.slow)]
)
def test_drawing_one_again_gives_the_same_bytes(name: str, theme: str) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="no matplotlib: pip install '.[docs]'")
    if f"Matplotlib v{matplotlib.__version__}," not in kept(name, theme):
        pytest.skip("it was drawn by another version of matplotlib")
    assert drawn(chart_of(name), theme) == kept(name, theme)


@pytest.mark.parametrize(("name", "theme"), FILES)
def test_a_picture_says_what_machine_and_when_and_has_no_ground_of_its_own(name: str, theme: str) -> None:
    svg = kept(name, theme)
    texts = {text.text for text in ElementTree.fromstring(svg).iter() if text.tag.endswith(("text", "tspan"))}
    assert chart_of(name).origin in texts
    assert re.search(r"2 cores.* · 2026-\d\d-\d\d.* · commits? [0-9a-f]{7}", chart_of(name).origin)
    assert "fill: #ffffff" not in svg
    assert len(svg) < 100_000


def test_the_points_of_a_curve_are_the_seconds_of_its_lines() -> None:
    for curve in curves(chart_of("groth16")):
        assert len(curve.points) >= 3
        for (size, seconds), line in zip(curve.points, curve.lines, strict=False):
            assert size == 2 ** line["log_size"]
            assert line["checked"]
            assert seconds in (line["seconds"], line["best"], line.get("cpu_seconds"))


def test_a_digest_is_of_figures_names_and_conditions() -> None:
    points = ((4.0, 1.0), (8.0, 2.0))
    digests = {of(points).digest, of(((4.0, 1.0), (8.0, 2.1))).digest, of(points, commit="abd").digest}
    assert len(digests) == 3
    assert of(points).digest == of(points).digest
    assert digest_in("<svg/>") == ""


def test_texts_are_escaped_and_found_again() -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install '.[docs]'")
    svg = drawn(of(((4.0, 1.0), (8.0, 2.0))), "light")
    assert "&lt;Proofs&gt; &amp; more" in svg
    assert digest_in(svg) == of(((4.0, 1.0), (8.0, 2.0))).digest


def test_an_exponent_is_fitted_to_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pictures.macs", lambda: {"a_1": 10, "a_2": 100, "a_3": 1000})
    lines = [{"model": f"a_{k}", "y": 5.0 * 10 ** (0.5 * k)} for k in (1, 2, 3)]
    exponent, fit = _fit("a", lines, lambda line: line["y"])
    assert (exponent, fit.name) == (pytest.approx(0.5), "a, fitted")
    assert [x for x, _ in fit.points] == [10, 1000]
    assert [y for _, y in fit.points] == pytest.approx([5 * 10**0.5, 5 * 10**1.5])


def test_models_are_drawn_once_and_all_that_are_recorded() -> None:
    lines = [line for curve in curves(chart_of("models")) for line in curve.lines if line["bench"] == "large"]
    assert {line["model"] for line in lines} == {line["model"] for line in recorded("large")}, (
        "python bench/macs.py NAME counts the others"
    )
    panels = len(chart_of("models").panels)
    assert len(lines) == panels * len({(line["model"], line["weights"]) for line in lines})


def test_products_are_counted_by_shapes() -> None:
    pytest.importorskip("onnx")
    names = ["growth_4", "mlp_million", "bionetta", "lenet"]
    asked = (
        f"from macs import counted; print(*map(counted, {names}))"  # elsewhere: other tests have models of their own
    )
    path = os.pathsep.join((str(BENCH), str(BENCH.parent)))
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [int(count) for count in done.stdout.split()] == [macs()[name] for name in names]
    assert macs()["mlp_million"] == 784 * 1024 + 1024 * 256 + 256 * 10
    assert (
        macs()["growth_4"]
        == 32 * 32 * 9 * (3 * 4 + 4 * 4) + 16 * 16 * 9 * (4 * 8 + 8 * 8) + 8 * 8 * 9 * 8 * 16 + 16 * 10
    )


def test_bars_have_colors_of_their_owners() -> None:
    (bars,) = chart_of("startup").panels
    assert isinstance(bars, Bars)
    assert {whose for _, whose, _ in bars.rows} <= set(COLORS)
    assert len(bars.rows) == len(bars.lines)


def test_every_time_of_a_bench_tells_what_it_takes_to_compare_it() -> None:
    of_any, of_cpus = {"checked", "best", "repeats"}, {"calibration_ns", "load", "cores", "threads"}
    timed = 0
    for path in RESULTS.glob("*.jsonl"):
        for line in recorded(path.stem):
            assert {"bench", "commit"} <= line.keys(), line["source"]
            if "seconds" in line:
                timed += 1
                conditions = {"device"} if line["bench"] == "gpu" else of_cpus
                assert of_any | conditions <= line.keys(), line["source"]
                assert line["checked"], line["source"]
    assert timed > 100
