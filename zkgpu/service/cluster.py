"""Provers as actors of a Ray cluster, which places them, restarts them and lets nodes come and go.

An actor opens a key by its path where its node has that file: mapped, so that all actors of a node share one copy. To
a node that does not, the files travel through Ray's object store, once, into a folder of that node.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import ActorUnavailableError, RayError

from zkgpu.errors import FormatError, ResourceError, described, error_with
from zkgpu.formats.atomic import replacing
from zkgpu.records import dataclass
from zkgpu.service.opened import Options
from zkgpu.service.places import Order, Outcome, Place, PlaceLost, State
from zkgpu.service.resident import Residents
from zkgpu.service.served import Served
from zkgpu.service.worker import residents_of, state_of
from zkgpu.stages import Listener

T = TypeVar("T")
LOCAL = "local"
_CORES = 4  # of an actor, where nobody says how many there are to be
_STARTED = 300.0  # seconds in which a cluster is to place an actor, new nodes among them
_PAUSE = 0.5  # seconds between two questions for an actor that is being begun anew
_MISSING = "missing"


@dataclass(frozen=True)
class Shape:
    """How many actors there are, and what each asks of the cluster."""

    actors: int
    cpus: int
    gpus: int

    @classmethod
    def of(cls, resources: dict[str, float], actors: int | None) -> Shape:
        """One actor a GPU; without GPUs, as many as are asked for, or one for each _CORES cores."""
        cpus, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
        count = actors or gpus or max(cpus // _CORES, 1)
        return cls(count, max(cpus // count, 1), 1 if gpus else 0)


class Actor:
    """What runs in the cluster: keys that are open there, one proof at a time, and a way to stop it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config, self._cancels = config, dict[str, threading.Event]()
        self._moved: dict[str, Served] = {}
        self._residents: Residents | None = None

    def where(self) -> tuple[str, int]:
        """The address of the node, and the number of this process there."""
        return str(ray.util.get_node_ip_address()), os.getpid()

    def open(self, name: str) -> dict[str, Any]:
        """The facts of a key; _MISSING where its files are not here."""
        return self._told(name, lambda: {"ok": True, "facts": self._at_home().facts(name)})

    def prove(self, job: str, key: str, body: bytes, options: dict[str, Any]) -> dict[str, Any]:
        """What came of a job, as `Residents.outcome`."""
        cancel = self._cancels.setdefault(job, threading.Event())
        try:
            return self._told(key, lambda: self._at_home().outcome(key, body, Options(**options), _ignore, cancel))
        finally:
            self._cancels.pop(job, None)

    def cancel(self, job: str) -> None:
        self._cancels.setdefault(job, threading.Event()).set()

    def take(self, name: str, files: dict[str, Any]) -> None:
        """The files of a key, as `_in_store` names them, for a node without them; its actors share what lies there."""
        contents = {label: ray.get(reference) for label, reference in files.items()}
        folder = _own_folder() / _digest(contents)
        folder.mkdir(mode=0o700, exist_ok=True)
        places = {label: folder / label for label in contents}
        for label, content in contents.items():
            if not places[label].exists():
                with replacing(places[label], secret=True) as file:
                    file.write(content)
        served = self._served(name)
        here = {"path": folder} if served.is_model else places
        found: dict[str, Any] = {label: os.fspath(place) for label, place in here.items()}
        self._moved[name] = replace(served, **found)
        self._residents = None

    def _served(self, name: str) -> Served:
        return next(Served(**one) for one in self._config["served"] if one["name"] == name)

    def _at_home(self) -> Residents:
        if self._residents is None:
            kept = [self._moved.get(one["name"], Served(**one)).to_json() for one in self._config["served"]]
            self._residents = residents_of({**self._config, "served": kept})
        return self._residents

    def _told(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self._moved and not os.path.exists(self._served(name).path):
            return {"end": {_MISSING: name}}
        try:
            end = work()
        except Exception as error:
            text, code = described(error)
            end = {"ok": False, "error": text, "exit_code": code}
        if self._at_home().is_faulty:
            os._exit(1)  # Ray begins it anew, with another context of the device
        return {"end": end, **state_of(self._at_home())}


class ActorPlace:
    """An actor, as whoever hands out jobs sees it."""

    is_shared = False

    def __init__(
        self, name: str, served: dict[str, Served], start: Callable[[], Any], end: Callable[[ActorPlace], None]
    ) -> None:
        self.name, self.state, self._is_lost = name, State(), False
        self._served, self._end = served, end
        self._actor = start()
        with contextlib.suppress(RayError):
            self.name = f"{ray.get(self._actor.where.remote(), timeout=_STARTED)[0]}/{name}"

    def open(self, key: str) -> dict[str, Any]:
        end = self._ask(key, lambda: self._actor.open.remote(key))
        if not end["ok"]:
            raise error_with(end["error"], end["exit_code"])
        facts: dict[str, Any] = end["facts"]
        return facts

    def prove(self, order: Order, listener: Listener) -> Outcome:
        body, options = order.body(), asdict(order.options)
        return self._ask(order.key, lambda: self._actor.prove.remote(order.job, order.key, body, options))

    def cancel(self, job: str) -> None:
        with contextlib.suppress(RayError):
            self._actor.cancel.remote(job)

    def close(self) -> None:
        with contextlib.suppress(RayError):
            ray.kill(self._actor)
        self._end(self)

    def _ask(self, key: str, call: Callable[[], Any]) -> Outcome:
        told = self._got(call)
        if _MISSING in told["end"]:
            self._got(lambda: self._actor.take.remote(key, _in_store(self._served[key])))
            told = self._got(call)
        self.state.hear(told)
        end: Outcome = told["end"]
        return end

    def _got(self, call: Callable[[], Any]) -> Any:
        """What a call gives. Raises PlaceLost, at once; whoever comes next waits until the actor is there again."""
        try:
            if self._is_lost:
                self._await()
            return ray.get(call())
        except RayError as error:
            self._is_lost = True
            self.state = State(restarts=self.state.restarts + 1)
            raise PlaceLost(f"{self.name}: the actor that proved is lost ({type(error).__name__})") from error

    def _await(self) -> None:
        """Returns when the actor answers. Raises RayError where it does not come back."""
        until = time.monotonic() + _STARTED
        while True:
            try:
                ray.get(self._actor.where.remote(), timeout=_STARTED)
                self._is_lost = False
                return
            except ActorUnavailableError:  # it is being begun anew
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)


