"""audit: inferences logged, committed to in batches with a bond, and proven where a block draws them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu.cli import remote
from zkgpu.cli.declaring import argument, group, option
from zkgpu.cli.limits import memory_option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.serve import places_for
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.types import FILE, FOLDER, IntRange, PathKind
from zkgpu.cli.verifying import insecure_option
from zkgpu.errors import UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.audit import AuditedModel, AuditFolder, Batch, Sample
    from zkgpu.audit.answers import ProveEach
    from zkgpu.inference import Folder

_BYTES = re.compile(r"0x([0-9a-fA-F]{2})+", re.ASCII)
_ADDRESS, _WORD = 20, 32  # bytes

build_argument = argument("build", kind=FOLDER)
audit_argument = argument("audit", kind=FOLDER)
batch_option = option("--batch", "number", kind=IntRange(0), required=True, help="Its number.")


@group("audit")
def audit_group() -> None:
    """Answer for inferences with a bond, and prove a sample of them: log, commit, draw, answer."""


@audit_group.command("terms")
@build_argument
@option("--verifier", metavar="0x..", required=True, help="The address of the model's own Verifier.sol.")
@option("--bond", kind=IntRange(1), metavar="WEI", required=True, help="What each batch locks.")
@option("--reward", kind=IntRange(0), metavar="WEI", required=True, help="Of it to whoever slashes.")
@option("--samples", kind=int, default=16, show_default=True, help="Drawn of each batch.")
@option("--most", kind=int, default=1000, show_default=True, help="How many inferences a batch may have.")
@option("--delay", kind=int, default=64, show_default=True, help="Blocks from commitment to draw.")
@option("--window", kind=int, default=7200, show_default=True, help="Blocks from draw to deadline.")
def terms_command(session: Session, /, build: str, verifier: str, **given: int) -> None:
    """Print what AuditedInference.sol is deployed with, for a model that was set up."""
    from zkgpu.audit.calls import Terms, constructor_arguments

    with session.working():
        terms, model = Terms(**given), _model(build)
        if model.key.is_unsafe:
            session.warn(UNSAFE_WARNING)
        arguments = constructor_arguments(_address(verifier), terms, model.layout)
    shown = {"model": f"0x{model.hash.hex()}", "arguments": f"0x{arguments.hex()}", "terms": asdict(terms)}
    session.finish(shown, f"model: {shown['model']}", f"constructor arguments: {shown['arguments']}")


@audit_group.command("log")
@build_argument
@audit_argument
@argument("inputs", metavar="INPUT", kind=FILE)
@option("--request", metavar="0x..", help="32 bytes by which the client knows it; drawn by default.")
@option("--clamp", is_flag=True, help="Bring what is out of range to its end, rather than refuse it.")
@memory_option
def log_command(
    session: Session, build: str, audit: str, inputs: str, request: str | None, clamp: bool, memory: int | None
) -> None:
    """Compute a model's answers to one sample of inputs, or to each of a batch, and log them."""
    from zkgpu.audit import Log
    from zkgpu.formats.atomic import make_folder
    from zkgpu.formats.container import naming
    from zkgpu.inference.folder import read_inputs

    with session.working():
        model, folder = _model(build, memory), _audit(audit)
        with naming(inputs):
            samples, _ = model.compiled.samples(read_inputs(inputs, model.compiled, memory))
        if request is not None and len(samples) != 1:
            raise UsageError("--request names one inference: leave it out for a batch")
        named = None if request is None else _bytes(request, _WORD, "--request")
        with stage("run model"), naming(inputs):
            integers = [model.compiled.quantized(sample, clamp=clamp) for sample in samples]
            made = [model.inference(one, named, clamp=clamp) for one in integers]
            outputs = [model.compiled.run(one, clamp=clamp) for one in integers]
        make_folder(folder.path)
        with stage("write log"):
            folder.require_committed(model.hash)
            log = Log(folder.log, model.hash)
            log.append(made)
    answers: list[dict[str, Any]] = [
        {"request": f"0x{one.request.hex()}", "values": {name: array.tolist() for name, array in found.items()}}
        for one, found in zip(made, outputs, strict=True)
    ]
    lines = [f"{a['request']}: {_shown(a['values'])}" for a in answers]
    session.finish({"inferences": answers, "logged": log.count}, *lines, f"{folder.log}: {log.count:,} inferences")


def _shown(outputs: dict[str, Any]) -> str:
    return ", ".join(f"{name} {values}" for name, values in outputs.items())


