"""prove, fullprove and verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkgpu.cli.circuit import FILE, OUTPUT, sym_option
from zkgpu.cli.limits import memory_option, witness_limits, witness_timeout_option
from zkgpu.cli.outputs import require_outputs
from zkgpu.cli.session import Session, pass_session
from zkgpu.cli.setup import warn_of_key
from zkgpu.errors import EXIT_INVALID_PROOF
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.fields.field import Limbs
    from zkgpu.provers.proof_system import AnyProvingKey

proof_option = click.option("--proof", "proof_file", default="proof.json", show_default=True, type=OUTPUT)
public_option = click.option(
    "--public", "public_file", type=OUTPUT, help="public.json beside proof.json, p2.public.json beside p2.json."
)
circuit_option = click.option("--circuit", type=FILE, help="The .r1cs file: a wrong witness is named by constraint.")
insecure_option = click.option("--allow-insecure-key", is_flag=True, help="Accept a key that lets anyone forge.")


@click.command("prove")
@click.argument("key_file", metavar="KEY.zkey", type=FILE)
@click.argument("witness", metavar="WITNESS.wtns", type=FILE)
@proof_option
@public_option
@circuit_option
@sym_option
@insecure_option
@pass_session
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
    """Make a proof, verify it, and write it with its public inputs."""
    from zkgpu.formats.wtns import read_wtns

    public_file = _outputs(proof_file, public_file, [key_file, witness, circuit, sym])
    with session.working():
        key = _read_key(session, key_file, allow_insecure_key)
        assignment = read_wtns(witness)
        _prove(session, key, assignment, proof_file, public_file, circuit, sym, allow_insecure_key)


@click.command("fullprove")
@click.argument("inputs", metavar="INPUT.json", type=FILE)
@click.argument("wasm", metavar="CIRCUIT.wasm", type=FILE)
@click.argument("key_file", metavar="KEY.zkey", type=FILE)
@proof_option
@public_option
@circuit_option
@sym_option
@witness_timeout_option
@memory_option
@insecure_option
@pass_session
def fullprove_command(
    session: Session,
    inputs: str,
    wasm: str,
    key_file: str,
    proof_file: str,
    public_file: str | None,
    circuit: str | None,
    sym: str | None,
    witness_timeout: float,
    memory: int | None,
    allow_insecure_key: bool,
) -> None:
    """Compute a witness with circom's calculator, then prove as `zkgpu prove` does."""
    from zkgpu.circom import compute_witness
    from zkgpu.formats.circuit_inputs import read_inputs

    public_file = _outputs(proof_file, public_file, [inputs, wasm, key_file, circuit, sym])
    with session.working():
        key = _read_key(session, key_file, allow_insecure_key)
        limits = witness_limits(witness_timeout, memory, wires=getattr(key, "n_circuit_wires", key.n_wires))
        with stage("compute witness"):
            field = key.verifying_key.curve.scalar_field
            assignment = compute_witness(wasm, read_inputs(inputs, field), field, limits)
        _prove(session, key, assignment, proof_file, public_file, circuit, sym, allow_insecure_key)


def _outputs(proof_file: str, public_file: str | None, inputs: list[str | None]) -> str:
    """Where public values go, after both places were looked at."""
    from zkgpu.formats.public_values import public_beside

    public = public_file or str(public_beside(proof_file))
    require_outputs([proof_file, public], inputs)
    return public


def _read_key(session: Session, key_file: str, allow_insecure_key: bool) -> AnyProvingKey:
    from zkgpu.systems.files import read_key

    with stage("open key"):
        key = read_key(key_file, session.backend().first_invalid_point)
    warn_of_key(session, key.is_unsafe, key.weakness() if allow_insecure_key else None)
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

    r1cs, system = _circuit(circuit, sym), system_of(key)
    prover = system.prover(key, session.backend(), circuit=r1cs, allow_insecure_key=allow_insecure_key)
    statement = prover.statement(assignment)
    statement.save(proof_file, public_file)
    session.finish(
        {
            "proof": proof_file,
            "public": public_file,
            "verified": True,
            "unsafe_key": key.is_unsafe,
            "insecure_key": key.weakness(),
            "device": prover.backend.name,
        },
        f"{proof_file}: valid {system.title} proof ({prover.backend.name}, {session.seconds():.2f} s)",
        f"{public_file}: its {len(statement.public_inputs)} public inputs",
    )


def _circuit(circuit: str | None, sym: str | None) -> R1CS | None:
    if circuit is None:
        return None
    from zkgpu.formats.r1cs import read_r1cs

    return read_r1cs(circuit, sym)


@click.command("verify")
@click.argument("key_file", metavar="VERIFICATION_KEY.json", type=FILE)
@click.argument("public_file", metavar="PUBLIC.json", type=FILE)
@click.argument("proof_file", metavar="PROOF.json", type=FILE)
@insecure_option
@pass_session
def verify_command(session: Session, key_file: str, public_file: str, proof_file: str, allow_insecure_key: bool) -> int:
    """Verify a proof: exit code 0 when it is valid, 1 when it is not."""
    from zkgpu.formats.public_values import read_public_values
    from zkgpu.systems.files import read_proof, read_verifying_key
    from zkgpu.systems.registry import system_of

    with session.working(), stage("verify"):
        key = read_verifying_key(key_file)
        proof = read_proof(proof_file, key)
        public_inputs, packed = read_public_values(public_file, key.curve)
        valid = system_of(key).verify(key, public_inputs, proof, packed=packed, allow_insecure_key=allow_insecure_key)
    warn_of_key(session, key.is_unsafe, key.weakness())
    facts = {"valid": valid, "unsafe_key": key.is_unsafe, "insecure_key": key.weakness()}
    session.finish(facts, "valid proof" if valid else "INVALID proof")
    return 0 if valid else EXIT_INVALID_PROOF
