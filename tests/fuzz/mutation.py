"""Damage by the structure of a file, so that it gets past the first check: one way of each for every format."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

_EXTREMES = (0, 1, 2, 255, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_TEXTS = (
    "",
    "0",
    "-1",
    "01",
    "0x10",
    "1e9",
    "NaN",
    "\u0000",
    "\u202e",
    "9" * 100,
    "constructor",
    "\U0001f600",
    "[" * 40,
)
_VALUES = (None, True, False, 0, -1, 2**64, 10**90, [], {}, [[]], [None], {"": 0}, *_TEXTS)
_RAW = ("\\ud800", "NaN", "1.5", "[" * 50, '"\\u0000"', '{"a":1,"a":2}', "\ufeff", "1" * 200, "\\", '"')


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes written over, cut, doubled, left out or put in; blind to what they are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed) + 1)
        how = rng.randrange(7)
        if how == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            changed[at : at + rng.choice((1, 2, 4, 8))] = rng.randbytes(rng.choice((1, 2, 4, 8)))
        elif how == 2:
            width = rng.choice((1, 2, 4, 8))
            changed[at : at + width] = (rng.choice(_EXTREMES) % 256**width).to_bytes(width, "little")
        elif how == 3:
            del changed[at:]
        elif how == 4:
            del changed[at : at + rng.randrange(1, 64)]
        elif how == 5:
            changed[at:at] = rng.randbytes(rng.randrange(1, 64))
        else:
            changed[at:at] = changed[at : at + rng.randrange(1, 256)]
    return bytes(changed)


def container(data: bytes, rng: random.Random) -> bytes:
    """A .r1cs, .wtns, .ptau or .zkey whose sections still tile it: numbers of one changed, or sections exchanged."""
    head, sections = data[:8], _sections(data)
    which = rng.randrange(len(sections))
    number, body = sections[which]
    how = rng.randrange(6)
    if how == 0:
        del sections[which]
    elif how == 1:
        sections.insert(rng.randrange(len(sections) + 1), sections[which])
    elif how == 2:
        sections[which] = (rng.choice([s[0] for s in sections]), body)
    elif how == 3:
        sections[which] = (number, body[: rng.randrange(len(body) + 1)])
    elif how == 4:
        sections[which] = (number, _number_changed(body, rng))
    else:
        sections[which] = (number, bytes_of(body, rng))
    parts = [i.to_bytes(4, "little") + len(body).to_bytes(8, "little") + body for i, body in sections]
    return head + len(sections).to_bytes(4, "little") + b"".join(parts)


def _sections(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 12
    for _ in range(int.from_bytes(data[8:12], "little")):
        number, size = struct.unpack_from("<IQ", data, at)
        found.append((number, data[at + 12 : at + 12 + size]))
        at += 12 + size
    return found


def _number_changed(body: bytes, rng: random.Random) -> bytes:
    """One of the words near the beginning, where counts stand, becomes an extreme, or a little more or less."""
    width = rng.choice((4, 8))
    at = 4 * rng.randrange(max(1, min(len(body) // 4, 24)))
    old = int.from_bytes(body[at : at + width], "little")
    new = rng.choice((*_EXTREMES, old + 1, max(0, old - 1), 2 * old)) % 256**width
    return body[:at] + new.to_bytes(width, "little") + body[at + width :]


def text(data: bytes, rng: random.Random) -> bytes:
    """JSON that is still JSON, with a value, a key or a length changed; and now and then text that is none."""
    if rng.random() < 0.2:
        at = rng.randrange(len(data) + 1)
        return data[:at] + rng.choice(_RAW).encode(errors="surrogatepass") + data[at:]
    root = [json.loads(data)]
    for _ in range(rng.choice((1, 1, 2))):
        holder, key = rng.choice(_places(root))
        value = holder[key]
        how = rng.randrange(6)
        if how == 0:
            holder[key] = rng.choice(_VALUES)
        elif how == 1 and holder is not root:
            del holder[key]
        elif how == 2 and isinstance(value, list):
            value.extend(value[:1] or [0])
        elif how == 3 and isinstance(value, str):
            holder[key] = _digits_changed(value, rng)
        elif how == 4 and isinstance(holder, dict):
            holder[rng.choice(_TEXTS)] = holder.pop(key)
        else:
            holder[key] = rng.choice(([value], {"x": value}, str(value)[:50], value))
    return json.dumps(root[0]).encode()


def _places(root: list[Any]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    todo: list[Any] = [root]
    while todo:
        value = todo.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        found += [(value, key) for key in keys]
        todo += [value[key] for key in keys]
    return found


def _digits_changed(digits: str, rng: random.Random) -> str:
    at = rng.randrange(len(digits) + 1)
    return digits[:at] + rng.choice("0123456789-+ x.e_") + digits[at + rng.randrange(2) :]


def lines(data: bytes, rng: random.Random) -> bytes:
    """Lines of a text exchanged, left out, or with a field changed."""
    rows = data.split(b"\n")
    at = rng.randrange(len(rows))
    fields = rows[at].split(b",")
    fields[rng.randrange(len(fields))] = rng.choice((b"", b"-1", b"99999999999999999999", b"x", b"\xff", b"0", b",,"))
    rows[at] = rng.choice((b",".join(fields), rows[at - 1], b"", rows[at] * 2))
    return b"\n".join(rows)


def archive(data: bytes, rng: random.Random) -> bytes:
    """An .npz file with a member's header or bytes changed, in whose directory all is right, or nearly so."""
    source, out = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    chosen = rng.choice(source.namelist())
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,))) as made:
        for name in source.namelist():
            body = source.read(name)
            if name != chosen:
                made.writestr(zipfile.ZipInfo(name), body, made.compression)
            elif rng.random() < 0.9:
                other = rng.choice((name, name, "x", "../x.npy", "\u00e9.npy"))
                made.writestr(zipfile.ZipInfo(other), npy(body, rng), made.compression)  # with no date of today
    return bytes_of(out.getvalue(), rng) if rng.random() < 0.3 else out.getvalue()


