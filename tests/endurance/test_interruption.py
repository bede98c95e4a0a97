"""Commands that are killed or interrupted at any moment leave the old output or the whole new one, and no litter."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zkgpu.cli import main

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[1] / "data" / "samples" / "range"
KEY, WITNESS = SAMPLES / "range_groth16.zkey", SAMPLES / "witness.wtns"
OLD = "the proof of yesterday"
INSTANTS = 25
IMPORTING = b"from zkgpu.cli import main"  # before that line is done Python itself answers an interrupt


def command(folder: Path) -> list[object]:
    return ["prove", KEY, WITNESS, "--proof", folder / "proof.json", "--public", folder / "public.json"]


def started(folder: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "zkgpu", *map(str, command(folder))]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(folder: Path) -> None:
    process = started(folder)
    _, said = process.communicate()
    assert process.returncode == 0, said


@pytest.fixture
def seconds(tmp_path: Path) -> float:
    """What the command takes when nobody stops it, with compiled kernels."""
    finished(tmp_path)
    begin = time.monotonic()
    finished(tmp_path)
    return time.monotonic() - begin


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_proof_leaves_whole_files(kind: signal.Signals, seconds: float, tmp_path: Path) -> None:
    instants = random.Random(int(kind))
    for _ in range(INSTANTS):
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        (folder / "proof.json").write_text(OLD)
        process = started(folder)
        time.sleep(instants.uniform(0, seconds))
        process.send_signal(kind)
        _, said = process.communicate()
        assert not said.startswith(b"Traceback") or IMPORTING in said
        found = (folder / "proof.json").read_text()
        assert found == OLD or found.rstrip().endswith("}")
        assert kind == signal.SIGKILL or not list(folder.glob(".*"))
    with pytest.raises(SystemExit) as ended:
        main([str(part) for part in command(folder)])
    assert not ended.value.code
    assert {path.name for path in folder.iterdir()} == {"proof.json", "public.json"}
