"""The parts of a verifier contract that a commitment adds: challenges, packed values and their digest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from zkgpu.circuits.committed import PublicArray
from zkgpu.evm.abi import SELECTOR_BYTES, WORD_BYTES
from zkgpu.evm.gas import CALLDATA_BYTE, hashed_gas
from zkgpu.groth16.commitment import key_digest
from zkgpu.groth16.keys import VerifyingKey

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,60}")
_HASHED_AT = 0xE0  # in memory, after the key's digest and D
_PROOF_WORDS = 12  # D and pi follow C
_CHALLENGE = "mod(keccak256(0x00, 0x40), R)"
_INPUTS_AT = SELECTOR_BYTES + WORD_BYTES * _PROOF_WORDS
# gas of the digest: as values are, and where they are compared with their interval (measured; gas_limit adds a part)
_WORD = {1: (1152, 1262), 2: (696, 809), 4: (376, 489), 8: (216, 365), 16: (136, 268)}  # of values, by their width
_VALUE, _ARRAY = (99, 145), (177, 287)  # a value behind the last whole word, and what each array takes besides


def committed_substitutions(key: VerifyingKey) -> dict[str, object]:
    """The holes of commitment.sol.in that depend on what is committed and packed."""
    round_, given = key.required_commitment.round, key.n_explicit_public
    types = [*([f"uint256[{given}] calldata"] if given else []), *(["bytes calldata"] if round_.packed_size else [])]
    return {
        "key_digest": "0x" + key_digest(key).hex(),
        "digest_doc": _digest_doc(round_.arrays),
        "packed_place": ", then the packed values" if round_.packed_size else "",
        "input_types": "".join(f",\n        {type_}" for type_ in types),
        "calldata_size": arguments_size(given, round_.packed_size),
        "functions": _digest_functions(round_.arrays),
        "layout_checks": _layout_checks(key),
        "copies": _copies(key),
        "state_size": hex(_HASHED_AT - 0x80 + WORD_BYTES * given + round_.packed_size),
        "digest": _digest(key),
        "accumulate": "".join(_accumulate(i, *value) for i, value in enumerate(_public_values(key), 1)),
    }


def packed_gas(arrays: Sequence[PublicArray]) -> int:
    """Gas that packed values add to a call: their calldata, their hash, and their digest. No byte of them is zero."""
    size = sum(array.packed_size for array in arrays)
    return CALLDATA_BYTE * size + hashed_gas(size) + sum(_absorbed_gas(array) for array in arrays if array.size)


def _absorbed_gas(array: PublicArray) -> int:
    compared = not _fills_width(array)
    words, values = divmod(array.size, WORD_BYTES // array.width)
    return words * _WORD[array.width][compared] + values * _VALUE[compared] + _ARRAY[compared]


def arguments_size(n_explicit_public: int, packed_size: int) -> int:
    """Bytes of a call, the selector included."""
    if not packed_size:
        return _INPUTS_AT + WORD_BYTES * n_explicit_public
    return _packed_at(n_explicit_public) + WORD_BYTES * -(-packed_size // WORD_BYTES)


def _packed_at(n_explicit_public: int) -> int:
    """Where the packed values start in the calldata: after their offset and length."""
    return _INPUTS_AT + WORD_BYTES * (n_explicit_public + 2)


def _public_values(key: VerifyingKey) -> Iterator[tuple[str, ...]]:
    """The expression of each public input, in the order of IC[1], IC[2], and so on; a statement before it, if any.

    No challenge but the digest's has a name: each name takes one of the few places that the EVM reaches on its stack.
    """
    round_ = key.required_commitment.round
    yield from ((f"calldataload({_INPUTS_AT + WORD_BYTES * i:#x})",) for i in range(key.n_explicit_public))
    yield from (("c0",) if round_.arrays and not k else (_CHALLENGE, _asked(k)) for k in range(round_.n_challenges))
    if round_.arrays:
        yield ("s",)


def _accumulate(i: int, value: str, before: str = "") -> str:
    """The statement that adds a value times IC[i] to vk_x, after one that the value needs."""
    return _lines(*([before] if before else []), f"ok := accumulate(ok, {value}, IC{i}_X, IC{i}_Y)")


def _asked(k: int) -> str:
    """The statement before challenge k, behind the state, which memory starts with."""
    return f"mstore(0x20, {k})"


def _lines(*statements: str) -> str:
    return "".join(f"            {statement}\n" for statement in statements)


def _digest_doc(arrays: tuple[PublicArray, ...]) -> str:
    """Which bytes of the packed values are what. A name that could end the comment is not repeated."""
    if not arrays:
        return ""
    lines = [
        "and the digest s of the packed values, the polynomial with them as coefficients, at challenge 0, the first",
        "value with the highest power, two's complement shifted to start at 0. The packed values are, in this order:",
    ]
    start = 0
    for i, array in enumerate(arrays):
        name = array.name if _PLAIN_NAME.fullmatch(array.name) else f"array {i}"
        kind = f"{'int' if array.is_signed else 'uint'}{8 * array.width}"
        lines.append(f"  {name}: {array.size} x {kind} from {array.low} to {array.high}, at byte {start}")
        start += array.packed_size
    return "".join(f"/// {line}\n" for line in lines)


def _layout_checks(key: VerifyingKey) -> str:
    round_, head = key.required_commitment.round, _INPUTS_AT + WORD_BYTES * key.n_explicit_public
    if not round_.packed_size:
        return ""
    checks = {head: _packed_at(key.n_explicit_public) - WORD_BYTES - 4, head + WORD_BYTES: round_.packed_size}
    return _lines(*(f"ok := and(ok, eq(calldataload({at:#x}), {value:#x}))" for at, value in checks.items()))


def _copies(key: VerifyingKey) -> str:
    """Public inputs and packed values to memory, where they are hashed."""
    given, size = WORD_BYTES * key.n_explicit_public, key.required_commitment.round.packed_size
    lines = [f"calldatacopy({_HASHED_AT:#05x}, {_INPUTS_AT:#x}, {given:#x})"] if given else []
    lines += (
        [f"calldatacopy({_HASHED_AT + given:#05x}, {_packed_at(key.n_explicit_public):#x}, {size:#x})"] if size else []
    )
    return _lines(*lines)


def _digest_functions(arrays: Iterable[PublicArray]) -> str:
    """One function for each width of values, and one that also compares them with an interval where that is needed."""
    kinds = dict.fromkeys((array.width, _fills_width(array)) for array in arrays if array.size)
    return "".join(_digest_function(width, fills) for width, fills in kinds)


def _digest_function(width: int, fills: bool) -> str:
    """Horner's rule, a word of values a turn; `add` cannot overflow, as a value has at most 128 bits.

    The order r is a parameter: a constant would be fetched from the code for each value.
    """
    bounds, result = ("", "digest") if fills else (", above, below", "digest, outside")
    absorbed = "".join(_absorbed(_lane(i, width)) for i in range(WORD_BYTES // width))
    words_compared, value_compared = ("", "") if fills else (_words_compared(width), _value_compared(width))
    return f"""
            // Continues the digest s with values of {width} bytes, from `from` to `to`.{_IN_RANGE * (not fills)}
            function {_function_name(width, fills)}(s, x, r, from, to, flip{bounds}) -> {result} {{
                digest := s
                for {{ }} iszero(gt(add(from, 32), to)) {{ from := add(from, 32) }} {{
                    let word := xor(calldataload(from), flip)
{words_compared}{absorbed}                }}
                for {{ }} lt(from, to) {{ from := add(from, {width}) }} {{
                    let value := shr({256 - 8 * width}, xor(calldataload(from), flip))
{value_compared}{_absorbed("value")}                }}
            }}
