"""Headless Chromium, a server of files for it, and twenty proofs of a kind with twenty altered ones, verified there."""

from __future__ import annotations

import functools
import io
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zkgpu import Circuit, inference
from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import Fq
from zkgpu.demo.digits import model
from zkgpu.demo.samples import sample
from zkgpu.formats.public_values import public_values_to_json
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.json import proof_to_json, verifying_key_to_json

WEB = Path(__file__).parents[2] / "examples" / "web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
KINDS = ("model", "plain")
PROOFS = 20


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


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of the folder's files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def chromium(folder: Path) -> list[str]:
    """The program for a visit that is the first: nothing is cached."""
    profile = tempfile.mkdtemp(dir=folder.parent)
    return [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]


def posted_by(address: str, folder: Path) -> Any:
    """What a page posts, which sees the time pass as it does."""
    with subprocess.Popen(
        [*chromium(folder), address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as browser:
        try:
            return Quiet.posted.get(timeout=120)
        finally:
            browser.terminate()


def questions(kind: str) -> tuple[Any, list[tuple[Any, Any]]]:
    """A parsed key, and valid proofs with their public values: of digits that a network reads, or of a cubic."""
    backend = open_backend("cpu")
    if kind == "model":
        compiled, images = model(), np.load(io.BytesIO(sample("data.npz")))["image"][:PROOFS]
        reader = inference.Prover(compiled, inference.unsafe_setup(compiled, backend), backend)
        key, statements = reader.verifying_key, [reader.prove(image) for image in images]
    else:
        circuit = Circuit()
        x, y = circuit.private("x"), circuit.public("y")
        circuit.assert_equal(x**3 + x + 5, y)
        cubic = circuit.compile()
        prover = Prover(unsafe_setup(cubic.r1cs, backend), backend)
        key = prover.key.verifying_key
        statements = [prover.prove_circuit(cubic, {"x": i, "y": i**3 + i + 5}) for i in range(PROOFS)]
    asked = [
        (proof_to_json(s.proof), public_values_to_json(s.public_inputs, s.packed, kind == "model")) for s in statements
    ]
    return verifying_key_to_json(key), asked


def altered(proof: Any, public: Any, i: int) -> tuple[Any, Any]:
    """One of four lies: other public values, two points exchanged, or a point that is minus itself."""
    if i % 4 == 0:
        if isinstance(public, dict):
            last = int(public["packed"][-2:], 16)
            return proof, public | {"packed": f"{public['packed'][:-2]}{last ^ 1:02x}"}
        return proof, [str(int(public[0]) + 1), *public[1:]]
    if i % 4 == 1:
        return proof | {"pi_a": proof["pi_c"], "pi_c": proof["pi_a"]}, public
    name = "pi_a" if i % 4 == 2 else "pi_c"
    x, y, z = proof[name]
    return proof | {name: [x, str(Fq.modulus - int(y)), z]}, public


def ask(kind: str, folder: Path, address: str) -> tuple[list[Any], list[float]]:
    """The browser's answers to valid proofs, then to altered ones, and the milliseconds of each."""
    key, valid = questions(kind)
    asked = [*valid, *(altered(proof, public, i) for i, (proof, public) in enumerate(valid))]
    (folder / "questions.json").write_text(json.dumps({"keys": [key], "questions": [(0, *q) for q in asked]}))
    shutil.copy(Path(__file__).with_name("timings.html"), folder / "timings.html")
    answers, times = zip(*posted_by(f"{address}/timings.html", folder), strict=True)
    return list(answers), list(times)
