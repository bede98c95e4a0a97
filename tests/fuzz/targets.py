"""Every reader of files from elsewhere, with good files to begin from and the ways in which they are damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.fuzz import mutation
from tests.fuzz.mutation import Mutation
from zkgpu.errors import FormatError

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
EXAMPLES = Path(__file__).parents[2] / "examples" / "models"
MEMORY = 128 << 20
SECONDS = 2.0


@dataclass(frozen=True)
class Target:
    """One reader.

    seeds      good files
    mutations  how they are damaged
    read       reads a file, and uses what it holds where that is what damage would show in; raises ZkgpuError
    weight     its share of the cases
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    mutations: tuple[Mutation, ...]
    read: Callable[[Path], object]
    weight: int = 4


def files(*names: str, folder: Path = SAMPLES) -> Callable[[], list[bytes]]:
    return lambda: [(folder / name).read_bytes() for name in names]


def read_zkey(path: Path) -> object:
    from zkgpu.systems.files import read_key

    return read_key(path)


def read_ptau(path: Path) -> object:
    from zkgpu.ceremony.ptau import read_ptau

    return read_ptau(path)


def read_r1cs(path: Path) -> object:
    from zkgpu.formats.r1cs import read_r1cs

    return read_r1cs(path)


def read_wtns(path: Path) -> object:
    from zkgpu.formats.wtns import read_wtns

    return read_wtns(path)


def read_sym(path: Path) -> object:
    from zkgpu.formats.sym import read_names

    return read_names(path, {label: label for label in range(8)})


def read_proof(path: Path) -> object:
    from zkgpu.systems.files import read_proof

    return read_proof(path)


def read_verifying_key(path: Path) -> object:
    from zkgpu.systems.files import read_verifying_key

    return read_verifying_key(path).weakness()


def read_public(path: Path) -> object:
    from zkgpu.formats.public_values import read_public_values

    return read_public_values(path)


def read_inputs(path: Path) -> object:
    from zkgpu.circom.signals import flatten, name_hash
    from zkgpu.curves.bn254 import Fr
    from zkgpu.formats.circuit_inputs import read_inputs

    return [name_hash(name) for name in flatten(read_inputs(path), Fr)]


def read_statement(path: Path) -> object:
    from zkgpu.formats import strict_json
    from zkgpu.formats.json_values import located
    from zkgpu.inference import ModelStatement

    statement = located(path, ModelStatement.from_json, strict_json.load(path))
    return statement.comments()


def read_arrays(path: Path) -> object:
    from zkgpu.formats.arrays import read_arrays

    return read_arrays(path, memory=MEMORY)


def read_samples(path: Path) -> object:
    from zkgpu.formats.samples import read_samples

    return read_samples(path, {"x": (0, 3)}, memory=MEMORY)


def samples_in_text() -> list[bytes]:
    return [b'{"input_data": [[1, 2.5, -3e4, true, 0, 7]]}', b'{"x": [[1, 2, 3]], "y": [[1]]}', b"[[1, 2, 3]]"]


def tables() -> list[bytes]:
    return [b'a,"b, c",d\n1,2.5,-3e4\nTrue,0,7\n', b"1;2;3\r\n4;5;6"]


def read_model(path: Path) -> object:
    from zkgpu.inference import ModelStatement
    from zkgpu.zkml.storage import parse

    compiled = parse(path.read_bytes(), str(path), MEMORY)
    zeros = {tensor.name: np.zeros(tensor.shape) for tensor in compiled.model.inputs}
    return compiled.predict(zeros, clamp=True), ModelStatement.of(compiled).to_json()


def read_onnx(path: Path) -> object:
    from zkgpu.inference import compile_model
    from zkgpu.zkml import onnx_worker

    onnx_worker.SECONDS, onnx_worker.MEMORY = SECONDS, MEMORY
    return compile_model(path, {"x": np.linspace(-1, 1, 3 * 8, dtype=np.float32).reshape(3, 8)})


def run_wasm(path: Path) -> object:
    from zkgpu.circom import Calculator, Limits

    calculator = Calculator(path, limits=Limits(memory=MEMORY, seconds=SECONDS, wires=7))
    return calculator.witness({"a": 3, "b": 11, "k": 4})


def read_kernel(path: Path) -> object:
    """An entry is run only when this passes."""
    from zkgpu.jit import cache

    entry = path.with_name("kernel.code")
    os.replace(path, entry)
    try:
        return cache.checked(entry)
    except (ValueError, OSError) as error:
        raise FormatError(str(error)) from error


def read_prepared(path: Path) -> object:
    from zkgpu.store import prepared

    with mock.patch.dict(os.environ, {"ZKGPU_CACHE_DIR": str(path.parent / "cache")}):
        os.replace(path, prepared._folder() / f"{'0' * 64}-x.bin")
        found = prepared.load("0" * 64, "x")
    if found is None:
        raise FormatError("not used")
    return found


def read_circuit(path: Path) -> object:
    """Opened as that of its model, whose digest is in the file."""
    from zkgpu.inference import stored

    for compiled, data in zip(networks(), models(), strict=True):
        found = stored.open_circuit(path, compiled, np.frombuffer(data, np.uint8))
        if found is not None:
            return found.r1cs.is_same(compiled.circuit.r1cs)
    raise FormatError("not used")


@cache
def circuits() -> list[bytes]:
    from zkgpu.inference.stored import packed_circuit

    pairs = zip(networks(), models(), strict=True)
    return [b"".join(map(bytes, packed_circuit(*pair) or ())) for pair in pairs]


