"""The proof systems behind the commands, which read from the files which one is meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class System:
    """What the commands need of a proof system.

    title   what messages call it
    prover  Prover(key, backend, circuit=..., allow_insecure_key=...)
    verify  verify(verifying_key, path of public.json, proof, allow_insecure_key)
    """

    title: str
    prover: Callable[..., Any]
    verify: Callable[[Any, str, Any, bool], bool]


def system_of(key: Any) -> System:
    """The proof system of a proving or verifying key."""
    from zkgpu import groth16, plonk
    from zkgpu.formats.protocols import protocol_name

    if protocol_name(key) == "plonk":
        return System("PLONK", plonk.Prover, _verify_plonk)
    return System("Groth16", groth16.Prover, _verify_groth16)


def _verify_groth16(key: Any, public_file: str, proof: Any, allow_insecure_key: bool) -> bool:
    from zkgpu.formats.json_files import read_public_values
    from zkgpu.groth16 import verify

    public_inputs, packed = read_public_values(public_file, key.curve)
    return verify(key, public_inputs, proof, packed=packed, allow_insecure_key=allow_insecure_key)


def _verify_plonk(key: Any, public_file: str, proof: Any, allow_insecure_key: bool) -> bool:
    from zkgpu.formats.json_files import read_public
    from zkgpu.plonk import verify

    return verify(key, read_public(public_file, key.curve), proof, allow_insecure_key=allow_insecure_key)
