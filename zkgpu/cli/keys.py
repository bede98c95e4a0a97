"""What each command's JSON object holds, key by key: docs/cli.md is made of it, and the tests hold every object to it.

A kind is text, integer, number, truth, list or object; `?` behind it says that the value may be null. Numbers that may
be larger than 2^53, as elements of fields are, are text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Keys: TypeAlias = Mapping[str, tuple[str, str]]

ALWAYS: Keys = {
    "schema": ("integer", "1; another number once a key goes or means something else. New keys may come at any time"),
    "ok": ("truth", "whether the command did what it was asked; `valid` says what a verification found"),
}
TIMED: Keys = {
    "seconds": ("number", "since the start"),
    "stages": ("list", 'what each stage took: {"stage", "seconds"}'),
}
FAILED: Keys = {
    "error": ("text", "the line that standard error gets too, without the word in front"),
    "exit_code": ("integer", "as the process's own"),
    "values": ("text", "with --show-values: what the line leaves out"),
}
NAMED_BY_USER = {"values", "hashes", "accuracy", "operators", "missing", "stream"}
"""Keys whose objects have keys of the user's own: names of tensors, operators, packages."""

_UNSAFE: Keys = {"unsafe": ("truth", "whether one party made the key, and could forge proofs")}
_USED_KEY: Keys = {
    "unsafe_key": ("truth", "whether one party made the key, and could forge proofs"),
    "insecure_key": ("text?", "why anyone can forge proofs for the key, or null"),
}
_OUTPUT: Keys = {"output": ("text", "the file or folder written")}
_CONTRIBUTIONS: Keys = {
    "contributions": ("list", "objects: number, name, hash, and value and exponent of a beacon, or null"),
}
_DEVICE: Keys = {"device": ("text", "what computed")}
_SIZES: Keys = {"constraints": ("integer", ""), "wires": ("integer", "the constant one among them")}
_KEY: Keys = {"wires": ("integer", ""), "domain": ("integer", "rows that transforms work on")}
_SOUNDNESS: Keys = {
    "sound": ("truth", "with --soundness: whether no second witness was found"),
    "tried": ("object", "how many lies of each kind"),
    "findings": ("list", "second witnesses, without their values"),
    "free": ("list", "wires that the constraints leave free"),
    "notes": ("list", "what was not tried, and why"),
}
_PROVEN: Keys = {
    "proof": ("text", "the file"),
    "public": ("text", "the file of its public values"),
    "verified": ("truth", "always true: a proof that does not verify is not written"),
}
_CACHE: Keys = {
    "cache_folder": ("text", ""),
    "cached_kernels": ("integer", "compiled for this version of zkgpu, Python and Numba"),
    "outdated_folders": ("integer", "of kernels of other versions"),
    "outdated_bytes": ("integer", ""),
    "prepared_keys": ("integer", "key files whose arrays are kept as a device takes them"),
    "prepared_bytes": ("integer", ""),
    "cache_bytes": ("integer", "all together"),
}
_MANY: Keys = {
    **_OUTPUT,
    "made": ("integer", "proofs of this run"),
    "kept": ("integer", "valid ones that were there"),
    "failed": ("list", "what came to nothing: {file, error, exit_code}; the command's exit code is that of the worst"),
}
_SELF_TEST: Keys = {
    **_DEVICE,
    "self_test": ("text", '"passed"'),
    "self_test_seconds": ("number", ""),
}
_STATEMENT: Keys = {
    "proves": ("text", "what a proof says, in a sentence"),
    "does_not_prove": ("text", "what it does not"),
}
_SHOWN: Keys = {
    "values": ("object", "by tensor, its integers"),
    "hashes": ("object", "by name, hashes as decimal texts"),
    "tensors": (
        "list",
        "each public tensor: name, role, shape, scale, labels; values, and real, as numbers",
    ),
    **_STATEMENT,
}
_COSTS: Keys = {
    "weights": ("text", "public, private or hashed"),
    "costs": ("object", "constraints, wires, entries, public, seconds, bytes, gas"),
    **_STATEMENT,
    "weights_hash": ("text", "of hashed weights, in decimal"),
    "products": ("list", "how each product is written, and what it takes"),
    "challenges": ("object", "degree and error_bits of what is tested at challenges"),
    "samples": ("integer", "how many accuracy was measured with"),
    "held_out": ("truth", "whether the calibration has not seen them"),
    "accuracy": ("object", "by output: agreement (share of equal answers) and error"),
    "refused": ("integer", "samples that the circuit does not take"),
    "clamped": (
        "integer",
        "samples that are proven with --clamp only, for values in the network beyond what calibration saw",
    ),
    "worst_layer": ("object", "name and error"),
    "stream": ("object", "by tensor of a residual stream: max at each position, and max_over_rms"),
}
_INSPECTED: Keys = {
    "format": ("text", "what the file is"),
    "curve": ("text?", ""),
    "field": ("text", "of a .r1cs or .wtns file"),
    **_SIZES,
    "public": ("integer", "public inputs"),
    "public_outputs": ("integer", ""),
    "public_inputs": ("integer", ""),
    "private_inputs": ("integer", ""),
    "entries": ("list", "of each matrix"),
    "labels": ("integer", ""),
    "values": ("integer", ""),
    "packed_bytes": ("integer", "of public arrays"),
    "power": ("integer", "of a .ptau file: for 2^power rows"),
    "ceremony_power": ("integer", "of the ceremony that it was cut from"),
    "prepared": ("truth", "for phase 2"),
    "rows": ("integer", "of a PLONK key"),
    "additions": ("integer", "of a PLONK key"),
    "domain": ("integer", ""),
    "committed": ("integer", "wires that a proof commits to"),
    "challenges": ("integer", ""),
    "public_arrays": ("list", ""),
    "circuit_digest": ("text", "of the circuit that a key is bound to, and has its matrices"),
    "circuit_hash": ("text", ""),
    **_CONTRIBUTIONS,
    **_USED_KEY,
}
_POWERS: Keys = {**_OUTPUT, "power": ("integer", "for 2^power rows")}
_CONTRIBUTED: Keys = {
    "contribution": ("integer", "its number"),
    "contribution_hash": ("text", "to publish"),
}
_HELD_POWERS: Keys = {
    "power": ("integer", "for 2^power rows"),
    "prepared": ("truth", "for phase 2"),
    **_CONTRIBUTIONS,
}
_HELD_KEY: Keys = {
    "wires": ("integer", ""),
    "circuit_hash": ("text", ""),
    "committed_wires": ("integer", ""),
    **_UNSAFE,
    **_CONTRIBUTIONS,
}
_BATCH: Keys = {
    "model": ("text", "its hash, 0x.."),
    "chain": ("integer", "its number"),
    "contract": ("text", "the address of AuditedInference.sol"),
    "batch": ("integer", "its number"),
    "first": ("integer", "inferences of the log before it"),
    "count": ("integer", "of its inferences"),
    "root": ("text", ""),
    "check": ("text", "the log's, at its last line"),
    "samples": ("integer?", "how many the contract draws; null before the draw, as the next one"),
    "randao": ("text?", "the randomness that drew"),
    "calldata": ("text", "to send with the bond"),
}

