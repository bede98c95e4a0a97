"""The prover's first round: it commits, and hands the circuit the challenges that follow from the commitment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace

import numpy as np

from zkgpu.backend.protocol import Backend, Points
from zkgpu.circuits.committed import ChallengeSource, FirstRound
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.groth16.keys import Commitment, ProvingKey
from zkgpu.records import dataclass
from zkgpu.stages import stage


@dataclass(frozen=True)
class Opening:
    """What a first round leaves behind: the commitments, and what they open to.

    Attributes:
        committed: (n_committed, 4) uint64: the committed wires with the mask; none once they are in an assignment
        packed: the public arrays
    """

    committed: Limbs = field(repr=False)
    packed: bytes = field(repr=False)
    commitments: tuple[Commitment, ...]

    def without_wires(self) -> Opening:
        """The same for whoever has the assignment: the wires are in it, and take no memory twice."""
        return replace(self, committed=self.committed[:0].copy())


NOTHING = Opening(np.zeros((0, 0), np.uint64), b"", ())  # of a circuit without challenges


class Committer:
    """A commitment's queries at home on a device.

    Args:
        queries: those for D and for sigma D (`ResidentKey.commitments`)
    """

    def __init__(self, key: ProvingKey, queries: tuple[Points, Points], backend: Backend) -> None:
        self._key, self._backend = key, backend
        self._committed, self._knowledge = queries

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
            return self._challenges(openings[0], first.public)

        assignment = witness(challenges)
        if not openings:
            raise UsageError("the witness took no challenge: it belongs to another circuit")
        return self._with_mask(assignment, openings[0].committed), openings[0].without_wires()

    def _commit(self, first: FirstRound, mask: int) -> Opening:
        """D and sigma D."""
        scalars = self._backend.curve.scalar_field
        committed = first.committed.copy()
        if committed.shape != (self._key.n_committed, scalars.limbs):
            raise LengthError(
                f"the circuit commits to {len(committed)} wires, the key to {self._key.n_committed}: "
                "they do not belong together"
            )
        committed[:1] = scalars.to_limbs([mask])
        with stage("commit"):
            values = self._backend.borrowed(committed)
            commitment = Commitment(*self._backend.msm_many([(self._committed, values), (self._knowledge, values)]))
        return Opening(committed, first.packed, (commitment,))

    def _challenges(self, opening: Opening, public_inputs: Sequence[int]) -> list[int]:
        from zkgpu.groth16.commitment import CommitmentTranscript

        (commitment,), key = opening.commitments, self._key.verifying_key
        return CommitmentTranscript(key, commitment.point, public_inputs, opening.packed).challenges()

    def _with_mask(self, assignment: Limbs, committed: Limbs) -> Limbs:
        start = self._key.n_public + 1
        out = np.array(assignment)
        out[start : start + 1] = committed[:1]
        if not np.array_equal(out[start : start + len(committed)], committed):
            raise UsageError("the assignment's committed wires are not those that were committed to")
        return out