@cache
def statements() -> list[bytes]:
    from zkgpu.formats import strict_json
    from zkgpu.inference import ModelStatement

    return [strict_json.text_of(ModelStatement.of(compiled).to_json()).encode() for compiled in networks()]


@cache
def models() -> list[bytes]:
    from zkgpu.zkml.storage import dump

    return [dump(compiled) for compiled in networks()]


@cache
def networks() -> list[Any]:
    from zkgpu.inference import compile_model

    samples = np.linspace(-1, 1, 3 * 8, dtype=np.float32).reshape(3, 8)
    return [compile_model(data, samples, limb=6) for data in onnx_models()]


@cache
def onnx_models() -> list[bytes]:
    from tests.zkml.models import model, node, normal

    dense = [node("Gemm", "x w b", "z"), node("Relu", "z", "r"), node("MatMul", "r v", "out")]
    norm = [
        node("LayerNormalization", "x g b", "n"),
        node("MatMul", "n w", "z"),
        node("Tanh", "z", "t"),
        node("Softmax", "t", "s"),
        node("ReduceMax", "s", "out", axes=[-1], keepdims=0),
    ]
    shaped = [
        node("Shape", "x", "shape"),
        node("ConstantOfShape", "shape", "zeros"),
        node("Add", "x zeros", "same"),
        node("Reshape", "same rows", "grid"),
        node("Conv", "grid k", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "out"),
    ]
    weights = {"w": normal(8, 6), "b": normal(6), "v": normal(6, 3)}
    other = {"g": normal(8), "b": normal(8), "w": normal(8, 6)}
    grid = {"rows": np.array([1, 1, 2, 4]), "k": normal(2, 1, 3, 3)}
    networks = [
        model(nodes, {"x": (1, 8)}, weights=w) for nodes, w in ((dense, weights), (norm, other), (shaped, grid))
    ]
    return [bytes(network.SerializeToString()) for network in networks]


def arrays_in(kind: str) -> list[bytes]:
    import io

    out = io.BytesIO()
    x = np.linspace(-1, 1, 24).reshape(3, 8)
    {"npz": np.savez, "deflated": np.savez_compressed}.get(kind, lambda o, x: np.save(o, x))(out, x=x)
    return [out.getvalue()]


def kernels() -> list[bytes]:
    from zkgpu.jit import cache

    payload = b"cos\n_exit\n(I77\ntR." + bytes(range(256)) * 8
    return [cache.sealed("kernel.code", payload)]


def kept() -> list[bytes]:
    from zkgpu.store import prepared

    value = (np.arange(1000, dtype=np.uint64), "text", 7, (1.5, None))
    return [b"".join(bytes(buffer) for buffer in prepared._packed(value))]


_M, _R = "multiplier/multiplier", "range/range"
CONTAINER = (mutation.container, mutation.container, mutation.bytes_of)
JSON = (mutation.text, mutation.text, mutation.bytes_of)

TARGETS = (
    Target("zkey groth16", files(f"{_M}_groth16.zkey", "multiplier/m_0.zkey"), CONTAINER, read_zkey),
    Target("zkey plonk", files(f"{_M}_plonk.zkey"), CONTAINER, read_zkey),
    Target("ptau", files("pot6_final.ptau", "pot6_b.ptau"), CONTAINER, read_ptau, 1),
    Target("r1cs", files(f"{_M}.r1cs", f"{_R}.r1cs"), CONTAINER, read_r1cs),
    Target("wtns", files("multiplier/witness.wtns", "range/witness.wtns"), CONTAINER, read_wtns),
    Target("sym", files(f"{_M}.sym"), (mutation.lines, mutation.bytes_of), read_sym),
    Target("proof", files("multiplier/groth16_proof.json", "multiplier/plonk_proof.json"), JSON, read_proof),
    Target("key in JSON", files("multiplier/groth16_vk.json", "multiplier/plonk_vk.json"), JSON, read_verifying_key, 2),
    Target("public values", files("multiplier/groth16_public.json"), JSON, read_public),
    Target("input.json", files("multiplier/input.json", "range/input.json"), JSON, read_inputs),
    Target("kernel", kernels, (mutation.bytes_of,), read_kernel),
    Target("prepared key", kept, (mutation.bytes_of,), read_prepared, 2),
    Target("npz", partial(arrays_in, "npz"), (mutation.archive, mutation.bytes_of), read_arrays),
    Target("npz, deflated", partial(arrays_in, "deflated"), (mutation.archive, mutation.bytes_of), read_arrays),
    Target("npy", partial(arrays_in, "npy"), (mutation.npy, mutation.bytes_of), read_arrays),
    Target("samples in JSON", samples_in_text, JSON, read_samples),
    Target("tables", tables, (mutation.lines, mutation.bytes_of), read_samples),
    Target("model.npz", models, (mutation.archive, mutation.archive, mutation.bytes_of), read_model),
    Target("circuit.bin", circuits, (mutation.bytes_of,), read_circuit, 2),
    Target("statement", statements, JSON, read_statement),
    Target("onnx", onnx_models, (mutation.message, mutation.message, mutation.bytes_of), read_onnx, 1),
    Target("wasm", files(f"{_M}.wasm"), (mutation.module, mutation.bytes_of), run_wasm, 1),
)
BY_NAME = {target.name: target for target in TARGETS}
