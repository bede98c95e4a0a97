"""JSON without the usual leniency: every value has one spelling, and nothing is guessed or reduced."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from itertools import accumulate
from typing import Any, NoReturn

from zkgpu.errors import FormatError
from zkgpu.formats.atomic import write_text
from zkgpu.formats.container import Source, name_of, read_file
from zkgpu.formats.kinds import wrong_kind

MAX_BYTES = 1 << 24  # keys and proofs are a few kilobytes; 16 MiB allow for 60,000 public inputs
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,95}")
_MAX_DIGITS = 96  # of a plain number; the widest supported field has 77
_MAX_DEPTH = 32
_ESCAPED, _STRING, _NO_BRACKET = re.compile(r"\\.", re.DOTALL), re.compile(r'"[^"]*(?:"|\Z)'), re.compile(r"[^][{}]+")
# of escapes, each looked at once: pairs of surrogates, single ones, and all others
_SURROGATES = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F])|.)", re.DOTALL)
_DEEPER = {"[": 1, "{": 1, "]": -1, "}": -1}
_SHOWN = 40  # characters of a wrong value that a message repeats


class Misfit(str):
    """The spelling of a number that is not an integer, or too long: `kind` is what messages call it."""

    kind: str

    @classmethod
    def of(cls, spelling: str, kind: str) -> Misfit:
        misfit = cls(spelling)
        misfit.kind = kind
        return misfit


def load(source: Source, wanted: str = "a JSON file", max_bytes: int = MAX_BYTES, *, keep_misfits: bool = False) -> Any:
    """The value in a JSON file. Raises FormatError for duplicate keys, NaN, fractions, and absurd sizes or depths.

    Args:
        wanted: what messages say was expected, where the file is none of JSON
        keep_misfits: numbers that are not integers, or of absurd length, are left to the caller, as Misfit
    """
    name, data = name_of(source), read_file(source, max_bytes)
    try:
        return _load(name, data, keep_misfits)
    except FormatError as error:
        raise wrong_kind(name, data, wanted, is_json=True) or error from None


def _load(name: str, data: bytes, keep_misfits: bool) -> Any:
    try:
        return parse(data.decode(), keep_misfits=keep_misfits)
    except FormatError as error:
        raise error.within(name) from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{name}: byte {error.start:,} is not UTF-8: this is not a JSON file") from None


def parse(text: str, *, keep_misfits: bool = False) -> Any:
    """The value of a JSON text, as strictly as `load`; messages do not name the file."""
    _require_shallow(text)
    _require_characters(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_int=_integer_or_misfit if keep_misfits else _small_integer,
            parse_float=_fraction if keep_misfits else _refuse,
            parse_constant=_constant if keep_misfits else _refuse,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        if error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()):
            raise FormatError(f"{where}: the file is truncated, copy it again") from None
        raise FormatError(f"{where}: this is not JSON") from None


def dump(path: str | os.PathLike[str], value: Any) -> None:
    """Writes JSON as snarkjs does, whole or not at all."""
    write_text(path, text_of(value))


def text_of(value: Any) -> str:
    """JSON in snarkjs' form: one space a level, no newline at the end."""
    return json.dumps(value, indent=1, ensure_ascii=False)


def decimal(value: Any, bound: int, where: str) -> int:
    """The integer below `bound` that a canonical decimal string spells. Raises FormatError for anything else."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise FormatError(f'{where}: this is not a decimal string such as "42"', values=shown(value))
    number = int(value)
    if number >= bound:
        raise FormatError(f"{where}: this is not below {bound}: values are never reduced", values=shown(value))
    return number


def shown(value: Any) -> str:
    """`value` for a message, on one line: as it is when it is short, and no list or object, which may hold anything."""
    if isinstance(value, list | dict):
        return f"a list of {len(value):,}" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _require_shallow(text: str) -> None:
    """Each step looks at the text once: what a string holds, closed or not, costs no second look."""
    without_strings = _STRING.sub("", _ESCAPED.sub("", text))
    brackets = _NO_BRACKET.sub("", without_strings)
    if max(accumulate(map(_DEEPER.__getitem__, brackets)), default=0) > _MAX_DEPTH:
        raise FormatError(f"values are nested more than {_MAX_DEPTH} deep: is this the right file?")


def _require_characters(text: str) -> None:
    """Half of a pair of surrogates is no character: whatever writes it later would fail."""
    if any(escape[1] for escape in _SURROGATES.finditer(text)):
        raise FormatError("a string holds half a character (a lone surrogate, \\ud800 to \\udfff): write it whole")


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise FormatError(f"the key {shown(twice)} occurs twice: keep one")
    return value


def _small_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise FormatError(f"a number of {len(digits):,} digits: no field is that large")
    return int(digits)


def _integer_or_misfit(digits: str) -> int | Misfit:
    return int(digits) if len(digits) <= _MAX_DIGITS else Misfit.of(digits, f"a number of {len(digits):,} digits")


def _fraction(spelling: str) -> Misfit:
    return Misfit.of(spelling, "a number with a fraction or an exponent")


def _constant(spelling: str) -> Misfit:
    return Misfit.of(spelling, spelling)


def _refuse(spelling: str) -> NoReturn:
    raise FormatError("a number is not an integer: only integers have a meaning here", values=spelling[:_SHOWN])
