"""What a file holds, in a few facts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from zkgpu import groth16, plonk
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.errors import FormatError
from zkgpu.formats import json_files, strict_json
from zkgpu.formats.container import map_file
from zkgpu.formats.json_values import TITLES
from zkgpu.formats.protocols import AnyVerifyingKey, protocol_name, read_key, read_proof, read_verifying_key
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns

Facts = dict[str, Any]


def inspect_file(path: str | os.PathLike[str]) -> Facts:
    """Facts about a .r1cs, .wtns, .ptau, .zkey or JSON file, by name; values are strings, numbers and lists of them.

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
        "public outputs": r1cs.n_public_outputs,
        "public inputs": r1cs.n_public_inputs,
        "private inputs": r1cs.n_private_inputs,
        "entries of A, B, C": [m.entries for m in (r1cs.a, r1cs.b, r1cs.c)],
        "labels": r1cs.n_labels,
    }


def _describe_wtns(path: str) -> Facts:
    return {"format": "witness (.wtns)", "field": "BN254 Fr", "values": read_wtns(path).shape[0]}


def _describe_ptau(path: str) -> Facts:
    ptau = read_ptau(path)
    return {
        "format": "powers of tau (.ptau)",
        "curve": ptau.curve.name,
        "power": ptau.power,
        "power of the ceremony": ptau.ceremony_power,
        "prepared for phase 2": ptau.lagrange is not None,
        "contributions": [_describe_contribution(c) for c in ptau.contributions],
    }


def _describe_zkey(path: str) -> Facts:
    key = read_key(path)
    return _describe_plonk_key(key) if isinstance(key, plonk.ProvingKey) else _describe_groth16_key(key)


def _describe_plonk_key(key: plonk.ProvingKey) -> Facts:
    return {
        "format": "PLONK proving key (.zkey)",
        "curve": key.verifying_key.curve.name,
        "wires": key.n_circuit_wires,
        "additions": len(key.additions),
        "public": key.n_public,
        "rows": key.n_rows,
        "domain": key.domain_size,
        "made by one party": key.is_unsafe,
        "insecure": key.weakness() or "no",
    }


def _describe_groth16_key(key: groth16.ProvingKey) -> Facts:
    from zkgpu.groth16.ceremony import contribution_hash

    return {
        "format": "Groth16 proving key (.zkey)",
        "curve": key.verifying_key.curve.name,
        "wires": key.n_wires,
        "public": key.n_public,
        **_describe_round(key.verifying_key),
        "domain": key.domain_size,
        "entries of A, B": [key.a.entries, key.b.entries],
        "circuit hash": key.circuit_hash.hex(),
        "contributions": [f"{_describe_contribution(c)} {contribution_hash(c).hex()}" for c in key.contributions],
        "made by one party": key.is_unsafe,
        "insecure": key.weakness() or "no",
    }


def _describe_contribution(contribution: Any) -> str:
    beacon = f", beacon {contribution.beacon[0].hex()} 2^{contribution.beacon[1]}" if contribution.beacon else ""
    return f"{contribution.name!r}{beacon}"


def _describe_json(path: str) -> Facts:
    try:
        value = strict_json.load(path)
    except FormatError as error:
        raise FormatError(f"{error} (nor is it a .r1cs, .wtns, .ptau or .zkey file)") from None
    if isinstance(value, list):
        return {"format": "public inputs (JSON)", "values": len(json_files.read_public(path))}
    if isinstance(value, dict) and "packed" in value:
        inputs, packed = json_files.read_public_values(path)
        return {"format": "public inputs (JSON)", "values": len(inputs), "packed bytes": len(packed)}
    if isinstance(value, dict) and ("pi_a" in value or "eval_a" in value):
        title = TITLES[protocol_name(read_proof(path))]
        return {"format": f"{title} proof (JSON)", "curve": value["curve"]}
    key = read_verifying_key(path)
    return {
        "format": f"{TITLES[protocol_name(key)]} verification key (JSON)",
        "curve": key.curve.name,
        "public": key.n_public,
        **_describe_round(key),
        "made by one party": key.is_unsafe,
        "insecure": key.weakness() or "no",
    }


def _describe_round(key: AnyVerifyingKey) -> Facts:
    if isinstance(key, plonk.VerifyingKey) or key.commitment is None:
        return {}
    round_ = key.commitment.round
    arrays = [f"{a.name}{list(a.shape)} from {a.low} to {a.high}" for a in round_.arrays]
    return {"committed": round_.n_committed, "challenges": round_.n_challenges, "public arrays": arrays}
