"""What setup makes and what the prover hands out: keys, proofs, and the record of a ceremony.

Letters as in Groth's paper (eprint 2016/260), section 3.2; layout of the queries as in snarkjs' .zkey files.
"""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from zkgpu.circuits.committed import CommittedRound, require_one_round
from zkgpu.curves import curve_of
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import FormatError, InsecureKeyError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.notebook import listed, table, unsafe_facts
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS

PROTOCOL, COMMITTED_PROTOCOL = "groth16", "groth16-commitment"  # what files call a key or proof, without and with one
UNSAFE_NAME = "UNSAFE zkgpu one-party setup: its maker can forge proofs"


@dataclass(frozen=True)
class CommitmentKey:
    """What verifying adds for a circuit with challenges.

    Attributes:
        sigma_g2: the secret of the commitment, in G2
        round: what is committed and packed
    """

    sigma_g2: Point
    round: CommittedRound


@dataclass(frozen=True)
class VerifyingKey:
    """What whoever verifies needs of a setup.

    Attributes:
        alpha_g1, beta_g2, gamma_g2, delta_g2: the setup's secrets, in the group that the name says
        ic: n_public + 1 points of G1: public input i is bound to ic[i + 1]
        commitments: one for a circuit with challenges, whose last public inputs are challenges and digest, which the
            verifier computes for itself
        is_unsafe: says that one party made the key and can forge proofs. It travels with the key into every file, but
            is no part of what the key verifies: neither of comparisons nor of any transcript
    """

    system: ClassVar[str] = "groth16"

    curve: Curve
    alpha_g1: Point
    beta_g2: Point
    gamma_g2: Point
    delta_g2: Point
    ic: tuple[Point, ...]
    commitments: tuple[CommitmentKey, ...] = ()
    is_unsafe: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        require_one_round(self.commitments, "the commitments of a verifying key are")

    def __repr__(self) -> str:
        return f"<{self.protocol} verifying key, {self.n_explicit_public} public inputs{', UNSAFE' * self.is_unsafe}>"

    def _repr_html_(self) -> str:
        facts = {"curve": self.curve.name, "public inputs": self.n_explicit_public, **_commitment_facts(self)}
        return table(f"{self.protocol} verifying key", facts | unsafe_facts(self.is_unsafe))

    @property
    def protocol(self) -> str:
        """What files call it."""
        return COMMITTED_PROTOCOL if self.commitments else PROTOCOL

    @property
    def n_public(self) -> int:
        """Public inputs of the circuit, challenges and digest among them."""
        return len(self.ic) - 1

    @property
    def n_explicit_public(self) -> int:
        """How many public inputs a verifier is given: all but the challenges and the digest."""
        return self.n_public - sum(commitment.round.n_public for commitment in self.commitments)

    @property
    def required_commitment(self) -> CommitmentKey:
        """The commitment's part. Raises UsageError when there is none."""
        if not self.commitments:
            raise UsageError("the verifying key has no commitment: its circuit has no challenges")
        return self.commitments[0]

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or None; see `groth16.weakness`. Found out once per key."""
        return self._weakness

    @cached_property
    def _weakness(self) -> str | None:
        from zkgpu.groth16.weakness import weakness_of_verifying_key

        return weakness_of_verifying_key(self)

    def require_secure(self) -> None:
        """Raise InsecureKeyError when the key has a weakness."""
        InsecureKeyError.raise_for(self.weakness())

    def require_proper(self) -> None:
        """Raises UsageError or PointError unless its points are canonical and of its curve's groups; looked at once."""
        if "_proper" not in self.__dict__:
            from zkgpu.groth16.weakness import require_proper_key

            require_proper_key(self)
            self.__dict__["_proper"] = True

    def to_json(self) -> dict[str, Any]:
        """The object of a verification_key.json."""
        from zkgpu.groth16.json import verifying_key_to_json

        return verifying_key_to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> VerifyingKey:
        """What `to_json` gave, or a parsed file. Raises FormatError or PointError."""
        from zkgpu.groth16.json import verifying_key_from_json

        return verifying_key_from_json(value)


@dataclass(frozen=True)
class Commitment:
    """A commitment to wires.

    Attributes:
        point: D = sum w_i K_i over the committed wires
        knowledge: pi = sigma D, which shows that D is such a sum
    """

    point: Point
    knowledge: Point


