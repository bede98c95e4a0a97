"""What setup makes and what the prover hands out. Letters as in PLONK's paper (eprint 2019/953), section 8.

Two differences of snarkjs' protocol are kept, so that its files and contracts fit: public inputs lie in the first
rows with ql = 1, and wire 0 holds 0, constants being in qc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import curve_of
from zkgpu.curves.points import Curve, Point
from zkgpu.errors import InsecureKeyError
from zkgpu.fields.field import Limbs
from zkgpu.notebook import table, unsafe_facts
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.circuits.committed import CommittedRound

Index = NDArray[np.int32]

SELECTORS = ("qm", "ql", "qr", "qo", "qc")
SIGMAS = ("s1", "s2", "s3")
FIXED = SELECTORS + SIGMAS  # the polynomials a key commits to, in the order of files and of the transcript
OPENED = ("a", "b", "c", "s1", "s2")  # at zeta, in the order of the transcript
EXTENSION = 5  # vectors of the domain's size for a polynomial of a key: n coefficients, then values on 4n points
EXTRA_POWERS = 6  # powers of tau that a key has beyond the size of its domain: the last quotient part has that many
MIN_LOG_SIZE = 3


@dataclass(frozen=True)
class VerifyingKey:
    """What whoever verifies needs of a setup.

    Attributes:
        log_size: of the domain
        k1, k2: label the second and third columns
        qm, ql, qr, qo, qc: commitments to the selectors
        s1, s2, s3: commitments to the permutation polynomials
        tau_g2: x_2 in files
        is_unsafe: says that one party drew tau and can forge proofs. It travels with the key into every file, but is no
            part of what the key verifies: neither of comparisons nor of any transcript
    """

    system: ClassVar[str] = "plonk"
    protocol: ClassVar[str] = "plonk"

    curve: Curve
    n_public: int
    log_size: int
    k1: int
    k2: int
    qm: Point
    ql: Point
    qr: Point
    qo: Point
    qc: Point
    s1: Point
    s2: Point
    s3: Point
    tau_g2: Point
    is_unsafe: bool = field(default=False, compare=False)

    def __repr__(self) -> str:
        return f"<{self.protocol} verifying key, {self.n_public} public inputs{', UNSAFE' * self.is_unsafe}>"

    def _repr_html_(self) -> str:
        facts = {"curve": self.curve.name, "public inputs": self.n_public, "domain": self.domain.size}
        return table(f"{self.protocol} verifying key", facts | unsafe_facts(self.is_unsafe))

    @property
    def n_explicit_public(self) -> int:
        """How many public inputs a verifier is given: all of them."""
        return self.n_public

    @property
    def domain(self) -> Domain:
        """The roots of unity that rows of the circuit stand at."""
        return Domain(self.curve.scalar_field, 1 << self.log_size)

    @property
    def commitments(self) -> tuple[Point, ...]:
        """Those to the fixed polynomials, in the order of FIXED."""
        return tuple(getattr(self, name) for name in FIXED)

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or None; see `plonk.weakness`. Found out once per key."""
        return self._weakness

    @cached_property
    def _weakness(self) -> str | None:
        from zkgpu.plonk.weakness import weakness_of_verifying_key

        return weakness_of_verifying_key(self)

    def require_secure(self) -> None:
        """Raise InsecureKeyError when the key has a weakness."""
        InsecureKeyError.raise_for(self.weakness())

    def require_proper(self) -> None:
        """Raises UsageError or PointError unless its points are canonical and of its curve's groups; looked at once."""
        if "_proper" not in self.__dict__:
            from zkgpu.plonk.weakness import require_proper_key

            require_proper_key(self)
            self.__dict__["_proper"] = True

    def to_json(self) -> dict[str, Any]:
        """The object of a verification_key.json."""
        from zkgpu.plonk.json import verifying_key_to_json

        return verifying_key_to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> VerifyingKey:
        """What `to_json` gave, or a parsed file. Raises FormatError or PointError."""
        from zkgpu.plonk.json import verifying_key_from_json

        return verifying_key_from_json(value)


