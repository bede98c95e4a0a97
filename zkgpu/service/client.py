"""A service somewhere else, asked over HTTP: its keys, its proofs, its verdicts."""

from __future__ import annotations

import http.client
import json
import os
import time
import uuid
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from zkgpu.errors import ResourceError, UsageError, error_with

_WAIT = 30  # seconds of one question for a job's end
_PATIENCE = 60.0  # seconds for a service that cannot be reached to come back
_PAUSE = 0.5
_TIMEOUT = 2.0 * _WAIT
_FULL = 429  # the answer of a queue that has no room yet, which is waited for as long as it takes

Answer = dict[str, Any]


class Client:
    """Asks again where a service is full, is being started anew, or cannot be reached for a while.

    Raises ResourceError for one that stays away, UsageError for what is no address, and whatever the service answers.
    """

    def __init__(self, url: str, token: bytes | None = None, patience: float = _PATIENCE) -> None:
        parts = _parts_of(url)
        self.url, self._base, self._patience = url, parts.path.rstrip("/"), patience
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = str(parts.hostname), parts.port
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _close, self._idle)
        self._headers = {"Authorization": f"Bearer {token.decode()}"} if token else {}

    def keys(self) -> Answer:
        """The facts of each key, by name."""
        return self._asked("GET", "/v1/keys")

    def key(self, name: str) -> Answer:
        """All facts of one key."""
        return self._asked("GET", f"/v1/keys/{quote(name, safe='')}")

    def prove(self, body: str | os.PathLike[str], query: Mapping[str, object]) -> Answer:
        """What came of a job, whatever it is. One that is not waited for any more is cancelled."""
        with open(body, "rb") as file:
            id_ = self.begin(file.read(), query)
        try:
            return self.end_of(id_)
        except KeyboardInterrupt:
            self.cancel(id_)
            raise

    def begin(self, body: bytes, query: Mapping[str, object]) -> str:
        """The id of a job for what a file would hold."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return str(self._asked("POST", f"/v1/proofs?{urlencode(query)}", body, key)["id"])

    def cancel(self, id_: str) -> None:
        """Nobody waits for the job any more. Where the service cannot be reached, it is proven all the same."""
        with suppress(OSError, http.client.HTTPException):
            self._once("DELETE", f"/v1/proofs/{id_}", b"", {})

    def verify(self, question: Answer) -> Answer:
        """As `verdicts.verdict` of such an object."""
        return self._asked("POST", "/v1/verify", json.dumps(question).encode())

    def end_of(self, id_: str) -> Answer:
        """What came of a job, whatever it is, once it is over."""
        while True:
            job = self._asked("GET", f"/v1/proofs/{id_}?wait={_WAIT}")
            if job["finished"] is not None:
                return job
            time.sleep(_PAUSE / 10)

    def _asked(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """The answer. Raises the error that it is, once asking again has no use."""
        until = time.monotonic() + self._patience
        while True:
            try:
                status, pause, answer = self._once(method, path, body, headers or {})
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > until:
                    raise ResourceError(f"{self.url}: the service cannot be reached ({type(error).__name__})") from None
                time.sleep(_PAUSE)
                continue
            if status < 400:
                return answer
            if pause is None or (status != _FULL and time.monotonic() > until):
                raise error_with(f"{self.url}: {answer['error']}", answer["exit_code"])
            time.sleep(pause)

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, float | None, Answer]:
        """(status, seconds after which to ask again where the answer says so, answer)."""
        asked = method, self._base + path, body or None, {**self._headers, **headers}
        with suppress(IndexError, OSError, http.client.HTTPException):  # the service closes what is idle
            return self._over(self._idle.pop(), asked)
        return self._over(self._kind(self._host, self._port, timeout=_TIMEOUT), asked)

    def _over(
        self, connection: http.client.HTTPConnection, asked: tuple[str, str, bytes | None, Mapping[str, str]]
    ) -> tuple[int, float | None, Answer]:
        """The same over one connection, which is kept for the next question."""
        try:
            connection.request(*asked)
            response = connection.getresponse()
            pause, data = response.getheader("Retry-After"), response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return response.status, None if pause is None else float(pause), _object(data, response.status)


def _close(connections: Iterable[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


def _object(data: bytes, status: int) -> Answer:
    """The JSON object of an answer; what stands between here and a service may answer something else."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if isinstance(value, dict) and (status < 400 or {"error", "exit_code"} <= value.keys()):
        return value
    return {"error": f"it answered {status}, and no object", "exit_code": ResourceError.exit_code}


def _parts_of(url: str) -> SplitResult:
    """Raises UsageError for what is no address of a service, or holds a password, which messages would show."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which it reads now
    except ValueError:
        raise UsageError(f"--server {url}: give http://HOST:PORT or https://HOST:PORT") from None
    if "@" in parts.netloc:
        raise UsageError("--server: it has a name or a password in it: give http://HOST:PORT, and --token-file")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"--server {url}: give http://HOST:PORT or https://HOST:PORT")
    return parts