"""


_IN_RANGE = """ Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small."""


def _words_compared(width: int) -> str:
    bits, every_second = 8 * width, _every_second(width)
    sums = "or(add(values, above), not(add(values, below)))"
    return "".join(
        f"                    {{ let values := and({word}, {every_second * ((1 << bits) - 1):#x})\n"
        f"                    outside := or(outside, and({sums}, {every_second << bits:#x})) }}\n"
        for word in ("word", f"shr({bits}, word)")
    )


def _value_compared(width: int) -> str:
    sums = "or(add(value, above), not(add(value, below)))"
    return f"                    outside := or(outside, and({sums}, {1 << 8 * width:#x}))\n"


def _every_second(width: int) -> int:
    """A one as every second value of a word."""
    return sum(1 << 16 * width * i for i in range(WORD_BYTES // (2 * width)))


def _function_name(width: int, fills: bool) -> str:
    return f"absorb{8 * width}" + ("" if fills else "InRange")


def _lane(i: int, width: int) -> str:
    """Value i of a word."""
    if width == 1:
        return f"byte({i}, word)"
    shift = 256 - 8 * width * (i + 1)
    return f"and(shr({shift}, word), {(1 << 8 * width) - 1:#x})"


def _absorbed(value: str) -> str:
    return f"                    digest := add(mulmod(digest, x, r), {value})\n"


def _fills_width(array: PublicArray) -> bool:
    """Whether every integer of the width is in the interval."""
    return array.high - array.low == (1 << 8 * array.width) - 1


def _digest(key: VerifyingKey) -> str:
    """Statements that leave the digest in s."""
    arrays, at = key.required_commitment.round.arrays, _packed_at(key.n_explicit_public)
    if not arrays:
        return ""
    compared = any(array.size and not _fills_width(array) for array in arrays)
    lines = [_asked(0), f"let c0 := {_CHALLENGE}", "let s", *(["let outside"] if compared else [])]
    for array in arrays:
        if array.size:
            lines += _absorb(array, at)
        at += array.packed_size
    return _lines(*lines, "s := mod(s, R)")


def _absorb(array: PublicArray, at: int) -> list[str]:
    """Statements that add the values of an array at `at` to the digest."""
    flip = array.offset.to_bytes(array.width, "big").hex() * (WORD_BYTES // array.width)
    call = f"{_function_name(array.width, _fills_width(array))}(s, c0, R, {at:#x}, {at + array.packed_size:#x}, "
    call += f"0x{flip}" if array.is_signed else "0"
    if _fills_width(array):
        return [f"s := {call})"]
    limit, every_second = 1 << 8 * array.width, _every_second(array.width)
    above = every_second * (limit - 1 - array.high - array.offset)
    below = every_second * (limit - array.low - array.offset)
    return [f"s, outside := {call}, {above:#x}, {below:#x})", "ok := and(ok, iszero(outside))"]
