"""What NVIDIA's tile compiler makes of bench/tile_kernels.py, beside our own kernels, without a GPU.

    python bench/tiles.py [sm_90 sm_100 ...]     # lines to bench/results/tiles.jsonl; half a minute an architecture
    python bench/tiles.py --keep FOLDER sm_90    # also the cubins: what bench/gpu_run measures where it finds them

Counted are the instructions of a kernel's inner loop, of all of it where it has none: of a warp, as they are issued.
Needs `pip install 'zkgpu[tile,gate]'`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import ROOT, commit
from lines import RESULTS

sys.path.insert(0, str(ROOT))  # the gate compiles, this records
from tests.gate import nvrtc
from zkgpu.gpu.source import load

FILE = RESULTS / "tiles.jsonl"
TILE = (128, 128, 128)  # rows, columns and depth of a block's share of a product of bytes
TENSOR = re.compile("IGMMA|IMMA|UTC.*MMA")
MULTIPLIES = re.compile(f"{TENSOR.pattern}|IDP|IMAD.WIDE")
WAITING = 16  # instructions: shorter loops wait for a barrier


def main(architectures: list[str], keep: Path | None) -> None:
    os.environ["PATH"] = (
        f"{nvrtc.package_file('bin/tileiras').parent}:{os.environ.get('PATH', '')}"  # cuda.tile calls it by name
    )
    for architecture in architectures:
        for line in [*ours(architecture), *theirs(architecture, keep)]:
            with FILE.open("a") as file:
                file.write(json.dumps({"bench": "tiles", **conditions(), "architecture": architecture, **line}) + "\n")
            print(f"{architecture:8} {line['kernel']:16} {line['language']:5} {line['instructions']:6,} {line['most']}")


def conditions() -> dict[str, Any]:
    return {"commit": commit(), "date": time.strftime("%Y-%m-%d")}


def ours(architecture: str) -> Iterator[dict[str, Any]]:
    """The kernels of cuda/ that do the same."""
    for source, kernel in ((nvrtc.product_source("bn254", "Scalar"), "product"), (load("matmul.cu"), "multiply_bytes")):
        cubin, _ = nvrtc.compiled(source, architecture)
        yield {"kernel": kernel, "language": "CUDA", **counts(cubin, kernel)}


def theirs(architecture: str, keep: Path | None) -> Iterator[dict[str, Any]]:
    """Those of the tile language, with what compiling them takes."""
    from cuda.tile.compilation import export_kernel

    for name, kernel, signature in signatures():
        start, file = time.perf_counter(), io.BytesIO()
        export_kernel(kernel, [signature], file, gpu_code=architecture, output_format="cubin")
        took = {"compile_seconds": round(time.perf_counter() - start, 1), "cubin_bytes": len(file.getvalue())}
        if keep:
            (keep / f"{name}.{architecture}.cubin").write_bytes(file.getvalue())
        yield {"kernel": name, "language": "tile", **counts(file.getvalue(), signature.symbol), **took}


def signatures() -> Iterator[tuple[str, Any, Any]]:
    """(name, kernel, types of its arguments): rows of arrays start at multiples of 16 bytes."""
    import cuda.tile as ct
    import tile_kernels
    from cuda.tile.compilation import (
        ArrayConstraint,
        CallingConvention,
        ConstantConstraint,
        KernelSignature,
        ScalarConstraint,
    )

    def array(dtype: Any) -> Any:
        lasting = {"stride_constant": (None, 1), "stride_divisible_by": (16, 1), "base_addr_divisible_by": 16}
        free = {"stride_lower_bound_incl": 0, "alias_groups": (), "may_alias_internally": False}
        return ArrayConstraint(dtype, 2, index_dtype=ct.int32, **lasting, **free)

    planes, number = array(ct.uint32), ScalarConstraint(ct.int32)
    parameters = {
        "products": [planes, planes, number],
        "pass_of_four": [planes, planes, planes, number],
        "multiply_bytes": [array(ct.int8), array(ct.int8), array(ct.int32), *map(ConstantConstraint, TILE)],
    }
    for name, types in parameters.items():
        yield name, getattr(tile_kernels, name), KernelSignature(types, CallingConvention.cutile_python_v1(), name)


def counts(cubin: bytes, kernel: str) -> dict[str, Any]:
    """Registers, and the instructions of the inner loop."""
    taken = nvrtc.resources(cubin)[kernel]
    loop = inner_loop(nvrtc.listings(cubin)[kernel])
    return {
        "registers": taken["REG"],
        "shared": taken["SHARED"],
        "instructions": sum(loop.values()),
        "multiply_slots": nvrtc.multiply_slots(loop),
        "most": dict(loop.most_common(6)),
        "tensor": {name: n for name, n in loop.items() if TENSOR.match(name)},
    }


def inner_loop(listing: list[tuple[int, str, str]]) -> Counter[str]:
    """Instructions by name of the loop that multiplies most densely; of the whole kernel where none multiplies."""
    loops = [Counter(name for at, name, _ in listing if first <= at <= last) for first, last in backward(listing)]
    working = [loop for loop in loops if sum(loop.values()) > WAITING and multiplies(loop)]
    return max(
        working, key=lambda loop: multiplies(loop) / sum(loop.values()), default=Counter(n for _, n, _ in listing)
    )


def backward(listing: list[tuple[int, str, str]]) -> Iterator[tuple[int, int]]:
    """From where to where branches go back. The last instruction of a kernel branches to itself."""
    for at, name, operands in listing:
        target = re.search(r"0x([0-9a-f]+)", operands)
        if name.startswith("BRA") and target and int(target[1], 16) < at:
            yield int(target[1], 16), at


def multiplies(loop: Counter[str]) -> int:
    return sum(n for name, n in loop.items() if MULTIPLIES.match(name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", default=["sm_90", "sm_100"])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the cubins of the tile kernels here")
    chosen = parser.parse_args()
    main(chosen.architectures, chosen.keep)
