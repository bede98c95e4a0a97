"""A driver for a device that is emulated: kernels built by g++ under the address and undefined-behavior sanitizers."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import struct
import subprocess
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.emulation.streams import Deadlock, Event, Scheduler, Stream
from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu.driver import Bytes, Extent, OutOfMemory, not_recorded
from zkgpu.gpu.lent import Lent, Shelf, lend
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
    """An allocation in the emulator's process, on the stream that it goes back to."""

    def __init__(self, driver: EmulatedDriver, address: int, nbytes: int, stream: Stream):
        self._driver, self.address, self._nbytes, self._stream = driver, address, nbytes, stream

    @property
    def ptr(self) -> int:
        """What CuPy calls the address."""
        return self.address

    def __del__(self) -> None:
        self._driver.take_back(self.address, self._nbytes, self._stream)


class EmulatedRecording:
    """Work in the queue of a stream that never does it, and memory that is let go there.

    outer  the stream whose memory it uses
    """

    def __init__(self, driver: EmulatedDriver, outer: Stream):
        self._driver, self.outer, self.stream = driver, outer, Stream()
        self.shelves: defaultdict[int, Shelf] = defaultdict(deque)

    def replay(self) -> None:
        self._driver.ask_again(self.stream.queue)


class EmulatedDriver:
    """A process that plays the device. Work is done when its results are read; synchronize() does all of it.

    seed    shuffles the order of streams, and of threads anew for every launch
    memory  bytes that the device has; `used` are those in use, `most` the most that ever were

    Memory that is let go is given out again on its stream at once, filled with rubbish, as by a pool.
    """

    def __init__(self, seed: int = 1, memory: int = 1 << 28):
        self.name = "emulated"
        self.memory, self.used, self.most = memory, 0, 0
        self._let_go: dict[tuple[Stream, int], list[int]] = defaultdict(list)
        self._seeds = itertools.count(seed * 1_000_003)
        self._scheduler = Scheduler(seed)
        self._recording: EmulatedRecording | None = None
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

    def stream(self) -> Stream:
        return self._scheduler.stream()

    @contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        self._must_not_record("another stream")
        outer, self._scheduler.current = self._scheduler.current, stream
        try:
            yield
        finally:
            self._scheduler.current = outer

    def mark(self) -> Event:
        self._must_not_record("an event")
        return self._scheduler.mark()

    def wait(self, event: Event) -> None:
        self._must_not_record("waiting for an event")
        self._scheduler.wait(event)

    @contextmanager
    def recording(self) -> Iterator[EmulatedRecording]:
        self._must_not_record("a recording")
        recording = EmulatedRecording(self, self._scheduler.current)
        with self.on(recording.stream):
            self._recording = recording
            try:
                yield recording
            finally:
                self._recording = None

    def ask_again(self, work: Iterable[Callable[[], None] | Event]) -> None:
        self._must_not_record("a recording")
        self._scheduler.current.queue.extend(work)

    def _must_not_record(self, what: str) -> None:
        if self._recording is not None:
            raise not_recorded(self.name, what)

    @property
    def free_memory(self) -> int:
        return self.memory - self.used

    def allocate(self, nbytes: int) -> EmulatedMemory | Lent:
        recording = self._recording
        if recording is None:
            return self._allocate(nbytes, self._scheduler.current)
        memory = lend(recording.shelves[nbytes], self._allocate, nbytes, recording.outer)
        self._ask_for_rubbish(memory.address, nbytes)  # each replay finds it anew
        return memory

    def _allocate(self, nbytes: int, stream: Stream) -> EmulatedMemory:
        let_go = self._let_go[stream, nbytes]
        if let_go and nbytes <= self.free_memory:
            address = let_go.pop()
            self._ask_for_rubbish(address, nbytes)
        else:
            address = self._allocate_more(nbytes)
        self.used += nbytes
        self.most = max(self.most, self.used)
        return EmulatedMemory(self, address, nbytes, stream)

    def _ask_for_rubbish(self, address: int, nbytes: int) -> None:
        self._scheduler.ask(lambda: self._send("p", struct.pack("<QQ", address, nbytes)))

    def _allocate_more(self, nbytes: int) -> int:
        kept = sum(size * len(addresses) for (_, size), addresses in self._let_go.items())
        if self.used + kept + nbytes > self.memory:
            self._finish()
            for addresses in self._let_go.values():
                while addresses:
                    self._send("f", struct.pack("<Q", addresses.pop()))
        if nbytes > self.free_memory:
            raise OutOfMemory(f"{self.name}: no memory for {nbytes} bytes")
        return self._ask("a", struct.pack("<Q", nbytes))

    def take_back(self, address: int, nbytes: int, stream: Stream) -> None:
        self.used -= nbytes
        self._let_go[stream, nbytes].append(address)

    def write(self, memory: Any, offset: int, data: Bytes) -> None:
        self._must_not_record("a copy from the host")
        header, content = struct.pack("<QQ", memory.address + offset, data.size), data.tobytes()
        self._scheduler.ask(lambda: self._send("w", header, content))

    def read(self, memory: Any, offset: int, nbytes: int) -> Bytes:
        self._must_not_record("a copy to the host")
        self._finish(self._scheduler.current)
        data: Bytes = np.frombuffer(self._read(memory.address + offset, nbytes), dtype=np.uint8).copy()
        return data

    def _read(self, address: int, nbytes: int) -> bytes:
        self._send("r", struct.pack("<QQ", address, nbytes))
        return self._receive(nbytes)

    def copy(self, source: int, target: int, nbytes: int) -> None:
        header = struct.pack("<QQ", target, nbytes)
        self._scheduler.ask(lambda: self._send("w", header, self._read(source, nbytes)))

    def build_module(self, source: Source) -> Path:
        return build_module(source)

    def compile(self, source: Source) -> int:
        path = str(self.build_module(source)).encode()
        module = self._ask("m", struct.pack("<Q", len(path)), path)
        if not module:
            raise ResourceError(f"{source.name}: the emulator cannot load it")
        return module

    def launch(
        self, module: Any, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        seed, values = next(self._seeds), list(arguments)
        self._scheduler.ask(lambda: self._run(module, kernel, (*grid, *block, shared, seed, len(values)), values))

    def _run(self, module: int, kernel: str, numbers: Sequence[int], arguments: Sequence[int]) -> None:
        name = kernel.encode()
        start = self._ask("k", struct.pack("<QQ", module, len(name)), name)
        header = struct.pack("<Q6I3Q", start, *numbers)
        length = self._ask("l", header, struct.pack(f"<{len(arguments)}Q", *arguments))
        if length:
            raise EmulationError(f"{kernel}: {self._receive(length).decode()}")

    def synchronize(self) -> None:
        self._must_not_record("waiting for the device")
        self._finish()

    def _finish(self, *streams: Stream) -> None:
        try:
            self._scheduler.finish(*streams)
        except Deadlock:
            raise EmulationError(f"{self.name}: streams wait for each other") from None

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
