"""The compiled circuit of a model as a file of its build folder, which is mapped instead of written again.

A file as of `store.mapped`: matrices, names of constraints, and the witness program, whose hints are named as functions
of this package (`store.functions`). Its stamp is of the model file's bytes, of the sources that write circuits, and of
the Python that numbers their constants, so that one of another model, or of another version, is not used. Whoever makes
a file by hand can make it hold another circuit: what a proof of that would show, the key decides and not this file.
Indices are checked where kernels follow them (fields.cpu_matrix), and hints reach no other code than that of circuits.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.formats.container import map_file
from zkgpu.groth16.circuit_digest import circuit_digest
from zkgpu.store import mapped
from zkgpu.store.digests import LARGE, Bytes, hashed_before, noted_of, tree_hash
from zkgpu.store.prepared import sources_of
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.operations import IntegerModel

log = logging.getLogger(__name__)

_MAGIC = b"zkgpu circuit  1"
_ROOMS = ("curves", "fields", "circuits", "store", "zkml", "inference")


def packed_circuit(compiled: CompiledModel, model_file: bytes) -> list[memoryview] | None:
    """What the file consists of, in order; None for a circuit that no file can hold, which is then written each time.

    Args:
        model_file: the bytes of the model's own file
    """
    try:
        return mapped.packed(_MAGIC, _stamp(np.frombuffer(model_file, np.uint8)), compiled.circuit, _arrays(compiled))
    except (TypeError, RecursionError) as error:
        log.info("the circuit is not kept in the build folder (%s)", error)
        return None


def open_circuit(path: Path, compiled: CompiledModel, model_file: Bytes) -> CompiledCircuit | None:
    """The circuit in a file, or None where there is none that belongs to the model: its circuit is written again."""
    if not path.is_file():
        return None
    try:
        data = map_file(path)
        with hashed_before(path, len(data)) as hashed:
            found = mapped.unpacked(_MAGIC, _stamp(model_file), data, _arrays(compiled), hashed=hashed)
        if found is None:
            return None
        _require_sound(found)
        return _with_digest(found, path, len(data))
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file leads to, the circuit can be written again
        log.warning("%s: not used, the circuit is written again (%s)", path, error)
        return None


def _with_digest(circuit: CompiledCircuit, path: Path, size: int) -> CompiledCircuit:
    """The circuit with the digest by which its key names it; of one in a small file that is left to who needs it."""
    if size < LARGE:
        return circuit
    digest = noted_of(path, size, b"circuit", lambda: circuit_digest(circuit.r1cs).hex())
    return replace(circuit, r1cs=circuit.r1cs.with_digest(bytes.fromhex(digest)))


def _require_sound(circuit: Any) -> None:
    """Raises ValueError unless this is a circuit whose parts have the sizes and types that they have together."""
    if type(circuit) is not CompiledCircuit or type(circuit.r1cs) is not R1CS:
        raise ValueError("there is something else than a circuit in it")
    r1cs, order, numbered = circuit.r1cs, circuit._order, np.zeros(circuit.r1cs.n_wires, dtype=bool)
    matrices = (r1cs.a, r1cs.b, r1cs.c)
    if any(m.shape != (r1cs.n_constraints, r1cs.n_wires) or not m.is_whole() for m in matrices):
        raise ValueError("a matrix of it has other sizes, or indices beyond them")
    numbered[order] = True
    if order.shape != numbered.shape or int(order.min()) < 0 or not numbered.all():
        raise ValueError("its wires are not numbered")
    if any(signal.first + signal.size > r1cs.n_wires for signal in circuit.signals):
        raise ValueError("it has signals beyond its wires")


def _arrays(compiled: CompiledModel) -> list[NDArray[Any]]:
    """The arrays of the model, in order, which the circuit's hints name."""
    models = [compiled.model, *([compiled.reference] if compiled.reference else [])]
    return [array for model in models for array in _arrays_of(model)]


def _arrays_of(model: IntegerModel) -> Iterator[NDArray[Any]]:
    for operation in model.operations:
        yield from _arrays_in([getattr(operation, f.name) for f in fields(operation)])


def _arrays_in(values: Sequence[Any]) -> Iterator[NDArray[Any]]:
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays_in(value)


def _stamp(model_file: Bytes) -> bytes:
    return hashlib.sha256(_sources() + tree_hash(model_file)).digest()


@cache
def _sources() -> bytes:
    return f"{sys.version} {np.__version__} {sources_of(*_ROOMS)}".encode()
