"""zkml: from an ONNX model to a proof of its output, in a build folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkgpu.cli import remote
from zkgpu.cli.batch import zkml_batch_command
from zkgpu.cli.circuit import FILE
from zkgpu.cli.limits import memory_option
from zkgpu.cli.outputs import force_option, require_disk, require_kinds, require_outputs, require_replaceable
from zkgpu.cli.parsing import Choice, Group
from zkgpu.cli.proof import insecure_option
from zkgpu.cli.session import Session, pass_session
from zkgpu.cli.setup import UNSAFE_WARNING, warn_of_key
from zkgpu.cli.terminal import aligned, counted
from zkgpu.errors import EXIT_INVALID_PROOF, FormatError, UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau
    from zkgpu.groth16 import ProvingKey, VerifyingKey
    from zkgpu.inference import CompiledModel, Costs, Folder, ModelCheck, ModelStatement
    from zkgpu.provers.statement import Statement
    from zkgpu.zkml.onnx_model import OnnxModel

_LENGTH = re.compile(r"[1-9]\d{0,8}", re.ASCII)  # of an axis
FOLDER = click.Path(file_okay=False)
binding_option = click.option("--binding", metavar="0x..", help="The bytes that the proof is for, as with --bind.")

weights_option = click.option(
    "--weights", type=Choice(["public", "private", "hashed"]), default="public", show_default=True
)

_options = (
    click.option(
        "--test", "test", type=FILE, help="Samples to measure accuracy with; by default a part of those of --calibrate."
    ),
    click.option(
        "--allow-error", type=float, metavar="X", help="How far outputs may be from the float model's: 0.05, or 5 %."
    ),
    weights_option,
    click.option(
        "--bits",
        default="auto",
        show_default=True,
        metavar="N|auto|stream",
        help="Width of weights and activations, from 2 to 16; auto: 8, and more for tensors that need it; stream: what "
        "a transformer with a residual stream needs.",
    ),
    click.option("--private", multiple=True, metavar="TENSOR", help="An input or output that only the prover knows."),
    click.option("--hashed", multiple=True, metavar="TENSOR", help="An input or output shown by its Poseidon hash."),
    click.option("--tensor", multiple=True, metavar="TENSOR", help="Compute this tensor; all outputs by default."),
    click.option("--percentile", type=float, help="Cut outliers off the calibrated ranges: 99.9, say."),
    click.option("--labels", multiple=True, metavar="OUTPUT=A,B,..", help="What an output's entries, or classes, are."),
    click.option("--bind", type=Choice(["20", "32"]), help="Make each proof one for that many given bytes."),
    memory_option,
)


shape_option = click.option(
    "--shape", "shapes", multiple=True, metavar="INPUT=1,3,8", help="An input's, where the file has none."
)


_SAMPLES = "Sample inputs: .npy, .npz or .json by name, .csv."
samples_option = click.option("--calibrate", required=True, type=FILE, help=_SAMPLES)
samples_if_any_option = click.option("--calibrate", type=FILE, help=f"{_SAMPLES} Made up by default.")


def compile_options(command: Any) -> Any:
    """The options that say how a model is compiled."""
    for option in reversed(_options):
        command = option(command)
    return command


@click.group("zkml", cls=Group, no_args_is_help=False)
def zkml_group() -> None:
    """Prove what a neural network answers: compile, setup, prove, verify."""


@zkml_group.command("check")
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@shape_option
@click.option("--tensor", multiple=True, metavar="TENSOR", help="Compute this tensor; all outputs by default.")
@weights_option
@memory_option
@pass_session
def check_command(
    session: Session,
    /,
    model: str,
    shapes: tuple[str, ...],
    tensor: tuple[str, ...],
    weights: str,
    memory: int | None,
) -> int:
    """List everything in a model that is not supported; exit code 3 when there is something. Needs no data."""
    from zkgpu.inference import check

    with session.working():
        found = check(model, shapes=_shapes(shapes), tensors=tensor or None, weights=weights, memory=memory)
    nodes = sum(found.operators.values())
    verdict = "all supported" if found.is_supported else f"{len(found.obstacles)} not supported"
    session.finish(found.to_json(), *_obstacles(found), *found.notes, f"{model}: {counted(nodes, 'node')}, {verdict}")
    return 0 if found.is_supported else FormatError.exit_code


def _shapes(given: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """INPUT=1,3,64,64 by input."""
    found = {}
    for text in given:
        name, _, lengths = text.rpartition("=")
        if not name or not all(_LENGTH.fullmatch(length) for length in lengths.split(",")):
            raise UsageError(f"--shape {text}: give INPUT=1,3,64,64 with an input of the model and its lengths")
        found[name] = tuple(map(int, lengths.split(",")))
    return found


def _obstacles(found: ModelCheck) -> list[str]:
    """A table with a line for each."""
    rows = [(o.operator or "-", str(o.count), o.nodes[0], o.reason, o.instead) for o in found.obstacles]
    return aligned([("operator", "nodes", "first", "why not", "instead"), *rows]) if rows else []


@zkml_group.command("compile")
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@samples_option
@compile_options
@click.option("-o", "--output", required=True, type=FOLDER, help="The build folder.")
@force_option
@pass_session
def compile_command(session: Session, /, model: str, output: str, force: bool, **options: Any) -> None:
    """Quantize a model, report its accuracy, and fix its circuit in a build folder."""
    from zkgpu.inference import estimate

    folder = _folder(output)
    require_outputs(folder.files, [model, options["calibrate"], options["test"]], may_make_folders=True)
    with session.working():
        compiled = _compile(model, options)
        _require_room(compiled, folder)
        costs = estimate(compiled.circuit.r1cs)
        _warn(session, compiled)
        if not force and folder.holds_another(compiled):
            raise UsageError(f"{output}: there is the model of another circuit: --force replaces it, and its keys")
        folder.write_model(compiled)
    report = {"output": output, **_report(compiled, costs)}
    session.finish(report, *_lines(compiled, costs), f"{output}: ready for setup")


@zkml_group.command("estimate")
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@samples_if_any_option
@shape_option
@compile_options
@pass_session
def estimate_command(session: Session, /, model: str, shapes: tuple[str, ...], **options: Any) -> None:
    """Say what a model would cost: constraints, time, memory, gas. Nothing is written, and no circuit built."""
    from zkgpu.inference import estimate, estimate_model, require_room, speed_of_this_machine

    with session.working():
        source, named = _named(model, options)
        compiled, size = estimate_model(source, options["calibrate"], shapes=_shapes(shapes), **named)
        costs = estimate(size, speed_of_this_machine(), session.threads)
        require_room(costs)
        _warn(session, compiled)
    if options["calibrate"] is None:
        session.warn("no samples were given: numbers were made up, and ranges may be others. --calibrate gives some")
    session.finish(_report(compiled, costs), *_lines(compiled, costs))


@zkml_group.command("setup")
@click.argument("build", type=FOLDER)
@click.argument("powers", metavar="[POT.ptau]", type=FILE, required=False)
@click.option("--unsafe", is_flag=True, help="No ceremony: one party knows all secrets. For tests only.")
@click.option("--name", default="", help="A name for the contribution recorded in the key.")
@click.option("--key", "made", type=FILE, metavar="KEY.zkey", help="Take this one, which others contributed to.")
@force_option
@memory_option
@pass_session
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
    folder = _folder(build)
    with session.working():
        compiled = folder.read_model(memory)
        require_outputs(folder.files, [powers, made])
        _require_room(compiled, folder)
        require_replaceable(folder.key_file, compiled.circuit.r1cs, force)
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


@zkml_group.command("report")
@click.argument("build", type=FOLDER)
@click.option("-o", "--output", default="report.html", show_default=True, type=click.Path(dir_okay=False))
@pass_session
def report_command(session: Session, build: str, output: str) -> None:
    """Show a model as one HTML page: what proofs of it say, its graph, ranges, errors by layer, and costs."""
    from zkgpu.formats.atomic import replacing
    from zkgpu.inference import estimate, speed_of_this_machine
    from zkgpu.profile.report import report

    folder = _folder(build)
    require_outputs([output], folder.files)
    with session.working():
        compiled = folder.read_model()
        costs = estimate(compiled.circuit.r1cs, speed_of_this_machine(), session.threads)
        with stage("write report"), replacing(output, secret=compiled.visibilities.weights != "public") as file:
            file.write(report(compiled, costs, folder.path.resolve().name).encode())
    session.finish(
        {"output": output, "constraints": costs.constraints}, f"{output}: {counted(costs.constraints, 'constraint')}"
    )


@zkml_group.command("prove")
@click.argument("build", type=FOLDER)
@click.argument("inputs", metavar="INPUT", type=FILE)
@click.option("-o", "--output", default="proof.json", show_default=True, type=click.Path(dir_okay=False))
@click.option("--public", "public_file", type=click.Path(dir_okay=False), help="p2.public.json beside p2.json.")
@click.option(
    "--weights", "weights", metavar="MODEL.onnx", type=FILE, help="Other weights, where the circuit has none."
)
@click.option("--clamp", is_flag=True, help="Bring what is out of range to its end, rather than refuse it.")
@memory_option
@binding_option
@insecure_option
@pass_session
def prove_command(
    session: Session,
    build: str,
    inputs: str,
    output: str,
    public_file: str | None,
    weights: str | None,
    clamp: bool,
    memory: int | None,
    binding: str | None,
    allow_insecure_key: bool,
) -> None:
    """Prove a model's outputs for one sample of inputs, or for each of a batch: proof_0.json and so on."""
    from zkgpu.inference import ModelStatement, Prover, binding_from
    from zkgpu.inference.folder import read_inputs

    folder, read = _folder(build), [*_folder(build).files, inputs, weights]
    require_outputs(_places(output, public_file, None)[0], read)
    _require_kinds(_places(output, public_file, None))
    if session.server:
        remote.refuse(weights=weights, memory=memory, allow_insecure_key=allow_insecure_key)
        _prove_there(session, build, inputs, output, public_file, {"clamp": clamp, "binding": binding})
        return
    with session.working():
        compiled = folder.read_model(memory)
        samples, is_batch = compiled.samples(read_inputs(inputs, compiled, memory))
        places = _places(output, public_file, len(samples) if is_batch else None)
        require_outputs([path for pair in places for path in pair], read)
        _require_kinds(places)
        model = compiled.with_weights(weights, memory=memory) if weights else compiled
        key = folder.read_key(session.backend())
        if key.is_unsafe:
            session.warn(UNSAFE_WARNING, even_quiet=True)
        prover = Prover(compiled, key, session.backend(), allow_insecure_key=allow_insecure_key)
        for name, count in _moved(model, samples).items() if clamp else ():
            session.warn(f"input '{name}': {count} of its numbers were moved: out of range, or no whole numbers")
        made = prover.prove_each(samples, clamp=clamp, weights=model, binding=binding_from(binding))
        proven = []
        for place, inference in zip(places, made, strict=True):
            folder.require_whole(key)
            statement = ModelStatement.of(compiled)
            proven.append(_saved(session, place, inference, statement, key.verifying_key, session.backend().name))
    _finish_proofs(session, proven, is_batch)


