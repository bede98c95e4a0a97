"""Where points for many sums are, and what gives back memory when a device runs out of it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from functools import partial
from threading import RLock
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from zkgpu.errors import ResourceError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.driver import OutOfMemory, Records
from zkgpu.gpu.program import DeviceArray
from zkgpu.gpu.recorded import Recorded
from zkgpu.msm.cuda import BucketSums, best_shape
from zkgpu.msm.cuda import DevicePoints as Placed
from zkgpu.msm.cuda_points import PointArrays

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

Sums = list[DeviceArray]
MOST_RECORDED = 1 << 18  # points of a sum that is recorded: more keep a GPU busy for longer than the host enqueues
RECORDED_BYTES = 24  # that a recording keeps for each byte of its points, at most: 0.4 GB of G1 and 0.8 GB of G2
RECORDED_SHARE = 16  # and it may keep 1/16 of the memory that is free
LEAST_CHUNK = 1 << 10  # below it, halving a chunk will not help a device without memory


def in_chunks(run: Callable[[int, int], T], begin: int, end: int) -> list[T]:
    """[run(begin, end)], or of its halves where the device has no memory for all at once, and so on."""
    try:
        return [run(begin, end)]
    except OutOfMemory:
        if end - begin <= LEAST_CHUNK:
            raise
    middle = (begin + end) // 2
    return [*in_chunks(run, begin, middle), *in_chunks(run, middle, end)]


class ResidentPoints:
    """Points of one group: on the device with tables of multiples, without, or on the host, as memory allows.

    `placed` says where they are now; it changes when the device runs out of memory, and the sums do not.
    """

    def __init__(self, arrays: PointArrays, rows: Limbs):
        self.group, self._arrays = arrays.group, arrays
        self._place(Placed(self.group, int(rows.shape[0]), None, rows))

    def __len__(self) -> int:
        return len(self.placed)

    def _place(self, placed: Placed) -> None:
        """Points somewhere else, over which no sum was begun yet."""
        self.placed, self._sums_begun = placed, 0
        self._recorded: Recorded[Sums] | None = None

    @property
    def _nbytes(self) -> int:
        """Of the points alone."""
        return len(self) * self.group.row_limbs * 8

    @property
    def is_resident(self) -> bool:
        return self.placed.array is not None

    @property
    def has_tables(self) -> bool:
        return self.placed.shape is not None

    def on_host(self, begin: int, end: int) -> Placed:
        """Points begin .. end, of points that are on the host."""
        assert self.placed.rows is not None
        rows = self.placed.rows[begin:end]
        return Placed(self.group, int(rows.shape[0]), None, rows)

    def recorded(self, sums: BucketSums) -> Recorded[Sums] | None:
        """What begins a sum by a recording, made for the second sum; None for the first, and where none is made.

        Where memory was short once, none is made again until the points are somewhere else.
        """
        self._sums_begun += 1
        if self._sums_begun == 2 and self._may_record(sums):
            try:
                self._recorded = Recorded(sums.driver, sums.scalar, len(self), partial(sums.begin, self.placed))
            except ResourceError as error:
                # as text: the error holds the arrays of what failed
                log.warning("sums over %d points are not recorded: %s", len(self), str(error))
        return self._recorded

    def _may_record(self, sums: BucketSums) -> bool:
        """What a sum launches is always the same where no memory that happens to be free decides about it."""
        if not (isinstance(sums.driver, Records) and self.has_tables and len(self) <= MOST_RECORDED):
            return False
        return self._nbytes * RECORDED_BYTES * RECORDED_SHARE <= sums.driver.free_memory

    def upload(self) -> None:
        """From the host to the device, where there is memory for it."""
        assert self.placed.rows is not None
        try:
            array = self._arrays.upload(self.placed.rows).marked()
        except OutOfMemory:
            return
        self._place(Placed(self.group, len(self), array))

    def make_tables(self) -> None:
        """Tables of multiples, where there is memory for them."""
        assert self.placed.array is not None
        shape = best_shape(len(self), True, self.group.order)
        try:
            tables = self._arrays.tables(self.placed.array, shape).marked()
        except OutOfMemory:
            return
        self._place(Placed(self.group, len(self), tables, shape=shape))

    @property
    def can_give(self) -> tuple[int, int]:
        """Recordings go before tables, tables before points, many bytes before few."""
        if self._recorded is not None:
            return 4, self._nbytes
        return (1 + self.has_tables, self._nbytes) if self.is_resident and len(self) else (0, 0)

    def give_back(self) -> None:
        """Without a recording, else without tables, where there are some; else to the host."""
        if self._recorded is not None:
            log.warning("memory is short: sums over %d points are launched step by step", len(self))
            self._recorded = None
            return
        array, had_tables, n = self.placed.array, self.has_tables, len(self)
        assert array is not None
        lost = "lose their tables" if had_tables else "move to the host"
        log.warning("%s: memory is short: %d points %s", array.driver.name, n, lost)
        rows = self._arrays.rows(array.part(0, n))  # the first of the tables are the points themselves
        self._place(Placed(self.group, n, None, rows))
        del array
        if had_tables:
            self.upload()


class Kept(Protocol):
    """What stays on a device for later, and can do with less memory."""

    @property
    def can_give(self) -> tuple[int, int]:
        """(how little its memory is missed, how much it is): the largest gives first, and what has (0, 0) never."""
        ...

    def give_back(self) -> None:
        """Let go of some memory."""
        ...


K = TypeVar("K", bound=Kept)


class Residency:
    """All that is kept on a device.

    Args:
        lock: held by whoever gives the device work: one thread at a time chooses streams and gives memory back
    """

    def __init__(self) -> None:
        self._kept: WeakSet[Kept] = WeakSet()
        self.lock = RLock()

    def keep(self, kept: K) -> K:
        self._kept.add(kept)
        return kept

    def evict(self) -> bool:
        """Give back some memory: what is missed least, and of that the most. False when there is none to give back."""
        kept = max(self._kept, key=lambda kept: kept.can_give, default=None)
        if kept is None or kept.can_give == (0, 0):
            return False
        kept.give_back()
        return True


class HasResidency(Protocol):
    residency: Residency


S = TypeVar("S", bound=HasResidency)


def retry_after_eviction(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """The method, one thread at a time, run again as long as it finds no memory and points can give some back."""

    def tried(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            try:
                return method(self, *args, **kwargs)
            except OutOfMemory as error:
                problem = str(error)
            # only here, after the handler, are the arrays of the failed attempt let go
            if not self.residency.evict():
                raise OutOfMemory(problem)

    @functools.wraps(method)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.residency.lock:
            return tried(self, *args, **kwargs)

    return run
