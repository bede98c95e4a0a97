"""Draws one chart, seconds against size on logarithmic axes, as an SVG that reads well on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from lines import duration

WIDTH, HEIGHT = 800, 440  # of the page
LEFT, RIGHT, TOP, BOTTOM = 76, 590, 64, 392  # the plot's edges; the legend stands right of it
LEGEND, LEGEND_STEP = RIGHT + 20, 20
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
COLOURS = {  # on light pages, on dark pages
    "zkgpu": ("#0969da", "#58a6ff"),
    "fma": ("#8a6d00", "#e3b341"),
    "portable": ("#1a9ba1", "#56d4dd"),
    "gnark": ("#bc4c00", "#f0883e"),
    "rapidsnark": ("#a40e6b", "#ff7bac"),
    "groth16py": ("#1a7f37", "#56d364"),
    "gpu": ("#cf222e", "#ff7b72"),
    "others": ("#6e7781", "#8b949e"),
    "snarkjs": ("#8250df", "#bc8cff"),
}
PAGE, TEXT, GRID = ("#ffffff", "#0d1117"), ("#1f2328", "#e6edf3"), ("#d8dee4", "#30363d")


@dataclass(frozen=True)
class Point:
    """A size's logarithm, seconds, and the line of a file that says so."""

    log_size: float
    seconds: float
    source: str


@dataclass(frozen=True)
class Series:
    """One curve.

    color   a name in COLOURS
    thin     on one thread
    scaled   measured on another machine: dashed, with hollow marks
    """

    name: str
    color: str
    points: tuple[Point, ...]
    thin: bool = False
    scaled: bool = False

    @property
    def style(self) -> str:
        return f'class="{self.color}{" thin" if self.thin else ""}{" scaled" if self.scaled else ""}"'


@dataclass(frozen=True)
class Axes:
    """From sizes and seconds to places on the page."""

    sizes: tuple[int, int]
    decades: tuple[float, float]

    @staticmethod
    def around(points: Sequence[Point]) -> Axes:
        """Axes that hold all points; the lowest and the highest second are a 1, 2 or 5 of some decade."""
        sizes = [p.log_size for p in points]
        low, high = min(p.seconds for p in points), max(p.seconds for p in points)
        below = max(tick for tick in _ticks() if tick <= low)
        above = min(tick for tick in _ticks() if tick >= high)
        return Axes((floor(min(sizes)), ceil(max(sizes))), (log10(below), log10(above)))

    def x(self, log_size: float) -> float:
        low, high = self.sizes
        return LEFT + (log_size - low) / max(high - low, 1) * (RIGHT - LEFT)

    def y(self, seconds: float) -> float:
        low, high = self.decades
        return BOTTOM - (log10(seconds) - low) / (high - low) * (BOTTOM - TOP)

    def seconds_shown(self) -> list[float]:
        low, high = self.decades
        return [tick for tick in _ticks() if low - 1e-9 <= log10(tick) <= high + 1e-9]


def _ticks() -> list[float]:
    return [float(f"{digit}e{decade}") for decade in range(-7, 4) for digit in (1, 2, 5)]


def draw(title: str, subtitle: str, size_name: str, curves: Sequence[Series]) -> str:
    """The SVG of the curves that have points; its legend is sorted as their last points are, slowest first."""
    series = sorted((s for s in curves if s.points), key=lambda s: -_at_the_end(s))
    axes = Axes.around([point for s in series for point in s.points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        _text(LEFT, 28, title, "title"),
        _text(LEFT, 48, subtitle, "note"),
        *_grid(axes),
        _text((LEFT + RIGHT) / 2, BOTTOM + 38, size_name, "middle"),
        *(_curve(axes, s) for s in series),
        *(_legend(s, TOP + 10 + LEGEND_STEP * i) for i, s in enumerate(series)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _at_the_end(series: Series) -> float:
    """Its seconds at 2^20, going on as from its first point to its last: curves of few sizes find their place too."""
    first, last = series.points[0], series.points[-1]
    steps = max(last.log_size - first.log_size, 1.0)
    return log10(last.seconds) + (20 - last.log_size) * log10(last.seconds / first.seconds) / steps


def _style() -> str:
    common = (
        "text{font:12px system-ui,sans-serif}.title{font-size:16px;font-weight:600}.note{font-size:11px}"
        ".middle{text-anchor:middle}.end{text-anchor:end}.curve{fill:none!important;stroke-width:2.6}"
        ".thin .curve{stroke-width:1.3}.scaled .curve{stroke-dasharray:6 4}.mark{stroke-width:1.6}"
    )
    return f"{common}{_colors(0)}@media(prefers-color-scheme:dark){{{_colors(1)}}}"


def _colors(dark: int) -> str:
    """The colors of light pages, or of dark ones. Plain rules: not every viewer has CSS variables."""
    page = f"text{{fill:{TEXT[dark]}}}.grid{{stroke:{GRID[dark]}}}.page,.scaled .mark{{fill:{PAGE[dark]}}}"
    return "".join(f".{name}{{stroke:{c[dark]};fill:{c[dark]}}}" for name, c in COLOURS.items()) + page


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'


def _grid(axes: Axes) -> list[str]:
    parts = []
    for seconds in axes.seconds_shown():
        y = axes.y(seconds)
        parts += [f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>', _text(LEFT - 8, y + 4, duration(seconds), "end")]
    for log_size in range(axes.sizes[0], axes.sizes[1] + 1):
        x = axes.x(log_size)
        label = f"2{str(log_size).translate(SUPERSCRIPTS)}"
        parts += [f'<path class="grid" d="M{x:.1f} {TOP}V{BOTTOM}"/>', _text(x, BOTTOM + 18, label, "middle")]
    return parts


def _curve(axes: Axes, series: Series) -> str:
    corners = " ".join(f"{axes.x(p.log_size):.1f},{axes.y(p.seconds):.1f}" for p in series.points)
    marks = "".join(_mark(axes, series, point) for point in series.points)
    return f'<g {series.style}><polyline class="curve" points="{corners}"/>{marks}</g>'


def _mark(axes: Axes, series: Series, point: Point) -> str:
    title = f"{series.name}, 2^{point.log_size:g}: {duration(point.seconds)} ({point.source})"
    place = f'cx="{axes.x(point.log_size):.1f}" cy="{axes.y(point.seconds):.1f}" r="{2.6 if series.thin else 3.4}"'
    return f'<circle class="mark" {place} data-source="{point.source}"><title>{escape(title)}</title></circle>'


def _legend(series: Series, y: float) -> str:
    mark = f'<circle class="mark" cx="{LEGEND + 13}" cy="{y}" r="{2.6 if series.thin else 3.4}"/>'
    swatch = f'<path class="curve" d="M{LEGEND} {y}h26"/>{mark}'
    return f"<g {series.style}>{swatch}</g>{_text(LEGEND + 34, y + 4, series.name)}"
