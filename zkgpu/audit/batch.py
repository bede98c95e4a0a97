"""The folder of an audit, and its batches: which lines of the log a root stands for, and what was drawn of them.

log.jsonl             the log, for its owner's eyes: it has the inputs
batch_0.json, ..      {"zkgpu audit batch": 1, "model", "chain", "contract", "batch", "first", "count", "root", "check",
                      "samples", "randao"}; the last two are null until the batch is drawn
batch_0/              the answers that were proven, and their calls
lock, batch_0.lock    held by the process that commits or draws, and by the one that answers
A folder is for one contract, which numbers batches from 0. A batch whose root never got there is taken back by
removing its file.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zkgpu.audit.draw import MOST_SAMPLES, sample, seed_of
from zkgpu.audit.log import CutShort, Inference, LoggedLine, read_log
from zkgpu.audit.tree import MOST, Tree, domain_of, leaf_of
from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.formats import strict_json
from zkgpu.formats.json_values import located
from zkgpu.records import dataclass
from zkgpu.stages import stage

_TITLE, _VERSION = "zkgpu audit batch", 1
_PATIENCE = 600  # seconds for another process that commits: some two minutes for the largest batch
_LINES_BEFORE = 2  # the first inference of a log is on this line
_HEX = re.compile(r"0x[0-9a-f]+", re.ASCII)
_BYTES = {"model": 32, "contract": 20, "root": 32, "check": 16, "randao": 32}
_NUMBERS = {"chain": 1 << 64, "batch": 1 << 32, "first": 1 << 48, "count": MOST + 1, "samples": MOST_SAMPLES + 1}


@dataclass(frozen=True)
class Batch:
    """Inferences of a log that were committed to together.

    Attributes:
        model: the model's hash
        chain, contract: where it was committed to
        number: the contract's
        first: inferences of the log before it
        count: inferences of it
        root: 32 bytes, of the tree over them
        check: the log's, at its last line
        samples: how many the contract draws of a batch, once that is known; fewer where a batch has no more
        randao: the randomness that drew them, of the header of a block
    """

    model: bytes
    chain: int
    contract: int
    number: int
    first: int
    count: int
    root: bytes
    check: bytes
    samples: int | None = None
    randao: bytes | None = None

    @property
    def end(self) -> int:
        """Inferences of the log up to its last."""
        return self.first + self.count

    @property
    def domain(self) -> bytes:
        return domain_of(self.chain, self.contract, self.model, self.number)

    def with_draw(self, randao: bytes, samples: int) -> Batch:
        """The batch, drawn. Raises UsageError for what no contract draws, or when it was drawn otherwise before."""
        if len(randao) != 32 or not any(randao):
            raise UsageError("the randomness of a block has 32 bytes, not all of them zero")
        if not 0 < samples <= MOST_SAMPLES:
            raise UsageError(f"a contract draws 1 to {MOST_SAMPLES} samples of a batch, not {samples:,}")
        if self.samples is not None and (self.samples, self.randao) != (samples, randao):
            raise UsageError(f"batch {self.number} was drawn by another block, or of other samples: give that one")
        return replace(self, randao=randao, samples=samples)

    def undrawn(self) -> Batch:
        """The batch as it was committed to."""
        return replace(self, randao=None, samples=None)

    @property
    def drawn(self) -> list[int]:
        """Which of its inferences must be proven, by position. Raises UsageError before they are drawn."""
        if self.samples is None or self.randao is None:
            raise UsageError(f"batch {self.number} is not drawn: run `zkgpu audit draw` first")
        seed = seed_of(self.domain, self.randao, self.root, self.count)
        return sample(seed, self.count, min(self.samples, self.count))

    def leaf(self, index: int, one: Inference) -> bytes:
        return leaf_of(self.domain, index, one.request, one.inputs, one.outputs)

    def to_json(self) -> dict[str, Any]:
        """The object of a batch's file."""
        values = [self.model, self.chain, self.contract.to_bytes(20, "big"), self.number, self.first, self.count]
        values += [self.root, self.check, self.samples, self.randao]
        shown = [f"0x{v.hex()}" if isinstance(v, bytes) else v for v in values]
        return {_TITLE: _VERSION, **dict(zip(_NAMES, shown, strict=True))}

    @classmethod
    def from_json(cls, value: Any) -> Batch:
        """The batch of a parsed file. Raises FormatError for anything else."""
        try:
            if value[_TITLE] != _VERSION or set(value) != {_TITLE, *_NAMES}:
                raise ValueError
            given = {name: _read(name, value[name]) for name in _NAMES}
            if (given["samples"] is None) != (given["randao"] is None) or not given["count"]:
                raise ValueError
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError("not the file of an audit's batch: restore it from a copy") from error
        contract = int.from_bytes(given.pop("contract"), "big")
        return cls(contract=contract, number=given.pop("batch"), **given)


