"""Circuits from the files of build folders: the same as those that are written anew, or not used."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.zkml import test_challenged_layers as challenged
from tests.zkml import test_convolutions as convolutions
from tests.zkml.models import model, node, normal
from tests.zkml.networks import all_inputs, compiled, model_of
from tests.zkml.test_layers import OTHERS, PINNED, linear
from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.errors import ResourceError, UsageError
from zkgpu.groth16.circuit_digest import circuit_digest
from zkgpu.inference import CompiledModel, Folder, Prover, compile_model, stored, unsafe_setup
from zkgpu.inference import folder as build_folders
from zkgpu.store import digests, mapped
from zkgpu.store.functions import describe_function, restore_function
from zkgpu.zkml.layers import network as layers_of_networks
from zkgpu.zkml.operations import IntegerModel

tested, checked, scored = challenged.tested, convolutions.checked, challenged.scored  # fixtures
MAGIC, STAMP = b"zkgpu circuit  1", bytes(32)
CASES = {**PINNED, **OTHERS}


def kept(circuit: CompiledCircuit, integers: IntegerModel) -> CompiledCircuit:
    """The circuit through a file's bytes."""
    known = stored._arrays(SimpleNamespace(model=integers, reference=None))
    data = b"".join(map(bytes, mapped.packed(MAGIC, STAMP, circuit, known)))
    found = mapped.unpacked(MAGIC, STAMP, np.frombuffer(data, np.uint8), known)
    stored._require_sound(found)
    return found


def assert_kept(integers: IntegerModel, inputs: dict[str, Any], weights: str = "public") -> None:
    circuit = compiled(integers, weights)
    again = kept(circuit, integers)
    assert again.r1cs.is_same(circuit.r1cs)
    assert (again.r1cs.labels, again.r1cs.rounds, again.signals) == (
        circuit.r1cs.labels,
        circuit.r1cs.rounds,
        circuit.signals,
    )
    given = all_inputs(integers, inputs, weights)
    challenges = [10 ** (30 + 9 * k) + 7 for k in range(len(circuit._rounds.challenges))]
    answers = [c.witness(given, lambda first: challenges) for c in (circuit, again)]
    assert np.array_equal(*answers)


@pytest.mark.parametrize("name", challenged.ATTENTION)
def test_attention_whose_factors_have_no_wires_comes_back_too(scored: None, name: str) -> None:
    integers = challenged.ATTENTION[name]()
    shape = integers.inputs[0].shape
    assert_kept(integers, {"x": np.random.default_rng(4).integers(-8, 8, shape)})


@pytest.mark.parametrize("name", CASES)
def test_every_layer_comes_back_from_a_file_with_the_same_witness(name: str) -> None:
    operation, inputs = CASES[name]
    draw = np.random.default_rng(4)
    values = {key: draw.integers(low, high + 1, shape) for key, (shape, low, high) in inputs.items()}
    assert_kept(model_of(operation, **inputs), values)


@pytest.mark.parametrize(
    ("weights", "shape"),
    [("public", (2, 4, 3)), ("private", (1, 1, 5)), ("private", (2, 4, 3)), ("hashed", (1, 1, 2))],
)
def test_layers_with_weights_come_back(weights: str, shape: tuple[int, int, int]) -> None:
    groups, m, k = shape
    integers = model_of(linear(m, k, 3, groups), x=(shape, -128, 127))
    assert_kept(integers, {"x": np.random.default_rng(6).integers(-128, 128, shape)}, weights)


@pytest.mark.parametrize("name", challenged.MODELS)
def test_layers_that_are_tested_at_a_challenge_come_back(tested: None, name: str) -> None:
    integers = challenged.MODELS[name]()
    assert_kept(integers, {"x": np.random.default_rng(7).integers(-8, 8, integers.inputs[0].shape)})


@pytest.mark.parametrize("weights", ["public", "private"])
@pytest.mark.parametrize("name", list(convolutions.SHAPES)[:2])
def test_convolutions_at_a_challenge_come_back(checked: None, name: str, weights: str) -> None:
    shape = convolutions.SHAPES[name]
    assert_kept(convolutions.network(shape), {"x": convolutions.image(shape)}, weights)