@audit_group.command("commit")
@build_argument
@audit_argument
@option("--contract", metavar="0x..", required=True, help="The address of AuditedInference.sol.")
@option("--chain-id", kind=IntRange(0), required=True, help="Of the chain that it is on: 1 for Ethereum.")
@option("--most", kind=IntRange(1), help="Take no more than so many; all that are new by default.")
def commit_command(session: Session, build: str, audit: str, contract: str, chain_id: int, most: int | None) -> None:
    """Make a batch of all inferences since the last one; print its root, and the call to send with the bond."""
    from zkgpu.audit import commit

    with session.working():
        model, folder = _model(build), _audit(audit)
        batch = commit(folder, model.hash, chain=chain_id, contract=_address(contract), most=most)
    _tell_batch(session, folder, batch)


def _tell_batch(session: Session, folder: AuditFolder, batch: Batch) -> None:
    from zkgpu.audit.calls import commit_call

    call = f"0x{commit_call(batch.number, batch.root, batch.count).hex()}"
    session.finish(
        {**_facts(batch), "calldata": call},
        f"{folder.batch_file(batch.number)}: batch {batch.number} of {batch.count:,} inferences",
        f"root: 0x{batch.root.hex()}",
        f"calldata: {call}",
    )


@audit_group.command("draw")
@audit_argument
@batch_option
@option("--block", kind=FILE, required=True, help="The block that the commitment named: eth_getBlockByNumber's.")
@option("--samples", kind=int, required=True, help="How many the contract draws of a batch.")
@option("--again", is_flag=True, help="Replace a draw by what was not the named block, or not the contract's.")
def draw_command(session: Session, audit: str, number: int, block: str, samples: int, again: bool) -> None:
    """Say which inferences of a batch a block draws, and print the call that has the contract draw them."""
    from zkgpu.audit.calls import draw_call
    from zkgpu.audit.header import encode, randao_of
    from zkgpu.formats import strict_json
    from zkgpu.formats.json_values import located

    with session.working():
        folder, given = _audit(audit), strict_json.load(block, "a block", keep_misfits=True)
        answered = given["result"] if isinstance(given, dict) and "result" in given else given
        header = located(block, encode, answered)
        batch = folder.draw(number, randao_of(header), samples, again=again)
    call = f"0x{draw_call(number, header).hex()}"
    session.finish(
        {"batch": number, "drawn": batch.drawn, "calldata": call},
        f"drawn of batch {number}: {' '.join(map(str, batch.drawn))}",
        f"calldata: {call}",
    )


@audit_group.command("answer")
@build_argument
@audit_argument
@batch_option
@option("--per-call", kind=IntRange(1, 64), default=4, show_default=True, help="Answers in one call.")
@option("--workers", kind=IntRange(1, 1024), help="Processes that prove side by side; or actors.")
@option("--cluster", metavar="ADDRESS|local", help="A Ray cluster, whose nodes prove.")
@memory_option
@insecure_option
def answer_command(
    session: Session,
    build: str,
    audit: str,
    number: int,
    per_call: int,
    workers: int | None,
    cluster: str | None,
    memory: int | None,
    allow_insecure_key: bool,
) -> None:
    """Prove exactly the drawn inferences of a batch, and write the calls that answer; goes on where it was stopped.

    With --server the service proves them, which has the model's key; with --workers or --cluster many at a time.
    """
    from zkgpu.audit import answers

    if session.server:
        remote.refuse(workers=workers, cluster=cluster, memory=memory, allow_insecure_key=allow_insecure_key)
    with session.working():
        folder, batch, model = _audit(audit), _audit(audit).batch(number), _model(build, memory)
        if model.key.is_unsafe:
            session.warn(UNSAFE_WARNING)
        with folder.answering(number), ExitStack() as stack:
            if session.server:
                prove_each = stack.enter_context(_there(session, build, model))
            elif workers or cluster:
                options = {"devices": (), "workers": workers, "memory": memory, "cluster": cluster}
                prove_each = stack.enter_context(_side_by_side(session, build, model, options, allow_insecure_key))
            else:
                prove_each = _here(session, build, model, allow_insecure_key)
            made = list(answers(folder, batch, model, prove_each))
            calls = _write_calls(folder, number, made, per_call)
    session.finish(
        {"batch": number, "drawn": batch.drawn, "calls": [str(path) for path in calls]},
        f"batch {number}: {len(made)} drawn inferences are proven ({session.seconds():.2f} s)",
        *(f"{path}: calldata" for path in calls),
    )


def _here(session: Session, build: str, model: AuditedModel, allow_insecure_key: bool) -> ProveEach:
    """By this process."""
    from zkgpu.inference import Prover

    key = _folder(build).read_key(session.backend())
    _folder(build).require_whole(key)
    prover = Prover(model.compiled, key, session.backend(), allow_insecure_key=allow_insecure_key)
    return partial(prover.prove_each, clamp=True)


def _there(session: Session, build: str, model: AuditedModel) -> AbstractContextManager[ProveEach]:
    """By a service. Raises as `each.by_service`."""
    from zkgpu.service.each import by_service

    client = remote.client_of(session)
    return by_service(client, remote.name_of(client, build), model.key, clamp=True)