def npy(data: bytes, rng: random.Random) -> bytes:
    """An .npy file with another shape or type in its header; or a description in JSON inside of it changed."""
    size = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + size], data[10 + size :]
    if body.startswith(b"{") and rng.random() < 0.8:
        body = text(body, rng)
        header = header.replace(header[header.index(b"(") : header.index(b")")], b"(%d," % len(body))
    else:
        new = rng.choice((b"(99999999999,)", b"(-1,)", b"()", b"(0,)", b"(2, 3)", b"(4294967296, 4294967296)"))
        kind = rng.choice((b"'<f8'", b"'|O'", b"'<i8'", b"'|V8'", b"'|b1'", b"'<U9'", b"[('a', '<f8')]", b"'>i2'"))
        old = header[header.index(b"(") : header.index(b")") + 1]
        header = rng.choice((header.replace(old, new), header.replace(header.split(b", ")[0][10:], kind)))
    return data[:8] + len(header).to_bytes(2, "little") + header + body


def message(data: bytes, rng: random.Random) -> bytes:
    """An ONNX model in which fields of a message, wherever it is, are changed, left out or doubled."""
    import onnx

    model = onnx.load_from_string(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _field_changed(rng.choice(_messages(model)), rng)
    return bytes(model.SerializeToString())


_OPERATORS = (
    *("Loop", "If", "Scan", "ConstantOfShape", "Tile", "Expand", "Range", "Reshape", "Resize", "Pad", "OneHot"),
    *("Gather", "Relu", "MatMul", "Conv", "Softmax", "NonZero", "Where", "Einsum", "Split", "Squeeze", "Nothing", ""),
)


def _messages(root: Any) -> list[Any]:
    found, todo = [], [root]
    while todo:
        part = todo.pop()
        found.append(part)
        for field, value in part.ListFields():
            if field.message_type is not None:
                todo += [value] if hasattr(value, "ListFields") else list(value)
    return found


def _field_changed(part: Any, rng: random.Random) -> None:
    fields = part.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    many = not isinstance(value, str | bytes | int | float) and not hasattr(value, "ListFields")
    if rng.random() < 0.2:
        part.ClearField(field.name)
    elif many and field.message_type is not None:
        rng.choice(
            (lambda: value.append(value[rng.randrange(len(value))]), lambda: value.pop(rng.randrange(len(value))))
        )()
    elif many:
        value[rng.randrange(len(value))] = _other(value[0], field.name, rng)
    elif field.enum_type is not None:
        setattr(part, field.name, rng.choice(field.enum_type.values).number)
    elif field.message_type is None:
        setattr(part, field.name, _other(value, field.name, rng))


def _other(value: Any, name: str, rng: random.Random) -> Any:
    if isinstance(value, str):
        return rng.choice(_OPERATORS if name == "op_type" else ("", "x", "out", "w", "ai.onnx.ml", "../x", "\u202e"))
    if isinstance(value, bytes):
        return bytes_of(value, rng) if value else b"\xff"
    if isinstance(value, float):
        return rng.choice((0.0, -1.0, float("inf"), float("nan"), 1e30))
    return rng.choice((0, 1, 2, 3, 6, 7, 11, 16, 127, 2**20, 2**30, 2**31 - 1)) * rng.choice((1, 1, 1, -1))


def module(data: bytes, rng: random.Random) -> bytes:
    """WebAssembly with a section left out, doubled, or damaged while its length still fits."""
    sections, at = [], 8
    while at < len(data):
        start, kind = at, data[at]
        size, at = _leb(data, at + 1)
        sections.append((kind, data[at : at + size]))
        at += size
        assert at > start
    which = rng.randrange(len(sections))
    kind, body = sections[which]
    how = rng.randrange(4)
    if how == 0:
        del sections[which]
    elif how == 1:
        sections.insert(which, sections[rng.randrange(len(sections))])
    else:
        sections[which] = (kind, bytes_of(body, rng))
    return data[:8] + b"".join(bytes([kind]) + _as_leb(len(body)) + body for kind, body in sections)


def _leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def _as_leb(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)
