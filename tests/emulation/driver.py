"""A driver for a device that is emulated: kernels built by g++ under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu.driver import Bytes, Extent, OutOfMemory
from zkgpu.gpu.source import Source

HERE = Path(__file__).parent
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
# the address sanitizer sees bad pointers better; these three cost half the speed
SANITIZERS.append("-fno-sanitize=null,object-size,pointer-overflow")
WARNINGS = ["-Wall", "-Werror=return-type", "-Werror=uninitialized", "-Wno-unknown-pragmas"]
# the carry flag is thread-local: initial-exec reaches it without a call
COMMON = ["-std=c++17", "-O1", "-g1", "-fPIC", "-ftls-model=initial-exec", *WARNINGS]
# headers offer more than each source uses
KERNEL = [*COMMON, *SANITIZERS, "-shared", "-Wno-unused-function", "-include", str(HERE / "cuda_on_host.h")]
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


class EmulationError(ZkgpuError):
    """The emulated device stopped: a sanitizer's report, or threads that wait for ever."""


def compiler() -> str:
    return shutil.which("g++") or "g++"


@lru_cache
def missing() -> str | None:
    """What keeps the emulation from running here; None when nothing does."""
    if shutil.which("g++") is None:
        return "the emulation needs g++"
    try:
        build_emulator()
    except ResourceError as error:
        return f"the emulation needs g++ with its sanitizers: {str(error).splitlines()[-1]}"
    return None


@lru_cache
def build_folder() -> Path:
    """A folder for compiled kernels, kept between runs when ZKGPU_EMULATION_DIR names one."""
    named = os.environ.get("ZKGPU_EMULATION_DIR")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"zkgpu-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ResourceError(f"{folder} belongs to someone else: set ZKGPU_EMULATION_DIR to a folder of your own")
    return folder


def build(name: str, text: str, flags: Sequence[str]) -> Path:
    """The object built from a text, found again by the digest of all that goes into it."""
    headers = "".join(p.read_text() for p in sorted(HERE.glob("*.h")))
    digest = hashlib.sha256(repr((text, headers, flags)).encode()).hexdigest()[:24]
    target = build_folder() / f"{name}-{digest}.bin"
    if not target.exists():
        work = Path(tempfile.mkdtemp(dir=build_folder()))
        (work / "source.cpp").write_text(text)
        command = [compiler(), str(work / "source.cpp"), "-I", str(HERE), *flags, "-o", str(work / "out")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ResourceError(f"{name} does not compile for the emulation:\n{done.stderr[:4000]}")
        (work / "out").replace(target)  # at once, for tests that build side by side
        shutil.rmtree(work)
    return target


def build_emulator() -> Path:
    text = (HERE / "fibers.cpp").read_text() + (HERE / "emulator.cpp").read_text()
    return build("emulator", text, [*COMMON, *SANITIZERS, "-rdynamic", "-ldl"])


def build_module(source: Source) -> Path:
    entries = "\n".join(f"ZK_ENTRY({name})" for name in source.signatures())
    return build(source.name.replace(".", "-"), f"{source.text}\n{entries}\n", KERNEL)


class EmulatedMemory:
    """An allocation in the emulator's process."""

    def __init__(self, driver: EmulatedDriver, address: int):
        self._driver, self.address = driver, address

    def __del__(self) -> None:
        self._driver.free(self.address)


class EmulatedDriver:
    """A process that plays the device. `seed` shuffles the order of threads, anew for every launch."""

    def __init__(self, seed: int = 1):
        self.name = "emulated"
        self.free_memory = 1 << 30
        self._seeds = itertools.count(seed * 1_000_003)
        self._report = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        self._process = subprocess.Popen(
            [build_emulator()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._report,
            env={**os.environ, **OPTIONS},
        )

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(timeout=10)
        self._report.close()

    def allocate(self, nbytes: int) -> EmulatedMemory:
        address = self._ask("a", struct.pack("<Q", nbytes))
        if not address:
            raise OutOfMemory(f"{self.name}: no memory for {nbytes} bytes")
        return EmulatedMemory(self, address)

    def free(self, address: int) -> None:
        if self._process.poll() is None and not self._process.stdin.closed:  # type: ignore[union-attr]
            self._send("f", struct.pack("<Q", address))

    def write(self, memory: Any, offset: int, data: Bytes) -> None:
        self._send("w", struct.pack("<QQ", memory.address + offset, data.size), data.tobytes())

    def read(self, memory: Any, offset: int, nbytes: int) -> Bytes:
        self._send("r", struct.pack("<QQ", memory.address + offset, nbytes))
        return np.frombuffer(self._receive(nbytes), dtype=np.uint8).copy()

    def compile(self, source: Source) -> int:
        path = str(build_module(source)).encode()
        module = self._ask("m", struct.pack("<Q", len(path)), path)
        if not module:
            raise ResourceError(f"{source.name}: the emulator cannot load it")
        return module

    def launch(
        self, module: Any, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[np.generic]
    ) -> None:
        name = kernel.encode()
        start = self._ask("k", struct.pack("<QQ", module, len(name)), name)
        header = struct.pack("<Q6I3Q", start, *grid, *block, shared, next(self._seeds), len(arguments))
        length = self._ask("l", header, b"".join(struct.pack("<Q", int(a)) for a in arguments))  # type: ignore[call-overload]
        if length:
            raise EmulationError(f"{kernel}: {self._receive(length).decode()}")

    def synchronize(self) -> None:
        """Launches have ended when they return."""

    def _ask(self, command: str, *parts: bytes) -> int:
        self._send(command, *parts)
        return int.from_bytes(self._receive(8), "little")

    def _send(self, command: str, *parts: bytes) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(command.encode() + b"".join(parts))
            pipe.flush()
        except BrokenPipeError:
            raise EmulationError(self._last_words()) from None

    def _receive(self, nbytes: int) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None
        data = pipe.read(nbytes)
        if len(data) < nbytes:
            raise EmulationError(self._last_words())
        return data

    def _last_words(self) -> str:
        self._process.wait(timeout=10)
        self._report.seek(0)
        return f"the emulated device stopped:\n{self._report.read().decode(errors='replace')[:6000]}"