def test_sums_name_the_weights_of_the_model_and_hold_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from zkgpu.zkml.layers import products

    monkeypatch.setattr(products, "LONG", 1)
    integers = model_of(linear(2, 40, 30), x=((1, 2, 40), -128, 127))
    circuit, known = compiled(integers), stored._arrays(SimpleNamespace(model=integers, reference=None))
    sizes = [sum(p.nbytes for p in mapped.packed(MAGIC, STAMP, circuit, arrays)) for arrays in (known, ())]
    assert sizes[1] - sizes[0] >= known[0].nbytes
    assert_kept(integers, {"x": np.random.default_rng(6).integers(-128, 128, (1, 2, 40))})


@pytest.fixture(scope="module")
def network() -> CompiledModel:
    nodes = [node("Gemm", "x w b", "z"), node("Relu", "z", "r"), node("MatMul", "r v", "out")]
    weights = {"w": normal(8, 6), "b": normal(6), "v": normal(6, 3)}
    made = model(nodes, {"x": (1, 8)}, weights=weights)
    return compile_model(made, np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8), limb=6)


@pytest.fixture
def folder(network: CompiledModel, tmp_path: Path) -> Folder:
    built = Folder(tmp_path)
    built.write_model(network)
    return built


def is_opened(folder: Folder) -> bool:
    """Whether the folder's circuit is read and not written anew."""
    return "circuit" in folder.read_model().__dict__


def test_a_build_folder_opens_its_circuit_without_writing_it_again(
    folder: Folder, network: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers_of_networks, "build_circuit", None)
    again = folder.read_model()
    assert again.circuit.r1cs.is_same(network.circuit.r1cs)
    integers = again.quantized(np.zeros((1, 8)))
    assert again.circuit.witness(again.circuit_inputs(integers)).shape == (network.circuit.r1cs.n_wires, 4)


