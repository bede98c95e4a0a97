"""What machine code is generated for: levels of a processor's features, the same for every model that has them.

    x86-64-ifma, x86-64-fma, x86-64    the last is what every such CPU has
    aarch64

Code of a level runs on whatever has its features, so a cache that was filled on one machine serves others. On other
processors there is one level, which is the machine itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
from pathlib import Path

from zkgpu.records import dataclass

FEATURES_VARIABLE = "NUMBA_CPU_FEATURES"  # +avx2,+fma: takes the place of what the CPU says of itself


@dataclass(frozen=True)
class Target:
    """A level.

    Attributes:
        triple: LLVM's name of the machine and its conventions; "" for this one's
        cpu: LLVM's name of the model that code is scheduled for
        features: that code may use, as LLVM calls them
    """

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]

    @property
    def makes_images(self) -> bool:
        """Whether its code is linked to images; elsewhere LLVM's loader takes objects."""
        return bool(self.triple)


_FMA = ("avx", "avx2", "bmi", "bmi2", "fma", "lzcnt", "popcnt", "sse4.2")
_IFMA = (*_FMA, "adx", "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512ifma", "avx512vl")
_X86, _ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
LINUX = (
    Target("x86-64-ifma", _X86, "x86-64", _IFMA),
    Target("x86-64-fma", _X86, "x86-64", _FMA),
    Target("x86-64", _X86, "x86-64", ()),
    Target("aarch64", _ARM, "generic", ()),
)
_MACHINES = {"x86_64": _X86, "AMD64": _X86, "aarch64": _ARM}
_OF_CPUINFO = {"abm": "lzcnt", "bmi1": "bmi", "sse4_2": "sse4.2"}  # names that Linux has of its own


@functools.cache
def host_features() -> frozenset[str]:
    """What this CPU and its system can do, as LLVM calls it; or what NUMBA_CPU_FEATURES says."""
    told = os.environ.get(FEATURES_VARIABLE)
    if told is not None:
        return frozenset(feature[1:] for feature in told.split(",") if feature.startswith("+"))
    triple = _MACHINES.get(platform.machine()) if sys.platform == "linux" else None
    if triple == _ARM:
        return frozenset()  # no level of it asks for any, and LLVM takes a while to load
    return (triple and _flags_of_linux()) or _features_of_llvm()


def _flags_of_linux() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return frozenset(_OF_CPUINFO.get(flag, flag) for flag in flags)


def _features_of_llvm() -> frozenset[str]:
    import llvmlite.binding as llvm

    try:
        return frozenset(name for name, is_there in llvm.get_host_cpu_features().items() if is_there)
    except RuntimeError:  # LLVM cannot tell on this machine
        return frozenset()


@functools.cache
def host_targets() -> tuple[Target, ...]:
    """The levels whose code this process can run, the best first: it compiles for that one."""
    triple = _MACHINES.get(platform.machine(), "")
    if sys.platform == "linux" and triple:
        return tuple(target for target in LINUX if target.triple == triple and is_runnable(target.features))
    return (_this_machine(),)


def _this_machine() -> Target:
    import llvmlite.binding as llvm

    cpu, features = llvm.get_host_cpu_name(), tuple(sorted(host_features()))
    digest = hashlib.sha256(repr((cpu, features)).encode()).hexdigest()[:8]
    return Target(f"{sys.platform}-{platform.machine()}-{digest}", "", cpu, features)


def is_runnable(features: tuple[str, ...] | list[str]) -> bool:
    """Whether this CPU has all of them."""
    return host_features().issuperset(features)