def _side_by_side(
    session: Session, build: str, model: AuditedModel, options: dict[str, Any], allow_insecure_key: bool
) -> AbstractContextManager[ProveEach]:
    """By processes of this machine, or by a cluster."""
    from zkgpu.service.each import by_places
    from zkgpu.service.served import Served

    if allow_insecure_key:
        raise UsageError("--allow-insecure-key: other processes take no such key: leave out --workers and --cluster")
    served = Served("audited", os.path.abspath(build), is_model=True)
    return by_places(places_for(session, {served.name: served}, options)(), served.name, model.key, clamp=True)


def _write_calls(folder: AuditFolder, number: int, made: Sequence[Sample], per_call: int) -> list[Path]:
    """A file for each call, in hexadecimal; those of an earlier run are replaced."""
    from zkgpu.audit.calls import answer_call
    from zkgpu.formats.atomic import write_text

    for old in folder.answers(number).glob("call_*.hex"):
        old.unlink()
    paths: list[Path] = []
    for start in range(0, len(made), per_call):
        paths.append(folder.answers(number) / f"call_{len(paths)}.hex")
        write_text(paths[-1], f"0x{answer_call(number, made[start : start + per_call]).hex()}\n")
    return paths


@audit_group.command("receipt")
@audit_argument
@batch_option
@option("--request", metavar="0x..", required=True, help="The client's name of the inference.")
@option("-o", "--output", required=True, kind=PathKind(dir_okay=False))
def receipt_command(session: Session, audit: str, number: int, request: str, output: str) -> None:
    """Write where an inference lies in a batch, and its path to the root: what its client checks."""
    from zkgpu.audit.answers import receipt
    from zkgpu.formats import strict_json
    from zkgpu.formats.kinds import JSON

    folder = _audit(audit)
    require_outputs([output], [folder.log, folder.batch_file(number), *folder.answers(number).glob("*")])
    require_kinds({output: JSON})
    with session.working():
        found = receipt(folder, folder.batch(number), _bytes(request, _WORD, "--request"))
        strict_json.dump(output, found)
    index = found["index"]
    session.finish({"output": output, **found}, f"{output}: inference {index:,} of batch {number}")


@audit_group.command("status")
@audit_argument
def status_command(session: Session, audit: str) -> None:
    """Say what is logged, committed to, drawn and proven; print the calls of batches once more."""
    from zkgpu.audit.calls import commit_call
    from zkgpu.audit.log import model_of, read_log

    with session.working():
        folder = _audit(audit)
        folder.require_log()
        batches = folder.batches()
        logged = sum(1 for _ in read_log(folder.log, model_of(folder.log)))
        shown = [{**_facts(b), "answered": _answered(folder, b)} for b in batches]
        for one, batch in zip(shown, batches, strict=True):
            one["calldata"] = f"0x{commit_call(batch.number, batch.root, batch.count).hex()}"
    open_ = logged - (batches[-1].end if batches else 0)
    session.finish(
        {"logged": logged, "not_committed": open_, "batches": shown},
        *(_line(folder, batch) for batch in batches),
        f"{folder.log}: {logged:,} inferences, {open_:,} of them in no batch",
    )


def _facts(batch: Batch) -> dict[str, Any]:
    """What a batch's file has, by names as all commands print them."""
    return {name.replace(" ", "_"): value for name, value in batch.to_json().items() if not name.startswith("zkgpu")}


def _line(folder: AuditFolder, batch: Batch) -> str:
    state = "not drawn"
    if batch.samples is not None:
        state = f"{_answered(folder, batch)} of {min(batch.samples, batch.count)} drawn ones proven"
    return f"batch {batch.number}: {batch.count:,} inferences, root 0x{batch.root.hex()}, {state}"


def _answered(folder: AuditFolder, batch: Batch) -> int:
    return sum(1 for _ in folder.answers(batch.number).glob("answer_*.json"))


def _model(build: str, memory: int | None = None) -> AuditedModel:
    from zkgpu.audit import AuditedModel

    folder = _folder(build)
    return AuditedModel.of(folder.read_model(memory), folder.read_verifying_key())


def _folder(path: str) -> Folder:
    from zkgpu.inference import Folder

    return Folder(Path(path))


def _audit(path: str) -> AuditFolder:
    from zkgpu.audit import AuditFolder

    return AuditFolder(Path(path))


def _address(text: str) -> int:
    return int.from_bytes(_bytes(text, _ADDRESS, "an address"), "big")


def _bytes(text: str, size: int, what: str) -> bytes:
    """The bytes of 0x.. . Raises UsageError for anything else."""
    if not _BYTES.fullmatch(text) or len(text) != 2 + 2 * size:
        raise UsageError(f"{what} is 0x and {2 * size} hexadecimal digits")
    return bytes.fromhex(text[2:])
