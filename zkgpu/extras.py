"""Optional packages: which extra of zkgpu brings each, what for, and the one hint that says so where it is missing."""

from __future__ import annotations

import importlib.util
import sys

from zkgpu.records import dataclass

Version = tuple[int, int]


@dataclass(frozen=True)
class Extra:
    """An extra of pyproject.toml.

    Attributes:
        package: as it is imported: what shows whether the extra is there
        purpose: what it is for
        newest: the last version of Python for which its packages have wheels, where zkgpu itself takes later ones
        other: an extra that does as well
    """

    name: str
    package: str
    purpose: str
    newest: Version | None = None
    other: str = ""

    @property
    def is_installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.package) is not None
        except ValueError:  # what is kept from being imported
            return False

    def hint(self, python: Version = sys.version_info[:2]) -> str:
        """How to get it, and with which Python where not with this one."""
        command = f"pip install 'zkgpu[{self.name}]'" + (f" (or {self.other})" if self.other else "")
        if self.newest is None or python <= self.newest:
            return command
        newest, this = (".".join(map(str, version)) for version in (self.newest, python))
        return f"{command}, with Python {newest} or older: {self.package} has no wheels for {this} yet"


EXTRAS = {
    extra.name: extra
    for extra in (
        Extra("circom", "wasmtime", "circom's witness calculators (`zkgpu fullprove`)"),
        Extra("onnx", "onnx", "ONNX models"),
        Extra("sklearn", "skl2onnx", "estimators of scikit-learn"),
        Extra("torch", "onnxscript", "modules of PyTorch"),
        Extra("evm", "pyrevm", "calling verifier contracts (`zkgpu demo`)", newest=(3, 12)),
        Extra("serve", "starlette", "a resident prover (`zkgpu serve`)"),
        Extra("cluster", "ray", "proving on a Ray cluster (`--cluster`)"),
        Extra("cuda13", "cupy", "NVIDIA GPUs", other="cuda12"),
        Extra("cuda12", "cupy", "NVIDIA GPUs with drivers of CUDA 12", other="cuda13"),
        Extra("gate", "nvidia", "compiling CUDA kernels without a GPU"),
    )
}
_TOLD = ("circom", "onnx", "evm", "serve", "cuda13")  # by `zkgpu doctor`: what commands take


def hint(name: str) -> str:
    """How to get an extra: pip install 'zkgpu[evm]'."""
    return EXTRAS[name].hint()


def missing() -> dict[str, str]:
    """What commands could use and is not installed: by package, what it is for and how to get it."""
    absent = [EXTRAS[name] for name in _TOLD if not EXTRAS[name].is_installed]
    return {extra.package: f"{extra.purpose}: {extra.hint()}" for extra in absent}