def actors_of(served: Iterable[Served], address: str, actors: int | None, memory: int) -> list[Place]:
    """Actors of the cluster at an address; of a new one on this machine where that is "local".

    Args:
        actors: how many; None as of `Shape.of`
        memory: bytes of open keys in each

    Raises ResourceError where the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    was_there = ray.is_initialized()
    try:
        if not was_there:
            ray.init(address=address, **quiet, **({"include_dashboard": False} if address == LOCAL else {}))
    except (ConnectionError, RayError, ValueError, OSError) as error:
        raise ResourceError(f"--cluster {address}: cannot be reached ({type(error).__name__})") from error
    shape, named = Shape.of(ray.cluster_resources(), actors), {one.name: one for one in served}
    config = {
        "served": [one.to_json() for one in named.values()],
        "device": "cuda" if shape.gpus else "cpu",
        "threads": shape.cpus,
        "share": shape.cpus,
        "memory": memory,
    }
    remote: Any = ray.remote(
        num_cpus=shape.cpus,
        num_gpus=shape.gpus,
        max_restarts=-1,
        max_concurrency=2,  # a proof, and a cancel of it
        scheduling_strategy="SPREAD",
    )(Actor)
    places: list[ActorPlace] = []

    def end(place: ActorPlace) -> None:
        if place in places:
            places.remove(place)
            if not places and not was_there:
                ray.shutdown()

    places += [ActorPlace(f"actor-{i}", named, lambda: remote.remote(config), end) for i in range(shape.actors)]
    return list(places)


def _in_store(served: Served) -> dict[str, Any]:
    """The files of a key in Ray's object store, which moves each to a node once: a model's by their names, a key's by
    what `Served` calls them."""
    if served.is_model:
        files = {path.name: path for path in Path(served.path).iterdir() if path.is_file()}
    else:
        named = {"path": served.path, "calculator": served.calculator, "circuit": served.circuit}
        files = {label: Path(path) for label, path in named.items() if path is not None}
    return {label: ray.put(path.read_bytes()) for label, path in files.items()}


def _digest(contents: dict[str, bytes]) -> str:
    hashed = hashlib.sha256()
    for label, content in sorted(contents.items()):
        hashed.update(hashlib.sha256(label.encode()).digest() + hashlib.sha256(content).digest())
    return hashed.hexdigest()


def _own_folder() -> Path:
    """Where a node keeps files that came to it. Raises FormatError where somebody else made it."""
    folder = Path(tempfile.gettempdir()) / f"zkgpu-keys-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
        raise FormatError(f"{folder}: this is not a folder of this user's alone: remove it")
    return folder


def _ignore(_: str, __: float | None) -> None:
    pass
