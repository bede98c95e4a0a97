"""zkml check, compile and estimate: from an ONNX model to a circuit in a build folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zkgpu.cli.build import build_folder, require_room_for
from zkgpu.cli.declaring import all_of, argument, command, option
from zkgpu.cli.limits import memory_option
from zkgpu.cli.outputs import force_option, require_outputs
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import aligned, counted
from zkgpu.cli.types import FILE, FOLDER, Choice
from zkgpu.errors import FormatError, UsageError

if TYPE_CHECKING:
    from zkgpu.inference import CompiledModel, Costs, ModelCheck
    from zkgpu.zkml.onnx_model import OnnxModel

_LENGTH = re.compile(r"[1-9]\d{0,8}", re.ASCII)  # of an axis

weights_option = option("--weights", kind=Choice(["public", "private", "hashed"]), default="public", show_default=True)

compile_options = all_of(  # how a model is compiled
    option(
        "--test", "test", kind=FILE, help="Samples to measure accuracy with; by default a part of those of --calibrate."
    ),
    option(
        "--allow-error", kind=float, metavar="X", help="How far outputs may be from the float model's: 0.05, or 5 %."
    ),
    weights_option,
    option(
        "--bits",
        default="auto",
        show_default=True,
        metavar="N|auto|stream",
        help="Width of weights and activations, from 2 to 16; auto: 8, and more for tensors that need it; stream: what "
        "a transformer with a residual stream needs.",
    ),
    option("--private", multiple=True, metavar="TENSOR", help="An input or output that only the prover knows."),
    option("--hashed", multiple=True, metavar="TENSOR", help="An input or output shown by its Poseidon hash."),
    option("--tensor", multiple=True, metavar="TENSOR", help="Compute this tensor; all outputs by default."),
    option("--percentile", kind=float, help="Cut outliers off the calibrated ranges: 99.9, say."),
    option("--labels", multiple=True, metavar="OUTPUT=A,B,..", help="What an output's entries, or classes, are."),
    option("--bind", kind=Choice(["20", "32"]), help="Make each proof one for that many given bytes."),
    memory_option,
)


shape_option = option(
    "--shape", "shapes", multiple=True, metavar="INPUT=1,3,8", help="An input's, where the file has none."
)


_SAMPLES = "Sample inputs: .npy, .npz or .json by name, .csv."
samples_option = option("--calibrate", required=True, kind=FILE, help=_SAMPLES)
samples_if_any_option = option("--calibrate", kind=FILE, help=f"{_SAMPLES} Made up by default.")


@command("check")
@argument("model", metavar="MODEL.onnx", kind=FILE)
@shape_option
@option("--tensor", multiple=True, metavar="TENSOR", help="Compute this tensor; all outputs by default.")
@weights_option
@memory_option
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


@command("compile")
@argument("model", metavar="MODEL.onnx", kind=FILE)
@samples_option
@compile_options
@option("-o", "--output", required=True, kind=FOLDER, help="The build folder.")
@force_option
def compile_command(session: Session, /, model: str, output: str, force: bool, **options: Any) -> None:
    """Quantize a model, report its accuracy, and fix its circuit in a build folder."""
    from zkgpu.inference import estimate

    folder = build_folder(output)
    require_outputs(folder.files, [model, options["calibrate"], options["test"]], may_make_folders=True)
    with session.working():
        compiled = _compile(model, options)
        require_room_for(compiled, folder)
        costs = estimate(compiled.circuit.r1cs)
        _warn(session, compiled, costs)
        if not force and folder.holds_another(compiled):
            raise UsageError(f"{output}: there is the model of another circuit: --force replaces it, and its keys")
        folder.write_model(compiled)
    report = {"output": output, **_report(compiled, costs)}
    session.finish(report, *_lines(compiled, costs), f"{output}: ready for setup")


@command("estimate")
@argument("model", metavar="MODEL.onnx", kind=FILE)
@samples_if_any_option
@shape_option
@compile_options
def estimate_command(session: Session, /, model: str, shapes: tuple[str, ...], **options: Any) -> None:
    """Say what a model would cost: constraints, time, memory, gas. Nothing is written, and no circuit built."""
    from zkgpu.inference import estimate, estimate_model, require_room, speed_of_this_machine

    with session.working():
        source, named = _named(model, options)
        compiled, size = estimate_model(source, options["calibrate"], shapes=_shapes(shapes), **named)
        costs = estimate(size, speed_of_this_machine(), session.threads)
        require_room(costs)
        _warn(session, compiled, costs)
    if options["calibrate"] is None:
        session.warn("no samples were given: numbers were made up, and ranges may be others. --calibrate gives some")
    session.finish(_report(compiled, costs), *_lines(compiled, costs))


def _compile(model: str, options: dict[str, Any]) -> CompiledModel:
    from zkgpu.inference import compile_model

    source, named = _named(model, options)
    return compile_model(source, options["calibrate"], **named)


def _named(model: str, options: dict[str, Any]) -> tuple[OnnxModel, dict[str, Any]]:
    """The model, and what `compile_model` takes besides samples."""
    from zkgpu.zkml.onnx_model import OnnxModel

    for name in {*options["private"]} & {*options["hashed"]}:
        raise UsageError(f"--private {name} and --hashed {name}: give one of them")
    hidden = dict.fromkeys(options["private"], "private") | dict.fromkeys(options["hashed"], "hashed")
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


def _warn(session: Session, compiled: CompiledModel, costs: Costs) -> None:
    """Logs what the accuracy report says of itself, and that no transaction could check a proof."""
    from zkgpu.evm.gas import MOST_CALLDATA, MOST_GAS

    for line in compiled.accuracy.warnings if compiled.accuracy else ():
        session.warn(line)
    if costs.gas > MOST_GAS or costs.calldata > MOST_CALLDATA:
        largest = max(compiled.account.size.arrays, key=lambda array: array.packed_size)
        session.warn(
            f"no transaction is that large: {costs.calldata:,} bytes, where nodes pass on {MOST_CALLDATA:,}, and about "
            f"{costs.gas:,} gas of {MOST_GAS:,} (EIP-7825). --hashed '{largest.name}' publishes a hash in place of "
            f"{largest.size:,} values"
        )


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
