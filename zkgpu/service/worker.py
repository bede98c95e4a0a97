"""A process that proves: `python -m zkgpu.service.worker DESCRIPTOR`, at the other end of a socket of the service's.

Messages are JSON. In come what it is to be, then orders; out go stages as they begin and end, and one end an order:

    {"served": [..], "device": "cpu", "threads": 2, "share": 1, "memory": 1073741824}
    {"open": NAME} | {"prove": NAME, "job": ID, "path": FILE, "options": {..}} | {"cancel": ID}
    {"verify": TEXT, "own_key": {..} or null}
    bytes                                       behind an order to prove without a path: what its file would hold
    {"stages": {NAME: S or null, ..}}           not more than so many a second, the last of each name
    {"end": {..}, "resident": [NAME, ..], "bytes": B, "device_memory": {..}, "faulty": false}

It ends when the socket does, in the middle of a proof too: whoever waited for that is gone. Signals that end a service
reach this process as well where they are sent to a group, and are the service's business.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from zkgpu.errors import described
from zkgpu.service.opened import Devices, Options
from zkgpu.service.resident import Residents
from zkgpu.service.served import Served

Message = dict[str, Any]

_PAUSE = 0.1  # seconds between two messages about stages


class Worker:
    """Orders from a connection, one after another; a cancel is heeded while another order is carried out."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._sending = connection, threading.Lock()
        self._orders: queue.SimpleQueue[tuple[Message, bytes]] = queue.SimpleQueue()
        self._cancels: dict[str, threading.Event] = {}
        self._stages: dict[str, float | None] = {}  # that the service was not told of yet
        self._told, self._news = -_PAUSE, threading.Event()

    def run(self) -> None:
        residents = residents_of(receive(self._connection))
        for work in (self._listen, self._talk):
            threading.Thread(target=work, daemon=True).start()
        while not residents.is_faulty:
            end = self._carried_out(residents, *self._orders.get())
            with self._sending:
                self._stages = {}
                send(self._connection, {"end": end, **state_of(residents)})

    def _listen(self) -> None:
        try:
            while True:
                self._hear(receive(self._connection))
        except (EOFError, OSError):
            os._exit(0)

    def _hear(self, order: Message) -> None:
        if "cancel" in order:
            cancel = self._cancels.get(order["cancel"])
            if cancel is not None:  # the job is not over
                cancel.set()
            return
        if "prove" in order:
            self._cancels[order["job"]] = threading.Event()
        self._orders.put((order, self._connection.recv_bytes() if _brings_body(order) else b""))

    def _carried_out(self, residents: Residents, order: Message, body: bytes) -> Message:
        try:
            if "open" in order:
                return {"ok": True, "facts": residents.facts(order["open"])}
            if "verify" in order:
                from zkgpu.service.verdicts import verdict

                return verdict(order["verify"], order["own_key"])
            return self._proven(residents, order, body)
        except Exception as error:
            text, code = described(error)
            return {"ok": False, "error": text, "exit_code": code}

    def _proven(self, residents: Residents, order: Message, body: bytes) -> Message:
        job = order["job"]
        try:
            body = body if _brings_body(order) else Path(order["path"]).read_bytes()
            return residents.outcome(order["prove"], body, Options(**order["options"]), self._tell, self._cancels[job])
        finally:
            self._cancels.pop(job, None)

    def _tell(self, stage: str, seconds: float | None) -> None:
        """Now, or with others in a while: each message wakes the service, which many small proofs keep busy."""
        with self._sending:
            self._stages[stage] = seconds
            if time.monotonic() - self._told < _PAUSE:
                self._news.set()
            else:
                self._send_stages()

    def _talk(self) -> None:
        while True:
            self._news.wait()
            time.sleep(_PAUSE)
            with self._sending, suppress(OSError):  # whoever listens to the connection ends this process
                self._news.clear()
                self._send_stages()

    def _send_stages(self) -> None:
        if self._stages:
            send(self._connection, {"stages": self._stages})
            self._stages, self._told = {}, time.monotonic()


def _brings_body(order: Message) -> bool:
    """Whether a message of bytes comes behind this one."""
    return "prove" in order and order["path"] is None


def residents_of(config: Message) -> Residents:
    """What a worker keeps open. Config is the first message."""
    served = {one["name"]: Served(**one) for one in config["served"]}
    threads, share = config["threads"], config["share"]
    devices = Devices.open(config["device"], threads, share)
    is_cpu = devices.whole.resident_form is not None
    fallback = None if is_cpu else lambda: Devices.open("cpu", threads, share)
    return Residents(served, devices, config["memory"], fallback)


def state_of(residents: Residents) -> Message:
    """What the service is told with each end."""
    return {
        "resident": residents.names,
        "bytes": residents.size,
        "device_memory": device_memory(),
        "faulty": residents.is_faulty,
    }


def device_memory() -> dict[str, int]:
    """Bytes that are free and in all on the device in use; nothing on a CPU."""
    cupy = sys.modules.get("cupy")
    if cupy is None:
        return {}
    free, total = cupy.cuda.runtime.memGetInfo()
    return {"free": free, "total": total}


def receive(connection: Connection) -> Message:
    """Raises EOFError when the other end is gone."""
    message: Message = json.loads(connection.recv_bytes())
    return message


def send(connection: Connection, message: Message) -> None:
    connection.send_bytes(json.dumps(message).encode())


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with Connection(int(sys.argv[1])) as connection:
        try:
            Worker(connection).run()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)
        except Exception as error:  # what it was to be cannot be: the service says so
            text, code = described(error)
            send(connection, {"end": {"ok": False, "error": text, "exit_code": code}, "fatal": True})


if __name__ == "__main__":
    main()
