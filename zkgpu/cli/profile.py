"""profile: where a circuit's constraints go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zkgpu.cli.circuit import sym_option
from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.python_circuit import file_of, load_circuit
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import aligned
from zkgpu.cli.types import FILE, OUTPUT, IntRange, is_program
from zkgpu.errors import UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.profile import Scope


@command("profile")
@argument("source", metavar="CIRCUIT.r1cs|FILE.py:circuit|MODEL.onnx|BUILD")
@option("-o", "--output", kind=OUTPUT, help="A page with a flame graph: one HTML file.")
@option("--depth", kind=IntRange(1), default=2, show_default=True, help="Levels of the table.")
@option("--calibrate", kind=FILE, help="Samples for a MODEL.onnx, as in zkml compile; made up by default.")
@sym_option
def profile_command(
    session: Session, source: str, output: str | None, depth: int, calibrate: str | None, sym: str | None
) -> None:
    """Show what each scope, component or layer of a circuit takes, in constraints and entries.

    Takes a .r1cs file (circom's components need its .sym file), a Python circuit, an ONNX model, or the build folder of
    one.
    """
    from zkgpu.formats.kinds import PAGE
    from zkgpu.profile import page, profile

    if output:
        require_outputs([output], [file_of(source), calibrate, sym])
        require_kinds({output: PAGE})
    with session.working():
        r1cs = _circuit(session, source, calibrate, sym)
        with stage("count constraints"):
            found = profile(r1cs, Path(source).name or source)
        if output:
            from zkgpu.formats.atomic import write_text

            write_text(output, page(found))
    unnamed = [] if found.children else ["nothing in it has a name: compile with circom --sym, or with Circuit.scope"]
    written = [f"{output}: the same to click through"] if output else []
    session.finish({"output": output, "profile": found.to_json()}, *_table(found, depth), *unnamed, *written)


def _circuit(session: Session, source: str, calibrate: str | None, sym: str | None) -> R1CS:
    """The constraints of whatever has some."""
    path = Path(source)
    if calibrate and path.suffix != ".onnx":
        raise UsageError(f"--calibrate is for a MODEL.onnx, and {source} is none: leave it out")
    if sym and path.suffix != ".r1cs":
        raise UsageError(f"--sym is for .r1cs files, and {source} is none: leave it out")
    if is_program(source):
        return load_circuit(source).r1cs
    if path.is_dir():
        from zkgpu.inference import Folder

        return Folder(path).read_model().circuit.r1cs
    if not path.is_file():
        raise UsageError(f"{source}: no such file; give CIRCUIT.r1cs, FILE.py:circuit, MODEL.onnx or a build folder")
    if path.suffix == ".onnx":
        return _circuit_of_model(session, source, calibrate)
    from zkgpu.formats.r1cs import read_r1cs

    return read_r1cs(source, sym)


def _circuit_of_model(session: Session, source: str, calibrate: str | None) -> R1CS:
    from zkgpu.inference import estimate, estimate_model, require_room

    compiled, size = estimate_model(source, calibrate)
    require_room(estimate(size))
    if calibrate is None:
        session.warn("no samples were given: numbers were made up, and ranges may be others. --calibrate gives some")
    return compiled.circuit.r1cs


def _table(found: Scope, depth: int) -> list[str]:
    from zkgpu.profile import walk

    rows = [("scope", "constraints", "share", "entries")]
    for level, scope in walk(found):
        if level <= depth:
            share = scope.constraints / max(found.constraints, 1)
            rows.append((". " * level + scope.name, f"{scope.constraints:,}", f"{share:.1%}", f"{scope.entries:,}"))
    return aligned(rows)
