"""samples: files to try the other commands with."""

from __future__ import annotations

from pathlib import Path

from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.outputs import require_outputs
from zkgpu.cli.session import Session
from zkgpu.cli.types import FOLDER
from zkgpu.errors import UsageError

_ONE_PARTY = "unsafe: this machine alone made the powers of pot.ptau; they, and keys set up with them, are for tests"


@command("samples")
@argument("folder", metavar="[FOLDER]", required=False, default=".", kind=FOLDER)
@option("--force", is_flag=True, help="Replace files of the same names.")
def samples_command(session: Session, folder: str, force: bool) -> None:
    """Write files to try the commands with: a circom circuit, a model, their inputs, and powers of tau.

    circuit.circom, .r1cs, .sym and .wasm with input.json; model.onnx, which reads digits, with data.npz to calibrate it
    and input.npz; pot.ptau for both, which this machine makes alone, so that it is unsafe: for tests.
    """
    from zkgpu.demo.samples import NAMES, write_samples

    places = [Path(folder, name) for name in NAMES]
    there = next((place for place in places if place.exists()), None)
    if there is not None and not force:
        raise UsageError(f"{there}: there is a file: --force replaces it")
    require_outputs(places, [], may_make_folders=True)
    with session.working():
        write_samples(Path(folder), session.backend())
    session.warn(_ONE_PARTY)
    session.finish({"output": folder, "files": list(NAMES)}, f"{folder}: {', '.join(NAMES)}")
