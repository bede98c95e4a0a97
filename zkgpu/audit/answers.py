"""Answers to a draw: the proofs of exactly the drawn inferences, each kept as soon as it is made.

Who proves is a function, so that it may be a prover of this process, a service or several machines: it is given real
inputs, and yields a statement for each in their order, as `zkgpu.inference.Prover.prove_each` does with `clamp`, since
what was logged is to be proven as it was logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from zkgpu.audit.batch import AuditFolder, Batch, lines_of, tree_of
from zkgpu.audit.log import Inference
from zkgpu.audit.model import AuditedModel
from zkgpu.audit.tree import Tree, depth_of, leaf_of, root_of
from zkgpu.errors import FormatError, SelfCheckError, UsageError, ZkgpuError
from zkgpu.formats import strict_json
from zkgpu.formats.atomic import make_folder
from zkgpu.formats.json_values import located
from zkgpu.inference import verify
from zkgpu.provers.statement import Statement
from zkgpu.records import dataclass
from zkgpu.stages import stage

ProveEach: TypeAlias = Callable[[Sequence[Mapping[str, NDArray[Any]]]], Iterator[Statement]]

_TITLE, _VERSION = "zkgpu audit answer", 1
_HEX = re.compile(r"0x([0-9a-f]{2})+", re.ASCII)
_NAMES = {_TITLE, "position", "index", "request", "path", "proof"}


@dataclass(frozen=True)
class Sample:
    """The answer to one sample, as the contract takes it.

    Attributes:
        position: among the samples
        index: in the batch
        request: the client's name of it
        path: the nodes beside the way from its leaf to the root
        proof: the call of the model's verifier
    """

    position: int
    index: int
    request: bytes
    path: tuple[bytes, ...]
    proof: bytes

    def to_json(self) -> dict[str, Any]:
        path = [f"0x{node.hex()}" for node in self.path]
        own = {"request": f"0x{self.request.hex()}", "path": path, "proof": f"0x{self.proof.hex()}"}
        return {_TITLE: _VERSION, "position": self.position, "index": self.index, **own}

    @classmethod
    def from_json(cls, value: Any) -> Sample:
        """The answer in a parsed file. Raises FormatError for anything else."""
        try:
            if value[_TITLE] != _VERSION or set(value) != _NAMES:
                raise ValueError
            position, index = value["position"], value["index"]
            if type(position) is not int or type(index) is not int:
                raise TypeError
            path = tuple(_bytes(node) for node in value["path"])
            return cls(position, index, _bytes(value["request"]), path, _bytes(value["proof"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError("not an answer of an audit: remove it, and answer again") from error


def _bytes(value: str) -> bytes:
    """What 0x.. spells. Raises ValueError or TypeError for anything else."""
    if not _HEX.fullmatch(value):
        raise ValueError
    return bytes.fromhex(value[2:])


def answers(folder: AuditFolder, batch: Batch, model: AuditedModel, prove_each: ProveEach) -> Iterator[Sample]:
    """The answers to all samples of a batch, in order. Those that were proven before are taken from the folder.

    Raises FormatError, naming the line, before anything is proven, where the model answers otherwise than was logged,
    and for a log that is not the one that was committed; SelfCheckError for a proof that is wrong, or of another
    inference than was asked for.
    """
    if batch.model != model.hash:
        raise FormatError(f"{folder.batch_file(batch.number)}: its root is over another model's inferences")
    drawn = batch.drawn
    with stage("read log"):
        inferences = lines_of(folder, batch, drawn)
    tree = tree_of(folder, batch, inferences)
    places = {position: folder.answers(batch.number) / f"answer_{position}.json" for position in range(len(drawn))}
    wanted = [p for p, path in places.items() if not path.is_file()]
    with stage("run drawn inferences"):
        inputs = [_provable(folder, batch, model, drawn[p], inferences[drawn[p]]) for p in wanted]
    make_folder(folder.answers(batch.number))
    made = prove_each(inputs)
    for position, index in enumerate(drawn):
        one, path = inferences[index], places[position]
        if position in wanted:
            found = _answer(position, index, one, tree, _valid(next(made, None), model))
            _require_right(batch, found, model, one)
            strict_json.dump(path, found.to_json())
        else:
            found = _kept(path)
            if (found.position, found.index, found.request) != (position, index, one.request):
                raise FormatError(f"{path}: the answer to another sample: remove it, and answer again")
            _require_kept(path, batch, found, model, one)
        yield found


def receipt(folder: AuditFolder, batch: Batch, request: bytes) -> dict[str, Any]:
    """What a client asks the contract's `includes` with: batch, index, request, digests and path, as JSON.

    Raises UsageError where the batch has no such request.
    """
    inferences = lines_of(folder, batch, ())
    index = next((i for i, one in enumerate(inferences) if one.request == request), None)
    if index is None:
        raise UsageError(f"batch {batch.number} has no inference of this request")
    one, path = inferences[index], tree_of(folder, batch, inferences).path(index)
    named = {"request": one.request, "inputs": one.inputs, "outputs": one.outputs}
    texts = {name: f"0x{value.hex()}" for name, value in named.items()}
    return {"batch": batch.number, "index": index, **texts, "path": [f"0x{node.hex()}" for node in path]}


def is_included(batch: Batch, index: int, one: Inference, path: Sequence[bytes]) -> bool:
    """Whether a root has this inference at this place: what a client asks of the answer that was served."""
    leaf = leaf_of(batch.domain, index, one.request, one.inputs, one.outputs)
    return 0 <= index < batch.count and len(path) == depth_of(batch.count) and root_of(leaf, index, path) == batch.root


def _provable(
    folder: AuditFolder, batch: Batch, model: AuditedModel, index: int, one: Inference
) -> dict[str, NDArray[Any]]:
    """The real inputs of an inference, of which the model gives what was logged."""
    where = f"{folder.log}: line {batch.first + index + 2:,}"
    try:
        integers = model.integers(one.data)
        again = model.inference(integers, one.request, clamp=True)
    except ZkgpuError as error:
        raise FormatError(f"{where}: {error}") from error
    if again.inputs != one.inputs:
        raise FormatError(f"{where}: the digest of its inputs is not that of the inputs beside it: it cannot be proven")
    if again.outputs != one.outputs:
        raise FormatError(f"{where}: the model answers otherwise than was logged: it cannot be proven")
    return dict(model.real(integers))


def _answer(position: int, index: int, one: Inference, tree: Tree, proven: Statement) -> Sample:
    return Sample(position, index, one.request, tuple(tree.path(index)), proven.calldata())


def _valid(proven: Statement | None, model: AuditedModel) -> Statement:
    """The proof that was made. Raises SelfCheckError where there is none, or a wrong one."""
    if proven is None or not verify(model.key, proven, allow_insecure_key=True):
        raise SelfCheckError("no valid proof came back of a drawn inference: prove it again")
    return proven


def _require_right(batch: Batch, found: Sample, model: AuditedModel, one: Inference) -> None:
    """Raises SelfCheckError unless the contract would find what the proof shows at its place in the tree."""
    inputs, outputs = model.layout.digests(*model.layout.shown(found.proof))
    shown = Inference(found.request, inputs, outputs, one.data)
    if not is_included(batch, found.index, shown, found.path):
        raise SelfCheckError(f"the proof of sample {found.position} is of another inference than the logged one")


def _kept(path: Path) -> Sample:
    return located(path, Sample.from_json, strict_json.load(path, "an answer of an audit"))


def _require_kept(path: Path, batch: Batch, found: Sample, model: AuditedModel, one: Inference) -> None:
    try:
        _require_right(batch, found, model, one)
    except (SelfCheckError, UsageError):
        raise FormatError(f"{path}: the answer to another sample: remove it, and answer again") from None
