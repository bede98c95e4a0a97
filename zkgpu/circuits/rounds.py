"""The two rounds of a circuit being written: what is committed, the challenges, and which steps must wait for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.numbers import distinct
from zkgpu.circuits.program import Step
from zkgpu.circuits.signals import Signal
from zkgpu.errors import UsageError
from zkgpu.records import dataclass

# The challenge whose powers weigh the entries of arrays, vectors and table rows. All arguments may share it: each fails
# for few of its values, whatever was committed, and these few add up.
DIGEST_POINT = "powers"


@dataclass(frozen=True)
class Claim:
    """Wires that must be known before any challenge is, and what messages call them."""

    wires: NDArray[np.int32]
    label: str


class Rounds:
    """What a circuit commits, and the challenges it got.

    Args:
        claims: committed wires
        challenges: the wire of each challenge, by name
        arrays: public arrays with their values
        mask: the wire that hides the commitment, once the circuit is compiled
        digest: the wire of the public arrays' digest, likewise
        powers: by step, the powers of the digest's point that the circuit has (gadgets.evaluations)
    """

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.challenges: dict[str, int] = {}
        self.arrays: list[tuple[PublicArray, LinearCombinations]] = []
        self.mask: int | None = None
        self.digest: int | None = None
        self.powers: dict[int, LinearCombinations] = {}
        self.finished = False
        self._collected: dict[Hashable, tuple[list[Any], Callable[[list[Any]], None]]] = {}

    @property
    def in_use(self) -> bool:
        return bool(self.claims or self.challenges or self.arrays or self._collected)

    @property
    def challenge_wires(self) -> list[int]:
        """The challenges as public inputs: the digest's point first."""
        names = sorted(self.challenges, key=lambda name: name != DIGEST_POINT)
        return [self.challenges[name] for name in names]

    def add_challenge(self, name: str, wire: int) -> None:
        self._require_open()
        self.challenges[name] = wire

    def claim(self, lc: LinearCombinations, label: str) -> None:
        self._require_open()
        self.claims.append(Claim(distinct(lc.wires[lc.wires > 0]), label))

    def collect(self, key: Hashable, item: Any, finish: Callable[[list[Any]], None]) -> None:
        self._require_open()
        self._collected.setdefault(key, ([], finish))[0].append(item)

    def collected(self) -> dict[Hashable, list[Any]]:
        """What waits, by key."""
        return {key: items for key, (items, _) in self._collected.items()}

    def finish(self) -> None:
        """Hands out what was collected; that may collect more, and under keys that were done already."""
        while self._collected:
            items, finish = self._collected.pop(next(iter(self._collected)))
            finish(items)
        self.finished = self.in_use

    def _require_open(self) -> None:
        if self.finished:
            raise UsageError("the circuit was compiled already: commit, look up and publish before that")


def waits_for_challenges(steps: Sequence[Step], n_wires: int, challenges: Sequence[int]) -> NDArray[np.bool_]:
    """(n_wires,) whether the program needs a challenge to compute a wire; whole steps wait when one value does."""
    waits = np.zeros(n_wires, dtype=bool)
    waits[list(challenges)] = True
    for step in steps:
        if any(waits[lc.wires].any() for lc in step.reads):
            waits[step.first : step.first + step.count] = True
    return waits


def in_two_rounds(steps: Sequence[Step], waits: NDArray[np.bool_]) -> tuple[tuple[Step, ...], int]:
    """The steps, those that wait for no challenge first, and how many these are."""
    early = [step for step in steps if not (step.count and waits[step.first])]
    late = [step for step in steps if step.count and waits[step.first]]
    return (*early, *late), len(early)


def refuse_late_claims(claims: Sequence[Claim], waits: NDArray[np.bool_]) -> None:
    """Raises UsageError for a committed wire that depends on a challenge."""
    for claim in claims:
        if waits[claim.wires].any():
            raise UsageError(
                f"'{claim.label}' is to be committed, or public, but depends on a challenge: "
                "challenges come from the commitment and the public values, so compute it without one"
            )


def committed_wires(rounds: Rounds, signals: Sequence[Signal], n_wires: int) -> NDArray[np.int64]:
    """The committed wires in their order, the mask first; empty without a committed round.

    Of a private input all wires are committed when one is, so that they stay together. Public wires need not be:
    challenges depend on them as they are.
    """
    if rounds.mask is None:
        return np.zeros(0, dtype=np.int64)
    wanted, public = np.zeros(n_wires, dtype=bool), np.zeros(n_wires, dtype=bool)
    for claim in rounds.claims:
        wanted[claim.wires] = True
    together = []
    for signal in signals:
        wires = slice(signal.first, signal.first + signal.size)
        if signal.kind in ("output", "public"):
            public[wires] = True
        elif wanted[wires].any():
            together.append(np.arange(signal.first, signal.first + signal.size))
            wanted[wires] = False
    wanted[rounds.mask] = False
    return np.concatenate([[rounds.mask], *together, np.flatnonzero(wanted & ~public)])
