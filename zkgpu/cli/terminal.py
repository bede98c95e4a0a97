"""What may be shown on a terminal: one line, without control characters, of bounded length."""

from __future__ import annotations

import unicodedata

_MOST = 500  # characters of a message
_CUT = " [..] "
# controls, lone surrogates, private and unassigned characters; and what turns the direction of text (Unicode 15, Bidi)
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def one_line(text: str) -> str:
    """The text for a terminal: white space is one space, other control characters are written \\x1b, and the middle
    of a long text is left out. The end stays, which says how to mend it."""
    plain = "".join(map(_plain, " ".join(text[: 40 * _MOST].split())))
    if len(plain) <= _MOST:
        return plain
    half = (_MOST - len(_CUT)) // 2
    return plain[:half] + _CUT + plain[-half:]


def _plain(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else f"\\x{ord(character):02x}"
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{ord(character):04x}"
    return character
