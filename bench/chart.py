"""Draws charts by matplotlib: the same SVG every time, once for light pages and once for dark ones.

A chart is plain data. Its digest is written into its files, so that a file tells which figures it shows.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lines import Line, duration

THEMES = {"light": 0, "dark": 1}  # where a color's shade stands
COLORS = {  # on light pages, on dark pages
    "zkgpu": ("#0969da", "#58a6ff"),
    "fma": ("#8a6d00", "#e3b341"),
    "portable": ("#1a9ba1", "#56d4dd"),
    "gnark": ("#bc4c00", "#f0883e"),
    "rapidsnark": ("#a40e6b", "#ff7bac"),
    "rapidsnark for Android": ("#a40e6b", "#ff7bac"),
    "groth16py": ("#1a7f37", "#56d364"),
    "gpu": ("#cf222e", "#ff7b72"),
    "others": ("#6e7781", "#9aa4ae"),
    "snarkjs": ("#8250df", "#bc8cff"),
}
INK, FAINT, GRID = ("#1f2328", "#e6edf3"), ("#59636e", "#9da7b1"), ("#d0d7de", "#3d444d")
LINES = {"marks": "none", "published": (0, (4, 3)), "fit": (0, (1, 2))}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDTH, HEIGHT, SMALL = 7.8, 3.9, 2.9  # inches: of a chart, of its only panel, of one among several


@dataclass(frozen=True)
class Curve:
    """Points (x, y), and how they are joined.

    Attributes:
        color: a name in COLORS
        style: "line"; "published", dashed with hollow marks; "marks", not joined; "fit", no marks
        thin: of one thread
        lines: what the points were recorded in
        labels: a word beside each point, or none
    """

    name: str
    color: str
    points: tuple[tuple[float, float], ...]
    style: str = "line"
    thin: bool = False
    lines: tuple[Line, ...] = field(default=(), repr=False)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Logarithmic axes. Sizes that are powers of two have `base` 2."""

    title: str
    x_name: str
    text: Callable[[float], str] = field(repr=False)  # of a tick of the y axis
    curves: tuple[Curve, ...]
    base: int = 2


@dataclass(frozen=True)
class Bars:
    """Rows (label, of whom, seconds), the first on top; equal labels that follow each other share one."""

    title: str
    rows: tuple[tuple[str, str, float], ...]
    lines: tuple[Line, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Chart:
    title: str
    note: str
    panels: tuple[Panel | Bars, ...]

    @property
    def digest(self) -> str:
        """Of all that is drawn, to six digits."""
        text = re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.6g}", repr((self, self.origin)))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def origin(self) -> str:
        """Machine, dates and commits of what was measured."""
        lines = [line for lines in _recorded(self) for line in lines]
        machines = {f"{line['cpu']}, {line['cores']} cores" if "cpu" in line else line["device"] for line in lines}
        dates, commits = sorted({line["date"] for line in lines}), list(dict.fromkeys(line["commit"] for line in lines))
        named = f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits[:4])}{' ..' if len(commits) > 4 else ''}"
        return f"{'; '.join(sorted(machines))} · {' to '.join(dict.fromkeys((dates[0], dates[-1])))} · {named}"


def _recorded(chart: Chart) -> Iterator[Sequence[Line]]:
    for panel in chart.panels:
        if isinstance(panel, Bars):
            yield panel.lines
        else:
            yield from (curve.lines for curve in panel.curves)


def digest_in(svg: str) -> str:
    """Of which chart a file is; empty if it does not say."""
    found = re.search(r"<dc:identifier>(\w+)</dc:identifier>", svg)
    return found[1] if found else ""


