"""check_circuit: what the test of a circuit should check, from its constraints to its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.errors import UnsatisfiedError, UnsoundError, UsageError
from zkgpu.testing.attack import TRIES, attack_circuit

Inputs = Mapping[str, object]


def check_circuit(
    circuit: Circuit | CompiledCircuit,
    *,
    valid: Sequence[Inputs],
    invalid: Sequence[Inputs] = (),
    attack: bool = True,
    systems: Sequence[str] = (),
    solidity: bool | str = False,
    determined: Sequence[str] = (),
    tries: int = TRIES,
    seed: int = 0,
) -> None:
    """Returns when all that the arguments say of the circuit holds, for tests.

    Args:
        valid: inputs by name that satisfy it, at least one; give those that lie at edges, ties among them
        invalid: inputs that break a constraint, with every hint answered honestly
        attack: for each of the valid ones, no second witness is found: attack_circuit, with determined, tries and seed
        systems: "groth16", "plonk": with an unsafe key on the CPU, each of the valid ones is proven, the proof is
            valid, and is not for other public values
        solidity: the contract of each system accepts what it must, and refuses what it must, in an EVM in memory: True
            for the `solc` or `solcjs` on PATH, or the path to one. Needs pyrevm

    Raises UnsatisfiedError, naming the constraint, for valid inputs that break it, and UnsoundError, naming the hint or
    wire, for a second witness, or for invalid inputs that satisfy everything: both say which inputs. SelfCheckError
    where a verifier is wrong, ResourceError where pyrevm or the compiler is missing, UsageError for inputs that cannot
    be the circuit's. An attack that finds nothing is no proof.

    Examples:
        >>> circuit = Circuit()
        >>> root, square = circuit.private("root"), circuit.public("square")
        >>> circuit.assert_equal(root * root, square)
        >>> check_circuit(circuit, valid=[{"root": 3, "square": 9}], invalid=[{"root": 3, "square": 10}])
    """
    compiled = circuit.compile() if isinstance(circuit, Circuit) else circuit
    if not isinstance(compiled, CompiledCircuit):
        raise UsageError(f"a {type(circuit).__name__} is given, not a Circuit or what it compiles to")
    if not valid or (solidity and not systems):
        raise UsageError(
            "give the proof systems of the contracts to check" if valid else "give valid inputs, one at least"
        )
    for i, inputs in enumerate(valid):
        _check_valid(compiled, inputs, f"valid inputs {i}")
        if attack:
            report = attack_circuit(compiled, inputs, determined=determined, tries=tries, seed=seed)
            report.require_sound(f"valid inputs {i}")
    for i, inputs in enumerate(invalid):
        _check_invalid(compiled, inputs, f"invalid inputs {i}")
    if systems:
        from zkgpu.testing.proofs import check_proofs

        for name in systems:
            check_proofs(name, compiled, valid, solidity)


def _check_valid(compiled: CompiledCircuit, inputs: Inputs, name: str) -> None:
    try:
        compiled.witness(inputs)
    except UnsatisfiedError as error:
        raise error.within(name) from None


def _check_invalid(compiled: CompiledCircuit, inputs: Inputs, name: str) -> None:
    try:
        compiled.witness(inputs)
    except UnsatisfiedError:
        return
    raise UnsoundError(f"{name} satisfy every constraint: one is missing")
