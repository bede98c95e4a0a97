"""Prints the tables of docs/reference, in Markdown, from the newest line of each figure in bench/results/*.jsonl.

`python bench/table.py --aims` prints what was aimed at, what was measured, and the best other prover.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import aims
from lines import Line, duration, newest, settled_seconds


def pivot(
    title: str, lines: Iterable[Line], row: Callable[[Line], str], cell: Callable[[Line], str], column: str = "log_size"
) -> None:
    """One row for each value of `row`, one column for each value of `column`."""
    cells: dict[str, dict[Any, str]] = {}
    for line in lines:
        cells.setdefault(row(line), {})[line[column]] = cell(line)
    columns = sorted({c for values in cells.values() for c in values})
    if not cells:
        return
    print(f"| {title} | " + " | ".join(f"2^{c}" for c in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, values in cells.items():
        print(f"| {name} | " + " | ".join(values.get(c, "") for c in columns) + " |")
    print()


def seconds(line: Line) -> str:
    return duration(settled_seconds(line))


def with_ratio(line: Line) -> str:
    """The clock's time, and how much more of the processor's time it took than zkgpu on one thread."""
    return f"{seconds(line)} ({line['cpu_over_zkgpu_1_thread']:.2g}x cpu)"


def with_threads(name: str) -> Callable[[Line], str]:
    """Labels such as "prove, 2 threads", where the line gives threads."""

    def label(line: Line) -> str:
        parts = [line[name], line.get("path"), _threads(line)]
        return ", ".join(part for part in parts if part)

    return label


def _threads(line: Line) -> str | None:
    count = line.get("threads")
    return f"{count} thread{'s' if count > 1 else ''}" if count else None


def memory(line: Line) -> str:
    return f"{(line['peak_bytes'] - line['idle_bytes']) / 2**20:.0f} MB"


def print_inference() -> None:
    """One row a model, with public and with private weights."""
    lines = newest("inference", "model", "weights")
    pairs: dict[str, dict[str, Line]] = {}
    for line in lines:
        pairs.setdefault(line["title"], {})[line["weights"]] = line
    if not pairs:
        return
    print("| weights public / private | constraints | prove | setup | memory | gas | answers as float |")
    print("|---" * 7 + "|")
    for title, pair in pairs.items():
        kinds = [pair[w] for w in ("public", "private") if w in pair]
        cells = (" / ".join(cell(line) for line in kinds) for cell in INFERENCE_CELLS)
        print(f"| {title} | " + " | ".join(cells) + f" | {_answers(kinds[0])} |")
    print()


def print_architectures() -> None:
    """One row a model and visibility of weights."""
    lines = newest("architectures", "model", "weights")
    if not lines:
        return
    heads = ("architecture", "weights", "constraints", "error", "agreement", "compile", "setup", "prove", "memory")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    for line in lines:
        seconds_of = (duration(line[f"{step}_seconds"]) for step in ("compile", "setup"))
        found = (f"{line['constraints']:,}", f"{line['error']:.1%}", f"{line['agreement']:.0%}", *seconds_of)
        print(f"| {' | '.join((line['model'], line['weights'], *found, seconds(line), megabytes(line)))} |")
    print()


def megabytes(line: Line) -> str:
    return f"{line['peak_bytes'] / 2**20:,.0f} MB"


INFERENCE_CELLS: tuple[Callable[[Line], str], ...] = (
    lambda line: f"{line['constraints']:,}",
    seconds,
    lambda line: duration(line["setup_seconds"]),
    megabytes,
    lambda line: f"{line['gas']:,}" if line["gas"] else "",
)


def _answers(line: Line) -> str:
    """Of classifiers how many answers are the float model's; of others the error."""
    if line["classifier"]:
        return f"{line['agreeing']} of {line['samples']}"
    return f"error {line['error']:.1%}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--aims", action="store_true", help="the table of aims alone")
    if options.parse_args().aims:
        aims.print_table()
    else:
        print_measured()


def print_measured() -> None:
    for circuit in ("chain", "sha256"):
        peers = newest("peers", "prover", "log_size", circuit=circuit)
        pivot(f"one proof, the same key and witness: {circuit}", peers, lambda line: line["prover"], with_ratio)
    print_protocols()
    lines = newest("primitives", "primitive", "path", "threads", "log_size")
    pivot("primitive", lines, with_threads("primitive"), seconds)
    print_starts()
    print_gate()


def print_protocols() -> None:
    steps = newest("groth16", "step", "threads", "log_size")
    pivot("step", steps, with_threads("step"), seconds)
    proofs = [line for line in steps if line["step"] == "prove"]
    pivot("memory beyond the mapped key and the idle process", proofs, with_threads("step"), memory)
    print_inference()
    print_architectures()
    plonk = newest("plonk", "step", "threads", "log_size")
    pivot("PLONK step", plonk, with_threads("step"), seconds)
    proofs = [line for line in plonk if line["step"] == "prove"]
    pivot("PLONK memory beyond the mapped key and the idle process", proofs, with_threads("step"), memory)


def print_starts() -> None:
    starts = newest("startup", "what", "cache")
    if starts:
        print("| a fresh process | |\n|---|---|")
    for line in starts:
        cache = f", {line['cache']} cache" if "cache" in line else ""
        print(f"| {line['what']}{cache} | {duration(line['seconds'])} |")


def print_gate() -> None:
    """Kernels by architecture, as recorded last: registers a thread, and bytes that are not kept in any."""
    lines = newest("gate", "module", "kernel", "architecture")
    newest_text = {line["module"]: line["digest"] for line in newest("gate", "module")}
    lines = [line for line in lines if line["digest"] == newest_text[line["module"]]]
    architectures = sorted({line["architecture"] for line in lines}, key=lambda name: int(name[3:]))
    cells = {(line["module"], line["kernel"], line["architecture"]): line for line in lines}
    if not cells:
        return
    print("| kernel: registers; multiplier slots | " + " | ".join(architectures) + " |")
    print("|---" * (len(architectures) + 1) + "|")
    for module, kernel in dict.fromkeys((module, kernel) for module, kernel, _ in cells):
        found = (cells.get((module, kernel, name)) for name in architectures)
        print(f"| {module} {kernel} | " + " | ".join(of_compiler(line) if line else "" for line in found) + " |")
    print()


def of_compiler(line: Line) -> str:
    memory = {name: line[name] for name in ("spills", "stack", "local") if line[name]}
    outside = "".join(f", {size} B {name}" for name, size in memory.items())
    return f"{line['registers']}; {line['multiply_slots']}{outside}"


if __name__ == "__main__":
    main()
