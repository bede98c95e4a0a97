"""Models of millions of weights, by the commands that people use: what each step takes, and what an EVM says.

    python bench/large.py                       # the names
    python bench/large.py resnet18_cifar        # compile, setup, prove and verify it, each in a process of its own
    python bench/large.py resnet18_cifar --private    # with an image that only the prover knows
    python bench/large.py gpt2_16 --estimate    # only what `zkgpu zkml estimate` says
    python bench/large.py resnet18_cifar --folder /tmp/large    # keep the build folder

appends a line to bench/results/large.jsonl. Weights are random. The key is for tests only. A proof must show about what
onnxruntime answers, must verify, and must not with its last value changed; the contract must agree on both, where node
and an EVM are there. Seconds are of whole commands; `anonymous_bytes` is the most memory that a command held beside the
files that it maps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "solidity")]

import onnx  # noqa: E402
from harness import Recorder  # noqa: E402
from inference import on_chain  # noqa: E402
from measuring import Measurement  # noqa: E402
from models.large import CALIBRATION, LARGE  # noqa: E402

from zkgpu.formats.public_values import read_public_values  # noqa: E402
from zkgpu.groth16.json import read_proof, read_verifying_key  # noqa: E402
from zkgpu.inference import verify  # noqa: E402
from zkgpu.provers.statement import Statement  # noqa: E402

TEST = 32  # samples
PROOFS = 2
FARTHEST = 0.15  # share of its size that a proven answer may be from onnxruntime's
PAUSE = 0.05  # seconds between two looks at a process
MAIN = "from zkgpu.cli import command; command()"


@dataclass(frozen=True)
class Run:
    """One command: what it answered with --json, seconds by the clock and of the processor, and its memory."""

    answer: Mapping[str, Any]
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    anonymous_bytes: int


def run(*arguments: object) -> Run:
    """`zkgpu --json ARGUMENTS`. Raises SystemExit with its message when it fails."""
    command = [sys.executable, "-c", MAIN, "--json", *map(str, arguments)]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    most = [0]
    watch = threading.Thread(target=_watch, args=(process.pid, most))
    watch.start()
    out, told = _read(process)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    watch.join()
    if status:
        raise SystemExit(f"zkgpu {arguments[0]} {arguments[1]}: {told.decode().strip()[-500:] or out.decode()[-500:]}")
    return Run(json.loads(out), seconds, used.ru_utime + used.ru_stime, used.ru_maxrss << 10, most[0])


def _read(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    assert process.stdout
    assert process.stderr
    told: list[bytes] = []
    reader = threading.Thread(target=lambda: told.append(process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    out = process.stdout.read()
    reader.join()
    return out, told[0]


def _watch(pid: int, most: list[int]) -> None:
    """Keeps the largest anonymous memory of a process until it is gone."""
    for size in _anonymous_bytes(pid):
        most[0] = max(most[0], size)
        time.sleep(PAUSE)


def _anonymous_bytes(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        while found := re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            yield int(found[1]) << 10


def record(name: str, folder: Path, private: bool) -> None:
    """All steps of one model, and its line. Raises SystemExit for a wrong result.

    Args:
        private: whether only the prover knows the inputs, so that the contract reads nothing but the answer
    """
    weights, model, out = LARGE[name][0], folder / "model.onnx", folder / "build"
    sample, parameters = _written_in(name, folder)
    data = ["--calibrate", folder / "calibration.npz", "--test", folder / "test.npz", "--weights", weights]
    data += [option for tensor in sample for option in ("--private", tensor)] if private else []
    compiled = run("zkml", "compile", model, *data, "-o", out, "--force", "--allow-error", 1)
    made = run("zkml", "setup", out, "--unsafe", "--force")
    proof, public = folder / "proof.json", folder / "public.json"
    proofs = [run("zkml", "prove", out, folder / "sample.npz", "-o", proof, "--public", public) for _ in range(PROOFS)]
    checked = run("zkml", "verify", out, proof, "--public", public)
    distance = _distance(model, sample, checked.answer)
    if not distance <= FARTHEST:
        raise SystemExit(f"{name}: the proven answer is {distance:.1%} from onnxruntime's")
    accuracy = list(compiled.answer["accuracy"].values())
    facts = {
        "parameters": parameters,
        "constraints": compiled.answer["costs"]["constraints"],
        "domain": made.answer["domain"],
        "key_bytes": (out / "key.zkey").stat().st_size,
        "error": max(one["error"] for one in accuracy),
        "agreement": min(one["agreement"] for one in accuracy),
        "proven_error": round(distance, 5),
        "estimate": compiled.answer["costs"],
        **_costs(compile=compiled, setup=made, prove=proofs[-1], verify=checked),
        **_verdicts(out, proof, public),
    }
    best = Measurement(tuple(p.seconds for p in proofs), tuple(p.cpu_seconds for p in proofs))
    Recorder("large").add(
        best,
        model=name,
        inputs="private" if private else "public",
        weights=weights,
        threads=os.cpu_count(),
        **facts,
        checked="as onnxruntime; changed: refused",
    )


def _written_in(name: str, folder: Path) -> tuple[Mapping[str, Any], int]:
    """The sample that is to be proven, and how many weights the model has, which lies in the folder with its samples.

    By a process of its own: the memory that it takes to make a large model is then free again.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_write, name, folder).result()


