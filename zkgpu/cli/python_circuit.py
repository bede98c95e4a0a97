"""Circuits in Python files, FILE.py:name. Each command runs the file, and only the one at the path given, anew.

A circuit compiles to the same constraints in every process, so nothing of it is kept beside a key: a key of a circuit
with challenges holds the circuit's digest (`groth16.circuit_digest`), any other its A and B, and is compared with it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zkgpu.cli.leaving import CIRCUIT_FILE
from zkgpu.cli.types import is_program, split
from zkgpu.errors import UsageError, ZkgpuError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circuits.compiled import CompiledCircuit
    from zkgpu.fields.field import Field
    from zkgpu.provers.proof_system import AnyProvingKey


def file_of(source: str | None) -> str | None:
    """The file that is read for a source: FILE.py of FILE.py:name."""
    return split(source)[0] if source is not None and is_program(source) else source


def load_circuit(source: str) -> CompiledCircuit:
    """The compiled circuit of FILE.py:name, where name is a Circuit or a function that returns one.

    Raises UsageError, naming file and line, for whatever the file raises.
    """
    path, name = split(source)
    if not name or not path.endswith(".py"):
        raise UsageError(f"'{source}': give FILE.py:name, the name of a circuit or of a function that returns one")
    with stage("build circuit"), printing_aside():
        found = _named(_load_module(path), path, name)
        with _code_of(path):
            return _compiled(found() if callable(found) else found, name)


def read_program_inputs(path: str, field: Field) -> dict[str, Any]:
    """The inputs of a Python circuit by name, of a .json or .npz file."""
    from zkgpu.formats.circuit_inputs import read_inputs, read_integer_arrays

    arrays = read_integer_arrays(path)
    return read_inputs(path, field, buses=False) if arrays is None else arrays


def require_own_key(key: AnyProvingKey, key_file: str, compiled: CompiledCircuit, source: str) -> None:
    """Raises UsageError where the key is seen to be that of another circuit."""
    from zkgpu.systems.registry import system_of

    if not system_of(key).holds_circuit(key, compiled.r1cs):
        raise UsageError(
            f"{key_file}: this is the key of another circuit than {source}: `zkgpu setup {source} ..` makes its own"
        )


@contextlib.contextmanager
def printing_aside() -> Iterator[None]:
    """What the user's code prints in the block goes to standard error: standard output is the command's."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


class _Source(SourceFileLoader):
    """Compiles the file as it is now, and leaves nothing beside it."""

    def path_stats(self, path: Any) -> Any:
        raise OSError


def _load_module(path: str) -> ModuleType:
    """The file as a module. Files beside it can be imported, those of Python and of installed packages before them."""
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file")
    spec = importlib.util.spec_from_loader(CIRCUIT_FILE, _Source(CIRCUIT_FILE, path))
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[CIRCUIT_FILE] = module  # where dataclasses look for it
    sys.path.append(str(Path(path).resolve().parent))
    with _code_of(path):
        spec.loader.exec_module(module)
    return module


def _named(module: ModuleType, path: str, name: str) -> Any:
    """What has the name in the file. Raises UsageError with those that it may be."""
    if hasattr(module, name):
        return getattr(module, name)
    from difflib import get_close_matches

    own = [other for other, value in vars(module).items() if _may_be_circuit(value)]
    meant = get_close_matches(name, own) or own[:5]
    raise UsageError(f"{path} has no '{name}'" + (f": did you mean {' or '.join(meant)}?" if meant else ""))


def _may_be_circuit(value: Any) -> bool:
    return type(value).__name__ == "Circuit" or (callable(value) and getattr(value, "__module__", "") == CIRCUIT_FILE)


@contextlib.contextmanager
def _code_of(path: str) -> Iterator[None]:
    """Whatever the user's file raises is the user's: a UsageError that names the file, and the line if there is one."""
    try:
        yield
    except ZkgpuError as error:
        raise error.within(_place(path, error)) from None
    except (Exception, SystemExit) as error:
        text = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"{_place(path, error)}: {type(error).__name__}: {text}") from error


def _place(path: str, error: BaseException) -> str:
    """The file, and its last line that led to the error where one did."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == path]
    if isinstance(error, SyntaxError) and error.filename == path and error.lineno:
        lines.append(error.lineno)
    return f"{path}:{lines[-1]}" if lines else path


def _compiled(circuit: Any, name: str) -> CompiledCircuit:
    from zkgpu.circuits import Circuit
    from zkgpu.circuits.compiled import CompiledCircuit

    if isinstance(circuit, CompiledCircuit):
        return circuit
    if not isinstance(circuit, Circuit):
        raise UsageError(f"'{name}' is a {type(circuit).__name__}, not a Circuit")
    return circuit.compile()
