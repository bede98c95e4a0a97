"""What an audit is worth: how likely lies escape the draw, and the bond that makes them a loss. Exact, by counting.

`python -m zkgpu.audit.odds` prints the tables of docs/audit.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, comb

_SAMPLES = (1, 4, 16, 64, 256)
_SHARES = (Fraction(1, 1000), Fraction(1, 100), Fraction(1, 20), Fraction(1, 10), Fraction(1, 2))
_BATCH = 1000
_BATCHES = (1, 10, 100)


def escape(count: int, lies: int, samples: int) -> Fraction:
    """The probability that none of a batch's lies is drawn: C(count - lies, samples) / C(count, samples).

    It is hypergeometric, and at most (1 - lies / count)^samples, which it comes to in large batches.

    Args:
        count: inferences of the batch
        lies: of them, that no proof can answer for
        samples: that are drawn; all of them where the batch has no more
    """
    drawn = min(samples, count)
    return Fraction(comb(count - lies, drawn), comb(count, drawn))


def least_bond(count: int, lies: int, samples: int) -> Fraction:
    """The burned part of a bond, in gains of one lie, from which on that many lies in a batch are a loss on average.

    The gain is had in any case, the bond is lost when a lie is drawn: lies * gain < (1 - escape) * burned. As
    1 - escape is at least lies / count, `count` gains are always enough, whatever the samples.
    """
    return lies / (1 - escape(count, lies, samples))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: Fraction) -> str:
    """With enough digits that small ones are not told as none."""
    if share == 0:
        return "0"
    percent = float(100 * share)
    return f"{percent:.1e} %" if percent < 0.01 else f"{percent:.3g} %"


def _lies(share: Fraction) -> int:
    return int(share * _BATCH)


def tables() -> str:
    """The tables of docs/audit.md."""
    head = ["lies among 1,000", *(f"k = {k}" for k in _SAMPLES)]
    once = [[_told(s), *(_percent(escape(_BATCH, _lies(s), k)) for k in _SAMPLES)] for s in _SHARES]
    bonds = [[_told(s), *(f"{ceil(least_bond(_BATCH, _lies(s), k)):,}" for k in _SAMPLES)] for s in _SHARES]
    runs = [[f"{n:,}", *(_percent(escape(_BATCH, 1, k) ** n) for k in _SAMPLES)] for n in _BATCHES]
    return "\n".join(
        [
            "Probability that no lie of a batch of 1,000 is drawn, `odds.escape(1000, lies, k)`:",
            "",
            *_table(head, once),
            "The same of one lie in each of so many batches of 1,000, one after another:",
            "",
            *_table(["batches", *head[1:]], runs),
            "The least burned part of the bond that makes so many lies in a batch of 1,000 a loss on average,",
            "in gains of one lie, `odds.least_bond(1000, lies, k)`:",
            "",
            *_table(head, bonds),
        ]
    )


def _told(share: Fraction) -> str:
    return f"{_lies(share):,} ({float(100 * share):g} %)"


if __name__ == "__main__":
    print(tables(), end="")
