"""compile, witness and check: circuits and what satisfies them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.limits import memory_option, witness_limits, witness_timeout_option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.python_circuit import (
    file_of,
    load_circuit,
    printing_aside,
    read_program_inputs,
)
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import counted
from zkgpu.cli.types import FILE, OUTPUT, FileOrProgram, IntRange, is_program
from zkgpu.errors import UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circom import Limits
    from zkgpu.fields.field import Field, Limbs
    from zkgpu.testing import SoundnessReport

sym_option = option(
    "--sym", kind=FILE, help="circom's .sym file, for names of signals; the one beside the .r1cs by default."
)


@command("compile")
@argument("source", metavar="FILE.py:circuit")
@option("-o", "--output", required=True, kind=OUTPUT, help="Where to write the .r1cs file.")
def compile_command(session: Session, source: str, output: str) -> None:
    """Compile a Python circuit to a .r1cs file that zkgpu and snarkjs read."""
    from zkgpu.formats.kinds import R1CS
    from zkgpu.formats.r1cs import write_r1cs

    require_outputs([output], [file_of(source)])
    require_kinds({output: R1CS})
    with session.working():
        r1cs = load_circuit(source).r1cs
        with stage("write circuit"):
            write_r1cs(output, r1cs)
    session.finish(
        {"output": output, "constraints": r1cs.n_constraints, "wires": r1cs.n_wires, "public": r1cs.n_public},
        f"{output}: {counted(r1cs.n_constraints, 'constraint')}, {counted(r1cs.n_wires, 'wire')}, "
        f"{r1cs.n_public:,} public",
    )


@command("witness")
@argument("source", metavar="FILE.py:circuit|CIRCUIT.wasm", kind=FileOrProgram())
@argument("inputs", metavar="INPUT.json", kind=FILE)
@option("-o", "--output", required=True, kind=OUTPUT, help="Where to write the .wtns file.")
@witness_timeout_option
@memory_option
def witness_command(
    session: Session, source: str, inputs: str, output: str, witness_timeout: float, memory: int | None
) -> None:
    """Compute the witness of a circuit, in Python or circom's, for the inputs of a JSON file.

    Inputs of a Python circuit may come as an .npz file of integers too. One with challenges (lookups, public arrays,
    Circuit.commit) has no witness without a proof: `zkgpu fullprove INPUT FILE.py:circuit KEY.zkey` makes both.
    """
    from zkgpu.formats.kinds import WITNESS
    from zkgpu.formats.wtns import write_wtns

    require_outputs([output], [inputs, file_of(source)])
    require_kinds({output: WITNESS})
    with session.working():
        if is_program(source):
            field, assignment = _python_witness(source, inputs)
        else:
            field, assignment = _circom_witness(source, inputs, witness_limits(witness_timeout, memory))
        write_wtns(output, field, assignment)
    session.finish({"output": output, "values": len(assignment)}, f"{output}: {counted(len(assignment), 'value')}")


def _python_witness(source: str, inputs: str) -> tuple[Field, Limbs]:
    from zkgpu.formats.container import naming

    compiled = load_circuit(source)
    if compiled.r1cs.rounds:
        raise UsageError(
            f"{source} has challenges, which a proof's commitment gives, so its witness is computed with the proof: "
            f"zkgpu fullprove {inputs} {source} KEY.zkey"
        )
    with stage("compute witness"), printing_aside(), naming(inputs):
        return compiled.r1cs.field, compiled.witness(read_program_inputs(inputs, compiled.r1cs.field))


def _circom_witness(calculator: str, inputs: str, limits: Limits) -> tuple[Field, Limbs]:
    from zkgpu.circom import compute_witness
    from zkgpu.curves import DEFAULT
    from zkgpu.formats.circuit_inputs import read_inputs
    from zkgpu.formats.container import naming

    with stage("compute witness"), naming(inputs):
        field = DEFAULT.scalar_field
        return field, compute_witness(calculator, read_inputs(inputs, field), field, limits)


@command("check")
@argument("circuit", metavar="CIRCUIT.r1cs|FILE.py:circuit")
@argument("witness", metavar="WITNESS.wtns|INPUT", kind=FILE)
@option("--soundness", is_flag=True, help="Search for a second witness too: a search, no proof.")
@option("--tries", kind=IntRange(0), default=2000, show_default=True, help="Lying provers to try.")
@option("--seed", kind=int, default=0, show_default=True, help="Of what is tried.")
@sym_option
def check_command(
    session: Session, circuit: str, witness: str, soundness: bool, tries: int, seed: int, sym: str | None
) -> None:
    """Say whether a witness satisfies a circuit, and if not, which constraint it breaks.

    Takes a .r1cs and a .wtns file, or a Python circuit and its inputs in a .json or .npz file. With --soundness it
    looks for a second witness: another output for the same inputs, or a wire that is not determined. Exit code 4 when
    there is one. With a .r1cs file wires are changed only; with a Python circuit hints are answered otherwise too.
    """
    if is_program(circuit) and sym:
        raise UsageError("--sym is for .r1cs files: a Python circuit has its own names")
    with session.working():
        if is_program(circuit):
            constraints, report = _check_program(circuit, witness, soundness, tries, seed)
        else:
            constraints, report = _check_files(circuit, witness, sym, soundness, seed)
    found, lines = (
        {},
        [f"ok: {_all_hold(constraints)}"],
    )
    if report is not None:
        report.require_sound()
        found, lines = report.as_json(), [*lines, str(report)]
    session.finish({"constraints": constraints, **found}, *lines)


def _all_hold(constraints: int) -> str:
    return "the one constraint holds" if constraints == 1 else f"all {constraints:,} constraints hold"


def _check_program(
    source: str, inputs: str, soundness: bool, tries: int, seed: int
) -> tuple[int, SoundnessReport | None]:
    from zkgpu.formats.container import naming
    from zkgpu.testing import attack_circuit

    compiled = load_circuit(source)
    given = read_program_inputs(inputs, compiled.r1cs.field)
    with stage("check constraints"), printing_aside(), naming(inputs):
        compiled.witness(given)
    if not soundness:
        return compiled.r1cs.n_constraints, None
    with stage("search for second witnesses"), printing_aside():
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
