"""What a verifier is given: names, shapes, types, scales and labels, without the model."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError, UsageError
from zkgpu.formats import strict_json
from zkgpu.inference import ModelStatement, Prover, binding_of, compile_model, unsafe_setup, values_of, verify
from zkgpu.solidity import verifier_source

SAMPLES = np.random.default_rng(2).normal(size=(40, 6))
LABELS = ["cat", "dog", "*/ \u202e\nfish"]


def network():
    nodes = [
        node("Gemm", "x w v", "z"),
        node("Relu", "z", "a"),
        node("Gemm", "a u", "out"),
        node("ArgMax", "out", "c", axis=1),
    ]
    weights = {"w": normal(6, 8), "v": normal(8), "u": normal(8, 3)}
    return model(nodes, {"x": ("N", 6)}, ["out", "c"], weights)


def compiled(**options: Any):
    return compile_model(network(), SAMPLES, **{"labels": {"out": LABELS}, **options})


compiled_once = cache(compiled)
FORMS = [
    {},
    {"weights": "private", "inputs": {"x": "private"}},
    {"weights": "hashed", "inputs": {"x": "hashed"}, "binding": 32},
    {"outputs": {"out": "hashed", "c": "private"}, "binding": 20},
]


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_a_statement_tells_the_form_of_all_that_a_proof_shows(options: dict[str, Any]) -> None:
    made = compiled(**options)
    statement, backend = ModelStatement.of(made), open_backend("cpu")
    assert ModelStatement.from_json(strict_json.parse(strict_json.text_of(statement.to_json()))) == statement
    binding = bytes(range(200, 200 + options.get("binding", 0)))
    prover = Prover(made, unsafe_setup(made, backend), backend)
    proof = prover.prove(SAMPLES[3], clamp=True, binding=binding)
    assert verify(prover.verifying_key, proof)
    statement.require_key(prover.verifying_key)
    assert binding_of(prover.verifying_key, proof) == binding
    for name, array in values_of(prover.verifying_key, proof).items():
        (shown,) = (tensor for tensor in statement.packed if tensor.name == name)
        width, signed = int(shown.type.removeprefix("u").removeprefix("int")) // 8, shown.type.startswith("int")
        at = range(shown.offset, shown.offset + width * array.size, width)
        read = [int.from_bytes(proof.packed[i : i + width], "big", signed=signed) for i in at]
        assert read == array.ravel().tolist()
        if shown.role == "output":
            real = made.predict(SAMPLES[3], clamp=True)[name]
            assert np.allclose(shown.real(array), real)
    assert set(statement.hidden) == {
        n for f in ("inputs", "outputs") for n, v in options.get(f, {}).items() if v == "private"
    }
    assert len(statement.public_inputs) == len(proof.public_inputs)


def test_values_are_told_with_their_names_and_labels() -> None:
    statement = ModelStatement.of(compiled(labels={"out": ["cat", "dog", "fish"], "c": ["cat", "dog", "fish"]}))
    x, out, place = statement.tensors
    assert x.as_text(np.arange(6)).startswith("input x: 0 ")
    assert out.as_text(np.array([[0, 1, -2]])).startswith("output out: cat=0 dog=")
    assert place.as_text(np.array([2])) == "output c: fish (2)"
    assert place.as_text(np.array([200])) == "output c: 200"
    assert replace(x, shape=(100,)).as_text(np.zeros(100)).endswith(".. (100 in all)")


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
def test_it_says_in_a_sentence_what_the_visibility_does_not_prove(weights: str) -> None:
    wanted = {
        "public": "float model",
        "private": "which weights were used: any answer",
        "hashed": "whose the weights are",
    }
    statement = ModelStatement.of(compiled(weights=weights))
    assert wanted[weights] in statement.does_not_prove
    assert "held" not in statement.does_not_prove
    assert 'what "x" held' in ModelStatement.of(compiled(weights=weights, inputs={"x": "private"})).does_not_prove


def test_the_contract_tells_it_in_comments_that_no_name_can_end() -> None:
    made = compiled(weights="private", bits=8)
    key = unsafe_setup(made, open_backend("cpu")).verifying_key
    source = verifier_source(key, notes=ModelStatement.of(made).comments())
    (line,) = (line for line in source.splitlines() if "fish" in line)
    assert line.startswith('// output "out": int32[1, 3] from -2147483648 to 2147483647 at byte 6, scale ')
    assert line.isascii()
    assert "which weights were used" in source
    code = [line for line in source.splitlines() if not line.startswith("//")]
    assert code == [line for line in verifier_source(key).splitlines() if not line.startswith("//")]
    with pytest.raises(UsageError, match="line break"):
        verifier_source(key, notes=["a\rb"])


def changed(value: Any, *path: Any, to: Any) -> Any:
    out = copy.deepcopy(value)
    at = out
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return out


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("weights",), "shared"),
        (("weights",), ["public"]),
        (("hidden",), "x"),
        (("public inputs",), [7]),
        (("zkgpu statement",), 1),
        (("tensors",), {}),
        (("tensors", 0), None),
        (("tensors", 0, "name"), 5),
        (("tensors", 0, "role"), "weights"),
        (("tensors", 0, "visibility"), "private"),
        (("tensors", 0, "visibility"), "hashed"),
        (("tensors", 0, "type"), "uint8"),
        (("tensors", 0, "offset"), 1),
        (("tensors", 1, "offset"), 0),
        (("tensors", 0, "low"), "99"),
        (("tensors", 0, "low"), -127),
        (("tensors", 0, "high"), "1" * 5000),
        (("tensors", 0, "scale"), "nan"),
        (("tensors", 0, "scale"), "0.0"),
        (("tensors", 0, "scale"), "-1.5"),
        (("tensors", 0, "shape"), [2, True]),
        (("tensors", 0, "shape"), [2, -3]),
        (("tensors", 1, "labels"), [1, 2, 3]),
        (("tensors", 1, "extra"), 1),
        (("extra",), 1),
    ],
)
def test_a_statement_that_makes_no_sense_is_refused(path: tuple[Any, ...], to: Any) -> None:
    good = ModelStatement.of(compiled_once()).to_json()
    with pytest.raises(FormatError, match="not the statement of a model: compile it again"):
        ModelStatement.from_json(changed(good, *path, to=to))


def test_a_statement_of_an_earlier_version_is_refused_as_such() -> None:
    with pytest.raises(FormatError, match="earlier version"):
        ModelStatement.from_json({"hashes": []})


def test_the_statement_of_another_model_is_refused() -> None:
    made = compiled()
    key = unsafe_setup(made, open_backend("cpu")).verifying_key
    for other in (compiled(binding=20), compiled(inputs={"x": "hashed"}), compiled(outputs={"c": "private"})):
        with pytest.raises(FormatError, match="not that of the verifying key"):
            ModelStatement.of(other).require_key(key)


@pytest.mark.parametrize(
    "labels", [{"out": ["a", "b"]}, {"x": ["a"]}, {"nothing": []}, {"out": [1, 2, 3]}, {"c": ["a"]}]
)
def test_labels_that_do_not_fit_are_refused(labels: dict[str, Any]) -> None:
    if labels == {"c": ["a"]}:  # one label for the one entry
        compiled(labels=labels)
        return
    with pytest.raises(UsageError, match="label"):
        compiled(labels=labels)


@pytest.mark.parametrize("binding", [b"", bytes(19), bytes(32)])
def test_a_binding_of_another_length_is_refused(binding: bytes) -> None:
    made = compiled(binding=20)
    backend = open_backend("cpu")
    prover = Prover(made, unsafe_setup(made, backend), backend)
    with pytest.raises(
        UsageError, match=f"a binding of {len(binding)} bytes, but the model was compiled for one of 20"
    ):
        prover.prove(SAMPLES[3], clamp=True, binding=binding)


@pytest.mark.parametrize("size", [1, 19, 64, -20, True, 20.0])
def test_a_binding_has_20_or_32_bytes(size: Any) -> None:
    with pytest.raises(UsageError, match="it has 20, as an address, or 32"):
        compiled(binding=size)


def test_an_input_cannot_be_called_as_the_binding_is() -> None:
    named = model([node("Relu", "binding", "out")], {"binding": (1, 4)})
    samples = np.random.default_rng(1).normal(size=(9, 4))
    assert compile_model(named, samples).circuit
    with pytest.raises(UsageError, match="would be called 'binding'"):
        compile_model(named, samples, binding=20)
