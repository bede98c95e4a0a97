"""Devices: what one must do, and the ones there are."""

from __future__ import annotations

from zkgpu.backend.protocol import Backend, opaque
from zkgpu.curves import DEFAULT
from zkgpu.curves.points import Curve
from zkgpu.errors import UsageError

__all__ = ["Backend", "open_backend"]


def open_backend(
    device: str = "auto",
    *,
    curve: Curve | None = None,
    threads: int | None = None,
    instructions: str | None = None,
    tables: int = 1,
) -> Backend:
    """A backend for a device.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N"; "reference" computes on Python integers, for small circuits only;
            "auto" is GPU 0 when CuPy is there and the GPU passes a short test, else the CPU: the log says which
        curve: which it computes over, that of `zkgpu.curves.DEFAULT` where none is given
        threads: CPU threads, all cores when None
        instructions: the CPU's instruction set: "ifma", "fma" or "portable"; None chooses from the CPU's features and
            the environment variable ZKGPU_CPU_PATH
        tables: on the CPU, up to how many multiples of each point of a key to keep, for whoever proves all day: 17 took
            23 % off a proof of 2^16 constraints on one thread and 5 % on two (4 took 13 % and nothing), 17 times the
            memory of the points (350 MB there), and the time of ten proofs when the key is loaded. A GPU decides for
            itself

    Raises ResourceError when the device is not there; no device is ever replaced in silence. Raises UsageError for
    another device than these, and for threads that are none.
    """
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise UsageError(f"{threads!r} threads: give a whole number from 1 on, or None for all cores")
    curve = curve or DEFAULT
    kind, _, number = device.partition(":")
    if kind == "reference":
        from zkgpu.backend.reference import ReferenceBackend

        return opaque(ReferenceBackend(curve))
    if device == "auto":
        from zkgpu.backend.auto import gpu_problem

        device, kind = ("cpu", "cpu") if gpu_problem() else ("cuda", "cuda")
    if device == "cpu":
        from zkgpu.backend.cpu import CpuBackend

        return opaque(CpuBackend(curve, threads=threads, instructions=instructions, tables=tables))
    if kind == "cuda" and (number.isdecimal() or device == "cuda"):
        from zkgpu.backend.cuda import CudaBackend
        from zkgpu.gpu.cupy_driver import CupyDriver

        return opaque(CudaBackend(CupyDriver(int(number or 0)), curve, threads=threads))
    raise UsageError(f"unknown device '{device}': use auto, cpu, cuda or cuda:N")
