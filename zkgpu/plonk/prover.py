"""PLONK's prover (eprint 2019/953, section 8.3), round by round; it verifies every proof before it hands it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.circuits.assignment import require_canonical
from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.field import Field, Limbs
from zkgpu.plonk.assignment import WireTables, selection
from zkgpu.plonk.identities import Challenges, Selectors, WireColumns, gate, permutation_factor
from zkgpu.plonk.keys import FIXED, OPENED, SELECTORS, SIGMAS, Proof, ProvingKey
from zkgpu.plonk.linearization import linearization
from zkgpu.plonk.quotient import Quotient
from zkgpu.plonk.transcript import PlonkTranscript
from zkgpu.plonk.verifier import verify
from zkgpu.poly import Coefficients, Committer, batch_quotient, combine, evaluate
from zkgpu.provers.checked import CheckedProver, Witness
from zkgpu.provers.statement import Statement
from zkgpu.records import dataclass
from zkgpu.stages import stage


@dataclass(frozen=True)
class Blinding:
    """b_1 to b_11 of the paper, the random scalars that hide the witness."""

    b: tuple[int, ...] = field(repr=False)

    @staticmethod
    def random(field: Field) -> Blinding:
        return Blinding(tuple(field.random() for _ in range(11)))

    @property
    def wires(self) -> tuple[tuple[int, int], ...]:
        """The multiples of X^n - 1 added to a, b and c, constant first."""
        b = self.b
        return ((b[1], b[0]), (b[3], b[2]), (b[5], b[4]))

    @property
    def z(self) -> tuple[int, int, int]:
        """The multiple of X^n - 1 added to z, constant first."""
        return (self.b[8], self.b[7], self.b[6])

    @property
    def quotient(self) -> tuple[int, int]:
        """What moves between the parts of the quotient."""
        return (self.b[9], self.b[10])


class Prover(CheckedProver[ProvingKey, Blinding]):
    """A key of PLONK at home on a device, for many proofs; arguments and errors are those of `CheckedProver`.

    Keeps the key's polynomials, also their values on three cosets: 2.1 kB a row on a CPU.
    """

    def _load(self) -> None:
        """Put the key on the device."""
        key, vk, backend, domain = self.key, self.key.verifying_key, self.backend, self.key.verifying_key.domain
        self._domain = domain
        field, order = domain.field, domain.bit_reversal
        self._fixed = {name: Coefficients(self._from_montgomery(key.fixed[name][: domain.size])) for name in FIXED}
        self._committer = Committer(backend, key.powers_g1, domain.size)
        self._wire_tables = WireTables(backend, key)
        self._reverse = backend.matrix(selection(order, domain.size, field))
        # the grand product before each row, from the products up to each: they end in 1, and that is the first
        self._reverse_shifted = backend.matrix(selection((order - 1) % domain.size, domain.size, field))
        self._sigma = [self._natural(self._fixed[name]) for name in SIGMAS]
        identity = Coefficients(backend.vector(field.to_limbs([0, 1, *[0] * (domain.size - 2)])))
        self._identity = self._natural(identity)
        self._quotient = Quotient(backend, domain, self._fixed, (vk.k1, vk.k2))

    def _draw(self) -> Blinding:
        return Blinding.random(self._field)

    def _verify(self, statement: Statement) -> bool:
        vk, allowed = self.key.verifying_key, self._allow_insecure_key
        return verify(vk, statement.public_inputs, statement.proof, allow_insecure_key=allowed)

    def _make(self, assignment: Limbs, first_round: None, blinding: Blinding) -> Statement:
        require_canonical(assignment, self._field)
        public_inputs = self.public_inputs(assignment)
        said = PlonkTranscript(self.key.verifying_key, public_inputs)
        with stage("wires"):
            columns = self._wire_tables.columns(self.backend.vector(assignment))
            wires = self._wire_polynomials(columns, blinding)
            beta, gamma = said.wires(**self._commit(a=wires.a, b=wires.b, c=wires.c))
        with stage("grand product"):
            z = self._grand_product(columns, beta, gamma).plus_multiple_of_vanishing(blinding.z, self._r)
            del columns  # three vectors that no later round needs
            challenges = Challenges(beta, gamma, said.grand_product(**self._commit(z=z)))
        with stage("quotient"):
            t = self._quotient_parts(wires, z, public_inputs, challenges, blinding)
        with stage("commit to quotient"):
            zeta = said.quotient(**self._commit(**t))
        with stage("openings"):
            polynomials = {**self._fixed, "a": wires.a, "b": wires.b, "c": wires.c, "z": z, **t}
            openings = self._open(polynomials, zeta)
            v = said.openings(**openings)
            r = self._linearization(polynomials, public_inputs, openings, challenges, zeta)
            said.opening_proofs(**self._prove_openings(polynomials, openings, r, zeta, v))
        return Statement(public_inputs, said.proof)

    # round 1

    def _wire_polynomials(self, columns: WireColumns[Vector], blinding: Blinding) -> WireColumns[Coefficients]:
        polynomials = (self._interpolated(column) for column in (columns.a, columns.b, columns.c))
        return WireColumns(
            *(p.plus_multiple_of_vanishing(b, self._r) for p, b in zip(polynomials, blinding.wires, strict=True))
        )

    # round 2

    def _grand_product(self, columns: WireColumns[Vector], beta: int, gamma: int) -> Coefficients:
        """z, not blinded: in each row the product over all rows before of the identity's factor over sigma's."""
        backend, vk, ch = self.backend, self.key.verifying_key, Challenges(beta, gamma, 0)
        values = (columns.a, columns.b, columns.c)
        before = backend.pointwise(
            lambda a, b, c, x: permutation_factor(WireColumns(a, b, c), WireColumns(x, vk.k1 * x, vk.k2 * x), ch),
            *values,
            self._identity,
        )
        after = backend.pointwise(
            lambda a, b, c, s1, s2, s3: permutation_factor(WireColumns(a, b, c), WireColumns(s1, s2, s3), ch),
            *values,
            *self._sigma,
        )
        ratio = backend.pointwise(lambda x, y: x * y, before, backend.inverse(after))
        products = backend.matvec(self._reverse_shifted, backend.prefix_product(ratio))
        return Coefficients(backend.intt(products, self._domain, in_place=True))

    # round 3

    def _quotient_parts(
        self,
        wires: WireColumns[Coefficients],
        z: Coefficients,
        public_inputs: list[int],
        ch: Challenges,
        blinding: Blinding,
    ) -> dict[str, Coefficients]:
        """t1, t2, t3 with t = t1 + t2 X^n + t3 X^2n, each blinded by what the next one takes back."""
        n, (b10, b11) = self._domain.size, blinding.quotient
        qc = combine(self.backend, (1, 1), (self._fixed["qc"], self._public_polynomial(public_inputs)))
        (low, middle, high), last = self._quotient.parts(wires, z, qc, ch)
        return {
            "t1": low.plus({n: b10}, self._r),
            "t2": middle.plus({0: -b10, n: b11}, self._r),
            "t3": high.plus({0: -b11, **{n + i: k for i, k in enumerate(last)}}, self._r),
        }

    def _public_polynomial(self, public_inputs: list[int]) -> Coefficients:
        """PI: minus each public input in its row."""
        field = self._domain.field
        values = np.zeros((self._domain.size, field.limbs), dtype=np.uint64)
        values[: len(public_inputs)] = field.to_limbs(-x for x in public_inputs)
        return self._interpolated(self.backend.vector(values))

    # rounds 4 and 5

    def _open(self, polynomials: Mapping[str, Coefficients], zeta: int) -> dict[str, int]:
        openings = {f"eval_{name}": evaluate(self.backend, polynomials[name], zeta) for name in OPENED}
        return {**openings, "eval_zw": evaluate(self.backend, polynomials["z"], self._after(zeta))}

    def _linearization(
        self,
        polynomials: Mapping[str, Coefficients],
        public_inputs: list[int],
        openings: Mapping[str, int],
        ch: Challenges,
        zeta: int,
    ) -> Coefficients:
        """r, the polynomial whose value at zeta must be 0."""
        linear = linearization(self.key.verifying_key, public_inputs, openings, ch, zeta)
        closed = [polynomials[name] for name in linear.factors]
        return combine(self.backend, list(linear.factors.values()), closed, linear.constant)

    def _prove_openings(
        self, polynomials: Mapping[str, Coefficients], openings: Mapping[str, int], r: Coefficients, zeta: int, v: int
    ) -> dict[str, Any]:
        opened, values = [polynomials[name] for name in OPENED], [openings[f"eval_{name}"] for name in OPENED]
        at_zeta = batch_quotient(self.backend, [r, *opened], [0, *values], zeta, v)
        at_next = batch_quotient(self.backend, [polynomials["z"]], [openings["eval_zw"]], self._after(zeta), v)
        return self._commit(w_zeta=at_zeta, w_zeta_omega=at_next)

    # what the rounds share

    @property
    def _r(self) -> int:
        return self._domain.field.modulus

    def _after(self, zeta: int) -> int:
        return zeta * self._domain.omega % self._r

    def _commit(self, **polynomials: Coefficients) -> dict[str, Any]:
        return dict(zip(polynomials, self._committer.commit(list(polynomials.values())), strict=True))

    def _interpolated(self, column: Vector) -> Coefficients:
        """The polynomial with the values of a column, natural order, on the domain."""
        return Coefficients(self.backend.intt(self.backend.matvec(self._reverse, column), self._domain, in_place=True))

    def _natural(self, p: Coefficients) -> Vector:
        """The values of a polynomial on the domain in natural order."""
        return self.backend.matvec(self._reverse, self.backend.ntt(p.dense, self._domain))

    def _from_montgomery(self, rows: Limbs) -> Vector:
        inverse = self._domain.field.from_montgomery(1)
        vector = self.backend.vector(np.require(rows, np.uint64, ["C", "A"]))
        return self.backend.pointwise(lambda x: inverse * x, vector)

    # refusals

    def _explain(self, witness: Witness) -> str | None:
        """Names the first gate that does not hold on the domain itself."""
        assert not callable(witness)
        columns = self._wire_tables.columns(self.backend.vector(witness))
        field, public = self._field, self.public_inputs(witness)
        minus_public = field.to_limbs([*(-x for x in public), *[0] * (self._domain.size - len(public))])
        values = self.backend.pointwise(
            lambda a, b, c, qm, ql, qr, qo, qc, public: gate(
                WireColumns(a, b, c), Selectors(qm, ql, qr, qo, qc, public)
            ),
            *(columns.a, columns.b, columns.c),
            *(self._natural(self._fixed[name]) for name in SELECTORS),
            self.backend.vector(minus_public),
        )
        broken = np.flatnonzero(self.backend.limbs(values).any(axis=1))
        if not broken.size:
            return None
        return (
            f"the witness does not satisfy row {broken[0]} of this key: "
            "`zkgpu check CIRCUIT.r1cs WITNESS.wtns` names the constraint"
        )


def prove(key: ProvingKey, witness: Witness, backend: Backend, *, circuit: R1CS | None = None) -> Proof:
    """One proof; `Prover` keeps the key for more."""
    proof: Proof = Prover(key, backend, circuit=circuit).prove(witness)
    return proof
