"""zkml setup and report: a model's keys and contract, and a page that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.cli.build import build_folder, require_room_for
from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.limits import memory_option
from zkgpu.cli.outputs import force_option, require_kinds, require_outputs, require_replaceable
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.terminal import counted
from zkgpu.cli.types import FILE, FOLDER, PathKind
from zkgpu.errors import UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau
    from zkgpu.groth16 import ProvingKey
    from zkgpu.inference import CompiledModel


@command("setup")
@argument("build", kind=FOLDER)
@argument("powers", metavar="[POT.ptau]", kind=FILE, required=False)
@option("--unsafe", is_flag=True, help="No ceremony: one party knows all secrets. For tests only.")
@option("--name", default="", help="A name for the contribution recorded in the key.")
@option("--key", "made", kind=FILE, metavar="KEY.zkey", help="Take this one, which others contributed to.")
@force_option
@memory_option
def setup_command(
    session: Session,
    build: str,
    powers: str | None,
    unsafe: bool,
    name: str,
    made: str | None,
    force: bool,
    memory: int | None,
) -> None:
    """Make the keys of a build folder, and its Verifier.sol.

    The key has one contribution, of this machine. Others go on from BUILD/key.zkey with `zkgpu key contribute`; what
    comes out of that is checked against the model and the powers, and put in its place, with --key.
    """
    from zkgpu.backend.beside import large_in_files
    from zkgpu.ceremony.ptau import read_ptau
    from zkgpu.inference import setup, unsafe_setup

    if unsafe == (powers is not None):
        raise UsageError("give a prepared POT.ptau, or --unsafe for a test")
    if made is not None and (unsafe or name):
        raise UsageError("--key takes a key as it is: give POT.ptau with it, and neither --unsafe nor --name")
    folder = build_folder(build)
    with session.working():
        compiled = folder.read_model(memory)
        require_outputs(folder.files, [powers, made])
        require_room_for(compiled, folder)
        require_replaceable(folder.key_file, compiled.circuit.r1cs, force, goes_on=made is not None)
        if powers is None:
            session.warn(UNSAFE_WARNING, even_quiet=True)
            with large_in_files(folder.path):
                key = unsafe_setup(compiled, session.backend())
        else:
            with stage("read powers of tau"):
                ptau = read_ptau(powers)
            with large_in_files(folder.path):
                if made is None:
                    key = setup(compiled, ptau, session.backend(), name=name)
                else:
                    key = _checked_key(session, made, compiled, ptau)
        folder.write_key(key, compiled)
    session.finish(
        {"output": build, "wires": key.n_wires, "domain": key.domain_size, "unsafe": key.is_unsafe},
        f"{folder.key_file}: key of {counted(key.n_wires, 'wire')}" + (", UNSAFE" if key.is_unsafe else ""),
    )


def _checked_key(session: Session, path: str, compiled: CompiledModel, ptau: PowersOfTau) -> ProvingKey:
    """A key that was made elsewhere, once it is known to be the model's."""
    from zkgpu.groth16.setup import verify_key
    from zkgpu.groth16.zkey import read_zkey

    with stage("open key"):
        key = read_zkey(path, session.backend().first_invalid_point)
    verify_key(key, compiled.circuit.r1cs, ptau, session.backend())
    return key


@command("report")
@argument("build", kind=FOLDER)
@option("-o", "--output", default="report.html", show_default=True, kind=PathKind(dir_okay=False))
def report_command(session: Session, build: str, output: str) -> None:
    """Show a model as one HTML page: what proofs of it say, its graph, ranges, errors by layer, and costs."""
    from zkgpu.formats.atomic import replacing
    from zkgpu.formats.kinds import PAGE
    from zkgpu.inference import estimate, speed_of_this_machine
    from zkgpu.profile.report import report

    folder = build_folder(build)
    require_outputs([output], folder.files)
    require_kinds({output: PAGE})
    with session.working():
        compiled = folder.read_model()
        costs = estimate(compiled.circuit.r1cs, speed_of_this_machine(), session.threads)
        with stage("write report"), replacing(output, secret=compiled.visibilities.weights != "public") as file:
            file.write(report(compiled, costs, folder.path.resolve().name).encode())
    session.finish(
        {"output": output, "constraints": costs.constraints}, f"{output}: {counted(costs.constraints, 'constraint')}"
    )
