"""compile, witness and check: circuits and what satisfies them."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkgpu.cli.limits import memory_option, witness_limits, witness_timeout_option
from zkgpu.cli.outputs import require_outputs
from zkgpu.cli.session import Session, pass_session
from zkgpu.errors import UsageError, ZkgpuError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circom import Limits
    from zkgpu.circuits.compiled import CompiledCircuit
    from zkgpu.fields.field import Field, Limbs
    from zkgpu.testing import SoundnessReport

FILE = click.Path(exists=True, dir_okay=False)
OUTPUT = click.Path(dir_okay=False, writable=True)
sym_option = click.option(
    "--sym", type=FILE, help="circom's .sym file, for names of signals; the one beside the .r1cs by default."
)


@click.command("compile")
@click.argument("source", metavar="FILE.py:circuit")
@click.option("-o", "--output", required=True, type=OUTPUT, help="Where to write the .r1cs file.")
@pass_session
def compile_command(session: Session, source: str, output: str) -> None:
    """Compile a Python circuit to a .r1cs file that zkgpu and snarkjs read."""
    from zkgpu.formats.r1cs import write_r1cs

    require_outputs([output], [source.rpartition(":")[0]])
    with session.working():
        r1cs = load_circuit(source).r1cs
        with stage("write circuit"):
            write_r1cs(output, r1cs)
    session.finish(
        {"output": output, "constraints": r1cs.n_constraints, "wires": r1cs.n_wires, "public": r1cs.n_public},
        f"{output}: {r1cs.n_constraints:,} constraints, {r1cs.n_wires:,} wires, {r1cs.n_public:,} public",
    )


@click.command("witness")
@click.argument("source", metavar="FILE.py:circuit|CIRCUIT.wasm")
@click.argument("inputs", metavar="INPUT.json", type=FILE)
@click.option("-o", "--output", required=True, type=OUTPUT, help="Where to write the .wtns file.")
@witness_timeout_option
@memory_option
@pass_session
def witness_command(
    session: Session, source: str, inputs: str, output: str, witness_timeout: float, memory: int | None
) -> None:
    """Compute the witness of a circuit, in Python or circom's, for the inputs of a JSON file."""
    from zkgpu.formats.wtns import write_wtns

    require_outputs([output], [inputs, source, source.rpartition(":")[0]])
    with session.working():
        if _is_calculator(source):
            field, assignment = _circom_witness(source, inputs, witness_limits(witness_timeout, memory))
        else:
            field, assignment = _python_witness(source, inputs)
        write_wtns(output, field, assignment)
    session.finish({"output": output, "values": len(assignment)}, f"{output}: {len(assignment):,} values")


def _is_calculator(source: str) -> bool:
    """Whether this is a file for circom's calculator, and not FILE.py:circuit."""
    return source.endswith(".wasm") or (Path(source).is_file() and not source.endswith(".py"))


def _python_witness(source: str, inputs: str) -> tuple[Field, Limbs]:
    from zkgpu.formats.circuit_inputs import read_inputs

    compiled = load_circuit(source)
    with stage("compute witness"):
        return compiled.r1cs.field, compiled.witness(read_inputs(inputs, compiled.r1cs.field, buses=False))


def _circom_witness(calculator: str, inputs: str, limits: Limits) -> tuple[Field, Limbs]:
    from zkgpu.circom import compute_witness
    from zkgpu.curves import DEFAULT
    from zkgpu.formats.circuit_inputs import read_inputs

    if not Path(calculator).is_file():
        raise UsageError(f"{calculator}: no such file")
    with stage("compute witness"):
        field = DEFAULT.scalar_field
        return field, compute_witness(calculator, read_inputs(inputs, field), field, limits)


