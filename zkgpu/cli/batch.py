"""batch: many proofs by one key, which goes on where an earlier run stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.limits import witness_timeout_option
from zkgpu.cli.outputs import require_kinds
from zkgpu.cli.serve import device_options, places_for
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.terminal import complain, message
from zkgpu.cli.types import FILE, FOLDER, PathKind
from zkgpu.errors import SelfCheckError, UsageError

if TYPE_CHECKING:
    from zkgpu.inference import CompiledModel
    from zkgpu.provers.statement import Statement
    from zkgpu.service.batch import Item
    from zkgpu.service.opened import Options
    from zkgpu.service.places import Place
    from zkgpu.service.served import Served

_NAME = "batch"
output_option = option("-o", "--output", required=True, kind=FOLDER, help="Where proofs go: a.json for a.wtns.")


@command("batch")
@argument("key_file", metavar="KEY.zkey", kind=FILE)
@argument("folder", metavar="FOLDER", kind=PathKind(exists=True, file_okay=False))
@output_option
@option("--wasm", kind=FILE, help="The circuit's calculator, for each input.json in the folder.")
@option("--circuit", kind=FILE, help="The .r1cs file: a wrong witness is named by constraint.")
@witness_timeout_option
@device_options
def batch_command(
    session: Session,
    /,
    key_file: str,
    folder: str,
    output: str,
    wasm: str | None,
    circuit: str | None,
    witness_timeout: float,
    **options: Any,
) -> int:
    """Prove each witness of a folder: .wtns, and with --wasm .json. What has its proof already is left out."""
    from zkgpu.service.opened import Options
    from zkgpu.service.served import Served

    absolute = [os.path.abspath(path) if path else None for path in (wasm, circuit)]
    served = Served(_NAME, os.path.abspath(key_file), calculator=absolute[0], circuit=absolute[1])
    asked = Options(seconds=witness_timeout)
    with session.working():
        found = _files(folder, with_inputs=wasm is not None)
        items = _items_of_files(found, output, served, asked)
        return _run(session, served, asked, items, output, options)


@command("batch")
@argument("build", kind=FOLDER)
@argument("inputs", metavar="INPUT", kind=FILE)
@option("-o", "--output", required=True, kind=FOLDER, help="Where proofs go: proof_0.json and so on.")
@option("--clamp", is_flag=True, help="Bring what is out of range to its end, rather than refuse it.")
@option("--binding", metavar="0x..", help="The bytes that each proof is for.")
@device_options
def zkml_batch_command(
    session: Session, /, build: str, inputs: str, output: str, clamp: bool, binding: str | None, **options: Any
) -> int:
    """Prove a model's outputs for each sample of a batch, at all places at once. What has its proof is left out."""
    from zkgpu.service.opened import Options
    from zkgpu.service.served import Served

    asked = Options(clamp=clamp, binding=binding or "")
    with session.working():
        items = _items_of_samples(build, inputs, output, asked)
        return _run(session, Served(_NAME, os.path.abspath(build), is_model=True), asked, items, output, options)


def _files(folder: str, with_inputs: bool) -> list[Path]:
    """The witnesses in a folder, by name. Raises UsageError where there is none, or two would have one proof."""
    wanted = (".wtns", ".json") if with_inputs else (".wtns",)
    found = sorted(path for path in Path(folder).iterdir() if path.suffix in wanted and path.is_file())
    stems = [path.stem for path in found]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None) if len(set(stems)) < len(stems) else None
    if twice is not None:
        raise UsageError(f"{folder}: {twice}.wtns and {twice}.json would have one proof: keep one")
    if not found:
        raise UsageError(f"{folder}: there is no {' and no '.join(wanted)} file in it")
    return found


