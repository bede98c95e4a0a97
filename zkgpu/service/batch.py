"""Many proofs by one key, at all places at once. What was made before stays; what fails keeps the rest from nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from zkgpu.errors import ResourceError, ZkgpuError, described
from zkgpu.formats.public_values import public_beside, read_public_values
from zkgpu.provers.statement import Statement
from zkgpu.records import dataclass
from zkgpu.service.opened import Options, statement_from, verifying_key_from
from zkgpu.service.places import Order, Outcome, Place, PlaceLost
from zkgpu.systems.files import read_proof
from zkgpu.systems.registry import system_of

MOST_LOSSES = 3  # places that may die over an item


@dataclass(frozen=True)
class Item:
    """One proof to make.

    Attributes:
        name: for people
        inputs: as of `Order`
        proof: where it goes, its public values beside it
        fits: whether a statement shows what the item's proof would
    """

    name: str
    inputs: str | bytes
    proof: Path
    fits: Callable[[Statement], bool]


class Batch:
    """The proofs of items by one key.

    Attributes:
        failed: (line, exit code) by item's name
        made, kept: how many proofs there are now, and how many were there
        is_unsafe: whether one party made the key
    """

    def __init__(self, key_name: str, options: Options, told: Callable[[str], None] = lambda _: None) -> None:
        self._key, self._options, self._told = key_name, options, told
        self.failed: dict[str, tuple[str, int]] = {}
        self.made = self.kept = 0
        self.is_unsafe = False
        self._lock = threading.Lock()

    def run(self, items: Sequence[Item], places: Sequence[Place]) -> None:
        """Raises what opening the key raises. Whatever else goes wrong is an item's failure."""
        facts = places[0].open(self._key)
        self.is_unsafe = bool(facts["unsafe"])
        self._verifying_key = verifying_key_from(facts["verification_key"])
        work = deque(item for item in items if not self._is_there(item))
        chosen = at_work(places, facts)[: max(len(work), 1)]
        pool = ThreadPoolExecutor(len(chosen), "zkgpu-batch")
        running = [pool.submit(self._drain, work, place) for place in chosen]
        try:
            wait(running)
        except BaseException:
            work.clear()
            for place in places:  # which ends what they do
                place.close()
            raise
        finally:
            pool.shutdown()
        for one in running:
            one.result()

    @property
    def exit_code(self) -> int:
        """That of the worst failure: 0 where there is none."""
        return max((code for _, code in self.failed.values()), default=0)

    def _is_there(self, item: Item) -> bool:
        """Whether a valid proof of what the item shows lies at its place."""
        if not item.proof.is_file():
            return False
        try:
            key = self._verifying_key
            proof = read_proof(item.proof, key)
            public_inputs, packed = read_public_values(public_beside(item.proof), key.curve)
            there = system_of(key).verify(key, public_inputs, proof, packed=packed)
            there = there and item.fits(Statement(public_inputs, proof, packed))
        except (ZkgpuError, OSError):  # whatever is there instead is replaced
            return False
        self.kept += there
        return there

    def _drain(self, work: deque[Item], place: Place) -> None:
        while True:
            try:
                item = work.popleft()
            except IndexError:
                return
            self._finish(item, outcome_at(place, Order(item.name, self._key, item.inputs, self._options)))

    def _finish(self, item: Item, outcome: Outcome) -> None:
        if outcome["ok"]:
            try:
                statement_from(outcome, self._verifying_key).save(item.proof)
            except Exception as error:
                outcome = _failure(error)
        with self._lock:
            if outcome["ok"]:
                self.made += 1
            else:
                self.failed[item.name] = outcome["error"].removeprefix("bytes: "), outcome["exit_code"]
            self._told(item.name)


def at_work(places: Sequence[Place], facts: Mapping[str, Any]) -> Sequence[Place]:
    """The places that prove by a key at once: one, where a proof has the cores of its machine to itself."""
    return places[:1] if facts["large"] and places[0].is_shared else places


def outcome_at(place: Place, order: Order) -> Outcome:
    """What came of an order, which is given again where the place is lost; errors are outcomes too."""
    for _ in range(MOST_LOSSES):
        try:
            return place.prove(order, _ignore)
        except PlaceLost as error:
            lost: ZkgpuError = error
        except Exception as error:
            return _failure(error)
    return _failure(ResourceError(f"{lost}, {MOST_LOSSES} times"))


def _failure(error: Exception) -> Outcome:
    text, code = described(error)
    return {"ok": False, "error": text, "exit_code": code}


def _ignore(_: str, __: float | None) -> None:
    pass
