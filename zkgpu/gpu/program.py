"""Typed arrays on a device, and the one door through which kernels are launched."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import ZkgpuError
from zkgpu.gpu.driver import Driver
from zkgpu.gpu.source import Parameter, Signature, Source
from zkgpu.records import dataclass
from zkgpu.stages import stage

WARP = 32
LARGEST = {"uint32_t": (1 << 32) - 1, "uint64_t": (1 << 64) - 1}
NOTHING = -1  # the largest number of a parameter that takes none


@dataclass(frozen=True)
class Element:
    """A type of the kernels: its name there, and its size."""

    name: str
    nbytes: int


U8 = Element("uint8_t", 1)
U32 = Element("uint32_t", 4)
U64 = Element("uint64_t", 8)


# of these and of grids a proof makes a thousand: frozen, each would take three times as long
@dataclass(eq=False, slots=True)
class DeviceArray:
    """`length` elements on a device, from byte `offset` of an allocation that it keeps alive.

    Attributes:
        ready: an event after which the elements are there; None when only the order of its stream says so
    """

    driver: Driver
    memory: Any
    element: Element
    length: int
    offset: int = 0
    ready: Any = None

    def __len__(self) -> int:
        return self.length

    @property
    def address(self) -> int:
        return int(self.memory.address) + self.offset

    def part(self, begin: int, end: int) -> DeviceArray:
        """Elements begin .. end, in the same memory."""
        if not 0 <= begin <= end <= self.length:
            raise ZkgpuError(f"elements {begin} to {end} of an array of {self.length}")
        at = self.offset + begin * self.element.nbytes
        return DeviceArray(self.driver, self.memory, self.element, end - begin, at, self.ready)

    def as_element(self, element: Element) -> DeviceArray:
        """The same bytes, read as another type."""
        length = self.length * self.element.nbytes // element.nbytes
        return DeviceArray(self.driver, self.memory, element, length, self.offset, self.ready)

    def marked(self) -> DeviceArray:
        """The same elements, ready when all that the stream in use was given so far is done."""
        return DeviceArray(self.driver, self.memory, self.element, self.length, self.offset, self.driver.mark())

    def write(self, data: NDArray[Any]) -> DeviceArray:
        """Copy a host array of exactly this size to the device; returns self."""
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        if flat.size != self.length * self.element.nbytes:
            raise ZkgpuError(f"{flat.size} bytes for {self.length} elements of {self.element.nbytes} bytes")
        if flat.size:
            self.driver.write(self.memory, self.offset, flat)
        return self

    def copy_from(self, other: DeviceArray) -> None:
        """Copy as many elements of the same type on the device."""
        if (other.element, other.length) != (self.element, self.length) or other.driver is not self.driver:
            raise ZkgpuError(f"{other.length} of {other.element.name} for {self.length} of {self.element.name}")
        self.driver.copy(other.address, self.address, self.length * self.element.nbytes)

    def read(self, dtype: Any) -> NDArray[Any]:
        """The bytes as a flat host array of `dtype`, after all work enqueued before."""
        nbytes = self.length * self.element.nbytes
        data = self.driver.read(self.memory, self.offset, nbytes) if nbytes else np.zeros(0, np.uint8)
        return data.view(dtype)


def allocate(driver: Driver, element: Element, length: int) -> DeviceArray:
    """An array with arbitrary contents."""
    return DeviceArray(driver, driver.allocate(max(length, 1) * element.nbytes), element, length)


def upload(driver: Driver, element: Element, data: NDArray[Any]) -> DeviceArray:
    """A host array on the device."""
    return allocate(driver, element, data.nbytes // element.nbytes).write(data)


@dataclass(slots=True)
class Grid:
    """How many blocks (in x and y), of how many threads, with how many bytes of shared memory each."""

    blocks: int
    threads: int
    shared: int = 0
    rows: int = 1

    @staticmethod
    def over(n: int, threads: int = 128) -> Grid:
        """At least n threads, in blocks of at most `threads`."""
        threads = min(threads, max(1, -(-n // WARP)) * WARP)
        return Grid(-(-n // threads), threads)


class _Kernel:
    """What a launch is checked against: of each parameter the element of its array, or None and the largest number."""

    def __init__(self, signature: Signature):
        self.signature, self.max_threads = signature, signature.max_threads
        self.names = [p.name for p in signature.parameters]
        self.expected = [
            (p.type, NOTHING) if p.is_pointer else (None, LARGEST.get(p.type, NOTHING)) for p in signature.parameters
        ]


class Program:
    """The kernels of one source on one device. CUDA checks neither number nor type of arguments: this does."""

    def __init__(self, driver: Driver, source: Source):
        self._driver, self._source = driver, source
        self._kernels = {name: _Kernel(signature) for name, signature in source.signatures().items()}
        with stage("compile kernels"):
            self._module = driver.compile(source)

    def launch(self, kernel: str, grid: Grid, **arguments: DeviceArray | int) -> None:
        """Run a kernel, its arguments by name; an empty grid does nothing."""
        checked = self._kernels[kernel]
        if [*arguments] != checked.names:
            raise ZkgpuError(f"{kernel} takes {', '.join(checked.names)}, not {', '.join(arguments)}")
        if not 0 < grid.threads <= checked.max_threads:
            raise ZkgpuError(f"{kernel} runs in blocks of 1 to {checked.max_threads} threads, not {grid.threads}")
        driver, values = self._driver, []
        for argument, (element, largest) in zip(arguments.values(), checked.expected, strict=True):
            if isinstance(argument, DeviceArray):
                is_right = argument.element.name == element and argument.driver is driver
                values.append(argument.memory.address + argument.offset)
            else:
                is_right = type(argument) is int and 0 <= argument <= largest
                values.append(argument)
            if not is_right:
                values[-1] = self._number(kernel, len(values) - 1, argument)
        if grid.blocks and grid.rows:
            extents = (grid.blocks, grid.rows, 1), (grid.threads, 1, 1)
            driver.launch(self._module, kernel, *extents, grid.shared, values)

    def _number(self, kernel: str, k: int, argument: DeviceArray | int) -> int:
        """Argument k where it is a number of another type than Python's. Raises ZkgpuError where it is wrong."""
        checked = self._kernels[kernel]
        parameter, (_, largest) = checked.signature.parameters[k], checked.expected[k]
        if isinstance(argument, DeviceArray):
            raise _mismatch(kernel, parameter, f"an array of {argument.element.name} on {argument.driver.name}")
        try:
            number = operator.index(argument)
        except TypeError:
            number = NOTHING
        if 0 <= number <= largest:
            return number
        raise _mismatch(kernel, parameter, "a number" if largest == NOTHING else str(argument))


def _mismatch(kernel: str, parameter: Parameter, found: str) -> ZkgpuError:
    pointer = " array" if parameter.is_pointer else ""
    return ZkgpuError(f"{kernel}: {parameter.name} is a {parameter.type}{pointer}, not {found}")


class Programs:
    """The programs of one device, each compiled on first use."""

    def __init__(self, driver: Driver):
        self.driver = driver
        self._programs: dict[Source, Program] = {}

    def __call__(self, source: Source) -> Program:
        if source not in self._programs:
            self._programs[source] = Program(self.driver, source)
        return self._programs[source]
