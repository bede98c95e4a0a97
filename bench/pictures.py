"""Draws the pictures of README and docs, bench/pictures/*.svg, from the newest lines of bench/results/*.jsonl.

`python bench/pictures.py` (needs matplotlib: pip install '.[docs]'). Each picture has a file for light pages and one
for dark ones. Filled marks were measured by the benches. Dashed curves with hollow marks are other provers' figures
from another machine (published.json), times the ratio of both calibrations; of GPUs, as they were published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from statistics import linear_regression, median

from chart import THEMES, Bars, Chart, Curve, Panel, count, drawn, size_in_bytes, with_powers
from lines import HERE, Line, duration, macs, newest, published, settled_seconds

PICTURES = HERE / "pictures"
PATHS = {"ifma": ("zkgpu", "zkgpu"), "fma": ("zkgpu AVX2", "fma"), "portable": ("zkgpu portable", "portable")}
KERNELS = {"ntt": "Number-theoretic transform", "msm_g1": "Multi-scalar multiplication, G1", "msm_g2": "The same in G2"}
LEAST_FITTED = 3  # sizes of a family that an exponent is fitted to


def measured(
    name: str, color: str, lines: Iterable[Line], *, thin: bool = False, y: Callable[[Line], float] = settled_seconds
) -> Curve:
    """Of lines that have a log_size."""
    ordered = tuple(sorted(lines, key=lambda line: line["log_size"]))
    points = tuple((2.0 ** line["log_size"], y(line)) for line in ordered)
    return Curve(name, color, points, thin=thin, lines=ordered)


def threaded(name: str, threads: int) -> str:
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def ours(bench: str) -> list[Curve]:
    """Proofs by two threads and by one."""
    return [
        measured(threaded("zkgpu", n), "zkgpu", newest(bench, "log_size", threads=n, step="prove"), thin=n == 1)
        for n in (2, 1)
    ]


def beside(prover: str, color: str) -> Curve:
    """A prover that took turns with zkgpu on the same key and witness of a Poseidon chain."""
    lines = newest("peers", "log_size", prover=prover, circuit="chain")
    return measured(prover, color, lines, thin="1 thread" in prover)


def scale() -> float:
    """How much longer a scalar product takes here than where the published figures come from."""
    calibrations = [line["calibration_ns"] for bench in ("primitives", "groth16") for line in newest(bench, "log_size")]
    return float(median(calibrations)) / float(published()["calibration_ns"])


def elsewhere(what: str) -> list[Curve]:
    """All published curves of one operation, scaled."""
    figures = [figure for figure in published()["figures"] if figure["what"] == what]
    return [_published(one, one["peer"], threaded(one["peer"], one["threads"]), scale()) for one in figures]


def _published(figure: Line, color: str, name: str, factor: float = 1.0) -> Curve:
    points = tuple((2.0 ** float(size), seconds * factor) for size, seconds in figure["seconds"].items())
    return Curve(name, color, points, "published", thin=figure.get("threads") == 1)


def scaled_note() -> str:
    return f"Hollow: published figures of another machine × {scale():.2f}, the ratio of scalar products there and here."


def groth16() -> Chart:
    curves = [
        *ours("groth16"),
        beside("zkgpu portable, 1 thread", "portable"),
        beside("groth16py, 1 thread", "groth16py"),
        beside("snarkjs, warm", "snarkjs"),
        *elsewhere("groth16 prove"),
    ]
    panel = Panel("seconds of one proof", "constraints", duration, tuple(curves))
    return Chart("Groth16 proof of a dense circuit", scaled_note(), (panel,))


def plonk() -> Chart:
    panel = Panel("seconds of one proof", "rows", duration, (*ours("plonk"), *elsewhere("plonk prove")))
    return Chart("PLONK proof", scaled_note(), (panel,))


def kernels() -> Chart:
    panels = (Panel(title, _unit(name), duration, tuple(_kernel(name))) for name, title in KERNELS.items())
    return Chart("Kernels on a CPU", scaled_note(), tuple(panels))


def _kernel(name: str) -> list[Curve]:
    """All instruction sets, by threads."""
    mine = [
        measured(threaded(label, n), color, _kernel_lines(name, path, n), thin=n == 1)
        for path, (label, color) in PATHS.items()
        for n in (2, 1)
    ]
    return [*(curve for curve in mine if curve.points), *elsewhere(name)]


def _kernel_lines(name: str, path: str, threads: int) -> list[Line]:
    return newest("primitives", "log_size", primitive=name, path=path, threads=threads)


def _unit(kernel: str) -> str:
    return "values" if kernel == "ntt" else "points"


def gpu() -> Chart:
    panels = (
        Panel(KERNELS["ntt"], "values", duration, _on_gpu("ntt", _kernel_lines("ntt", "ifma", 2))),
        Panel(KERNELS["msm_g1"], "points", duration, _on_gpu("msm_g1", _kernel_lines("msm_g1", "ifma", 2))),
        Panel("Groth16 proof", "constraints", duration, _on_gpu("groth16", ours("groth16")[0].lines)),
    )
    return Chart("One GPU beside two cores", "Hollow: what others published of other GPUs, as it was.", panels)


def _on_gpu(what: str, on_cpu: Iterable[Line]) -> tuple[Curve, ...]:
    """What ran on a GPU, this library on two threads of a CPU, and what others published of GPUs of theirs."""
    lines = newest("gpu", "log_size", primitive=what, circuit="chain")
    name = f"zkgpu, {lines[-1]['device'].split(',')[0]}"
    theirs = [figure for figure in published()["on_gpus"] if figure["what"] == what]
    return (
        measured(name, "gpu", lines, y=lambda line: float(line["best"])),
        measured("zkgpu, CPU, 2 threads", "zkgpu", on_cpu),
        *(_published(figure, "others", "others' GPUs") for figure in theirs),
    )


def models() -> Chart:
    """What large models take, by the products in them; of small architectures the constraints alone."""
    found = newest("large", "model", "weights", "inputs")
    shown = sorted(found, key=lambda line: line.get("inputs") != "private")  # those with public inputs take their place
    lines = list({(x["model"], x["weights"]): x for x in shown if x["model"] in macs()}.values())
    small = [line for line in newest("architectures", "model", weights="public") if line["model"] in macs()]
    panels = (
        _by_size(lines, "constraints", count, lambda line: float(line["constraints"]), small),
        _by_size(lines, "seconds of a proof", duration, lambda line: float(line["prove_seconds"])),
        _by_size(lines, "seconds of the setup", duration, lambda line: float(line["setup_seconds"])),
        _by_size(lines, "memory of a proof", size_in_bytes, lambda line: float(line["prove_anonymous_bytes"])),
    )
    note = "Whole commands on 2 threads; memory beside the mapped key."
    return Chart("Models, by their multiply-accumulates", note, panels)


def _by_size(
    lines: list[Line],
    title: str,
    text: Callable[[float], str],
    y: Callable[[Line], float],
    small: Sequence[Line] = (),
) -> Panel:
    kinds = {"public weights": "zkgpu", "private weights": "snarkjs", "hashed weights": "gnark"}
    of_kind = {kind: [line for line in lines if line["weights"] == kind.split()[0]] for kind in kinds}
    curves = [_marks(kind, kinds[kind], members, y) for kind, members in of_kind.items() if members]
    if small:  # which leave no room for names
        curves = [replace(curve, labels=()) for curve in (*curves, _marks("small architectures", "others", small, y))]
        curves[-1] = replace(curves[-1], thin=True)
    fits: list[Curve] = []
    for family, members in _families(lines).items():
        exponent, curve = _fit(family, members, y)
        title, fits = f"{title}\n{family}: exponent {exponent:.2f}", [*fits, curve]
    return Panel(title, "multiply-accumulates", text, (*curves, *fits), base=10)


def _marks(name: str, color: str, lines: Sequence[Line], y: Callable[[Line], float]) -> Curve:
    points = tuple((float(macs()[line["model"]]), y(line)) for line in lines)
    labels = tuple("" if line["model"] in _family_names(lines) else line["model"] for line in lines)
    return Curve(name, color, points, "marks", lines=tuple(lines), labels=labels)


def _family_names(lines: Sequence[Line]) -> set[str]:
    return {line["model"] for members in _families(lines).values() for line in members}


def _families(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Lines of models NAME_SIZE with public weights, by NAME, where there are enough sizes."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        family, _, size = line["model"].rpartition("_")
        if family and size.isdecimal() and line["weights"] == "public":
            found.setdefault(family, []).append(line)
    return {family: members for family, members in found.items() if len(members) >= LEAST_FITTED}


def _fit(family: str, lines: list[Line], y: Callable[[Line], float]) -> tuple[float, Curve]:
    """e, and the curve of y = c x^e, by least squares of the logarithms."""
    xs = [float(macs()[line["model"]]) for line in lines]
    exponent, constant = linear_regression([math.log(x) for x in xs], [math.log(y(line)) for line in lines])
    ends = tuple((x, math.exp(constant) * x**exponent) for x in (min(xs), max(xs)))
    return exponent, Curve(f"{family}, fitted", "others", ends, "fit")


def startup() -> Chart:
    """Commands as fresh processes, beside snarkjs' where it has one."""
    lines = [line for line in newest("startup", "what", "program", cache="warm") if line.get("program")]
    rows = tuple((with_powers(line["what"]), line["program"], settled_seconds(line)) for line in lines)
    note = "Fresh processes, with kernels compiled before."
    return Chart("A command, from its start to its end", note, (Bars("", rows, tuple(lines)),))


CHARTS: dict[str, Callable[[], Chart]] = {
    chart.__name__: chart for chart in (groth16, plonk, kernels, gpu, models, startup)
}


def main() -> None:
    if find_spec("matplotlib") is None:
        raise SystemExit("pictures are drawn by matplotlib: pip install '.[docs]', then python bench/pictures.py")
    PICTURES.mkdir(exist_ok=True)
    for name, chart in CHARTS.items():
        for theme in THEMES:
            path = PICTURES / f"{name}-{theme}.svg"
            path.write_text(drawn(chart(), theme), encoding="utf-8")
            print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