KEYS: Mapping[str, Keys] = {
    "demo": {
        "digit": ("integer", "what the network reads; not with --membership"),
        "constraints": ("integer", ""),
        **_DEVICE,
        "valid": ("truth", ""),
        "on_chain": ("object?", "deploy_gas, call_gas, code_bytes; null without pyrevm"),
        **_UNSAFE,
        "output": ("text?", "the folder of --output"),
        **TIMED,
    },
    "samples": {**_OUTPUT, "files": ("list", "their names")},
    "compile": {**_OUTPUT, **_SIZES, "public": ("integer", "public values")},
    "witness": {**_OUTPUT, "values": ("integer", "")},
    "check": {"constraints": ("integer", ""), **_SOUNDNESS},
    "setup": {**_OUTPUT, "protocol": ("text", ""), **_KEY, **_UNSAFE},
    "prove": {**_PROVEN, **_USED_KEY, **_DEVICE},
    "fullprove": {**_PROVEN, **_USED_KEY, **_DEVICE},
    "verify": {"valid": ("truth", "false with exit code 1"), **_USED_KEY},
    "export vk": {**_OUTPUT, "public": ("integer", ""), **_UNSAFE},
    "export solidity": {**_OUTPUT, "contract": ("text", "its name"), **_UNSAFE},
    "export calldata": {"calldata": ("text", "as `snarkjs zkey export soliditycalldata` prints it, or 0x..")},
    "profile": {
        "output": ("text?", ""),
        "profile": ("object", "scopes in scopes: name, constraints, entries, children"),
    },
    "powers new": _POWERS,
    "powers contribute": {**_POWERS, **_CONTRIBUTED},
    "powers beacon": {**_POWERS, **_CONTRIBUTED},
    "powers prepare": _POWERS,
    "powers verify": {
        **_HELD_POWERS,
        "last_hash_checked": ("truth", "false for a part of a ceremony's powers, which does not show the last hash"),
        "digest": ("text", "BLAKE2b-512 of the file"),
        "published_as": ("text?", "the file of the Perpetual Powers of Tau that has this digest, or null"),
    },
    "powers inspect": {
        **_HELD_POWERS,
        "curve": ("text", ""),
        "ceremony_power": ("integer", "of the ceremony that it was cut from"),
    },
    "key contribute": {**_OUTPUT, **_CONTRIBUTED},
    "key beacon": {**_OUTPUT, **_CONTRIBUTED},
    "key verify": _HELD_KEY,
    "key inspect": _HELD_KEY,
    "zkml check": {
        "supported": ("truth", "false with exit code 3"),
        "obstacles": ("list", "operator, nodes, count, reason, instead"),
        "operators": ("object", "by operator, how many nodes"),
        "notes": ("list", ""),
    },
    "zkml estimate": _COSTS,
    "zkml compile": {**_OUTPUT, **_COSTS},
    "zkml setup": {**_OUTPUT, **_KEY, **_UNSAFE},
    "zkml report": {**_OUTPUT, "constraints": ("integer", "")},
    "zkml prove": {
        **_PROVEN,
        "unsafe_key": _USED_KEY["unsafe_key"],
        **_SHOWN,
        "proofs": ("list", "of a batch: an object with all of the above for each, and no other key"),
    },
    "zkml verify": {
        "valid": ("truth", "valid, of the given weights and for the given binding; false with exit code 1"),
        "proof_valid": ("truth", "valid, whatever weights and binding"),
        **_USED_KEY,
        **_SHOWN,
    },
    "audit terms": {
        "model": ("text", "its hash, 0x.."),
        "arguments": ("text", "of the contract's constructor"),
        "terms": ("object", "bond, reward, samples, most, delay, window"),
    },
    "audit log": {
        "inferences": ("list", "request, and values: integers by output"),
        "logged": ("integer", "inferences of the log"),
    },
    "audit commit": _BATCH,
    "audit draw": {
        "batch": ("integer", ""),
        "drawn": ("list", "places in the batch, by position"),
        "calldata": ("text", ""),
    },
    "audit answer": {
        "batch": ("integer", ""),
        "drawn": ("list", "places in the batch, by position"),
        "calls": ("list", "files of calldata"),
    },
    "audit receipt": {
        **_OUTPUT,
        "batch": ("integer", ""),
        "index": ("integer", "its place in the batch"),
        "request": ("text", ""),
        "inputs": ("text", "their digest"),
        "outputs": ("text", "their digest"),
        "path": ("list", "nodes beside the way to the root, the lowest first"),
    },
    "audit status": {
        "logged": ("integer", "inferences of the log"),
        "not_committed": ("integer", "of them in no batch"),
        "batches": ("list", "as of audit commit, and answered: how many of its samples are proven"),
    },
    "zkml batch": _MANY,
    "batch": _MANY,
    "serve": {"url": ("text", "where it listens, from now on"), "keys": ("list", "names")},
    "inspect": _INSPECTED,
    "doctor": {
        "zkgpu": ("text", "its version, as those below"),
        "python": ("text", ""),
        "numpy": ("text", ""),
        "numba": ("text", ""),
        "llvmlite": ("text", ""),
        "cores": ("integer", ""),
        "instruction_sets": ("list", "the fastest first"),
        "instruction_set": ("text", "the one in use"),
        **_CACHE,
        "gpu": ("text", ""),
        **_SELF_TEST,
        "missing": ("object", "by package that is not installed: what for, and how to get it"),
    },
    "cache info": _CACHE,
    "cache clear": {"cleared": ("truth", "")},
    "cache warm": {**_SELF_TEST, **_CACHE},
}
