"""doctor and cache: what this machine offers, and the compiled code kept for it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from typing import Any

import zkgpu
from zkgpu.backend.protocol import Backend
from zkgpu.cli.declaring import command, group, option
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import told
from zkgpu.cli.types import Choice
from zkgpu.errors import SelfCheckError
from zkgpu.extras import missing


@command("doctor")
def doctor_command(session: Session) -> None:
    """Say what this machine offers, which path is used, and what is missing; run a small self-test."""
    facts = {**_software(), **_processor(), **_cache_facts()}
    with session.working():
        facts |= {"gpu": _gpu(), **self_test(session.backend())}
    absent = missing()
    lines = told(facts) + [f"not installed: {name}, for {why}" for name, why in absent.items()]
    session.finish({**facts, "missing": absent}, *lines)


def _software() -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "llvmlite")}
    return {"zkgpu": zkgpu.__version__, "python": platform.python_version(), **versions}


def _processor() -> dict[str, Any]:
    from zkgpu.backend.machine import instruction_set, instruction_sets

    return {
        "cores": os.cpu_count(),
        "instruction_sets": instruction_sets(),
        "instruction_set": instruction_set(),
    }


def _gpu() -> str:
    """What GPU 0 is, or why it is not used."""
    from zkgpu.backend.auto import describe_gpu

    return describe_gpu()


def _cache_facts() -> dict[str, Any]:
    from zkgpu.backend.machine import cache_info

    info = cache_info()
    return {
        "cache_folder": str(info.path),
        "cached_kernels": info.entries,
        "outdated_folders": info.outdated,
        "outdated_bytes": info.outdated_bytes,
        "prepared_keys": info.prepared,
        "prepared_bytes": info.prepared_bytes,
        "cache_bytes": info.bytes,
    }


def self_test(backend: Backend) -> dict[str, Any]:
    """Prove a small circuit on the backend and on Python integers; the proofs must be equal and valid."""
    from zkgpu.backend import open_backend
    from zkgpu.circuits import Circuit
    from zkgpu.groth16.proof import Blinding
    from zkgpu.groth16.prover import Prover
    from zkgpu.groth16.setup import unsafe_setup

    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x**3 + x + 5, y)
    compiled = circuit.compile()
    assignment = compiled.witness({"x": 3, "y": 35})
    start = time.perf_counter()
    key = unsafe_setup(compiled.r1cs, backend)
    blinding = Blinding.random(backend.curve.scalar_field)
    proof = Prover(key, backend).prove(assignment, _blinding=blinding)
    if Prover(key, open_backend("reference", curve=backend.curve)).prove(assignment, _blinding=blinding) != proof:
        raise SelfCheckError(f"{backend.name} and the reference give different proofs: do not trust this machine")
    return {"device": backend.name, "self_test": "passed", "self_test_seconds": time.perf_counter() - start}


@group("cache")
def cache_group() -> None:
    """The cache of compiled kernels and of opened keys."""


@cache_group.command("info")
def cache_info_command(session: Session) -> None:
    """Say where the cache is and what it holds. What nothing used for a month is removed."""
    facts = _cache_facts()
    session.finish(facts, *told(facts))


@cache_group.command("clear")
def cache_clear_command(session: Session) -> None:
    """Remove all compiled kernels and prepared keys; they are made again when needed."""
    from zkgpu.backend.machine import clear_cache

    clear_cache()
    session.finish({"cleared": True}, "cache cleared")


@cache_group.command("warm")
@option("--only", kind=Choice(["g2"]), hidden=True, help="The share of a second process.")
def cache_warm_command(session: Session, only: str | None) -> None:
    """Compile every kernel of the device now, so that no later command waits for it."""
    from zkgpu.cli.warm import warm, warm_share

    if only:
        warm_share(session.backend())
        return
    with session.working():
        backend = session.backend()
        warm(backend)
        facts = self_test(backend)
    session.finish({**facts, **_cache_facts()}, f"kernels compiled in {session.seconds():.1f} s")
