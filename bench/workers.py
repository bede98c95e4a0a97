"""Provers in processes of their own, all called the same way, and zkgpu's verdict on each proof."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import ROOT
from measuring import Measurement

from zkgpu.curves.bn254 import G1, G2
from zkgpu.formats.public_values import read_public
from zkgpu.groth16 import Proof, verify
from zkgpu.groth16.json import read_proof, read_verifying_key

HERE = Path(__file__).parent


class Worker:
    """A prover that answers lines: see zkgpu_worker.py.

    opened   what it said once its key was loaded: seconds and device
    """

    def __init__(self, command: Sequence[object], folder: Path, name: str, environment: dict[str, str] | None = None):
        self.name = name
        self.proof, self.public = folder / f"{name}.proof.json", folder / f"{name}.public.json"
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        )
        self.opened = self._answer()

    def prove(self) -> dict[str, Any]:
        """One proof, written to `proof` and `public`: the seconds it took, and what else the prover reports."""
        return self.ask(f"prove {self.proof} {self.public}")

    def ask(self, line: str) -> dict[str, Any]:
        """What it answers to a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def measure(self) -> Measurement:
        """One proof, as the prover measured it."""
        answer = self.prove()
        return Measurement((answer["seconds"],), (answer["cpu_seconds"],))

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def closing(workers: dict[str, Worker]) -> Iterator[dict[str, Worker]]:
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def zkgpu_worker(key: Path, witness: Path, threads: int, folder: Path, instructions: str = "") -> Worker:
    command = [sys.executable, HERE / "zkgpu_worker.py", key, witness, threads]
    environment = {"ZKGPU_CPU_PATH": instructions} if instructions else None
    return Worker(command, folder, f"zkgpu-{threads}{instructions}", environment)


def read_any_proof(path: Path) -> Proof:
    """A proof.json, or the 256 bytes that the EVM takes, in hexadecimal."""
    text = path.read_text()
    if text.startswith("{"):
        return read_proof(path)
    words = [int(text[i : i + 64], 16) for i in range(0, len(text), 64)]
    b = G2.point((words[3], words[2]), (words[5], words[4]))  # the EVM puts the imaginary part first
    return Proof(G1.point(*words[:2]), b, G1.point(*words[6:]))


def require_valid(worker_name: str, verifying_key: Path, public: Path, proof: Path) -> None:
    """Exits unless zkgpu accepts the proof."""
    if not verify(read_verifying_key(verifying_key), read_public(public), read_any_proof(proof)):
        raise SystemExit(f"the proof of {worker_name} is not valid")
