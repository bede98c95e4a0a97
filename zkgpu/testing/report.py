"""What a search for second witnesses tried and found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from zkgpu.errors import UnsoundError
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Change:
    """One value of a second witness that the prover chose.

    Attributes:
        name: the hint's entry, signal or wire
        wire: its number in the R1CS
        honest: its value in the honest witness, nearest zero
        forged: and in the second one
        constraints: labels of constraints that it stands in, the first few
    """

    name: str
    wire: int
    honest: int = field(repr=False)
    forged: int = field(repr=False)
    constraints: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A second witness for the same inputs.

    Attributes:
        kind: what was changed: "hints", "pairs of hints", "wires" and so on
        changes: the values chosen; all others follow from them
        outputs: the names of the outputs that differ. Empty when all are the same: then a wire is not unique, which
            matters only to whoever takes its value for determined
    """

    kind: str
    changes: tuple[Change, ...]
    outputs: tuple[str, ...]

    @property
    def is_second_output(self) -> bool:
        """Whether a verifier would accept another result for the same inputs."""
        return bool(self.outputs)

    @property
    def values(self) -> str:
        """One line: the values chosen, which may be secret."""
        return ", ".join(f"'{c.name}' may be {c.forged} in place of {c.honest}" for c in self.changes)

    def __str__(self) -> str:
        """One line, without values."""
        chosen = " and ".join(f"'{c.name}'" for c in self.changes) + " may have another value"
        shown = ", ".join(f"'{name}'" for name in self.outputs)
        return f"{chosen}: {f'a second output {shown}' if shown else 'not unique, outputs the same'}"


@dataclass(frozen=True)
class FreeWire:
    """A wire that the constraints do not determine next to the honest witness.

    Attributes:
        name: the signal, hint or wire that it is
        wire: its number in the R1CS
        constraints: labels of constraints that it stands in, the first few
    """

    name: str
    wire: int
    constraints: tuple[str, ...]


@dataclass(frozen=True)
class SoundnessReport:
    """What was tried, and what was found.

    Attributes:
        tried: by kind, how many
        findings: second witnesses, those with second outputs first
        free: wires that the Jacobian leaves free; empty too where it was not computed
        notes: why it was not, for instance
    """

    tried: Mapping[str, int]
    findings: tuple[Finding, ...]
    free: tuple[FreeWire, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def sound(self) -> bool:
        """Whether nothing was found. That is no proof."""
        return not self.findings and not self.free

    @property
    def second_outputs(self) -> tuple[Finding, ...]:
        """The findings that a verifier would accept as another result."""
        return tuple(finding for finding in self.findings if finding.is_second_output)

    def __str__(self) -> str:
        """One line: the first finding, or what was tried."""
        if self.findings:
            return f"a second witness: {self.findings[0]}"
        if self.free:
            names = ", ".join(f"'{wire.name}'" for wire in self.free[:3])
            return f"{len(self.free)} wires are free next to the honest witness: {names}"
        tried = ", ".join(
            f"{count:,} {kind.removesuffix('s') if count == 1 else kind}" for kind, count in self.tried.items()
        )
        return f"no second witness found; tried {tried or 'nothing'}"

    def as_json(self) -> dict[str, Any]:
        """As JSON takes it, without values."""
        findings = [{**asdict(finding), "second_output": finding.is_second_output} for finding in self.findings]
        for finding in findings:
            for change in finding["changes"]:
                del change["honest"], change["forged"]
        free = [asdict(wire) for wire in self.free]
        tried = {kind.replace(" ", "_"): number for kind, number in self.tried.items()}
        return {"sound": self.sound, "tried": tried, "findings": findings, "free": free, "notes": list(self.notes)}

    def require_sound(self, where: str = "") -> None:
        """Raises UnsoundError with the first finding, when there is one; `where` comes first in the message."""
        if not self.sound:
            values = self.findings[0].values if self.findings else ""
            raise UnsoundError(f"{where}: {self}" if where else str(self), self.as_json(), values=values)
