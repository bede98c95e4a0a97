"""Compiled kernels in memory: an image is mapped and called through ctypes, which releases the GIL.

Where images are not made (see `target.makes_images`), object code is given to LLVM's loader instead.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Callable
from dataclasses import field
from typing import Any

from zkgpu.records import dataclass

IMPORTS = ("memcpy", "memmove", "memset")  # of the C library: what LLVM makes of loops that copy or fill

Entry = Callable[[bytes], int]  # the words of the arguments -> 0, or another number where the kernel failed

_ENTRY_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p)
_loaded: list[Any] = []  # what functions lie in: for as long as the process lives


@dataclass(frozen=True)
class Image:
    """Code and constants that run at any page.

    Attributes:
        entry: offset of the function to call
        imports: (offset of eight bytes, name of the function whose address they are to be)
    """

    code: bytes | memoryview = field(repr=False)
    entry: int
    imports: tuple[tuple[int, str], ...]


def load_image(image: Image) -> Entry:
    """The function of an image. Raises OSError where memory cannot be made executable."""
    memory = mmap.mmap(-1, len(image.code), prot=mmap.PROT_READ | mmap.PROT_WRITE)
    memory[:] = image.code
    for offset, name in image.imports:
        memory[offset : offset + 8] = _import_address(name).to_bytes(8, "little")
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if _libc().mprotect(ctypes.c_void_p(start), ctypes.c_size_t(len(image.code)), mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "the system does not let this process run compiled kernels")
    _keep_freed_memory()
    _loaded.append(memory)
    return _ENTRY_TYPE(start + image.entry)


@functools.cache
def _keep_freed_memory() -> None:
    """Has glibc keep what is freed for the next array, where it would give each large one back to the system.

    It does so up to the size of the largest piece that was ever freed, of at most 32 MiB (mallopt(3),
    M_MMAP_THRESHOLD). Sums of points free and take a few hundred kilobytes each, whose pages cost a third of the time.
    """
    libc = _libc()
    libc.malloc.restype = ctypes.c_void_p
    libc.free(ctypes.c_void_p(libc.malloc(ctypes.c_size_t(31 << 20))))


def load_object(code: bytes, entry: str) -> Entry:
    """The function of an object file in the system's own format."""
    import llvmlite.binding as llvm

    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return _ENTRY_TYPE(engine.get_function_address(entry))


@functools.cache
def _engine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _import_address(name: str) -> int:
    if name not in IMPORTS:
        raise ValueError(f"it calls {name}")
    return ctypes.cast(getattr(_libc(), name), ctypes.c_void_p).value or 0