@dataclass(frozen=True)
class Proof:
    """A proof (A, B, C). Proofs are malleable: never use one, or its hash, as an identifier.

    Attributes:
        a, c: points of G1
        b: a point of G2
        commitments: one for a circuit with challenges
    """

    system: ClassVar[str] = "groth16"

    a: Point
    b: Point
    c: Point
    commitments: tuple[Commitment, ...] = ()

    def __post_init__(self) -> None:
        require_one_round(self.commitments, "the commitments of a proof are")

    def __repr__(self) -> str:
        return f"<{self.protocol} proof, A = {self.a!s:.24}..>"

    def _repr_html_(self) -> str:
        points = {"A": self.a, "B": self.b, "C": self.c}
        for commitment in self.commitments:
            points |= {"commitment": commitment.point, "knowledge": commitment.knowledge}
        return table(f"{self.protocol} proof", points)

    @property
    def protocol(self) -> str:
        """What files call it."""
        return COMMITTED_PROTOCOL if self.commitments else PROTOCOL

    @property
    def curve(self) -> Curve:
        """Raises UsageError for points of none that is known."""
        return curve_of(self.a.group)

    @property
    def has_packed_values(self) -> bool:
        """Whether public.json has packed arrays beside the public inputs, perhaps none."""
        return bool(self.commitments)

    def to_json(self) -> dict[str, Any]:
        """The object of a proof.json."""
        from zkgpu.groth16.json import proof_to_json

        return proof_to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> Proof:
        """What `to_json` gave, or a parsed file. Raises FormatError or PointError."""
        from zkgpu.groth16.json import proof_from_json

        return proof_from_json(value)


@dataclass(frozen=True)
class Contribution:
    """One entry of phase 2: delta, or sigma, was multiplied by a secret k, with a proof of knowledge of k.

    Attributes:
        delta_after: delta in G1 once the contribution was made; of a contribution to sigma, sigma K_0
        g1_s, g1_sx: a random point and its multiple by k
        g2_spx: k times the hash of the transcript to G2
        transcript: 64 bytes, BLAKE2b of everything before
        kind: 0 normal, 1 beacon
        name: what the contributor called the contribution, or empty
        beacon: (hash, iterations exponent) of a beacon
    """

    delta_after: Point
    g1_s: Point
    g1_sx: Point
    g2_spx: Point
    transcript: bytes
    kind: int = 0
    name: str = ""
    beacon: tuple[bytes, int] | None = None


@dataclass(frozen=True)
class CommitmentQueries:
    """What proving adds for a circuit with challenges.

    Attributes:
        committed_query: (n_committed, 8)  K_i = beta A + alpha B + C for the committed wires, gamma being 1
        knowledge_query: (n_committed, 8)  sigma times these
        contributions: how sigma came about: the last one's delta_after is knowledge_query[0], sigma times the mask's
            K_0
    """

    committed_query: Limbs
    knowledge_query: Limbs
    contributions: tuple[Contribution, ...] = ()

    def mask_points(self, g1: Group) -> tuple[Point, Point]:
        """K_0 and sigma K_0, of the mask. Raises FormatError when there is none."""
        points = g1.from_rows(self.committed_query[:1]) + g1.from_rows(self.knowledge_query[:1])
        if len(points) != 2:
            raise FormatError("the commitment's key has no point for the mask: set up again")
        return points[0], points[1]


