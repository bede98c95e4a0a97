"""Draws the README's pictures, bench/pictures/*.svg, from the newest lines of bench/results/*.jsonl.

`python bench/pictures.py`. Curves with filled marks were measured by the benches. Dashed curves with hollow marks
are other provers' figures from another machine (published.json), times the ratio of the two machines' calibrations; of
GPUs, as they were published.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from chart import Point, Series, draw
from lines import HERE, PUBLISHED, Line, newest, published, settled_seconds

PICTURES = HERE / "pictures"
PATHS = {"ifma": ("zkgpu", "zkgpu"), "fma": ("zkgpu AVX2", "fma"), "portable": ("zkgpu portable", "portable")}


def curve(lines: list[Line]) -> tuple[Point, ...]:
    points = (Point(line["log_size"], settled_seconds(line), line["source"]) for line in lines)
    return tuple(sorted(points, key=lambda point: point.log_size))


def threaded(name: str, threads: int) -> str:
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def ours(bench: str, **wanted: object) -> list[Series]:
    """One curve for each number of threads."""
    return [
        Series(threaded("zkgpu", n), "zkgpu", curve(newest(bench, "log_size", threads=n, **wanted)), thin=n == 1)
        for n in (2, 1)
    ]


def primitive(name: str) -> list[Series]:
    """All instruction sets, by threads."""
    return [
        Series(threaded(label, n), color, curve(_primitive_lines(name, path, n)), thin=n == 1)
        for path, (label, color) in PATHS.items()
        for n in (2, 1)
    ]


def _primitive_lines(name: str, path: str, threads: int) -> list[Line]:
    return newest("primitives", "log_size", primitive=name, path=path, threads=threads)


def beside(prover: str, color: str) -> Series:
    """A prover that took turns with zkgpu on the same key and witness of a Poseidon chain."""
    lines = newest("peers", "log_size", prover=prover, circuit="chain")
    return Series(prover, color, curve(lines), thin="1 thread" in prover)


def scale() -> float:
    """How much longer a scalar product takes here than where the published figures come from."""
    calibrations = [line["calibration_ns"] for bench in ("primitives", "groth16") for line in newest(bench, "log_size")]
    return float(median(calibrations)) / float(published()["calibration_ns"])


def elsewhere(what: str) -> list[Series]:
    """All published curves of one operation, scaled."""
    return [
        Series(
            threaded(figure["peer"], figure["threads"]), figure["peer"], _scaled(figure), figure["threads"] == 1, True
        )
        for figure in published()["figures"]
        if figure["what"] == what
    ]


def _scaled(figure: Line) -> tuple[Point, ...]:
    source = f"{PUBLISHED.name}:{figure['peer']}/{figure['what']}/{figure['threads']}"
    return tuple(Point(int(size), seconds * scale(), source) for size, seconds in figure["seconds"].items())


def groth16() -> list[Series]:
    measured = [
        beside("zkgpu portable, 1 thread", "portable"),
        beside("groth16py, 1 thread", "groth16py"),
        beside("snarkjs, warm", "snarkjs"),
    ]
    return [*ours("groth16", step="prove"), *measured, *elsewhere("groth16 prove")]


def plonk() -> list[Series]:
    return [*ours("plonk", step="prove"), *elsewhere("plonk prove")]


def on_gpu(what: str, on_cpu: list[Line]) -> list[Series]:
    """What ran on a GPU, this library on two threads of a CPU, and what others published of GPUs of theirs."""
    lines = newest("gpu", "log_size", primitive=what, circuit="chain")
    device = str(lines[-1]["device"]).split(",")[0]
    points = tuple(sorted((Point(x["log_size"], x["best"], x["source"]) for x in lines), key=lambda p: p.log_size))
    cpu = Series(threaded("zkgpu, CPU", 2), "zkgpu", curve(on_cpu))
    return [Series(f"zkgpu, {device}", "gpu", points), cpu, *_published_of_gpus(what)]


def _published_of_gpus(what: str) -> list[Series]:
    return [
        Series(figure["peer"], "others", _unscaled(figure), scaled=True)
        for figure in published()["on_gpus"]
        if figure["what"] == what
    ]


def _unscaled(figure: Line) -> tuple[Point, ...]:
    source = f"{PUBLISHED.name}:{figure['peer']}/{figure['what']}"
    return tuple(Point(float(size), seconds, source) for size, seconds in figure["seconds"].items())


def gpu_charts() -> dict[str, tuple[str, str, Callable[[], list[Series]]]]:
    def cpu(name: str) -> list[Line]:
        return _primitive_lines(name, "ifma", 2)

    return {
        "gpu_ntt": ("Number-theoretic transform on a GPU", "values", lambda: on_gpu("ntt", cpu("ntt"))),
        "gpu_msm_g1": ("Sums in G1 on a GPU", "points", lambda: on_gpu("msm_g1", cpu("msm_g1"))),
        "gpu_groth16": (
            "Groth16 proof of a Poseidon chain on a GPU",
            "constraints",
            lambda: on_gpu("groth16", newest("groth16", "log_size", threads=2, step="prove")),
        ),
    }


CHARTS: dict[str, tuple[str, str, Callable[[], list[Series]]]] = {
    "ntt": ("Number-theoretic transform, BN254", "values", lambda: [*primitive("ntt"), *elsewhere("ntt")]),
    "msm_g1": ("Multi-scalar multiplication in G1", "points", lambda: [*primitive("msm_g1"), *elsewhere("msm_g1")]),
    "msm_g2": ("Multi-scalar multiplication in G2", "points", lambda: [*primitive("msm_g2"), *elsewhere("msm_g2")]),
    "groth16": ("Groth16 proof of a dense circuit", "constraints", groth16),
    "plonk": ("PLONK proof", "rows", plonk),
    **gpu_charts(),
}


def picture(name: str) -> str:
    """The SVG of one chart."""
    title, size_name, series = CHARTS[name]
    note = f"CPU of 2 cores; dashed: another machine's figures x {scale():.2f}, the ratio of scalar products"
    if name.startswith("gpu_"):
        note = "hollow marks: what others published of other GPUs, as it was (bench/published.json)"
    return draw(title, note, size_name, series())


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name in CHARTS:
        path = PICTURES / f"{name}.svg"
        path.write_text(picture(name), encoding="utf-8")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