_NAMES = ("model", "chain", "contract", "batch", "first", "count", "root", "check", "samples", "randao")


def _read(name: str, value: Any) -> Any:
    if value is None and name in ("samples", "randao"):
        return None
    if name in _NUMBERS:
        if type(value) is not int or not 0 <= value < _NUMBERS[name]:
            raise ValueError
        return value
    if not isinstance(value, str) or not _HEX.fullmatch(value) or len(value) != 2 + 2 * _BYTES[name]:
        raise ValueError
    return bytes.fromhex(value[2:])


@dataclass(frozen=True)
class AuditFolder:
    """The folder of an audit; see the head of this file."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process commits or draws here; it is waited for. Raises ResourceError for one that stays."""
        try:
            with FileLock(self.path / "lock", timeout=_PATIENCE, mode=0o600):
                yield
        except Timeout:
            raise ResourceError(f"{self.path}: another process commits here, or draws: wait until it ends") from None

    @contextmanager
    def answering(self, number: int) -> Iterator[None]:
        """While a batch's answers are proven. Raises UsageError where another process does that."""
        self.batch(number)
        try:
            with FileLock(self.path / f"batch_{number}.lock", timeout=0, mode=0o600):
                yield
        except Timeout:
            raise UsageError(f"{self.path}: another process answers for batch {number}: wait until it ends") from None

    def require_log(self) -> None:
        """Raises UsageError where nothing was logged."""
        if not self.log.is_file():
            raise UsageError(f"{self.path}: there is no log in this folder: run `zkgpu audit log` first")

    def require_committed(self, model: bytes) -> None:
        """Raises FormatError where the log has lost what was committed to: nothing may follow what is left of it."""
        for last in self.batches()[-1:]:
            if not self.log.is_file():
                raise FormatError(
                    f"{self.log}: it is gone, and batch {last.number} was made of it: restore it from a copy"
                )
            deque(islice(_checked_lines(self.log, model, [last]), last.end), maxlen=0)

    def batch_file(self, number: int) -> Path:
        return self.path / f"batch_{number}.json"

    def answers(self, number: int) -> Path:
        """The folder of a batch's answers."""
        return self.path / f"batch_{number}"

    def batches(self) -> list[Batch]:
        """All that were committed to. Raises FormatError for a damaged file, or one that does not follow the others."""
        found: list[Batch] = []
        last = max(self._numbers(), default=-1)
        for number in range(last + 1):
            if not self.batch_file(number).is_file():
                raise FormatError(
                    f"{self.batch_file(number)}: it is missing, and {self.batch_file(last).name} is there: restore it"
                )
            batch = self.batch(number)
            if (batch.number, batch.first) != (number, found[-1].end if found else 0):
                raise FormatError(f"{self.batch_file(number)}: it does not follow the batch before it")
            found.append(batch)
        return found

    def _numbers(self) -> Iterator[int]:
        """Of all files of batches, in no order."""
        for path in self.path.glob("batch_*.json"):
            number = path.stem.removeprefix("batch_")
            if number.isdecimal() and path == self.batch_file(int(number)):
                yield int(number)

    def batch(self, number: int) -> Batch:
        """Raises UsageError where there is none."""
        path = self.batch_file(number)
        if not path.is_file():
            raise UsageError(f"{self.path}: there is no batch {number}: run `zkgpu audit commit` first")
        return located(path, Batch.from_json, strict_json.load(path, "a batch of an audit"))

    def draw(self, number: int, randao: bytes, samples: int, *, again: bool = False) -> Batch:
        """The batch, drawn, in its file. Raises as `batch` and `Batch.with_draw`.

        Args:
            again: whether an earlier draw is replaced
        """
        self.batch(number)
        with self.alone():
            before = self.batch(number)
            drawn = (before.undrawn() if again else before).with_draw(randao, samples)
            self.write(drawn)
        return drawn

    def write(self, batch: Batch) -> None:
        strict_json.dump(self.batch_file(batch.number), batch.to_json())


