"""prove and fullprove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.cli import remote
from zkgpu.cli.circuit import sym_option
from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.limits import memory_option, witness_limits, witness_timeout_option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.python_circuit import (
    file_of,
    load_circuit,
    printing_aside,
    read_program_inputs,
    require_own_key,
)
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import counted
from zkgpu.cli.types import FILE, OUTPUT, FileOrProgram, KeyPath, is_program
from zkgpu.cli.verifying import insecure_option
from zkgpu.errors import SelfCheckError, UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.fields.field import Limbs
    from zkgpu.provers.proof_system import AnyProvingKey
    from zkgpu.provers.statement import Statement

proof_option = option("--proof", "proof_file", default="proof.json", show_default=True, kind=OUTPUT)
public_option = option(
    "--public", "public_file", kind=OUTPUT, help="public.json beside proof.json, p2.public.json beside p2.json."
)
circuit_option = option(
    "--circuit",
    kind=FileOrProgram(),
    metavar="CIRCUIT.r1cs|FILE.py:circuit",
    help="The .r1cs file, so that a wrong witness is named by constraint; or a Python circuit, that computes it.",
)


@command("prove")
@argument("key_file", metavar="KEY.zkey", kind=KeyPath())
@argument("witness", metavar="WITNESS.wtns|INPUT", kind=FILE)
@proof_option
@public_option
@circuit_option
@sym_option
@insecure_option
def prove_command(
    session: Session,
    key_file: str,
    witness: str,
    proof_file: str,
    public_file: str | None,
    circuit: str | None,
    sym: str | None,
    allow_insecure_key: bool,
) -> None:
    """Make a proof, verify it, and write it with its public inputs.

    With --circuit FILE.py:circuit in place of a witness its inputs are given, in a .json or .npz file.
    """
    from zkgpu.formats.wtns import read_wtns

    public_file = _outputs(proof_file, public_file, [key_file, witness, file_of(circuit), sym])
    if session.server:
        remote.refuse(circuit=circuit, sym=sym, allow_insecure_key=allow_insecure_key)
        remote.prove(session, key_file, witness, proof_file, public_file)
        return
    with session.working():
        if circuit is not None and is_program(circuit):
            _refuse_names(sym)
            _prove_program(session, circuit, witness, key_file, proof_file, public_file, allow_insecure_key)
            return
        key = _read_key(session, key_file, allow_insecure_key)
        assignment = read_wtns(witness)
        _prove(session, key, assignment, proof_file, public_file, circuit, sym, allow_insecure_key)


@command("fullprove")
@argument("inputs", metavar="INPUT.json", kind=FILE)
@argument("calculator", metavar="CIRCUIT.wasm|FILE.py:circuit", kind=FileOrProgram())
@argument("key_file", metavar="KEY.zkey", kind=FILE)
@proof_option
@public_option
@circuit_option
@sym_option
@witness_timeout_option
@memory_option
@insecure_option
def fullprove_command(
    session: Session,
    inputs: str,
    calculator: str,
    key_file: str,
    proof_file: str,
    public_file: str | None,
    circuit: str | None,
    sym: str | None,
    witness_timeout: float,
    memory: int | None,
    allow_insecure_key: bool,
) -> None:
    """Compute a witness with circom's calculator or a Python circuit, then prove as `zkgpu prove` does."""
    from zkgpu.circom import compute_witness
    from zkgpu.formats.circuit_inputs import read_inputs
    from zkgpu.formats.container import naming

    public_file = _outputs(proof_file, public_file, [inputs, file_of(calculator), key_file, circuit, sym])
    with session.working():
        if is_program(calculator):
            _refuse_names(sym, circuit)
            _prove_program(session, calculator, inputs, key_file, proof_file, public_file, allow_insecure_key)
            return
        key = _read_key(session, key_file, allow_insecure_key)
        limits = witness_limits(witness_timeout, memory, wires=getattr(key, "n_circuit_wires", key.n_wires))
        with stage("compute witness"), naming(inputs):
            field = key.verifying_key.curve.scalar_field
            assignment = compute_witness(calculator, read_inputs(inputs, field), field, limits)
        _prove(session, key, assignment, proof_file, public_file, circuit, sym, allow_insecure_key)


def _outputs(proof_file: str, public_file: str | None, inputs: list[str | None]) -> str:
    """Where public values go, after both places were looked at."""
    from zkgpu.formats.kinds import PROOF, PUBLIC
    from zkgpu.formats.public_values import public_beside

    public = public_file or str(public_beside(proof_file))
    require_outputs([proof_file, public], inputs)
    require_kinds({proof_file: PROOF, public: PUBLIC})
    return public


def _read_key(session: Session, key_file: str, allow_insecure_key: bool) -> AnyProvingKey:
    from zkgpu.systems.files import read_key

    with stage("open key"):
        key = read_key(key_file, session.backend().first_invalid_point)
    session.warn_of_key(key.is_unsafe, key.weakness() if allow_insecure_key else None)
    return key


def _prove(
    session: Session,
    key: AnyProvingKey,
    assignment: Limbs,
    proof_file: str,
    public_file: str,
    circuit: str | None,
    sym: str | None,
    allow_insecure_key: bool,
) -> None:
    from zkgpu.systems.registry import system_of

    r1cs = _circuit(circuit, sym)
    prover = system_of(key).prover(key, session.backend(), circuit=r1cs, allow_insecure_key=allow_insecure_key)
    _save(session, key, prover.statement(assignment), proof_file, public_file)


def _prove_program(
    session: Session,
    source: str,
    inputs: str,
    key_file: str,
    proof_file: str,
    public_file: str,
    allow_insecure_key: bool,
) -> None:
    """Proves for the inputs of a Python circuit, whose challenges come of the proof itself where it has some."""
    from zkgpu.formats.container import naming
    from zkgpu.systems.registry import system_of

    compiled = load_circuit(source)
    given = read_program_inputs(inputs, compiled.r1cs.field)
    key = _read_key(session, key_file, allow_insecure_key)
    require_own_key(key, key_file, compiled, source)
    prover = system_of(key).prover(key, session.backend(), circuit=compiled.r1cs, allow_insecure_key=allow_insecure_key)
    with printing_aside(), naming(inputs):
        try:
            statement = prover.prove_circuit(compiled, given)
        except SelfCheckError as error:
            raise error.within(f"{key_file}, {source}") from None
    _save(session, key, statement, proof_file, public_file)


def _refuse_names(sym: str | None, circuit: str | None = None) -> None:
    """A Python circuit names its own constraints."""
    if sym or circuit:
        raise UsageError(f"{'--sym' if sym else '--circuit'}: a Python circuit has names of its own: leave it out")


def _save(session: Session, key: AnyProvingKey, statement: Statement, proof_file: str, public_file: str) -> None:
    from zkgpu.systems.registry import system_of

    statement.save(proof_file, public_file)
    device = session.backend().name
    packed = f" and {len(statement.packed):,} bytes of public arrays" if statement.packed else ""
    session.finish(
        {
            "proof": proof_file,
            "public": public_file,
            "verified": True,
            "unsafe_key": key.is_unsafe,
            "insecure_key": key.weakness(),
            "device": device,
        },
        f"{proof_file}: valid {system_of(key).title} proof ({device}, {session.seconds():.2f} s)",
        f"{public_file}: its {counted(len(statement.public_inputs), 'public input')}{packed}",
    )


def _circuit(circuit: str | None, sym: str | None) -> R1CS | None:
    if circuit is None:
        return None
    from zkgpu.formats.r1cs import read_r1cs

    return read_r1cs(circuit, sym)