def _items_of_files(files: Sequence[Path], output: str, served: Served, asked: Options) -> list[Item]:
    from zkgpu.service.batch import Item

    places = [Path(output, f"{path.stem}.json") for path in files]
    taken = next((place for place, path in zip(places, files, strict=True) if place.resolve() == path.resolve()), None)
    if taken is not None:
        raise UsageError(f"{taken}: this is read as well as written: choose another place for the output")
    return [
        Item(str(path), os.fspath(path.resolve()), place, partial(_is_of_witness, path, served, asked))
        for path, place in zip(files, places, strict=True)
    ]


def _is_of_witness(path: Path, served: Served, asked: Options, statement: Statement) -> bool:
    from zkgpu.service.opened import witness_of
    from zkgpu.systems.files import read_key

    key = read_key(served.path)
    assignment = witness_of(path.read_bytes(), key, served.calculator, asked)
    public = key.verifying_key.curve.scalar_field.from_limbs(assignment[1 : len(statement.public_inputs) + 1])
    return public == list(statement.public_inputs)


def _items_of_samples(build: str, inputs: str, output: str, asked: Options) -> list[Item]:
    from zkgpu.formats.container import naming
    from zkgpu.inference import Folder, binding_from
    from zkgpu.inference.folder import read_inputs
    from zkgpu.service.batch import Item
    from zkgpu.service.each import file_of

    folder = Folder(Path(build))
    folder.require_built()
    compiled, binding = folder.read_model(), binding_from(asked.binding)
    with naming(inputs):
        samples, _ = compiled.samples(read_inputs(inputs, compiled))
    items = []
    for i, sample in enumerate(samples):
        fits = partial(_is_of_sample, compiled, folder, sample, asked.clamp, binding)
        items.append(Item(f"{inputs}: sample {i}", file_of(sample), Path(output, f"proof_{i}.json"), fits))
    return items


def _is_of_sample(
    compiled: CompiledModel, folder: Any, sample: Any, clamp: bool, binding: bytes, statement: Statement
) -> bool:
    from zkgpu.inference.steps import require_shown

    try:
        integers = compiled.quantized(sample, clamp=clamp)
        wanted = compiled.public_values(integers, binding, clamp=clamp)
        require_shown(compiled, folder.read_verifying_key(), wanted, statement)
    except SelfCheckError:
        return False
    return True


def _run(
    session: Session, served: Served, asked: Options, items: list[Item], output: str, options: dict[str, Any]
) -> int:
    """Makes the proofs; the exit code of the worst failure."""
    from zkgpu.formats.kinds import PROOF, PUBLIC
    from zkgpu.formats.public_values import public_beside
    from zkgpu.service.batch import Batch

    _make(output)
    for item in items:
        require_kinds({item.proof: PROOF, public_beside(item.proof): PUBLIC})
    done = 0

    def told(name: str) -> None:
        nonlocal done
        done += 1
        session.show(f"{done:,} of {len(items):,}: {name}")

    batch = Batch(_NAME, asked, told)
    with _places(session, served, options) as places:
        batch.run(items, places)
    if batch.is_unsafe:
        session.warn(UNSAFE_WARNING)
    for name, (text, _) in sorted(batch.failed.items()):
        complain(message(f"error: {name}: {text}"))
    failed = [{"file": name, "error": text, "exit_code": code} for name, (text, code) in sorted(batch.failed.items())]
    session.finish(
        {"output": output, "made": batch.made, "kept": batch.kept, "failed": failed},
        f"{output}: {batch.made:,} proofs made, {batch.kept:,} were there, {len(failed):,} failed",
    )
    return batch.exit_code


@contextmanager
def _places(session: Session, served: Served, options: dict[str, Any]) -> Iterator[list[Place]]:
    places = places_for(session, {served.name: served}, options)()
    try:
        yield places
    finally:
        for place in places:
            place.close()


def _make(folder: str) -> None:
    from zkgpu.formats.atomic import make_folder, require_writable

    make_folder(folder)
    require_writable(Path(folder, "proof.json"))
