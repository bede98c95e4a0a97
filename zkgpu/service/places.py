"""Where proofs are made, as whoever hands out jobs sees it: processes of this machine, or actors of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from zkgpu.errors import ResourceError
from zkgpu.records import dataclass
from zkgpu.service.opened import Options
from zkgpu.stages import Listener

Outcome = dict[str, Any]


class PlaceLost(ResourceError):
    """Whatever proved there died, or cannot be reached: the job can be done again, here or elsewhere."""


@dataclass(frozen=True)
class Order:
    """One job as a place gets it.

    Attributes:
        job: its id, by which it is cancelled
        inputs: the file with its inputs, or what such a file would hold
    """

    job: str
    key: str
    inputs: str | bytes
    options: Options

    def body(self) -> bytes:
        return self.inputs if isinstance(self.inputs, bytes) else Path(self.inputs).read_bytes()


@dataclass
class State:
    """What a place last said of itself.

    Attributes:
        resident: names of the keys that are open there
        bytes: that they take, about
        device_memory: "free" and "total", where it has a device with memory of its own
        restarts: how often it was begun anew
    """

    resident: list[str] = field(default_factory=list)
    bytes: int = 0
    device_memory: dict[str, int] = field(default_factory=dict)
    restarts: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        self.resident, self.bytes, self.device_memory = told["resident"], told["bytes"], told["device_memory"]


class Place(Protocol):
    """One job at a time, by methods that return when it is done; `cancel` and `close` may come from other threads.

    Attributes:
        name: for people, and in metrics
        is_shared: whether other places have the same cores, so that a large proof wants them to rest
    """

    name: str
    is_shared: bool
    state: State

    def open(self, key: str) -> dict[str, Any]:
        """The facts of a key. Raises the error that opening it gave, PlaceLost."""

    def prove(self, order: Order, listener: Listener) -> Outcome:
        """What came of a job, as `Residents.outcome` has it. Raises PlaceLost."""

    def cancel(self, job: str) -> None:
        """The job stops before its next stage, if it is there."""

    def close(self) -> None:
        """Ends it, with whatever it does."""


Places = Callable[[], list[Place]]