@click.command("check")
@click.argument("circuit", metavar="CIRCUIT.r1cs|FILE.py:circuit")
@click.argument("witness", metavar="WITNESS.wtns|INPUT.json", type=FILE)
@click.option("--soundness", is_flag=True, help="Search for a second witness too: a search, no proof.")
@click.option("--tries", type=click.IntRange(min=0), default=2000, show_default=True, help="Lying provers to try.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is tried.")
@sym_option
@pass_session
def check_command(
    session: Session, circuit: str, witness: str, soundness: bool, tries: int, seed: int, sym: str | None
) -> None:
    """Say whether a witness satisfies a circuit, and if not, which constraint it breaks.

    Takes a .r1cs and a .wtns file, or a Python circuit and the inputs of a JSON file. With --soundness it looks for a
    second witness: another output for the same inputs, or a wire that is not determined. Exit code 4 when there is one.
    With a .r1cs file wires are changed only; with a Python circuit hints are answered otherwise too.
    """
    is_program = ".py:" in circuit and not Path(circuit).is_file()
    if is_program and sym:
        raise UsageError("--sym is for .r1cs files: a Python circuit has its own names")
    with session.working():
        if is_program:
            constraints, report = _check_program(circuit, witness, soundness, tries, seed)
        else:
            constraints, report = _check_files(circuit, witness, sym, soundness, seed)
    found, lines = {}, [f"ok: all {constraints:,} constraints hold"]
    if report is not None:
        report.require_sound()
        found, lines = report.as_json(), [*lines, str(report)]
    session.finish({"constraints": constraints, **found}, *lines)


def _check_program(
    source: str, inputs: str, soundness: bool, tries: int, seed: int
) -> tuple[int, SoundnessReport | None]:
    from zkgpu.formats.circuit_inputs import read_inputs
    from zkgpu.testing import attack_circuit

    compiled = load_circuit(source)
    given = read_inputs(inputs, compiled.r1cs.field, buses=False)
    with stage("check constraints"):
        compiled.witness(given)
    if not soundness:
        return compiled.r1cs.n_constraints, None
    with stage("search for second witnesses"):
        return compiled.r1cs.n_constraints, attack_circuit(compiled, given, tries=tries, seed=seed)


def _check_files(
    circuit: str, witness: str, sym: str | None, soundness: bool, seed: int
) -> tuple[int, SoundnessReport | None]:
    from zkgpu.formats.r1cs import read_r1cs
    from zkgpu.formats.wtns import read_wtns
    from zkgpu.testing import attack_assignment

    with stage("read files"):
        r1cs, assignment = read_r1cs(_existing(circuit), sym), read_wtns(witness)
    with stage("check constraints"):
        r1cs.check(assignment)
    if not soundness:
        return r1cs.n_constraints, None
    with stage("search for second witnesses"):
        return r1cs.n_constraints, attack_assignment(r1cs, assignment, seed=seed)


def _existing(path: str) -> str:
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file; give CIRCUIT.r1cs, or FILE.py:circuit")
    return path


def load_circuit(source: str) -> CompiledCircuit:
    """The compiled circuit of FILE.py:name, where name is a Circuit or a function that returns one."""
    path, colon, name = source.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise UsageError(f"'{source}': give FILE.py:name, the name of a circuit or of a function that returns one")
    with stage("build circuit"):
        circuit = getattr(_load_module(path), name, None)
        if circuit is None:
            raise UsageError(f"{path} has no '{name}'")
        with _code_of(path):
            circuit = circuit() if callable(circuit) else circuit
        return _compiled(circuit, source)


def _load_module(path: str) -> Any:
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(Path(path).resolve().parent))
    try:
        with _code_of(path):
            spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@contextlib.contextmanager
def _code_of(path: str) -> Iterator[None]:
    """Whatever the user's file raises is the user's: a UsageError that names the file."""
    try:
        yield
    except ZkgpuError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error


def _compiled(circuit: Any, source: str) -> CompiledCircuit:
    from zkgpu.circuits import Circuit

    if not isinstance(circuit, Circuit):
        raise UsageError(f"{source} is a {type(circuit).__name__}, not a Circuit")
    return circuit.compile()