def drawn(chart: Chart, theme: str) -> str:
    """The SVG. Text stays text, so that it can be read and searched."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shade, rows = THEMES[theme], (len(chart.panels) + 1) // 2
    with mpl.rc_context(_settings(shade)):
        figure = Figure(figsize=(WIDTH, HEIGHT if rows == 1 else SMALL * rows), layout="constrained")
        places = list(figure.subplots(rows, 1 if len(chart.panels) == 1 else 2, squeeze=False).flat)
        for axes, panel in zip(places, chart.panels, strict=False):
            _draw(axes, panel, shade)
        _add_legend(figure, places[len(chart.panels) :])
        figure.suptitle(chart.title, x=0.01, ha="left", weight="bold", size=13)
        told = "\n".join(filter(None, (chart.note, chart.origin)))
        figure.supxlabel(told, x=0.01, ha="left", size=8, color=FAINT[shade])
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Title": chart.title, "Identifier": chart.digest})
    return re.sub(r"[ \t]+$", "", out.getvalue(), flags=re.M)


def _settings(shade: int) -> dict[str, Any]:
    colored = ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")
    return {
        "svg.hashsalt": "zkgpu",
        "svg.fonttype": "none",
        "font.sans-serif": ["DejaVu Sans"],  # it comes with matplotlib
        "font.size": 9,
        "savefig.transparent": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.edgecolor": GRID[shade],
        "xtick.color": GRID[shade],
        "ytick.color": GRID[shade],
        "legend.frameon": False,
        **dict.fromkeys(colored, INK[shade]),
    }


def _draw(axes: Any, panel: Panel | Bars, shade: int) -> None:
    if isinstance(panel, Bars):
        _draw_bars(axes, panel, shade)
    else:
        _draw_panel(axes, panel, shade)


def _draw_panel(axes: Any, panel: Panel, shade: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log", base=panel.base)
    axes.set_yscale("log")
    for curve in sorted(panel.curves, key=_height_at_the_end, reverse=True):
        _draw_curve(axes, curve, shade)
    axes.margins(y=0.1)
    _add_labels(axes, panel, shade)
    steps = (1.0,) if _decades(panel) > 3 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=steps, numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.text(value)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _size(value) if panel.base == 2 else count(value)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.grid(color=GRID[shade], linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(panel.x_name)


def _decades(panel: Panel) -> float:
    seen = [y for curve in panel.curves for _, y in curve.points]
    return math.log10(max(seen) / min(seen))


def _height_at_the_end(curve: Curve) -> float:
    """Its value at 2^20, going on as from its first point to its last: by it the legend is sorted."""
    (x, y), (last, high) = min(curve.points), max(curve.points)
    slope = 1.0 if x == last else math.log2(high / y) / math.log2(last / x)
    return math.log2(high) + slope * (20 - math.log2(last))


def _draw_curve(axes: Any, curve: Curve, shade: int) -> None:
    color = COLORS[curve.color][shade]
    axes.plot(
        *zip(*curve.points, strict=True),
        label=curve.name,
        color=color,
        linewidth=1.0 if curve.thin else 2.0,
        linestyle=LINES.get(curve.style, "solid"),
        marker="" if curve.style == "fit" else "o",
        markersize=3.5 if curve.thin else 5,
        markerfacecolor="none" if curve.style == "published" else color,
    )


def _add_labels(axes: Any, panel: Panel, shade: int) -> None:
    """Beside the points, within the axes: by turns above and below."""
    labeled = [pair for curve in panel.curves for pair in zip(curve.points, curve.labels, strict=False) if pair[1]]
    left, right = axes.get_xlim()
    for place, ((x, y), text) in enumerate(sorted(labeled)):
        is_right = x * x > left * right
        offset = (-5 if is_right else 5, 3 if place % 2 else -9)
        side = "right" if is_right else "left"
        axes.annotate(text, (x, y), xytext=offset, textcoords="offset points", ha=side, size=7.5, color=FAINT[shade])


def _draw_bars(axes: Any, bars: Bars, shade: int) -> None:
    labels = [label for label, _, _ in bars.rows]
    seen: set[str] = set()
    for place, (_, whose, seconds) in enumerate(bars.rows):
        name = whose if whose not in seen else f"_{place}"  # matplotlib leaves names with a low line out of legends
        seen.add(whose)
        axes.barh(place, seconds, 0.7, color=COLORS[whose][shade], label=name)
        text, at = duration(seconds), {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(text, (seconds, place), size=8, color=FAINT[shade], **at)
    places = [place for place, label in enumerate(labels) if label not in labels[:place]]
    axes.set_yticks([p + (labels.count(labels[p]) - 1) / 2 for p in places], [labels[p] for p in places])
    axes.invert_yaxis()
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.margins(x=0.12)
    axes.set_title(bars.title, loc="left")


def _add_legend(figure: Any, empty: Sequence[Any]) -> None:
    """In the place that the panels leave free, or right of them."""
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    for axes in empty:
        axes.axis("off")
        axes.legend(named.values(), named.keys(), fontsize=8, loc="center left")
    if not empty:
        figure.legend(named.values(), named.keys(), fontsize=8, loc="outside right center")


def _size(value: float) -> str:
    return with_powers(f"2^{round(math.log2(value))}")


def with_powers(text: str) -> str:
    """2^12 as 2¹²."""
    return re.sub(r"\^(\d+)", lambda found: found[1].translate(SUPERSCRIPTS), text)


def count(value: float) -> str:
    """1,500,000 as 1.5 M."""
    for unit, size in ((" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def size_in_bytes(value: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"
