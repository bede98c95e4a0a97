"""What a file is, by its first bytes and not by its name: a refusal says what was given in place of what."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from zkgpu.errors import FormatError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PROOF, KEY, PUBLIC, STATEMENT = "a proof", "a verification key", "public values", "the statement of a model"
R1CS, WITNESS, PROVING_KEY = "a constraint system (.r1cs)", "a witness (.wtns)", "a proving key (.zkey)"
PAGE, JSON = "a web page", "a JSON file"
_POWERS, NAMES = "powers of tau (.ptau)", "names of signals (.sym)"
_PLURAL = (PUBLIC, _POWERS, NAMES)
_SWAPPED = "check the order of the arguments"
_DOWNLOAD = "download the file itself"
# the first bytes of a file, what it is, and what to do with it. LFS: git-lfs, docs/spec.md; the others: their formats'
_SIGNATURES = (
    (b"r1cs", R1CS, _SWAPPED),
    (b"wtns", WITNESS, _SWAPPED),
    (b"ptau", _POWERS, _SWAPPED),
    (b"zkey", PROVING_KEY, _SWAPPED),
    (b"\0asm", "a WebAssembly module (.wasm)", _SWAPPED),
    (b"\x93NUMPY", "an array of numpy (.npy)", _SWAPPED),
    (b"PK\x03\x04", "a zip archive or an .npz file", "unpack it first, or check the order of the arguments"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first, with gunzip"),
    (b"BZh", "a bzip2 archive", "unpack it first, with bunzip2"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first, with unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first, with unzstd"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file", "fetch it with `git lfs pull`"),
)
_CIRCOM = re.compile(rb"^\s*pragma\s+circom\b", re.MULTILINE)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")
_CONTAINERS = {signature[:4]: what for signature, what, _ in _SIGNATURES[:5]}
_MEMBERS = {
    **dict.fromkeys(("pi_a", "eval_a"), PROOF),
    **dict.fromkeys(("vk_alpha_1", "IC", "Qm"), KEY),
    "packed": PUBLIC,
    "zkgpu statement": STATEMENT,
    # of any proof system: a key names the number of its public inputs, and a proof does not
    "nPublic": KEY,
    "protocol": PROOF,
}
_HEAD = 1 << 10
_MOST_JSON = 1 << 24

Head: TypeAlias = "bytes | npt.NDArray[np.uint8]"


def container_name(magic: bytes) -> str:
    """What a file that begins with these four bytes is."""
    return _CONTAINERS[magic]


def signature_kind(data: Head) -> tuple[str, str] | None:
    """What a file is and how to mend that it is not another, from its first bytes; None for JSON and the unknown."""
    head = bytes(data[:_HEAD])
    for signature, what, mend in _SIGNATURES:
        if head.startswith(signature):
            return what, mend
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if _CIRCOM.search(head):
        return "a circuit in circom", "compile it, with circom --r1cs --wasm --sym, and give what that made"
    if text.startswith(_PAGES):
        return PAGE, _DOWNLOAD
    if head and not any(head):
        return "a file of zeros", "its download did not finish: copy it again"
    return None


def wrong_kind(name: str, data: Head, wanted: str, *, is_json: bool) -> FormatError | None:
    """The error that a file is something else than what is wanted; None where that is not known.

    Args:
        is_json: a JSON file is wanted, so that its reader checks what one holds
    """
    found = signature_kind(data) or (None if is_json else _kind_of_text(data))
    return None if found is None else FormatError(f"{name}: {_instead(found[0], wanted)}: {found[1]}")


def kind_of(data: Head) -> str | None:
    """What a file is: a kind of file that zkgpu knows, a JSON file, or None."""
    found = signature_kind(data) or _kind_of_text(data)
    return found and found[0]


def json_kind(value: Any) -> str | None:
    """What a parsed JSON file is, if it is one of those that proofs come with."""
    if isinstance(value, list):
        return PUBLIC
    members = value if isinstance(value, dict) else {}
    return next((kind for member, kind in _MEMBERS.items() if member in members), None)


def require_kind(value: Any, wanted: str) -> None:
    """Raises FormatError, naming both, when a parsed JSON file is known to be something else."""
    found = json_kind(value)
    if found not in (None, wanted):
        raise FormatError(f"{_instead(str(found), wanted)}: {_SWAPPED}")


def _instead(found: str, wanted: str) -> str:
    is_, was = "these are" if found in _PLURAL else "this is", "were" if wanted in _PLURAL else "was"
    return f"{is_} {found}; {wanted} {was} expected"


def _kind_of_text(data: Head) -> tuple[str, str] | None:
    """The same for a JSON file."""
    try:
        value = json.loads(bytes(data)) if len(data) <= _MOST_JSON else None
    except (ValueError, RecursionError):
        return None
    return (json_kind(value) or "a JSON file", _SWAPPED) if isinstance(value, list | dict) else None
