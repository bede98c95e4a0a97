"""What a file holds, in a few facts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from zkgpu.ceremony.contributors import contribution_facts
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.errors import FormatError
from zkgpu.formats import strict_json
from zkgpu.formats.container import map_file
from zkgpu.formats.kinds import PROOF, PUBLIC, json_kind, signature_kind
from zkgpu.formats.public_values import read_public, read_public_values
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_any_wtns
from zkgpu.provers.proof_system import Facts
from zkgpu.systems.files import read_key, read_proof, read_verifying_key
from zkgpu.systems.registry import TITLES, system_of


def inspect_file(path: str | os.PathLike[str]) -> Facts:
    """Facts about a .r1cs, .wtns, .ptau, .zkey or JSON file, by name, without spaces; values are strings, numbers,
    truths, None, and lists of them, but for contributions, which are objects (`contribution_facts`).

    The file is read as for use, so that a damaged one raises FormatError; points of queries are not checked.
    """
    magic = map_file(path)[:4].tobytes()
    describe: dict[bytes, Callable[[Any], Facts]] = {
        b"r1cs": _describe_r1cs,
        b"wtns": _describe_wtns,
        b"ptau": _describe_ptau,
        b"zkey": _describe_zkey,
    }
    return describe.get(magic, _describe_json)(path)


def _describe_r1cs(path: str) -> Facts:
    r1cs = read_r1cs(path)
    return {
        "format": "constraint system (.r1cs)",
        "field": r1cs.field.name,
        "constraints": r1cs.n_constraints,
        "wires": r1cs.n_wires,
        "public_outputs": r1cs.n_public_outputs,
        "public_inputs": r1cs.n_public_inputs,
        "private_inputs": r1cs.n_private_inputs,
        "entries": [m.entries for m in (r1cs.a, r1cs.b, r1cs.c)],
        "labels": r1cs.n_labels,
    }


def _describe_wtns(path: str) -> Facts:
    field, values = read_any_wtns(path)
    return {"format": "witness (.wtns)", "field": field.name, "values": values.shape[0]}


def _describe_ptau(path: str) -> Facts:
    ptau = read_ptau(path)
    return {
        "format": "powers of tau (.ptau)",
        "curve": ptau.curve.name,
        "power": ptau.power,
        "ceremony_power": ptau.ceremony_power,
        "prepared": ptau.lagrange is not None,
        "contributions": [contribution_facts(i, c, c.response_hash()) for i, c in enumerate(ptau.contributions, 1)],
    }


def _describe_zkey(path: str) -> Facts:
    key = read_key(path)
    return {**system_of(key).describe_key(key), **_judgement(key)}


def _judgement(key: Any) -> Facts:
    return {"unsafe_key": key.is_unsafe, "insecure_key": key.weakness()}


def _describe_json(path: str) -> Facts:
    try:
        value = strict_json.load(path)
    except FormatError as error:
        other = signature_kind(map_file(path))
        if other is not None:
            raise FormatError(f"{path}: this is {other[0]}, of which zkgpu has nothing to say: {other[1]}") from None
        raise FormatError(f"{error} (nor is it a .r1cs, .wtns, .ptau or .zkey file)") from None
    kind = json_kind(value)
    if isinstance(value, list):
        return {"format": "public inputs (JSON)", "values": len(read_public(path))}
    if kind == PUBLIC:
        inputs, packed = read_public_values(path)
        return {"format": "public inputs (JSON)", "values": len(inputs), "packed_bytes": len(packed)}
    if kind == PROOF:
        return {"format": f"{TITLES[read_proof(path).protocol]} proof (JSON)", "curve": value.get("curve")}
    key = read_verifying_key(path)
    return {
        "format": f"{TITLES[key.protocol]} verification key (JSON)",
        "curve": key.curve.name,
        "public": key.n_public,
        **system_of(key).describe_verifying_key(key),
        **_judgement(key),
    }
