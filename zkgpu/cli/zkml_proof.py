"""zkml prove and verify: proofs of a model's answers, and what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu.cli import remote
from zkgpu.cli.build import build_folder
from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.limits import memory_option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.session import UNSAFE_WARNING, Session
from zkgpu.cli.terminal import counted
from zkgpu.cli.types import FILE, FOLDER, PathKind
from zkgpu.cli.verifying import insecure_option
from zkgpu.errors import EXIT_INVALID_PROOF, UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.groth16 import VerifyingKey
    from zkgpu.inference import CompiledModel, ModelStatement
    from zkgpu.provers.statement import Statement

binding_option = option("--binding", metavar="0x..", help="The bytes that the proof is for, as with --bind.")


@command("prove")
@argument("build", kind=FOLDER)
@argument("inputs", metavar="INPUT", kind=FILE)
@option("-o", "--output", default="proof.json", show_default=True, kind=PathKind(dir_okay=False))
@option("--public", "public_file", kind=PathKind(dir_okay=False), help="p2.public.json beside p2.json.")
@option("--weights", "weights", metavar="MODEL.onnx", kind=FILE, help="Other weights, where the circuit has none.")
@option("--clamp", is_flag=True, help="Bring what is out of range to its end, rather than refuse it.")
@memory_option
@binding_option
@insecure_option
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
    from zkgpu.formats.container import naming
    from zkgpu.inference import ModelStatement, binding_from
    from zkgpu.inference.folder import read_inputs

    folder, read = build_folder(build), [*build_folder(build).files, inputs, weights]
    require_outputs(_places(output, public_file, None)[0], read)
    _require_kinds(_places(output, public_file, None))
    if session.server:
        remote.refuse(weights=weights, memory=memory, allow_insecure_key=allow_insecure_key)
        _prove_there(session, build, inputs, output, public_file, {"clamp": clamp, "binding": binding})
        return
    with session.working(), naming(inputs):
        compiled = folder.read_model(memory)
        samples, is_batch = compiled.samples(read_inputs(inputs, compiled, memory))
        places = _places(output, public_file, len(samples) if is_batch else None)
        require_outputs([path for pair in places for path in pair], read)
        _require_kinds(places)
        model = compiled.with_weights(weights, memory=memory) if weights else compiled
        key = folder.read_key(session.backend())
        if key.is_unsafe:
            session.warn(UNSAFE_WARNING, even_quiet=True)
        prover = folder.prover(compiled, key, session.backend(), allow_insecure_key=allow_insecure_key)
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


@command("verify")
@argument("build", kind=FOLDER)
@argument("proof_file", metavar="PROOF.json", kind=FILE)
@option("--public", "public_file", kind=FILE, help="Public values; public.json beside the proof by default.")
@option("--weights-hash", metavar="HASH", help="The hash that the weights must have, where they are hashed.")
@binding_option
@insecure_option
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
        key, statement = build_folder(build).read_verifying_key(), build_folder(build).read_statement()
        statement.require_key(key)
        public_inputs, packed = read_public_values(public_file or _public_of(proof_file))
        inference = Statement(public_inputs, read_proof(proof_file), packed)
        other = [
            *_of_other_weights(hashes_of(statement.public_inputs, inference), weights_hash),
            *_for_another(key, inference, binding),
        ]
        valid = verify(key, inference, allow_insecure_key=allow_insecure_key)
        shown, lines = _told(statement, key, inference)
    session.warn_of_key(key.is_unsafe, key.weakness())
    wanted = valid and not other
    verdict = ", but ".join(["valid proof", *other]) if valid else "INVALID proof"
    facts = {"valid": wanted, "proof_valid": valid, "unsafe_key": key.is_unsafe, "insecure_key": key.weakness()}
    session.finish({**facts, **shown}, *(lines if valid else []), verdict)
    return 0 if wanted else EXIT_INVALID_PROOF


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
