"""NVIDIA's run-time compiler without a driver or a GPU: what a kernel becomes on an architecture.

Needs the packages nvidia-cuda-nvrtc, nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm. As a script it prints a table of
all kernels: `python -m tests.gate.nvrtc sm_90 sm_120`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from zkgpu.errors import ResourceError
from zkgpu.gpu import catalogue, nvrtc
from zkgpu.gpu.architectures import BY_NAME
from zkgpu.gpu.source import Source, load

ARCHITECTURES = tuple(BY_NAME)

RATES = Path(__file__).parents[2] / "bench" / "rates.cu"
PRODUCTS = """
using F = ZK_GATE_FIELD;
// loops, as in kernels that live on products: a lone product is scheduled for latency and its multiply-adds are split
ZK_KERNEL(128) product(uint32_t n, const F* a, F* out) {
    F x = out[thread_index()], y = a[thread_index()];
#pragma unroll 1
    for (uint32_t i = 0; i < n; i++) x = mul(x, y);
    out[thread_index()] = x;
}
ZK_KERNEL(128) squaring(uint32_t n, F* out) {
    F x = out[thread_index()];
#pragma unroll 1
    for (uint32_t i = 0; i < n; i++) x = square(x);
    out[thread_index()] = x;
}
"""
MERGED = """
ZK_KERNEL(128) merged_product(uint32_t n, const F* a, F* out) {
    F x = out[thread_index()], y = a[thread_index()];
#pragma unroll 1
    for (uint32_t i = 0; i < n; i++) x = mul_add_mul(x, y, y, x);
    out[thread_index()] = x;
}
"""


@dataclass(frozen=True)
class Usage:
    """What a kernel takes of a thread and a block, and its instructions by name."""

    kernel: str
    registers: int
    stack: int
    shared: int
    local: int
    spills: int
    instructions: Counter[str]

    @property
    def multiply_slots(self) -> int:
        return multiply_slots(self.instructions)


def multiply_slots(instructions: Counter[str]) -> int:
    """Slots of the integer multiplier: a wide multiply-add takes two."""
    wide = sum(n for name, n in instructions.items() if name.startswith("IMAD.WIDE"))
    high = sum(n for name, n in instructions.items() if name.startswith("IMAD.HI"))
    # IMAD.MOV and IMAD.X move and add; IMAD.SHL shifts: they take a slot, but are no products
    return 2 * wide + high + instructions["IMAD"]


def missing() -> str | None:
    """What keeps the gate from running here; None when nothing does."""
    try:
        nvrtc.version(), _tools()
    except (ResourceError, FileNotFoundError) as error:
        return str(error)
    return None


def version() -> str:
    """The compiler's name and version."""
    return "NVRTC {}.{}".format(*nvrtc.version())


def package_file(pattern: str) -> Path:
    """A file of NVIDIA's packages, such as bin/cuobjdump. Raises FileNotFoundError."""
    found = [path for folder in nvrtc.package_folders() for path in folder.glob(pattern)]
    if not found:
        raise FileNotFoundError(f"{pattern} is not installed: pip install 'zkgpu[gate]'")
    return found[0]


@lru_cache
def _tools() -> tuple[Path, Path]:
    return package_file("bin/cuobjdump"), package_file("bin/nvdisasm")


@lru_cache
def compiled(source: Source, architecture: str) -> tuple[bytes, str]:
    """(cubin, the compiler's log). Raises ResourceError when it does not compile."""
    return nvrtc.compiled(source, architecture, "--ptxas-options=-v")


def usages(source: Source, architecture: str) -> list[Usage]:
    """What each kernel of a source takes on an architecture."""
    cubin, log = compiled(source, architecture)
    found, instructions = resources(cubin), _instructions(cubin)
    spills = _spills(log)
    return [
        Usage(name, r["REG"], r["STACK"], r["SHARED"], r["LOCAL"], spills[name], instructions[name])
        for name, r in found.items()
    ]


def _run_tool(tool: Path, option: str, cubin: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        # cuobjdump calls nvdisasm by name
        path = {**os.environ, "PATH": f"{_tools()[1].parent}:{os.environ.get('PATH', '')}"}
        return subprocess.run([tool, option, file.name], capture_output=True, text=True, check=True, env=path).stdout


def resources(cubin: bytes) -> dict[str, dict[str, int]]:
    """What each kernel takes: REG, STACK, SHARED, LOCAL."""
    text = _run_tool(_tools()[0], "--dump-resource-usage", cubin)
    found = re.findall(r"Function (\w+):\s+(.*)", text)
    return {name: {k: int(v) for k, v in re.findall(r"(\w+):(\d+)", line)} for name, line in found}


def listings(cubin: bytes) -> dict[str, list[tuple[int, str, str]]]:
    """(address, instruction, operands) of each kernel, in order."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    current: list[tuple[int, str, str]] = []
    for line in _run_tool(_tools()[0], "--dump-sass", cubin).splitlines():
        if named := re.search(r"Function : (\w+)", line):
            current = found.setdefault(named[1], [])
        elif one := re.search(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]+)([^;]*)", line):
            current.append((int(one[1], 16), one[2], one[3]))
    return found


def _instructions(cubin: bytes) -> dict[str, Counter[str]]:
    return {kernel: Counter(name for _, name, _ in listing) for kernel, listing in listings(cubin).items()}


def _spills(log: str) -> dict[str, int]:
    """Bytes stored and loaded for want of registers, by kernel, as the assembler reports them."""
    pattern = r"Function properties for (\w+)\s.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
    return {name: int(stores) + int(loads) for name, stores, loads in re.findall(pattern, log, re.DOTALL)}


def product_source(curve: str, field: str) -> Source:
    """The products of a field, alone in loops."""
    merged = "" if (curve, field) == ("bls12_381", "Scalar") else MERGED
    text = PRODUCTS.replace("ZK_GATE_FIELD", field) + merged
    return load("grid.cuh", f"{curve}.cuh", text, name=f"{curve}_{field}_products.cu")


def rates_source() -> Source:
    """The kernels that measure instructions on a GPU."""
    return load("grid.cuh", "bn254.cuh", RATES.read_text(), name="bn254_rates.cu")


def all_sources() -> Iterator[Source]:
    yield rates_source()
    yield product_source("bn254", "Scalar")
    yield product_source("bls12_381", "Base")
    yield from catalogue.sources()


def main(architectures: list[str]) -> None:
    print(
        f"{'source':28} {'kernel':22} {'arch':7} {'regs':>4} {'stack':>5} {'local':>5} {'spills':>6} {'IMAD slots':>10}"
    )
    for source in all_sources():
        for architecture in architectures or ARCHITECTURES:
            for u in usages(source, architecture):
                sizes = f"{u.registers:4} {u.stack:5} {u.local:5} {u.spills:6} {u.multiply_slots:10}"
                print(f"{source.name:28} {u.kernel:22} {architecture:7} {sizes}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