def _write(name: str, folder: Path) -> tuple[Mapping[str, Any], int]:
    """Files of the model and its samples; see `_written_in`."""
    architecture = LARGE[name][1]()
    large = architecture.model.ByteSize() > 1 << 30
    onnx.save(architecture.model, folder / "model.onnx", save_as_external_data=large)
    for file, count, seed in (("calibration", CALIBRATION, 1), ("test", TEST, 2), ("sample", 1, 3)):
        drawn = architecture.draw(count, np.random.default_rng(seed))
        given = drawn if isinstance(drawn, Mapping) else {architecture.model.graph.input[0].name: drawn}
        given = {key: value[0] for key, value in given.items()} if file == "sample" else given
        np.savez(folder / f"{file}.npz", **given)
    return given, sum(int(np.prod(w.dims)) for w in architecture.model.graph.initializer)


def _distance(model: Path, sample: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """How far the proven outputs are from onnxruntime's, as a share of their size; tokens are the same or not."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    kinds = {"tensor(int64)": np.int64}
    fed = {
        info.name: np.asarray(sample[info.name]).reshape(info.shape).astype(kinds.get(info.type, np.float32))
        for info in session.get_inputs()
    }
    wanted = dict(zip([o.name for o in session.get_outputs()], session.run(None, fed), strict=True))
    farthest = 0.0
    for tensor in answer["tensors"]:
        if tensor["role"] == "output":
            floats = np.asarray(wanted[tensor["name"]], dtype=np.float64)
            shown = np.asarray(tensor["real"]).reshape(floats.shape)
            is_token = wanted[tensor["name"]].dtype.kind == "i"
            away = (shown != floats).mean() if is_token else np.linalg.norm(shown - floats) / np.linalg.norm(floats)
            farthest = max(farthest, float(away))
    return farthest


def _costs(**steps: Run) -> dict[str, float]:
    facts: dict[str, float] = {}
    for name, step in steps.items():
        facts |= {
            f"{name}_seconds": round(step.seconds, 3),
            f"{name}_cpu_seconds": round(step.cpu_seconds, 3),
            f"{name}_peak_bytes": step.peak_bytes,
            f"{name}_anonymous_bytes": step.anonymous_bytes,
        }
    return facts


def _verdicts(out: Path, proof: Path, public: Path) -> dict[str, Any]:
    """The contract's gas, once verifier and contract have refused a changed answer."""
    key = read_verifying_key(out / "verification_key.json")
    inputs, packed = read_public_values(public)
    statement = Statement(inputs, read_proof(proof), packed)
    changed = replace(statement, packed=packed[:-1] + bytes([packed[-1] ^ 1]))
    if not verify(key, statement) or verify(key, changed):
        raise SystemExit("a proof got the wrong verdict")
    return on_chain(key, statement, refused=[changed])


def estimated(name: str, folder: Path) -> None:
    """What `zkgpu zkml estimate` says of a model, and how long it takes."""
    _written_in(name, folder)
    data = ["--calibrate", folder / "calibration.npz", "--weights", LARGE[name][0]]
    found = run("zkml", "estimate", folder / "model.onnx", *data, "--allow-error", 1)
    told = {"seconds": round(found.seconds, 1), "anonymous_bytes": found.anonymous_bytes}
    print(json.dumps({"model": name, **told, **found.answer}, indent=1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--estimate", action="store_true", help="build nothing")
    parser.add_argument("--private", action="store_true", help="inputs that only the prover knows")
    parser.add_argument("--folder", type=Path, help="where files go and stay")
    chosen = parser.parse_args()
    for name in set(chosen.names) - set(LARGE):
        parser.error(f"no model '{name}': there are {', '.join(LARGE)}")
    if not chosen.names:
        print("\n".join(LARGE))
    for name in chosen.names:
        with contextlib.ExitStack() as kept:
            folder = chosen.folder or Path(kept.enter_context(TemporaryDirectory()))
            folder.mkdir(parents=True, exist_ok=True)
            if chosen.estimate:
                estimated(name, folder)
            else:
                record(name, folder, chosen.private)
    return 0


if __name__ == "__main__":
    sys.exit(main())
