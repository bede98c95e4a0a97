"""setup: keys for a circuit."""

from __future__ import annotations

import click

from zkgpu.cli.session import Session, pass_session
from zkgpu.errors import UsageError
from zkgpu.stages import stage

UNSAFE_WARNING = "UNSAFE key: one party made it and could forge proofs. For tests only."


@click.command("setup")
@click.argument("files", nargs=-1, required=True, metavar="CIRCUIT.r1cs [POT.ptau] KEY.zkey")
@click.option("--unsafe", is_flag=True, help="No ceremony: one party knows all secrets. For tests only.")
@click.option("--name", default="", help="A name for the contribution recorded in the key.")
@pass_session
def setup_command(session: Session, files: tuple[str, ...], unsafe: bool, name: str) -> None:
    """Make a Groth16 key for a circuit.

    From a prepared powers-of-tau file, the key gets one contribution from this machine's randomness. With --unsafe
    no such file is needed, and whoever made the key can forge proofs.
    """
    if len(files) != (2 if unsafe else 3):
        raise UsageError("give CIRCUIT.r1cs POT.ptau KEY.zkey, or CIRCUIT.r1cs KEY.zkey with --unsafe")
    from zkgpu.formats.r1cs import read_r1cs
    from zkgpu.formats.zkey import write_zkey
    from zkgpu.groth16.setup import setup, unsafe_setup

    circuit, output = files[0], files[-1]
    with session.working():
        with stage("read circuit"):
            r1cs = read_r1cs(circuit)
        backend = session.backend()
        if unsafe:
            session.warn(UNSAFE_WARNING)
            key = unsafe_setup(r1cs, backend)
        else:
            from zkgpu.formats.ptau import read_ptau

            with stage("read powers of tau"):
                ptau = read_ptau(files[1])
            key = setup(r1cs, ptau, backend, name=name)
        with stage("write key"):
            write_zkey(output, key)
    session.finish(
        {"output": output, "wires": key.n_wires, "domain": key.domain_size, "unsafe": key.is_unsafe},
        f"{output}: Groth16 key, {key.n_wires:,} wires, {key.n_public:,} public inputs, domain {key.domain_size:,}"
        + (", UNSAFE" if key.is_unsafe else ""),
    )