def commit(folder: AuditFolder, model: bytes, *, chain: int, contract: int, most: int | None = None) -> Batch:
    """Makes a batch of the inferences since the last one, and writes its file.

    Args:
        model: the model's hash
        most: how many of them to take; all when not given

    Raises FormatError, naming the line, for a log that is damaged, of another model, shorter than batches before, or
    without new inferences, or with more than a batch may have. UsageError for another contract than theirs, and
    where there is no log. One process commits at a time: `AuditFolder.alone`.
    """
    if not 0 <= chain < _NUMBERS["chain"]:
        raise UsageError(f"the number of a chain has at most 64 bits: {chain} is none")
    folder.require_log()
    with folder.alone():
        return _committed(folder, model, chain, contract, most)


def _committed(folder: AuditFolder, model: bytes, chain: int, contract: int, most: int | None) -> Batch:
    before = folder.batches()
    if any((b.chain, b.contract) != (chain, contract) for b in before):
        raise UsageError(f"{folder.path}: its batches are for another contract: give each contract a folder")
    number, first = len(before), before[-1].end if before else 0
    domain, check = domain_of(chain, contract, model, number), b""
    leaves: list[bytes] = []
    with stage("read log"):
        for index, line in enumerate(_checked_lines(folder.log, model, before)):
            if index >= first and (most is None or len(leaves) < most):
                one = line.inference
                if len(leaves) == MOST:
                    raise FormatError(
                        f"{folder.log}: line {line.number:,} is one more than the {MOST:,} inferences of a batch: "
                        "take fewer with --most"
                    )
                leaves.append(leaf_of(domain, len(leaves), one.request, one.inputs, one.outputs))
                check = line.check
    if not leaves:
        raise FormatError(f"{folder.log}: nothing was logged after line {first + _LINES_BEFORE - 1:,}: a batch of none")
    with stage("hash tree"):
        root = Tree(leaves).root
    batch = Batch(model, chain, contract, number, first, len(leaves), root, check)
    folder.write(batch)
    return batch


def lines_of(folder: AuditFolder, batch: Batch, wanted: Container[int]) -> list[Inference]:
    """The inferences of a batch, those that are wanted with their inputs.

    Raises FormatError, naming the line, where the log has others than were committed to.
    """
    lines = enumerate(_checked_lines(folder.log, batch.model, [batch]), -batch.first)
    found = ((i, line.inference) for i, line in lines if 0 <= i < batch.count)
    return [one if i in wanted else replace(one, data=b"") for i, one in found]


def tree_of(folder: AuditFolder, batch: Batch, inferences: Sequence[Inference]) -> Tree:
    """The tree over a batch's inferences. Raises FormatError unless its root is the one that was committed."""
    with stage("hash tree"):
        tree = Tree([batch.leaf(i, one) for i, one in enumerate(inferences)])
    if tree.root != batch.root:
        raise FormatError(f"{folder.batch_file(batch.number)}: its root is not that of the log's lines: restore both")
    return tree


def _checked_lines(path: Path, model: bytes, batches: Sequence[Batch]) -> Iterator[LoggedLine]:
    """The lines of a log, which must be those that the batches were made of."""
    checks, index = {b.end - 1: b for b in batches}, -1
    try:
        for index, line in enumerate(read_log(path, model)):
            batch = checks.pop(index, None)
            if batch is not None and batch.check != line.check:
                what = f"line {line.number:,} is not the one that batch {batch.number} ended with"
                raise FormatError(f"{path}: {what}: restore the log from a copy")
            yield line
    except CutShort:
        if not checks:
            raise
    for end, batch in checks.items():
        raise FormatError(
            f"{path}: it ends with line {index + _LINES_BEFORE:,}, and batch {batch.number} was committed up to line "
            f"{end + _LINES_BEFORE:,}: restore the log from a copy"
        )
