"""demo: a proof from the first line to the contract, with what each step cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zkgpu.cli.declaring import command, option
from zkgpu.cli.digits import run_digits
from zkgpu.cli.outputs import force_option, require_outputs, require_replaceable
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.types import PathKind
from zkgpu.errors import SelfCheckError
from zkgpu.stages import stage


@command("demo")
@option("--output", kind=PathKind(file_okay=False), help="Keep the files made (circuit, key, proof, contract) here.")
@option("--membership", is_flag=True, help="A leaf of a tree of a million, which is not shown, in its place.")
@force_option
def demo_command(session: Session, output: str | None, membership: bool, force: bool) -> None:
    """Prove what a small neural network reads in an image of a digit; verify; export the contract."""
    if output:
        require_outputs([Path(output, "proof.json")], [], may_make_folders=True)
    if membership:
        run_membership(session, output, force)
    else:
        run_digits(session, output, force)


def run_membership(session: Session, output: str | None, force: bool = False) -> None:
    """Proves membership in a tree without showing the leaf, verifies, and exports the contract."""
    from zkgpu.demo.membership import DEPTH, membership_circuit, membership_inputs
    from zkgpu.groth16.prover import Prover
    from zkgpu.groth16.setup import unsafe_setup
    from zkgpu.groth16.verifier import verify
    from zkgpu.solidity import verifier_source

    with session.working():
        with stage("build circuit"):
            compiled = membership_circuit(DEPTH).compile()
            if output:
                require_replaceable(Path(output, "key.zkey"), compiled.r1cs, force)
        with stage("compute witness"):
            assignment = compiled.witness(membership_inputs(DEPTH))
        backend = session.backend()
        key = unsafe_setup(compiled.r1cs, backend)
        prover = Prover(key, backend, circuit=compiled.r1cs)
        proof = prover.prove(assignment)
        public_inputs = prover.public_inputs(assignment)
        with stage("verify"):
            if not verify(key.verifying_key, public_inputs, proof):
                raise SelfCheckError("the proof of the demo does not verify")
        with stage("export Solidity verifier"):
            source = verifier_source(key.verifying_key)
        if output:
            with stage("write files"):
                _write_files(Path(output), compiled, assignment, key, proof, public_inputs, source)
    _report(session, DEPTH, compiled.r1cs, backend.name, output)


def _write_files(
    folder: Path, compiled: Any, assignment: Any, key: Any, proof: Any, public_inputs: list[int], source: str
) -> None:
    from zkgpu.formats.atomic import together, write_text
    from zkgpu.formats.r1cs import write_r1cs
    from zkgpu.formats.wtns import write_wtns
    from zkgpu.groth16.json import write_verifying_key
    from zkgpu.groth16.zkey import write_zkey
    from zkgpu.provers.statement import Statement

    folder.mkdir(parents=True, exist_ok=True)
    names = ("circuit.r1cs", "witness.wtns", "Verifier.sol", "verification_key.json", "key.zkey")
    old_proof = folder / "proof.json", folder / "public.json"
    with together(*(folder / name for name in names), remove=old_proof) as (r1cs, witness, contract, vk, zkey):
        write_r1cs(r1cs, compiled.r1cs)
        write_wtns(witness, compiled.r1cs.field, assignment)
        write_text(contract, source)
        write_verifying_key(vk, key.verifying_key)
        write_zkey(zkey, key)
    Statement(public_inputs, proof).save(folder / "proof.json")


def _report(session: Session, depth: int, r1cs: Any, device: str, output: str | None) -> None:
    total = session.seconds()
    if not session.json and not session.quiet:
        table = Table(title=f"Merkle membership, depth {depth}: {r1cs.n_constraints:,} constraints on {device}")
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for name, seconds in session.stage_seconds.items():
            table.add_row(name, f"{seconds:.3f}")
        table.add_row("total", f"{total:.3f}", style="bold")
        Console(highlight=False).print(table)
        session.warn(UNSAFE_WARNING)
    result = {"constraints": r1cs.n_constraints, "device": device, "valid": True, "unsafe": True, "output": output}
    line = "valid proof; 256 bytes, and a contract that accepts it"
    session.finish({**result, "seconds": total, "stages": session.stages()}, line)