@dataclass(frozen=True)
class Proof:
    """Nine points and six openings, in the order of calldata. zeta is the point that files call xi.

    Attributes:
        a, b, c, z: commitments to the wires and to the grand product
        t1, t2, t3: to the parts of the quotient
        w_zeta, w_zeta_omega: proofs of the openings at zeta and at zeta omega
        eval_a, eval_b, eval_c, eval_s1, eval_s2: openings of wires and of two permutation polynomials at zeta
        eval_zw: the opening of z at zeta omega
    """

    system: ClassVar[str] = "plonk"
    protocol: ClassVar[str] = "plonk"
    has_packed_values: ClassVar[bool] = False

    a: Point
    b: Point
    c: Point
    z: Point
    t1: Point
    t2: Point
    t3: Point
    w_zeta: Point
    w_zeta_omega: Point
    eval_a: int
    eval_b: int
    eval_c: int
    eval_s1: int
    eval_s2: int
    eval_zw: int

    def __repr__(self) -> str:
        return f"<{self.protocol} proof, a = {self.a!s:.24}..>"

    def _repr_html_(self) -> str:
        return table(f"{self.protocol} proof", {**self.points, **self.evaluations})

    @property
    def curve(self) -> Curve:
        """Raises UsageError for points of none that is known."""
        return curve_of(self.a.group)

    @property
    def points(self) -> dict[str, Point]:
        """By name, in the order of calldata."""
        return {name: getattr(self, name) for name in POINTS}

    @property
    def evaluations(self) -> dict[str, int]:
        """The openings by name, in the order of calldata."""
        return {name: getattr(self, name) for name in EVALUATIONS}

    def to_json(self) -> dict[str, Any]:
        """The object of a proof.json."""
        from zkgpu.plonk.json import proof_to_json

        return proof_to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> Proof:
        """What `to_json` gave, or a parsed file. Raises FormatError or PointError."""
        from zkgpu.plonk.json import proof_from_json

        return proof_from_json(value)


POINTS = tuple(f.name for f in fields(Proof) if not f.name.startswith("eval_"))
EVALUATIONS = tuple(f.name for f in fields(Proof) if f.name.startswith("eval_"))


@dataclass(frozen=True)
class Additions:
    """Wires that sum up others, so that a row has no more than three: n_circuit_wires + i holds
    table[factors[i, 0]] * wire[i, 0] + table[factors[i, 1]] * wire[i, 1], where wires come before their uses.

    Attributes:
        wires, factors: (count, 2) int32
        table: (k, limbs) uint64, canonical
    """

    wires: Index
    factors: Index
    table: Limbs

    def __len__(self) -> int:
        return len(self.wires)


@dataclass(frozen=True)
class ProvingKey:
    """All the prover needs, and the verifying key. Arrays may be views of a memory-mapped file.

    Attributes:
        n_wires: wires of the rows: those of the circuit and then the additions
        wires: (3, rows) int32: the wire in columns a, b and c of each row in use; the others hold wire 0
        fixed: by the names of FIXED: (5 n, limbs) uint64, Montgomery as by Field: n coefficients, then the values on
            the 4n-th roots of unity in natural order
        lagrange: (max(1, n_public), 5 n, limbs), the same of L_1, L_2, ..
        powers_g1: (n + 6, row_limbs) points rows: powers of tau
        file_digest: of the file that the key was read from, all of it checked; a key changed by `replace` has none
    """

    system: ClassVar[str] = "plonk"

    verifying_key: VerifyingKey
    n_wires: int
    additions: Additions
    wires: Index
    fixed: Mapping[str, Limbs]
    lagrange: Limbs
    powers_g1: Limbs
    file_digest: str | None = field(default=None, init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        sizes = f"{self.n_circuit_wires:,} wires, {self.n_public} public inputs, domain {self.domain_size:,}"
        return f"<{self.system} proving key, {sizes}{', UNSAFE' * self.is_unsafe}>"

    def _repr_html_(self) -> str:
        sizes = {"wires": self.n_circuit_wires, "public inputs": self.n_public, "rows": self.n_rows}
        facts = {"curve": self.verifying_key.curve.name, **sizes, "domain": self.domain_size}
        return table(f"{self.system} proving key", facts | unsafe_facts(self.is_unsafe))

    def read_from(self, file_digest: str) -> ProvingKey:
        """The same key, known to be what the file with this digest holds."""
        key = replace(self)
        object.__setattr__(key, "file_digest", file_digest)
        return key

    @property
    def is_unsafe(self) -> bool:
        """Whether the key says of itself that one party drew tau."""
        return self.verifying_key.is_unsafe

    @property
    def n_public(self) -> int:
        """As of the verifying key."""
        return self.verifying_key.n_public

    @property
    def domain_size(self) -> int:
        """Points of the domain, a power of two."""
        return 1 << self.verifying_key.log_size

    @property
    def n_rows(self) -> int:
        """Rows in use, of domain_size."""
        return int(self.wires.shape[1])

    @property
    def rounds(self) -> tuple[CommittedRound, ...]:
        """None: circuits with challenges have no key of PLONK."""
        return ()

    @property
    def circuit_shape(self) -> tuple[int, int, int]:
        """Wires, public inputs and committed wires of the circuit; there are no challenges, so none of the last."""
        return self.n_circuit_wires, self.n_public, 0

    @property
    def n_circuit_wires(self) -> int:
        """Values of a witness."""
        return self.n_wires - len(self.additions)

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or read what they hide, or None; see `plonk.weakness`.

        An unsafe key is its maker's weakness, not anyone's. Found out once per key.
        """
        return self._weakness

    @cached_property
    def _weakness(self) -> str | None:
        from zkgpu.plonk.weakness import weakness_of_proving_key

        return weakness_of_proving_key(self)
