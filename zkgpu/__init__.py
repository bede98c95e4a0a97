"""Zero-knowledge proofs from Python circuits, circom files and neural networks, on CPUs and CUDA GPUs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkgpu import groth16, plonk
    from zkgpu.backend import open_backend
    from zkgpu.circuits import Circuit
    from zkgpu.errors import ZkgpuError

__version__ = "0.2.0"
__all__ = ["Circuit", "ZkgpuError", "__version__", "groth16", "open_backend", "plonk"]

# brought in on first use, so that `import zkgpu` is quick
_HOMES = {"Circuit": "zkgpu.circuits", "ZkgpuError": "zkgpu.errors", "open_backend": "zkgpu.backend"}


def __getattr__(name: str) -> Any:
    if name in ("groth16", "plonk"):
        return import_module(f"zkgpu.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zkgpu' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
