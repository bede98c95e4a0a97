"""Hints answered otherwise, one, two or three at a time, with everything that follows recomputed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from zkgpu.circuits.numbers import nearest_zero
from zkgpu.testing.draws import Draws
from zkgpu.testing.forging import Attempt, Forger, Lie, Second, Spot
from zkgpu.testing.lies import Answer, Surroundings, near, neighbors, without_truths
from zkgpu.testing.names import Names
from zkgpu.testing.report import Change, Finding
from zkgpu.testing.wires import Direction

KINDS = ("hints", "pairs of hints", "triples of hints")

MoreLies = Callable[[Forger, Spot], "Sequence[Answer]"]


class HintAttack:
    """Searches for second witnesses among the answers that hints could give.

    Args:
        more: further lies for a spot, from whoever knows what the hint means
        most: findings kept; of equal labels and kind, one
    """

    def __init__(self, forger: Forger, draws: Draws, more: MoreLies | None = None, most: int = 16) -> None:
        self.forger, self.draws, self.more, self.most = forger, draws, more, most
        self.tried: Counter[str] = Counter()
        self.findings: dict[tuple[object, ...], Finding] = {}
        self.names = Names(forger.compiled.r1cs, forger.compiled)
        self._near = near(forger.modulus)
        self._lies: dict[Spot, list[Lie]] = {}
        self._known: dict[Spot, int] = {}
        spots = ((i, forger.spots(i)) for i in range(len(forger.steps)))
        self._spots = {i: found for i, found in spots if found}

    def run(self, tries: int) -> None:
        """Half of the tries on single hints, the others on pairs and triples; fewer where there are no more."""
        if self._spots and tries:
            self.try_singles(tries // 2)
            self.try_together(2, tries // 4)
            self.try_together(3, tries // 4)

    def try_singles(self, tries: int) -> None:
        """Every lie for every entry of every hint, or as many of each hint as there are tries for.

        Hints that more lies are known of, by whoever gave `more`, get more of them.
        """
        left, weights = tries, {step: 1 + len(self._known_lies(spots[0])) for step, spots in self._spots.items()}
        for step in sorted(weights, key=lambda i: len(self._spots[i])):
            quota = max(1, left * weights[step] // sum(weights.values()))
            left -= self._try_all(self._singles(step, quota))
            weights[step] = 0

    def _singles(self, step: int, quota: int) -> list[Attempt]:
        wanted = quota // (8 + len(self._known_lies(self._spots[step][0])))
        spots = self.draws.some_of(self._spots[step], max(1, wanted))
        each = max(1, quota // len(spots))
        return [(lie,) for spot in spots for lie in self._some_lies(spot, each)]

    def _some_lies(self, spot: Spot, count: int) -> list[Lie]:
        """As many of the lies that are known to suit the spot as of all others, while there are."""
        lies, known = self.lies(spot), self._known[spot]
        first = self.draws.some_of(lies[:known], max(count // 2, count - (len(lies) - known)))
        return [*first, *self.draws.some_of(lies[known:], count - len(first))]

    def try_together(self, count: int, tries: int) -> None:
        """Lies in `count` entries at once, half of the time all of one hint or its neighbors in the program."""
        while tries > 0:
            steps = self._some_steps(count)
            wanted = min(tries, self.forger.at_once)
            attempts = [self._together(steps) for _ in range(wanted)]
            self._try_all([attempt for attempt in attempts if len(attempt) == count])
            tries -= wanted

    def _some_steps(self, count: int) -> list[int]:
        known = list(self._spots)
        if self.draws.below(2):
            return [self.draws.one_of(known) for _ in range(count)]
        start = self.draws.below(len(known))
        return [known[min(start + self.draws.below(count + 1), len(known) - 1)] for _ in range(count)]

    def _together(self, steps: Sequence[int]) -> Attempt:
        spots = {self.draws.one_of(self._spots[step]) for step in steps}
        lies = [self.lies(spot) for spot in sorted(spots, key=lambda spot: (spot.step, spot.inside, spot.entry))]
        return tuple(self._one_of(choice, self._known[choice[0].spot]) for choice in lies if choice)

    def _one_of(self, lies: Sequence[Lie], known: int) -> Lie:
        return self.draws.one_of(lies[:known] if known and self.draws.below(2) else lies)

    def lies(self, spot: Spot) -> list[Lie]:
        """What the prover might answer there."""
        if spot not in self._lies:
            honest, modulus = self.forger.value(spot), self.forger.modulus
            answers = [*self._known_lies(spot), *self._near, *self._beside(spot)]
            lies = without_truths(answers, honest, modulus)
            self._known[spot] = len(without_truths(self._known_lies(spot), honest, modulus))
            self._lies[spot] = [Lie(spot, value, added) for value, added in lies]
        return self._lies[spot]

    def _known_lies(self, spot: Spot) -> Sequence[Answer]:
        return self.more(self.forger, spot) if self.more else ()

    def _beside(self, spot: Spot) -> Iterator[Answer]:
        r1cs = self.forger.compiled.r1cs
        wire = self._wire(spot)
        yield (-self.forger.value(spot), False)
        yield from Surroundings.of(wire, self.names, (r1cs.a, r1cs.b, r1cs.c), self.forger.modulus).lies(
            self.forger.modulus
        )
        yield from neighbors(self.forger.inputs_of(spot))
        yield from neighbors(self.forger.value(other) for other in self._spots[spot.step][:_BESIDE])

    def _wire(self, spot: Spot) -> int:
        """Its number in the R1CS."""
        return int(self.names.numbers[self.forger.traced_wire(spot)])

    def try_directions(self, directions: Sequence[Direction]) -> None:
        """All hints of a free direction moved along it: where the constraints are linear there, that is a witness."""
        spot_of = {self._wire(spot): spot for spots in self._spots.values() for spot in spots}
        for direction in directions:
            moves = {spot_of[wire]: d for wire, d in direction.items() if wire in spot_of}
            for factor in (1, -1, 2):
                self._try_all([tuple(Lie(spot, factor * d, True) for spot, d in moves.items())], "free directions")

    def _try_all(self, attempts: list[Attempt], kind: str = "") -> int:
        for start in range(0, len(attempts), self.forger.at_once):
            some = attempts[start : start + self.forger.at_once]
            if len(self.findings) >= self.most:
                break
            self.tried.update(kind or KINDS[len(attempt) - 1] for attempt in some)
            for j in self.forger.surviving(some):
                self._report(some[j], kind or KINDS[len(some[j]) - 1])
        return len(attempts)

    def _report(self, attempt: Attempt, kind: str) -> None:
        second = self.forger.confirm(attempt)
        if second is not None:
            outputs = changed_outputs(self.forger, second)
            if outputs and any(lie.spot.step < self.forger.n_given for lie in attempt):
                return  # other inputs may well have other outputs
            labels = tuple(self.forger.hint(lie.spot).label for lie in attempt)
            changes = tuple(self._change(lie.spot, second) for lie in attempt)
            self.findings.setdefault((*labels, outputs), Finding(kind, changes, outputs))

    def _change(self, spot: Spot, second: Second) -> Change:
        wire, field = self._wire(spot), self.forger.compiled.r1cs.field
        both = (self.forger.assignment, second.assignment)
        before, after = (nearest_zero(field.from_limbs(a[wire : wire + 1])[0], field.modulus) for a in both)
        return Change(self.names.of(wire), wire, before, after, self.names.constraints(wire))


_BESIDE = 32


def changed_outputs(forger: Forger, second: Second) -> tuple[str, ...]:
    """The outputs whose values differ in a second witness: signals, and public arrays as the verifier gets them."""
    compiled = forger.compiled
    signals = [
        s.name
        for s in compiled.outputs
        if (forger.assignment[s.first : s.first + s.size] != second.assignment[s.first : s.first + s.size]).any()
    ]
    for round_ in compiled.r1cs.rounds:
        before, after = (round_.unpack(packed) for packed in (forger.packed, second.packed))
        signals += [name for name in before if (before[name] != after[name]).any()]
    return tuple(signals)
