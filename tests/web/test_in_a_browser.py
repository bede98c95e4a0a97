"""The page and the module of examples/web in headless Chromium, served as files are."""

from __future__ import annotations

import functools
import html
import json
import queue
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import pytest

from tests.groth16.committed_statement import INPUTS, make
from zkgpu import Circuit
from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import Fq
from zkgpu.formats.public_values import public_values_to_json
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.json import proof_to_json, verifying_key_to_json

WEB = Path(__file__).parents[2] / "examples" / "web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
PROOFS = 20

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium")]


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, and a place that pages post what they found to."""

    posted: ClassVar[queue.Queue[Any]] = queue.Queue()

    def guess_type(self, path: Any) -> str:
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)

    def do_POST(self) -> None:
        self.posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the page's folder, and its address."""
    folder = shutil.copytree(WEB, tmp_path / "web")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def chromium(folder: Path) -> list[str]:
    """The program for a visit that is the first: nothing is cached."""
    profile = tempfile.mkdtemp(dir=folder.parent)
    return [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]


def page_at(address: str, folder: Path) -> str:
    """What the page has become once its scripts are done, by a clock that waits for nothing."""
    program = [*chromium(folder), "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(program, capture_output=True, check=True, timeout=120, text=True).stdout


def posted_by(address: str, folder: Path) -> Any:
    """What a page posts, which sees the time pass as it does."""
    with subprocess.Popen(
        [*chromium(folder), address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as browser:
        try:
            return Quiet.posted.get(timeout=120)
        finally:
            browser.terminate()


def text_of(page: str, name: str) -> str:
    (found,) = re.findall(rf'id="{name}"[^>]*>(.*?)</', page, re.S)
    return html.unescape(found)


@pytest.mark.parametrize("sample", ["model", "plain"])
def test_the_page_verifies_its_samples(sample: str, served: tuple[Path, str]) -> None:
    folder, address = served
    page = page_at(f"{address}/index.html#{sample}", folder)
    assert text_of(page, "verdict").startswith("valid proof (")
    assert ("UNSAFE key" in text_of(page, "unsafe")) == (sample == "model")
    assert ("output gemm4" in page) == (sample == "model")
    public = json.loads((folder / sample / "public.json").read_text())
    if sample == "model":
        public["packed"] = public["packed"][:-2] + f"{int(public['packed'][-2:], 16) ^ 1:02x}"
    else:
        public[0] = str(int(public[0]) + 1)
    (folder / sample / "public.json").write_text(json.dumps(public))
    assert text_of(page_at(f"{address}/index.html#{sample}", folder), "verdict").startswith("INVALID proof (")


def questions(kind: str) -> tuple[Any, list[tuple[Any, Any]]]:
    """A parsed key, and valid proofs with their public values."""
    backend = open_backend("cpu")
    if kind == "model":
        made = make()
        prover, key = Prover(made.key, backend), made.key.verifying_key
        statements = [prover.prove_circuit(made.circuit, INPUTS) for _ in range(PROOFS)]
    else:
        circuit = Circuit()
        x, y = circuit.private("x"), circuit.public("y")
        circuit.assert_equal(x**3 + x + 5, y)
        compiled = circuit.compile()
        proving = unsafe_setup(compiled.r1cs, backend)
        prover, key = Prover(proving, backend), proving.verifying_key
        statements = [prover.prove_circuit(compiled, {"x": i, "y": i**3 + i + 5}) for i in range(PROOFS)]
    asked = [
        (proof_to_json(s.proof), public_values_to_json(s.public_inputs, s.packed, kind == "model")) for s in statements
    ]
    return verifying_key_to_json(key), asked


def altered(proof: Any, public: Any, i: int) -> tuple[Any, Any]:
    """One of four lies: other public values, two points exchanged, or a point that is minus itself."""
    inputs = public["inputs"] if isinstance(public, dict) else public
    if i % 4 == 0:
        inputs = [str(int(inputs[0]) + 1), *inputs[1:]]
        return proof, public | {"inputs": inputs} if isinstance(public, dict) else inputs
    if i % 4 == 1:
        return proof | {"pi_a": proof["pi_c"], "pi_c": proof["pi_a"]}, public
    name = "pi_a" if i % 4 == 2 else "pi_c"
    x, y, z = proof[name]
    return proof | {name: [x, str(Fq.modulus - int(y)), z]}, public


@pytest.mark.parametrize("kind", ["model", "plain"])
def test_twenty_proofs_and_twenty_altered_ones_in_less_than_fifty_milliseconds_each(
    kind: str, served: tuple[Path, str]
) -> None:
    folder, address = served
    key, valid = questions(kind)
    asked = [*valid, *(altered(proof, public, i) for i, (proof, public) in enumerate(valid))]
    (folder / "questions.json").write_text(json.dumps({"keys": [key], "questions": [(0, *q) for q in asked]}))
    shutil.copy(Path(__file__).with_name("timings.html"), folder / "timings.html")
    answers, times = zip(*posted_by(f"{address}/timings.html", folder), strict=True)
    assert list(answers) == [True] * PROOFS + [False] * PROOFS
    print(f"\n{kind}: median {median(times):.1f} ms, first {times[0]:.1f} ms, largest {max(times):.1f} ms")
    assert median(times) < 50