@dataclass(frozen=True)
class ProvingKey:
    """All the prover needs, and the verifying key.

    Queries are points arrays as by Group.to_rows: x then y, in the Montgomery form of Field, infinity a zero row. They
    may be views of a memory-mapped file.

    Attributes:
        beta_g1, delta_g1: as in the verifying key, in G1
        a, b: QAP matrices, domain_size rows and n_wires columns, with the rows that bind public inputs: row
            n_constraints + s of `a` has a one in column s, for s = 0 .. n_public
        a_query: (n_wires, 8)   sum of A's column i over the Lagrange points, in G1
        b_g1_query: (n_wires, 8)   the same for B
        b_g2_query: (n_wires, 16)  and in G2
        l_query: (n_wires - n_public - n_committed - 1, 8)  (beta A + alpha B + C) / delta for the private wires
        h_query: (domain_size, 8)  the odd Lagrange points of the domain of twice the size, over delta
        circuit_hash: 64 bytes, of the key before any contribution, which the first one's transcript begins with
        contributions: who multiplied delta by a secret, in order
        commitments: the queries for committed wires, one such when the circuit has challenges
        circuit_digest: of the circuit that has A and B, in a key that has none of its own (`groth16.circuit_digest`):
            its matrices have their sizes and no entries
        circuit: the one with that digest, once `with_circuit` was told
        file_digest: of the file that the key was read from, all of it checked; a key changed by `replace` has none
    """

    system: ClassVar[str] = "groth16"

    verifying_key: VerifyingKey
    beta_g1: Point
    delta_g1: Point
    a: SparseMatrix
    b: SparseMatrix
    a_query: Limbs
    b_g1_query: Limbs
    b_g2_query: Limbs
    l_query: Limbs
    h_query: Limbs
    circuit_hash: bytes
    contributions: tuple[Contribution, ...]
    commitments: tuple[CommitmentQueries, ...] = ()
    circuit_digest: bytes | None = None
    circuit: R1CS | None = field(default=None, repr=False, compare=False)
    file_digest: str | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_one_round(self.commitments, "the commitments of a proving key are")
        if len(self.commitments) != len(self.verifying_key.commitments):
            raise UsageError(
                f"the proving key has {len(self.commitments)} commitments and its verifying key "
                f"{len(self.verifying_key.commitments)}: give the parts of one key"
            )

    def __repr__(self) -> str:
        vk = self.verifying_key
        sizes = f"{self.n_wires:,} wires, {vk.n_explicit_public} public inputs, domain {self.domain_size:,}"
        return f"<{vk.protocol} proving key, {sizes}{', UNSAFE' * self.is_unsafe}>"

    def _repr_html_(self) -> str:
        vk = self.verifying_key
        sizes = {"wires": self.n_wires, "public inputs": vk.n_explicit_public, "domain": self.domain_size}
        facts = {"curve": vk.curve.name, **sizes, **_commitment_facts(vk), "contributions": len(self.contributions)}
        return table(f"{vk.protocol} proving key", facts | unsafe_facts(self.is_unsafe))

    def read_from(self, file_digest: str) -> ProvingKey:
        """The same key, known to be what the file with this digest holds."""
        key = replace(self)
        object.__setattr__(key, "file_digest", file_digest)
        return key

    def without_matrices(self, r1cs: R1CS) -> ProvingKey:
        """The same key, bound to the circuit that it was made for, which has its matrices."""
        from zkgpu.groth16.circuit_digest import circuit_digest

        a, b, digest = _empty_like(self.a), _empty_like(self.b), circuit_digest(r1cs)
        return replace(self, a=a, b=b, circuit_digest=digest, circuit=None)

    def with_circuit(self, r1cs: R1CS) -> ProvingKey:
        """The key with matrices: its own, or those of the circuit. Raises UsageError for another circuit."""
        if self.circuit_digest is None:
            return self
        from zkgpu.groth16.circuit_digest import circuit_digest

        if circuit_digest(r1cs) != self.circuit_digest:
            raise UsageError("the key is that of another circuit: set up this one, or take its own key")
        whole = replace(self, circuit=r1cs)
        return whole if self.file_digest is None else whole.read_from(self.file_digest)

    @property
    def has_matrices(self) -> bool:
        """Whether A and B are known: the key's own, or its circuit's."""
        return self.circuit_digest is None or self.circuit is not None

    def matrices(self) -> tuple[SparseMatrix, SparseMatrix]:
        """A and B as of `a` and `b`; those of a circuit are made for this call, and take memory as long as it does."""
        if self.circuit is None:
            return self.a, self.b
        from zkgpu.groth16.qap import qap_matrices

        return qap_matrices(self.circuit)[:2]

    @property
    def n_wires(self) -> int:
        """Wires of the circuit, the constant one among them."""
        return self.a.shape[1]

    @property
    def n_public(self) -> int:
        """As of the verifying key."""
        return self.verifying_key.n_public

    @property
    def n_committed(self) -> int:
        """Wires that are committed to before there are challenges."""
        return sum(int(queries.committed_query.shape[0]) for queries in self.commitments)

    @property
    def rounds(self) -> tuple[CommittedRound, ...]:
        """What is committed and packed, as the circuit has it."""
        return tuple(commitment.round for commitment in self.verifying_key.commitments)

    @property
    def circuit_shape(self) -> tuple[int, int, int]:
        """Wires, public inputs and committed wires of the circuit."""
        return self.n_wires, self.n_public, self.n_committed

    @property
    def domain_size(self) -> int:
        """Points of the domain, a power of two: rows of A and B."""
        return self.a.shape[0]

    @property
    def is_unsafe(self) -> bool:
        """Whether the key says of itself that one party made it and knew its secrets."""
        return self.verifying_key.is_unsafe

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or read what they hide, or None; see `groth16.weakness`.

        An unsafe key is its maker's weakness, not anyone's. Found out once per key.
        """
        return self._weakness

    @cached_property
    def _weakness(self) -> str | None:
        from zkgpu.groth16.weakness import weakness_of_proving_key

        return weakness_of_proving_key(self)


def _empty_like(matrix: SparseMatrix) -> SparseMatrix:
    """A matrix of the same shape without entries."""
    nothing = np.zeros(0, dtype=np.int32)
    return SparseMatrix(matrix.shape, np.zeros(matrix.shape[0] + 1, np.int32), nothing, nothing, matrix.table[:0])


def _commitment_facts(key: VerifyingKey) -> dict[str, object]:
    """What notebooks show of a key's commitment."""
    facts: dict[str, object] = {}
    for commitment in key.commitments:
        arrays = [f"{array.name}{list(array.shape)}" for array in commitment.round.arrays]
        facts |= {"committed wires": commitment.round.n_committed, "public arrays": listed(arrays) or None}
    return facts
