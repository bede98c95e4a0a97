"""The prover's first round: it commits, and hands the circuit the challenges that follow from the commitment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.circuits.committed import ChallengeSource, FirstRound
from zkgpu.curves.points import Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.groth16 import commitment
from zkgpu.groth16.keys import ProvingKey
from zkgpu.stages import stage


@dataclass(frozen=True)
class Opening:
    """What the prover committed to, and what the verifier is told of it.

    public      the ordinary public values
    packed      the public arrays
    committed   (n_committed, 4) uint64: the committed wires with the mask
    """

    public: tuple[int, ...] = field(repr=False)
    packed: bytes = field(repr=False)
    committed: Limbs = field(repr=False)
    commitment: Point
    knowledge: Point


class Committer:
    """The commitment's queries at home on a device."""

    def __init__(self, key: ProvingKey, backend: Backend) -> None:
        assert key.commitment is not None
        self._key, self._backend = key, backend
        self._committed = backend.points(backend.curve.g1, key.commitment.committed_query)
        self._knowledge = backend.points(backend.curve.g1, key.commitment.knowledge_query)

    def run(self, witness: Limbs | Callable[[ChallengeSource], Limbs], mask: int) -> tuple[Limbs, Opening]:
        """The assignment, with the mask in it, and what was committed to.

        Raises UsageError for a witness that is no function of the challenges, or whose committed wires are not those
        it showed before it got them.
        """
        if not callable(witness):
            raise UsageError(
                "the circuit has challenges, which the prover derives: give CompiledCircuit.deferred(inputs)"
            )
        openings: list[Opening] = []

        def challenges(first: FirstRound) -> list[int]:
            openings[:] = [self._commit(first, mask)]
            return self._challenges(openings[0])

        assignment = witness(challenges)
        if not openings:
            raise UsageError("the witness asked for no challenge: it belongs to another circuit")
        return self._with_mask(assignment, openings[0]), openings[0]

    def _commit(self, first: FirstRound, mask: int) -> Opening:
        """D and sigma D."""
        field = self._backend.curve.scalar_field
        committed = first.committed.copy()
        if committed.shape != (self._key.n_committed, field.limbs):
            raise LengthError(
                f"the circuit commits to {len(committed)} wires, the key to {self._key.n_committed}: "
                "they do not belong together"
            )
        committed[:1] = field.to_limbs([mask])
        with stage("commit"):
            values = self._backend.vector(committed)
            d, pi = self._backend.msm_many([(self._committed, values), (self._knowledge, values)])
        return Opening(first.public, first.packed, committed, d, pi)

    def _challenges(self, opening: Opening) -> list[int]:
        key = self._key.verifying_key
        state = commitment.transcript(key, opening.commitment, opening.public, opening.packed)
        return commitment.challenges(key, state)

    def _with_mask(self, assignment: Limbs, opening: Opening) -> Limbs:
        start = self._key.n_public + 1
        out = np.array(assignment)
        out[start : start + 1] = opening.committed[:1]
        if not np.array_equal(out[start : start + len(opening.committed)], opening.committed):
            raise UsageError("the assignment's committed wires are not those that were committed to")
        return out
