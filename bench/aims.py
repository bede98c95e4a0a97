"""What the CPU prover is to reach (aims.json), beside what was measured and the best other prover (published.json).

Aims and other provers' seconds are those of the machine that published.json names. Seconds measured here are put
beside them after division by the ratio of the two machines' scalar products; memory is not scaled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lines import HERE, Line, duration, newest, published, settled_seconds

AIMS = HERE / "aims.json"


@dataclass(frozen=True)
class Figure:
    """One row: values are seconds, or bytes.

    scaled   the measured value on the machine of the aim and the peer
    """

    what: str
    aim: float
    peer: str
    peer_value: float
    measured: float
    scaled: float
    is_bytes: bool
    source: str

    def cells(self) -> list[str]:
        theirs = f"{self.peer} {self._text(self.peer_value)}"
        ratio, reached = f"{self.peer_value / self.scaled:.1f}x", "yes" if self.scaled <= self.aim else "no"
        values = (self._text(value) for value in (self.aim, self.measured, self.scaled))
        return [self.what, theirs, *values, ratio, reached, self.source]

    def _text(self, value: float) -> str:
        return f"{value / 1e6:.0f} MB" if self.is_bytes else duration(value)


def figures() -> list[Figure]:
    """A row for each aim for which there is a line."""
    wanted = json.loads(AIMS.read_text())
    return [figure(aim, line) for aim in wanted for line in _lines(aim)]


def figure(aim: dict[str, Any], line: Line) -> Figure:
    is_bytes = "aim_bytes" in aim
    measured = line["peak_bytes"] - line["idle_bytes"] if is_bytes else settled_seconds(line)
    scale = 1 if is_bytes else line["calibration_ns"] / published()["calibration_ns"]
    peer, value = best_peer(aim["peer"], aim["log_size"], is_bytes)
    limit = aim["aim_bytes" if is_bytes else "aim"]
    return Figure(aim["what"], limit, peer, value, measured, measured / scale, is_bytes, line["source"])


def best_peer(what: str, log_size: int, is_bytes: bool) -> tuple[str, float]:
    """The least value that is published of one operation and size, and whose it is."""
    rows, values = published()["memory" if is_bytes else "figures"], "bytes" if is_bytes else "seconds"
    found = [(row[values][str(log_size)], row["peer"]) for row in rows if _tells(row, values, what, log_size)]
    value, peer = min(found)
    return peer, value


def _tells(row: Line, values: str, what: str, log_size: int) -> bool:
    return row["what"] == what and str(log_size) in row[values]


def _lines(aim: dict[str, Any]) -> list[Line]:
    return newest(aim["bench"], log_size=aim["log_size"], **aim["line"])


def print_table() -> None:
    here = "here, scaled to the peer's machine"
    header = ["", "best peer", "aim", "measured", here, "peer / zkgpu", "reached", "line of bench/results"]
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for row in figures():
        print("| " + " | ".join(row.cells()) + " |")
    print(f"\nPeers and aims: {published()['machine']}; scalar product {published()['calibration_ns']} ns.")
