"""The architectures that kernels are compiled for ahead of time, and what each has for threads and blocks.

Figures: NVIDIA, "CUDA C++ Programming Guide", Compute Capabilities, table "Technical Specifications per Compute
Capability". A multiprocessor has 64 K registers on each of them, and hands them out to warps 256 at a time.

Which code runs where: "a cubin object generated for compute capability X.y will only execute on devices of compute
capability X.z where z >= y", and "is not supported for Tegra" (the same guide, "Binary Compatibility").
"""

from __future__ import annotations

from zkgpu.records import dataclass

KIB = 1024
WARP = 32
THREAD_REGISTERS = 255  # most that one thread can have
REGISTERS, REGISTERS_AT_ONCE = 64 * KIB, 256
DEFAULT_SHARED = 48 * KIB  # bytes of shared memory a block may have, unless a kernel's attribute allows more
TEGRA = {(8, 7), (10, 1), (11, 0)}  # systems on a chip, which run only code made for them


@dataclass(frozen=True)
class Architecture:
    """A compute capability, and the most that one of its multiprocessors holds at a time.

    Attributes:
        shared: bytes of shared memory of a multiprocessor; every block takes 1 KiB beside its own
        block_shared: bytes that one block may have
    """

    major: int
    minor: int
    threads: int
    blocks: int
    shared: int
    block_shared: int

    @property
    def name(self) -> str:
        return f"sm_{self.major}{self.minor}"

    def resident_blocks(self, threads: int, registers: int, shared: int) -> int:
        """How many blocks of so many threads, registers a thread and bytes of shared memory a multiprocessor holds."""
        warps = -(-threads // WARP)
        of_warp = -(-registers * WARP // REGISTERS_AT_ONCE) * REGISTERS_AT_ONCE
        by_registers = REGISTERS // (of_warp * warps)
        return min(self.blocks, self.threads // (warps * WARP), by_registers, self.shared // (shared + KIB))


ARCHITECTURES = (
    Architecture(8, 0, threads=2048, blocks=32, shared=164 * KIB, block_shared=163 * KIB),
    Architecture(8, 9, threads=1536, blocks=24, shared=100 * KIB, block_shared=99 * KIB),
    Architecture(9, 0, threads=2048, blocks=32, shared=228 * KIB, block_shared=227 * KIB),
    Architecture(10, 0, threads=2048, blocks=32, shared=228 * KIB, block_shared=227 * KIB),
    Architecture(12, 0, threads=1536, blocks=24, shared=100 * KIB, block_shared=99 * KIB),
)
BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


def runs_on(major: int, minor: int) -> Architecture | None:
    """The architecture whose code a device of this compute capability runs best; None when it runs none of it."""
    if (major, minor) in TEGRA:
        return None
    able = [a for a in ARCHITECTURES if a.major == major and a.minor <= minor]
    return max(able, key=lambda a: a.minor, default=None)
