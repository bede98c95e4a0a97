"""What the rest of the package needs of a proof system: its keys, its proofs and its verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.circuits.committed import CommittedRound
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.curves.points import Curve
    from zkgpu.provers.room import Room

Facts = dict[str, Any]


class AnyProof(Protocol):
    """A proof of any proof system: an immutable class `Proof` with a short repr.

    Attributes:
        system: the name of its proof system, which is that of the folder
        protocol: what files call it
        has_packed_values: whether public.json has packed arrays beside the public inputs, perhaps none
    """

    @property
    def system(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def curve(self) -> Curve: ...
    @property
    def has_packed_values(self) -> bool: ...

    def to_json(self) -> dict[str, Any]: ...


class AnyVerifyingKey(Protocol):
    """A verifying key of any proof system: an immutable class `VerifyingKey` with a short repr.

    Attributes:
        system, protocol: as those of a proof
        is_unsafe: whether the key says of itself that one party made it
    """

    @property
    def system(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def curve(self) -> Curve: ...
    @property
    def n_public(self) -> int: ...
    @property
    def is_unsafe(self) -> bool: ...

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or None."""

    def require_secure(self) -> None:
        """Raises InsecureKeyError when the key has a weakness."""

    def require_proper(self) -> None:
        """Raises UsageError or PointError unless its points are canonical and of its curve's groups."""

    def to_json(self) -> dict[str, Any]: ...


class AnyProvingKey(Protocol):
    """A proving key of any proof system: an immutable class `ProvingKey` with a short repr.

    Attributes:
        circuit_shape: wires, public inputs and committed wires of the circuit
        rounds: those of the circuit, with their public arrays
        domain_size: rows that transforms work on
        file_digest: of the file that it was read from, all of which was checked, or None
    """

    @property
    def system(self) -> str: ...
    @property
    def verifying_key(self) -> AnyVerifyingKey: ...
    @property
    def n_wires(self) -> int: ...
    @property
    def n_public(self) -> int: ...
    @property
    def circuit_shape(self) -> tuple[int, int, int]: ...
    @property
    def rounds(self) -> tuple[CommittedRound, ...]: ...
    @property
    def domain_size(self) -> int: ...
    @property
    def is_unsafe(self) -> bool: ...
    @property
    def file_digest(self) -> str | None: ...

    def weakness(self) -> str | None:
        """Why anyone could forge proofs for this key, or read what they hide, or None."""


@dataclass(frozen=True)
class ProofSystem:
    """A proof system: its verbs, its files, and how it describes its keys.

    Its JSON files have a member "protocol", and a verification key one "nPublic", as those of snarkjs do.

    Attributes:
        name, title: "groth16", and what messages call it
        setup: setup(r1cs, powers_of_tau, backend, name=...); a name only if `records_contributions`
        unsafe_setup: unsafe_setup(r1cs, backend)
        setup_room: setup_room(r1cs): what a setup takes at the least, known before it starts
        prover: Prover(key, backend, circuit=..., allow_insecure_key=...), a CheckedProver
        verify: verify(key, public_inputs, proof, packed=..., allow_insecure_key=...)
        verify_batch: verify_batch(key, statements, allow_insecure_key=...)
        read_key, write_key: .zkey files: read_key(path, validate), write_key(path, key)
        proof_from_json, ..: the objects of proof.json and verification_key.json
        holds_circuit: holds_circuit(key, r1cs): whether a proving key is for a circuit, as far as its contents show
        describe_key, ..: facts about a key, by name, for `inspect`
        records_contributions: whether a key records who contributed to it
    """

    name: str
    title: str
    setup: Callable[..., Any]
    unsafe_setup: Callable[..., Any]
    setup_room: Callable[[R1CS], Room]
    prover: Callable[..., Any]
    verify: Callable[..., bool]
    verify_batch: Callable[..., bool]
    read_key: Callable[..., Any]
    write_key: Callable[..., None]
    proof_from_json: Callable[..., Any]
    proof_to_json: Callable[..., dict[str, Any]]
    verifying_key_from_json: Callable[[Any], Any]
    verifying_key_to_json: Callable[..., dict[str, Any]]
    holds_circuit: Callable[[Any, R1CS], bool]
    describe_key: Callable[[Any], Facts]
    describe_verifying_key: Callable[[Any], Facts]
    records_contributions: bool = False