def test_the_digest_of_a_large_circuit_is_computed_once(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(stored, "LARGE", 0)
    monkeypatch.setattr(digests, "LARGE", 0)
    monkeypatch.setattr(digests, "SETTLED_NANOSECONDS", 0)
    wanted = circuit_digest(folder.read_model().circuit.r1cs)
    monkeypatch.setattr(stored, "circuit_digest", lambda _: pytest.fail("computed again"))
    again = folder.read_model().circuit.r1cs
    assert again.digest == wanted == circuit_digest(replace(again))


def test_a_damaged_circuit_is_not_used_wherever_the_damage_is(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    path = folder.path / "circuit.bin"
    data, rng = path.read_bytes(), np.random.default_rng(1)
    for at in [0, 16, 48, 56, 90, len(data) - 1, *rng.integers(0, len(data), 30)]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        padding = not is_opened(folder)
        assert padding or folder.read_model().circuit.r1cs.is_same(parsed_anew(folder).circuit.r1cs), at
    for size in (0, 10, 60, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert not is_opened(folder), size
    assert any("written again" in record.message for record in caplog.records)


def parsed_anew(folder: Folder) -> CompiledModel:
    from zkgpu.zkml.storage import parse

    return parse((folder.path / "model.npz").read_bytes(), "model")


def test_the_circuit_of_another_model_or_version_is_not_used(
    folder: Folder, network: CompiledModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Folder(tmp_path / "other")
    shifted = model([node("MatMul", "x w", "out")], {"x": (1, 8)}, weights={"w": normal(8, 6)})
    other.write_model(compile_model(shifted, np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8), limb=6))
    own = (folder.path / "circuit.bin").read_bytes()
    (folder.path / "circuit.bin").write_bytes((other.path / "circuit.bin").read_bytes())
    assert not is_opened(folder)
    assert folder.read_model().circuit.r1cs.is_same(network.circuit.r1cs)
    (folder.path / "circuit.bin").write_bytes(own)
    assert is_opened(folder)
    monkeypatch.setattr(stored, "_sources", lambda: b"another version")
    assert not is_opened(folder)


def test_a_proof_keeps_the_circuit_of_this_version(folder: Folder, network: CompiledModel) -> None:
    backend, path = open_backend("cpu", threads=1), folder.path / "circuit.bin"
    own = path.read_bytes()
    folder.write_key(unsafe_setup(network, backend), network)
    for stale in (None, own[:64] + bytes([own[64] ^ 1]) + own[65:], own[:100]):
        path.unlink()
        if stale is not None:
            path.write_bytes(stale)
        compiled = folder.read_model()
        assert not compiled.has_circuit
        folder.prover(compiled, folder.read_key(backend), backend)
        assert path.read_bytes() == own
    kept, before = folder.read_model(), path.stat()
    assert kept.has_circuit
    folder.prover(kept, folder.read_key(backend), backend)
    assert path.stat() == before


def test_a_circuit_that_cannot_be_kept_is_no_hindrance_to_a_proof(
    folder: Folder, network: CompiledModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend = open_backend("cpu", threads=1)
    folder.write_key(unsafe_setup(network, backend), network)
    (folder.path / "circuit.bin").unlink()

    def refuse(*_: object, **__: object) -> None:
        raise ResourceError("read-only file system")

    monkeypatch.setattr(build_folders, "replacing", refuse)
    compiled = folder.read_model()
    folder.prover(compiled, folder.read_key(backend), backend).prove(np.zeros((1, 8), np.float32))
    assert "the circuit is not kept: read-only file system" in caplog.text


def test_a_circuit_that_passes_for_that_of_the_model_is_not_the_keys(folder: Folder, network: CompiledModel) -> None:
    """Of the same sizes, with another coefficient, and with the model's own stamp: no proof is made with it."""
    backend = open_backend("cpu", threads=1)
    folder.write_key(unsafe_setup(network, backend), network)
    other = kept(network.circuit, network.model)
    coefficients = other.r1cs.a.table.copy()
    coefficients[other.r1cs.a.coefficient[0], 0] ^= 2
    object.__setattr__(other.r1cs.a, "table", coefficients)
    data = b"".join(stored.packed_circuit(network.with_circuit(other), (folder.path / "model.npz").read_bytes()))
    (folder.path / "circuit.bin").write_bytes(data)
    assert is_opened(folder)
    with pytest.raises(UsageError, match="another circuit"):
        Prover(folder.read_model(), folder.read_key(backend), backend)


def test_a_circuit_whose_indices_lead_out_of_it_is_not_used(network: CompiledModel, folder: Folder) -> None:
    circuit = network.circuit
    for change in (
        lambda m: m.indices.__setitem__(0, m.shape[1]),
        lambda m: m.indices.__setitem__(0, -1),
        lambda m: m.coefficient.__setitem__(0, len(m.table)),
        lambda m: m.indptr.__setitem__(1, m.entries + 1),
    ):
        bad = kept(circuit, network.model)
        object.__setattr__(bad.r1cs.a, "indices", bad.r1cs.a.indices.copy())
        object.__setattr__(bad.r1cs.a, "indptr", bad.r1cs.a.indptr.copy())
        object.__setattr__(bad.r1cs.a, "coefficient", bad.r1cs.a.coefficient.copy())
        change(bad.r1cs.a)
        data = b"".join(stored.packed_circuit(network.with_circuit(bad), (folder.path / "model.npz").read_bytes()))
        (folder.path / "circuit.bin").write_bytes(data)
        assert not is_opened(folder)


def test_a_circuit_that_no_file_can_hold_is_written_each_time(
    network: CompiledModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    c = Circuit()
    x, held = c.private("x"), object()
    c.assert_equal(c.hint(lambda v: v if held else 0, [x], ()), x)
    built = Folder(tmp_path)
    built.write_model(network.with_circuit(c.compile()))
    assert not (tmp_path / "circuit.bin").exists()
    assert "not kept" in caplog.text
    assert not is_opened(built)


@pytest.mark.parametrize(
    "described",
    [
        ["os", "system", [], [], []],
        ["zkgpu.formats.atomic", "write_text", [], [], []],
        ["zkgpu.zkml.onnx_worker", "run", [], [], []],
        ["zkgpu.zkml.layers.rounding", "np", [], [], []],
        ["zkgpu.zkml.layers.rounding", "_rounded_hint", [0], [], []],
        ["zkgpu.zkml.layers.rounding", "missing", [], [], []],
        ["zkgpu.zkml.layers.rounding", "_rounded_hint", [99], [], []],
    ],
)
def test_only_functions_of_circuits_are_made_of_a_file(described: list[Any]) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)):
        restore_function(described, lambda value: value)


def test_functions_of_elsewhere_are_not_described() -> None:
    with pytest.raises(TypeError, match="writes no circuits"):
        describe_function(parsed_anew, lambda value: value)
