"""Everything that is known for finding a second witness, against one circuit and its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.errors import ResourceError
from zkgpu.fields.field import Limbs
from zkgpu.testing.draws import Draws
from zkgpu.testing.forging import Forger
from zkgpu.testing.hints import HintAttack, MoreLies, changed_outputs
from zkgpu.testing.jacobian import free_directions, free_wires_of, held_wires, late_wires, named, prover_wires
from zkgpu.testing.names import Names
from zkgpu.testing.report import Finding, FreeWire, SoundnessReport
from zkgpu.testing.wires import Direction, WireAttack

TRIES, WIRES, PAIRS = 2000, 20_000, 20_000
_DIRECTIONS = 16


def attack_circuit(
    circuit: Circuit | CompiledCircuit,
    inputs: Mapping[str, object],
    *,
    tries: int = TRIES,
    wires: int = WIRES,
    pairs: int = PAIRS,
    determined: Sequence[str] = (),
    jacobian: bool = True,
    seed: int = 0,
    more: MoreLies | None = None,
) -> SoundnessReport:
    """A search for a second witness with the same inputs, and what it found.

    Args:
        tries: hints answered otherwise: half of them one at a time, a quarter in pairs, a quarter in triples, each with
            all that follows computed anew by the witness program
        wires: single wires changed, all others left alone; each is solved for, so that this covers every value
        pairs: pairs of wires, likewise
        determined: private inputs that the public values are meant to determine: they are changed as well, and a
            finding is another value of theirs with the same outputs. All other inputs are held fixed, as any value of
            them may be a good one; the Jacobian holds all
        jacobian: look for free wires too (free_wires)
        seed: of the choices where there is more to try than the limit
        more: further lies for an entry of a hint: (value, whether it is added to the honest one)

    A finding whose `outputs` differ is a forged result: the verifier accepts it for the same inputs. One with the same
    outputs is a wire that is not unique. The commitment's mask and challenges, which are the prover's by nature, are
    left alone. Every second witness was checked against every constraint, at challenges drawn after it where it does
    not depend on them.

    A search is no proof: what it did not try, it cannot find. It is as good as the inputs: give it those that lie at
    edges, ties among them, and several. The values it tries are near the honest one, at the ends of ranges, once
    around the field, and what stands beside; lies that need four hints at once, or values of no pattern, escape it.
    Raises UsageError or UnsatisfiedError for inputs that have no honest witness; a finding raises nothing.
    """
    compiled = circuit.compile() if isinstance(circuit, Circuit) else circuit
    draws, forger = Draws(seed), Forger(compiled, inputs, determined)
    hints = HintAttack(forger, draws, more)
    hints.run(tries)
    changed = _wire_attack(forger, inputs, set(determined), draws)
    changed.run(wires, pairs)
    directions, notes = _free(compiled, inputs) if jacobian else ([], ())
    hints.try_directions(directions[:_DIRECTIONS])
    free = named({wire for direction in directions for wire in direction}, hints.names)
    return _report([hints.tried, changed.tried], [*hints.findings.values(), *changed.findings], free, notes)


def attack_assignment(
    r1cs: R1CS, assignment: Limbs, *, wires: int = WIRES, pairs: int = PAIRS, seed: int = 0
) -> SoundnessReport:
    """As attack_circuit, for constraints and a witness without the program that made it: wires, pairs, Jacobian.

    Inputs, public and private, are held fixed, and so is what is committed to, since it must do at any challenges.
    Raises UnsatisfiedError for a witness that breaks a constraint.
    """
    r1cs.check(assignment)
    given = range(1 + r1cs.n_public_outputs, 1 + r1cs.n_public_outputs + r1cs.n_public_inputs)
    start = r1cs.n_public + 1 + r1cs.n_committed
    fixed = {
        *given,
        *range(r1cs.n_public + 1, start),
        *range(start, start + r1cs.n_private_inputs),
        *prover_wires(r1cs),
    }

    def outputs_of(deltas: Direction) -> tuple[str, ...]:
        return tuple(f"output {wire}" for wire in deltas if wire <= r1cs.n_public_outputs)

    changed = WireAttack(r1cs, [assignment], Names(r1cs), fixed, set(), set(), outputs_of, Draws(seed))
    changed.run(wires, pairs)
    return _report([changed.tried], changed.findings, free_wires_of(r1cs, assignment, fixed), ())


def _wire_attack(forger: Forger, inputs: Mapping[str, object], determined: set[str], draws: Draws) -> WireAttack:
    compiled = forger.compiled
    r1cs, fixed = compiled.r1cs, held_wires(compiled)
    chosen = [signal for signal in compiled.inputs if signal.name in determined]
    given = {wire for signal in chosen for wire in range(signal.first, signal.first + signal.size)}
    assignments = [forger.assignment, *([compiled.witness(inputs)] if r1cs.rounds else [])]
    bound = set(range(1, r1cs.n_wires)) - late_wires(compiled) if r1cs.rounds else set()

    def outputs_of(deltas: Direction) -> tuple[str, ...] | None:
        second = forger.moved(deltas)
        return None if second is None else changed_outputs(forger, second)

    return WireAttack(r1cs, assignments, Names(r1cs, compiled), fixed - given, given, bound, outputs_of, draws)


def _free(compiled: CompiledCircuit, inputs: Mapping[str, object]) -> tuple[list[Direction], tuple[str, ...]]:
    try:
        return free_directions(compiled, inputs), ()
    except ResourceError as error:
        return [], (str(error),)


def _report(
    tried: Sequence[Counter[str]], findings: Sequence[Finding], free: tuple[FreeWire, ...], notes: tuple[str, ...]
) -> SoundnessReport:
    total: Counter[str] = sum(tried, Counter())
    ordered = sorted(findings, key=lambda finding: not finding.is_second_output)
    return SoundnessReport(dict(total), tuple(ordered), free, notes)
