"""The keys that one prover keeps open, within a budget of memory; and a job's way over devices that may err."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import field
from typing import Any

from zkgpu.errors import CancelledError, ResourceError, SelfCheckError, ZkgpuError, described
from zkgpu.records import dataclass
from zkgpu.service.opened import Devices, OpenKey, Options, facts_of, open_served, size_of
from zkgpu.service.served import Served
from zkgpu.stages import Cancel, Listener, cancellable, listening

log = logging.getLogger(__name__)

_CHECK = "self-check"  # the stage of which a proof has one, and each further one is for a proof that was refused
_TRIES = 2  # on a device that errs, before the CPU
Open = Callable[[Served, Devices], OpenKey]


@dataclass
class Account:
    """What came of a job, beside its result.

    Attributes:
        stages: seconds by stage
        checks: proofs that were verified, all but the last of them refused
        errors: of the device, each of which was followed by another try
    """

    stages: dict[str, float] = field(default_factory=dict)
    checks: int = 0
    errors: list[str] = field(default_factory=list)

    def hear(self, name: str, seconds: float | None) -> None:
        if seconds is None:
            self.checks += name == _CHECK
        else:
            self.stages[name] = self.stages.get(name, 0.0) + seconds

    def to_json(self) -> dict[str, Any]:
        return {"stages": self.stages, "self_check_failures": max(self.checks - 1, 0), "device_errors": self.errors}


class Residents:
    """Keys open on a device. Those used longest ago go when others need their place.

    Args:
        memory: bytes of all of them, as far as `size_of` tells; one key alone may have more
        on_cpu: opens what to fall back on once the device has failed twice; None where that is the device
    """

    def __init__(
        self,
        served: Mapping[str, Served],
        devices: Devices,
        memory: int,
        on_cpu: Callable[[], Devices] | None = None,
        open_key: Open = open_served,
    ) -> None:
        self._served, self._devices, self._memory = served, devices, memory
        self._on_cpu, self._open_key = on_cpu, open_key
        self._open: OrderedDict[str, OpenKey] = OrderedDict()
        self.is_faulty = False  # whether the device failed, so that whoever runs this had better begin anew

    @property
    def names(self) -> list[str]:
        return list(self._open)

    @property
    def size(self) -> int:
        """Bytes of all open keys, about."""
        return sum(size_of(self._served[name]) for name in self._open)

    def facts(self, name: str) -> dict[str, Any]:
        """What a client may know of a key, which is open then. Raises as `open_served`."""
        return facts_of(self._served[name], self.opened(name))

    def opened(self, name: str) -> OpenKey:
        """The key, opened where it is not. Raises as `open_served`."""
        if name not in self._open:
            wanted = size_of(self._served[name])
            while self._open and self.size + wanted > self._memory:
                self._open.popitem(last=False)
            self._open[name] = self._open_key(self._served[name], self._devices)
        self._open.move_to_end(name)
        return self._open[name]

    def outcome(
        self, name: str, body: bytes, options: Options, listener: Listener, cancel: Cancel | None = None
    ) -> dict[str, Any]:
        """What came of a job, as JSON, whether it is a proof or an error."""
        account, started = Account(), time.perf_counter()
        with ExitStack() as stack:
            stack.enter_context(listening(_both(account.hear, listener)))
            stack.enter_context(cancellable(cancel))
            try:
                outcome = self._proven(name, body, options, account)
            except Exception as error:
                text, code = described(error)
                outcome = {"ok": False, "error": text, "exit_code": code}
                account.checks += isinstance(error, SelfCheckError)
        return {**outcome, **account.to_json(), "seconds": time.perf_counter() - started}

    def _proven(self, name: str, body: bytes, options: Options, account: Account) -> dict[str, Any]:
        if self._on_cpu is None:
            return _result(self.opened(name), body, options)
        for _ in range(_TRIES):
            try:
                return _result(self.opened(name), body, options)
            except Exception as error:
                if not _is_of_device(error):
                    raise
                account.errors.append(type(error).__name__)
                log.warning("%s: an error of the device: %s", name, described(error)[0])
                self._open.pop(name, None)
        self.is_faulty = True
        return _result(self._open_key(self._served[name], self._on_cpu()), body, options)


def _both(one: Listener, other: Listener) -> Listener:
    def hear(name: str, seconds: float | None) -> None:
        one(name, seconds)
        other(name, seconds)

    return hear


def _result(opened: OpenKey, body: bytes, options: Options) -> dict[str, Any]:
    return {
        "ok": True,
        "exit_code": 0,
        **opened.results(body, options),
        "verified": True,
        "unsafe_key": opened.key.is_unsafe,
        "insecure_key": opened.key.weakness(),
        "device": opened.device,
    }


def _is_of_device(error: Exception) -> bool:
    """Whether another try may help: not where zkgpu says what is wrong with the job, or that it was to stop."""
    if isinstance(error, CancelledError):
        return False
    return isinstance(error, ResourceError) or not isinstance(error, ZkgpuError)
