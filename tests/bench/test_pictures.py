"""The README's pictures: well-formed, and each mark where a recorded line puts it."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from chart import Axes, Point, Series, draw  # noqa: E402
from lines import RESULTS, published, recorded, settled_seconds  # noqa: E402
from pictures import CHARTS, PICTURES, picture  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def marks(svg):
    """The circles of an SVG that stand for a line."""
    return [circle for circle in ElementTree.fromstring(svg).iter(f"{SVG}circle") if circle.get("data-source")]


def point_of(mark):
    """Size and source, as the mark's own title says them."""
    return re.fullmatch(r".*, 2\^([\d.]+): .* \((.*)\)", mark.find(f"{SVG}title").text).groups()


def published_seconds():
    """What is published, by the place that a mark names."""
    published_now = published()
    figures = {f"{f['peer']}/{f['what']}/{f['threads']}": f["seconds"] for f in published_now["figures"]}
    return figures | {f"{f['peer']}/{f['what']}": f["seconds"] for f in published_now["on_gpus"]}


@pytest.mark.parametrize("name", CHARTS)
def test_every_mark_of_a_kept_picture_stands_for_a_line_that_exists(name):
    drawn = marks((PICTURES / f"{name}.svg").read_text(encoding="utf-8"))
    assert drawn
    for mark in drawn:
        size, source = point_of(mark)
        file, place = source.split(":")
        if file == "published.json":
            assert size in published_seconds()[place]
        else:
            line = json.loads((RESULTS / file).read_text().splitlines()[int(place) - 1])
            assert line["log_size"] == int(size)
            assert line["checked"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_picture_can_be_drawn_again_from_the_lines(name):
    assert len(marks(picture(name))) >= len(marks((PICTURES / f"{name}.svg").read_text(encoding="utf-8")))


def test_marks_of_curves_are_as_high_as_their_lines_say():
    drawn = marks(picture("ntt"))
    heights = {mark.get("data-source"): float(mark.get("cy")) for mark in drawn}
    lines = [line for line in recorded("primitives") if line["source"] in heights]
    by_time = sorted(lines, key=settled_seconds)
    assert len(lines) > 10
    assert [heights[line["source"]] for line in by_time] == sorted((heights[s["source"]] for s in lines), reverse=True)


def test_a_tenfold_time_is_one_decade_up_and_texts_are_escaped():
    points = tuple(Point(size, 10.0**size, f"a.jsonl:{size}") for size in (-3, -2, -1))
    svg = draw("<Proofs> & more", "", "rows", [Series("zkgpu", "zkgpu", points), Series("absent", "gnark", ())])
    low, middle, high = (float(mark.get("cy")) for mark in marks(svg))
    assert low - middle == pytest.approx(middle - high, abs=0.2)
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == "<Proofs> & more"
    assert "absent" not in svg


def test_axes_end_on_a_one_two_or_five():
    axes = Axes.around([Point(12, 0.0031, ""), Point(16, 0.13, "")])
    assert axes.seconds_shown() == [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]


def test_every_time_of_a_bench_tells_what_it_takes_to_compare_it():
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
