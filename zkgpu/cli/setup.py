"""setup: keys for a circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkgpu.cli.outputs import force_option, require_outputs, require_replaceable
from zkgpu.cli.parsing import Choice
from zkgpu.cli.session import Session, pass_session
from zkgpu.errors import UsageError
from zkgpu.stages import stage
from zkgpu.systems.registry import NAMES, system

if TYPE_CHECKING:
    from zkgpu.backend.protocol import Backend
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.provers.proof_system import AnyProvingKey

UNSAFE_WARNING = "UNSAFE key: one party made it and could forge proofs. For tests only."


def warn_of_key(session: Session, is_unsafe: bool, weakness: str | None) -> None:
    """Says on stderr what is wrong with a key that is used all the same."""
    if is_unsafe:
        session.warn(UNSAFE_WARNING)
    if weakness is not None:
        session.warn(f"INSECURE key: {weakness}; anyone can forge proofs for it, or read what they hide")


@click.command("setup")
@click.argument("files", nargs=-1, required=True, metavar="CIRCUIT.r1cs [POT.ptau] KEY.zkey")
@click.option("--protocol", type=Choice(NAMES), default="groth16", show_default=True)
@click.option("--unsafe", is_flag=True, help="No ceremony: one party knows all secrets. For tests only.")
@click.option("--name", default="", help="A name for the contribution recorded in a Groth16 key.")
@force_option
@pass_session
def setup_command(
    session: Session, files: tuple[str, ...], protocol: str, unsafe: bool, name: str, force: bool
) -> None:
    """Make a key for a circuit.

    A Groth16 key is made from a prepared powers-of-tau file and gets one contribution from this machine's randomness.
    A PLONK key follows from the circuit and a powers-of-tau file, prepared or not. With --unsafe no such file is
    needed, and whoever made the key can forge proofs.
    """
    if len(files) != (2 if unsafe else 3):
        raise UsageError("give CIRCUIT.r1cs POT.ptau KEY.zkey, or CIRCUIT.r1cs KEY.zkey with --unsafe")
    if name and not system(protocol).records_contributions:
        raise UsageError(f"--name: a {system(protocol).title} key records no contribution, leave the name out")
    from zkgpu.formats.r1cs import read_r1cs
    from zkgpu.systems.files import write_key

    circuit, output = files[0], files[-1]
    require_outputs([output], files[:-1])
    with session.working():
        with stage("read circuit"):
            r1cs = read_r1cs(circuit)
            require_replaceable(output, r1cs, force)
        if unsafe:
            session.warn(UNSAFE_WARNING)
            key = system(protocol).unsafe_setup(r1cs, session.backend())
        else:
            key = _key_from_ceremony(r1cs, files[1], session.backend(), protocol, name)
        with stage("write key"):
            write_key(output, key)
    title = system(protocol).title
    session.finish(
        {
            "output": output,
            "protocol": protocol,
            "wires": key.n_wires,
            "domain": key.domain_size,
            "unsafe": key.is_unsafe,
        },
        f"{output}: {title} key, {key.n_wires:,} wires, {key.n_public:,} public inputs, domain {key.domain_size:,}"
        + (", UNSAFE" if key.is_unsafe else ""),
    )


def _key_from_ceremony(r1cs: R1CS, path: str, backend: Backend, protocol: str, name: str) -> AnyProvingKey:
    from zkgpu.ceremony.ptau import read_ptau

    with stage("read powers of tau"):
        ptau = read_ptau(path)
    key: AnyProvingKey = system(protocol).setup(r1cs, ptau, backend, **({"name": name} if name else {}))
    return key