def _prove_there(
    session: Session, build: str, inputs: str, output: str, public_file: str | None, query: dict[str, object]
) -> None:
    """By a service. Which numbers a clamp moves is not told."""
    from zkgpu.groth16.json import verifying_key_from_json
    from zkgpu.inference import ModelStatement

    with session.working():
        statements, is_batch, facts = remote.proven(session, build, inputs, query)
        places = _places(output, public_file, len(statements) if is_batch else None)
        require_outputs([path for pair in places for path in pair], [inputs])
        model, key = ModelStatement.from_json(facts["statement"]), verifying_key_from_json(facts["verification_key"])
        model.require_key(key)
        proven = []
        for place, (inference, _) in zip(places, statements, strict=True):
            proven.append(_saved(session, place, inference, model, key, str(session.server)))
    _finish_proofs(session, proven, is_batch)


def _saved(
    session: Session, place: tuple[str, str], inference: Statement, model: ModelStatement, key: VerifyingKey, on: str
) -> tuple[dict[str, Any], list[str]]:
    """Writes a proof and its public values; what there is to say of it, as JSON and as lines."""
    proof, public = place
    inference.save(proof, public)
    shown, lines = _told(model, key, inference)
    facts = {"proof": proof, "public": public, "verified": True, "unsafe_key": key.is_unsafe}
    valid = f"{proof}: valid proof ({on}, {session.seconds():.2f} s)"
    values = f"{public}: its {counted(len(inference.packed), 'byte')} of public values"
    return {**facts, **shown}, [*lines, valid, values]


