"""setup: keys for a circuit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.outputs import force_option, require_outputs, require_replaceable, require_room
from zkgpu.cli.python_circuit import file_of, load_circuit
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.terminal import counted
from zkgpu.cli.types import Choice, is_program
from zkgpu.errors import UsageError
from zkgpu.stages import stage
from zkgpu.systems.registry import NAMES, system

if TYPE_CHECKING:
    from zkgpu.backend.protocol import Backend
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.provers.proof_system import AnyProvingKey


@command("setup")
@argument("files", many=True, metavar="CIRCUIT.r1cs|FILE.py:circuit [POT.ptau] KEY.zkey")
@option("--protocol", kind=Choice(NAMES), default="groth16", show_default=True)
@option("--unsafe", is_flag=True, help="No ceremony: one party knows all secrets. For tests only.")
@option("--name", default="", help="A name for the contribution recorded in a Groth16 key.")
@force_option
def setup_command(
    session: Session, files: tuple[str, ...], protocol: str, unsafe: bool, name: str, force: bool
) -> None:
    """Make a key for a circuit.

    A Groth16 key is made from a prepared powers-of-tau file and gets one contribution from this machine's randomness.
    A PLONK key follows from the circuit and a powers-of-tau file, prepared or not. With --unsafe no such file is
    needed, and whoever made the key can forge proofs. The key of a Python circuit with challenges (lookups, public
    arrays, Circuit.commit) holds the circuit's digest and proves beside the circuit: `zkgpu fullprove`.
    """
    if len(files) != (2 if unsafe else 3):
        raise UsageError("give CIRCUIT.r1cs POT.ptau KEY.zkey, or CIRCUIT.r1cs KEY.zkey with --unsafe")
    if name and not system(protocol).records_contributions:
        raise UsageError(f"--name: a {system(protocol).title} key records no contribution, leave the name out")
    from zkgpu.backend.beside import large_in_files
    from zkgpu.systems.files import write_key

    circuit, output = files[0], files[-1]
    require_outputs([output], [file_of(circuit), *files[1:-1]])
    with session.working():
        r1cs = _circuit(circuit)
        require_replaceable(output, r1cs, force)
        require_room(output, r1cs, protocol)
        key: Any
        with large_in_files(Path(output).absolute().parent):
            if unsafe:
                session.warn(UNSAFE_WARNING, even_quiet=True)
                key = system(protocol).unsafe_setup(r1cs, session.backend())
            else:
                key = _key_from_ceremony(r1cs, files[1], session.backend(), protocol, name)
        with stage("write key"):
            write_key(output, key.without_matrices(r1cs) if r1cs.rounds else key)
    title = system(protocol).title
    session.finish(
        {
            "output": output,
            "protocol": protocol,
            "wires": key.n_wires,
            "domain": key.domain_size,
            "unsafe": key.is_unsafe,
        },
        f"{output}: {title} key, {counted(key.n_wires, 'wire')}, {counted(key.n_public, 'public input')}, "
        f"domain {key.domain_size:,}" + (", UNSAFE" if key.is_unsafe else ""),
    )


def _circuit(source: str) -> R1CS:
    if is_program(source):
        return load_circuit(source).r1cs
    from zkgpu.formats.r1cs import read_r1cs

    with stage("read circuit"):
        return read_r1cs(source)


def _key_from_ceremony(r1cs: R1CS, path: str, backend: Backend, protocol: str, name: str) -> AnyProvingKey:
    from zkgpu.ceremony.ptau import read_ptau

    with stage("read powers of tau"):
        ptau = read_ptau(path)
    key: AnyProvingKey = system(protocol).setup(r1cs, ptau, backend, **({"name": name} if name else {}))
    return key
