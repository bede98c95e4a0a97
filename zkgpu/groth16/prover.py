"""Groth16's prover (eprint 2016/260, section 3.2), which verifies every proof before it hands it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from zkgpu.backend.beside import beside
from zkgpu.backend.protocol import Backend, Points, Vector
from zkgpu.backend.second_try import with_second_tries
from zkgpu.circuits.assignment import require_canonical, require_shape
from zkgpu.circuits.committed import ChallengeSource
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.curves.pairing import small_msm
from zkgpu.curves.points import Point
from zkgpu.errors import InsecureKeyError, PointError, SelfCheckError, UnsatisfiedError, UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.groth16.committer import Committer
from zkgpu.groth16.keys import Proof, ProvingKey
from zkgpu.groth16.qap import Qap
from zkgpu.groth16.resident import resident
from zkgpu.groth16.verifier import verify
from zkgpu.stages import stage


@dataclass(frozen=True)
class Blinding:
    """The random scalars that hide the witness: r and s in A, B and C, the mask in the commitment if there is one."""

    r: int = field(repr=False)
    s: int = field(repr=False)
    mask: int = field(default=0, repr=False)

    @staticmethod
    def random(field: Field) -> Blinding:
        return Blinding(field.random(), field.random(), field.random())


class Proven(NamedTuple):
    """A proof and all that a verifier needs beside the key: the arguments of `verify`.

    packed  the public arrays of a circuit that has some
    """

    public_inputs: list[int]
    proof: Proof
    packed: bytes = b""


Witness: TypeAlias = Limbs | Callable[[ChallengeSource], Limbs]


class Prover:
    """A proving key at home on a device: loaded once, for many proofs.

    key                  the proving key; its arrays may be views of a mapped file
    backend              where to compute
    circuit              the key's constraints, when at hand: a wrong witness is then named by constraint at once
    allow_insecure_key   accept a key for which anyone can forge proofs

    Raises InsecureKeyError for such a key, UsageError when circuit and key do not belong together.
    """

    def __init__(
        self, key: ProvingKey, backend: Backend, *, circuit: R1CS | None = None, allow_insecure_key: bool = False
    ):
        if not allow_insecure_key:
            InsecureKeyError.raise_for(key.weakness())
        if circuit is not None:
            _require_same_shape(circuit, key)
        self.key, self.backend, self._circuit = key, backend, circuit
        self._allow_insecure_key = allow_insecure_key
        with stage("load key"), beside(backend):
            self._load()

    def _load(self) -> None:
        """Put matrices and queries on the device."""
        key, backend = self.key, self.backend
        home = resident(key, backend)
        self._qap = Qap(backend, home.a, home.b)
        self._a_query, self._b_g1_query, self._b_g2_query = home.a_query, home.b_g1_query, home.b_g2_query
        self._l_query, self._h_query = home.l_query, home.h_query
        self._l_start = 0 if key.commitment is None else key.n_public + 1 + key.n_committed
        self._committer = Committer(key, backend) if key.commitment else None

    def prove(self, witness: Witness, *, _blinding: Blinding | None = None) -> Proof:
        """A proof that the circuit is satisfied, verified.

        witness  (n_wires, 4) uint64 canonical limbs: the constant 1, public values, private values; or, for a circuit
                 with challenges, a function from their source to that (`CompiledCircuit.deferred`)
        Raises UnsatisfiedError when it does not satisfy the circuit, UsageError when it cannot belong to the key,
        SelfCheckError when a proof of a right assignment does not verify.
        """
        return self._prove(witness, _blinding).proof

    def prove_circuit(
        self, circuit: CompiledCircuit, inputs: Mapping[str, object], *, _blinding: Blinding | None = None
    ) -> Proven:
        """A proof for these inputs, verified, with the public values it is about. Raises as `prove` and `witness`."""
        deferred = circuit.deferred(inputs)
        with beside(self.backend):
            return self._prove(deferred if circuit.r1cs.round else circuit.witness(inputs), _blinding)

    def _prove(self, witness: Witness, blinding: Blinding | None) -> Proven:
        blinding = blinding or Blinding.random(self.backend.curve.scalar_field)
        try:
            with beside(self.backend):
                return with_second_tries(self.backend, lambda backend: self._on(backend)._checked(witness, blinding))
        except SelfCheckError as error:
            if self._circuit is not None:
                raise
            raise UnsatisfiedError(
                "the witness does not satisfy the circuit of this key, or the key is damaged: "
                "`zkgpu check CIRCUIT.r1cs WITNESS.wtns` names the constraint"
            ) from error

    def _on(self, backend: Backend) -> Prover:
        """A prover for the same key on a device: this one where it is its own."""
        if backend is self.backend:
            return self
        return Prover(self.key, backend, circuit=self._circuit, allow_insecure_key=self._allow_insecure_key)

    def _checked(self, witness: Witness, blinding: Blinding) -> Proven:
        """A proof that verifies. Raises SelfCheckError when it does not."""
        proven = self._attempt(witness, blinding)
        if not self._accepts(proven):
            raise SelfCheckError(
                "the witness satisfies the circuit, but the proof does not verify: "
                "the key is damaged or belongs to another circuit"
            )
        return proven

    def _attempt(self, witness: Witness, blinding: Blinding) -> Proven:
        """A proof that was not verified yet."""
        if self._committer is None:
            assignment, opening = self._plain(witness), None
        else:
            assignment, opening = self._committer.run(witness, blinding.mask)
        self._check_assignment(assignment)
        proof = self._prove_unchecked(assignment, blinding)
        if opening is None:
            return Proven(self.public_inputs(assignment), proof)
        proof = replace(proof, commitment=opening.commitment, knowledge=opening.knowledge)
        return Proven(list(opening.public), proof, opening.packed)

    def _plain(self, witness: Witness) -> Limbs:
        if callable(witness):
            raise UsageError("the key is for a circuit without challenges: give its assignment")
        return witness

    def public_inputs(self, assignment: Limbs) -> list[int]:
        """The public values of an assignment, in the verifier's order; without challenges and digest."""
        return self.backend.curve.scalar_field.from_limbs(assignment[1 : self.key.verifying_key.n_explicit_public + 1])

    def _prove_unchecked(self, assignment: Limbs, blinding: Blinding) -> Proof:
        key, vk, (r, s) = self.key, self.key.verifying_key, (blinding.r, blinding.s)
        with stage("quotient"):
            pairs = [self._pairs(assignment)]
        hidden: list[Point] = []

        def meanwhile() -> None:
            """What needs nothing of the sums, and the check of the values: a proof of others never leaves."""
            require_canonical(assignment, self.backend.curve.scalar_field)
            hidden[:] = [
                small_msm((vk.alpha_g1, key.delta_g1), (1, r)),
                small_msm((vk.beta_g2, vk.delta_g2), (1, s)),
                small_msm((key.beta_g1, key.delta_g1), (1, s)),
            ]

        with stage("multi-scalar multiplications"):
            # given away: the device can drop the vectors as soon as it has their digits
            a_z, b_g1_z, b_g2_z, l_z, h_h = self.backend.msm_many(pairs.pop(), meanwhile)
        a, b, b_g1 = (x + y for x, y in zip(hidden, (a_z, b_g2_z, b_g1_z), strict=True))
        c = small_msm((l_z, h_h, a, b_g1, key.delta_g1), (1, 1, s, r, -r * s))
        return Proof(a, b, c)

    def _pairs(self, assignment: Limbs) -> list[tuple[Points, Vector]]:
        """The key's queries with the scalars they meet: A, B in G1, B in G2, L, H."""
        z = self.backend.vector(assignment)
        h = self._qap.quotient(z)
        private = self.backend.vector(assignment[self._l_start :]) if self._l_start else z
        queries = ((self._a_query, z), (self._b_g1_query, z), (self._b_g2_query, z), (self._l_query, private))
        return [*queries, (self._h_query, h)]

    def _accepts(self, proven: Proven) -> bool:
        vk, allowed = self.key.verifying_key, self._allow_insecure_key
        with stage("self-check"):
            try:
                return verify(vk, proven.public_inputs, proven.proof, packed=proven.packed, allow_insecure_key=allowed)
            except PointError:  # what a device that errs calls a point may be none
                return False

    def _check_assignment(self, assignment: Limbs) -> None:
        require_shape(assignment, self.key.n_wires, self.backend.curve.scalar_field)
        if self._circuit is not None:
            require_canonical(assignment, self.backend.curve.scalar_field)
            with stage("check constraints"):
                self._circuit.check(assignment)


def _require_same_shape(circuit: R1CS, key: ProvingKey) -> None:
    mine, other = ((x.n_wires, x.n_public, x.n_committed) for x in (circuit, key))
    if mine != other:
        raise UsageError(
            f"the circuit has {mine[0]} wires, {mine[1]} public inputs and {mine[2]} committed wires, "
            f"the key {other[0]}, {other[1]} and {other[2]}: they do not belong together"
        )


def prove(key: ProvingKey, witness: Witness, backend: Backend, *, circuit: R1CS | None = None) -> Proof:
    """One proof; `Prover` keeps the key for more."""
    return Prover(key, backend, circuit=circuit).prove(witness)