def _finish_proofs(session: Session, proven: list[tuple[dict[str, Any], list[str]]], is_batch: bool) -> None:
    objects, texts = zip(*proven, strict=True)
    session.finish({"proofs": list(objects)} if is_batch else objects[0], *chain.from_iterable(texts))


def _places(output: str, public_file: str | None, count: int | None) -> list[tuple[str, str]]:
    """Where proofs and their public values go: as given for one sample, with numbers for each of a batch."""
    from zkgpu.formats.public_values import public_beside

    if count is None:
        return [(output, public_file or str(public_beside(output)))]
    if public_file is not None:
        raise UsageError("--public is for one sample: leave it out for a batch")
    path = Path(output)
    proofs = [str(path.with_name(f"{path.stem}_{i}{path.suffix}")) for i in range(count)]
    return [(proof, str(public_beside(proof))) for proof in proofs]


def _require_kinds(places: Sequence[tuple[str, str]]) -> None:
    from zkgpu.formats.kinds import PROOF, PUBLIC

    for proof, public in places:
        require_kinds({proof: PROOF, public: PUBLIC})


def _moved(model: CompiledModel, samples: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """By input, how many numbers of all samples a clamp moves."""
    return sum((Counter(model.count_moved(sample)) for sample in samples), Counter[str]())


@zkml_group.command("verify")
@click.argument("build", type=FOLDER)
@click.argument("proof_file", metavar="PROOF.json", type=FILE)
@click.option("--public", "public_file", type=FILE, help="Public values; public.json beside the proof by default.")
@click.option("--weights-hash", metavar="HASH", help="The hash that the weights must have, where they are hashed.")
@binding_option
@insecure_option
@pass_session
def verify_command(
    session: Session,
    build: str,
    proof_file: str,
    public_file: str | None,
    weights_hash: str | None,
    binding: str | None,
    allow_insecure_key: bool,
) -> int:
    """Check a proof and print what it says; exit code 1 when it is wrong, or of other weights or another binding."""
    from zkgpu.formats.public_values import read_public_values
    from zkgpu.groth16.json import read_proof
    from zkgpu.inference import hashes_of, verify
    from zkgpu.provers.statement import Statement

    with session.working(), stage("verify"):
        key, statement = _folder(build).read_verifying_key(), _folder(build).read_statement()
        statement.require_key(key)
        public_inputs, packed = read_public_values(public_file or _public_of(proof_file))
        inference = Statement(public_inputs, read_proof(proof_file), packed)
        other = [
            *_of_other_weights(hashes_of(statement.public_inputs, inference), weights_hash),
            *_for_another(key, inference, binding),
        ]
        valid = verify(key, inference, allow_insecure_key=allow_insecure_key)
        shown, lines = _told(statement, key, inference)
    warn_of_key(session, key.is_unsafe, key.weakness())
    wanted = valid and not other
    verdict = ", but ".join(["valid proof", *other]) if valid else "INVALID proof"
    facts = {"valid": wanted, "proof_valid": valid, "unsafe_key": key.is_unsafe, "insecure_key": key.weakness()}
    session.finish({**facts, **shown}, *(lines if valid else []), verdict)
    return 0 if wanted else EXIT_INVALID_PROOF


zkml_group.add_command(zkml_batch_command)


def _public_of(proof_file: str) -> Path:
    """The public values beside a proof: under its own name, else public.json."""
    from zkgpu.formats.public_values import public_beside

    own = public_beside(proof_file)
    return own if own.is_file() else Path(proof_file).with_name("public.json")


def _of_other_weights(hashes: dict[str, int], wanted: str | None) -> list[str]:
    """What is wrong where the weights have another hash than the wanted one."""
    from zkgpu.zkml.visibility import WEIGHTS_HASH

    if wanted is None:
        return []
    if WEIGHTS_HASH not in hashes:
        raise UsageError("--weights-hash is for models compiled with --weights hashed")
    return [] if str(hashes[WEIGHTS_HASH]) == wanted else ["of OTHER WEIGHTS"]


def _for_another(key: VerifyingKey, inference: Statement, wanted: str | None) -> list[str]:
    """What is wrong where the proof is for other bytes than the wanted ones."""
    from zkgpu.inference import binding_from, binding_of

    if wanted is None:
        return []
    found = binding_of(key, inference)
    if not found:
        raise UsageError("--binding is for models compiled with --bind")
    return [] if found == binding_from(wanted) else [f"for ANOTHER BINDING, 0x{found.hex()}"]


def _told(statement: ModelStatement, key: VerifyingKey, inference: Statement) -> tuple[dict[str, Any], list[str]]:
    """What a proof says: as JSON, and as lines for people."""
    from zkgpu.inference import hashes_of, values_of

    arrays = values_of(key, inference)
    hashes = {name: str(value) for name, value in hashes_of(statement.public_inputs, inference).items()}
    described = {tensor["name"]: tensor for tensor in statement.to_json()["tensors"]}
    for tensor in statement.packed:
        real = {} if tensor.role == "binding" else {"real": tensor.real(arrays[tensor.name]).tolist()}
        described[tensor.name] |= {"values": arrays[tensor.name].tolist(), **real}
    values = {name: array.tolist() for name, array in arrays.items()}
    lines = [tensor.as_text(arrays[tensor.name]) for tensor in statement.packed]
    lines += [f"{name}: {value}" for name, value in hashes.items()]
    sentences = {"proves": statement.proves, "does_not_prove": statement.does_not_prove}
    facts = {"values": values, "hashes": hashes, "tensors": list(described.values()), **sentences}
    return facts, [*lines, *sentences.values()]


def _folder(path: str) -> Folder:
    from zkgpu.inference import Folder

    return Folder(Path(path))


def _require_room(compiled: CompiledModel, folder: Folder) -> None:
    """Raises ResourceError before a circuit is built that no domain, memory or disk would hold."""
    from zkgpu.inference import estimate, require_room

    costs = estimate(compiled.account.size)
    require_room(costs)
    require_disk(folder.key_file, costs.key_bytes)


def _compile(model: str, options: dict[str, Any]) -> CompiledModel:
    from zkgpu.inference import compile_model

    source, named = _named(model, options)
    return compile_model(source, options["calibrate"], **named)


def _named(model: str, options: dict[str, Any]) -> tuple[OnnxModel, dict[str, Any]]:
    """The model, and what `compile_model` takes besides samples."""
    from zkgpu.zkml.onnx_model import OnnxModel

    for name in {*options["private"]} & {*options["hashed"]}:
        raise UsageError(f"--private {name} and --hashed {name}: give one of them")
    hidden = {name: "private" for name in options["private"]} | {name: "hashed" for name in options["hashed"]}
    read = OnnxModel.read(model)
    given = set(read.inputs)
    same = {key: options[key] for key in ("weights", "percentile", "allow_error", "memory")}
    return read, {
        **same,
        "bits": _bits(options["bits"]),
        "inputs": {name: how for name, how in hidden.items() if name in given},
        "outputs": {name: how for name, how in hidden.items() if name not in given},
        "tensors": options["tensor"] or None,
        "test_data": options["test"],
        "labels": _labels(options["labels"]),
        "binding": int(options["bind"] or 0),
    }


def _warn(session: Session, compiled: CompiledModel) -> None:
    """Logs what the accuracy report says of itself."""
    for line in compiled.accuracy.warnings if compiled.accuracy else ():
        session.warn(line)


def _bits(given: str) -> Any:
    """A number, or what else was given, which `compile_model` judges."""
    return int(given) if given.isdecimal() else given


def _labels(given: tuple[str, ...]) -> dict[str, list[str]]:
    """OUTPUT=A,B,.. by output."""
    split = [text.rpartition("=") for text in given]
    wrong = [text for text, (name, _, names) in zip(given, split, strict=True) if not name or not names]
    if wrong:
        raise UsageError(f"--labels {wrong[0]}: give OUTPUT=A,B,.. with an output of the model")
    return {name: names.split(",") for name, _, names in split}


def _report(compiled: CompiledModel, costs: Costs) -> dict[str, Any]:
    from dataclasses import asdict

    from zkgpu.inference import ModelStatement
    from zkgpu.zkml.streams import told

    statement = ModelStatement.of(compiled)
    report: dict[str, Any] = {"weights": compiled.visibilities.weights, "costs": asdict(costs)}
    report |= {"proves": statement.proves, "does_not_prove": statement.does_not_prove}
    if compiled.weights_hash is not None:
        report["weights_hash"] = str(compiled.weights_hash)
    report["products"] = [asdict(layer) for layer in compiled.account.layers]
    report["challenges"] = {"degree": compiled.account.size.degree, "error_bits": compiled.account.error_bits}
    accuracy = compiled.accuracy
    if accuracy is not None:
        report["samples"], report["held_out"] = accuracy.samples, accuracy.held_out
        report["accuracy"] = {o.name: {"agreement": o.agreement, "error": o.farthest} for o in accuracy.outputs}
        report["refused"], report["clamped"] = accuracy.refused, accuracy.clamped
        report["worst_layer"] = {"name": accuracy.worst_layer[0], "error": accuracy.worst_layer[1]}
    if compiled.recipe.calibration.places:
        report["stream"] = told(compiled.recipe.calibration.places)
    return report


def _lines(compiled: CompiledModel, costs: Costs) -> list[str]:
    from zkgpu.inference import ModelStatement
    from zkgpu.zkml.streams import summary

    accuracy, lines = compiled.accuracy, []
    if accuracy is not None:
        for output in accuracy.outputs:
            same = round(output.agreement * 1000) / 10
            lines.append(f"{output.name}: {same}% of answers as the float model's, error {output.farthest:.2%}")
        lines.append(f"worst layer: {accuracy.worst_layer[0]}, error {accuracy.worst_layer[1]:.2%}")
    if compiled.recipe.calibration.places:
        lines.append(summary(compiled.recipe.calibration.places))
    lines.append(
        f"{counted(costs.constraints, 'constraint')}; about {costs.setup_seconds:.1f} s for setup, "
        f"{costs.prove_seconds:.1f} s to prove, {costs.proof_seconds:.2f} s of it the proof; "
        f"{costs.memory / 2**30:.1f} GB, {costs.gas:,} gas"
    )
    lines += compiled.account.lines
    if compiled.weights_hash is not None:
        lines.append(f"hash of the weights: {compiled.weights_hash}")
    statement = ModelStatement.of(compiled)
    return [*lines, f"a proof says: {statement.proves}", statement.does_not_prove]
