"""A service run by uvicorn: connections that say nothing are closed, and a signal drains before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from zkgpu.errors import ResourceError, UsageError
from zkgpu.service.app import application
from zkgpu.service.service import Service

_LAST = 3  # seconds for responses that are under way when the service ends
_MOST_HEAD = 1 << 14  # bytes of a request's head


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError for no address, ResourceError for one that is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"--listen {host}:{port}: this is no address of this machine ({error.strerror})") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        raise ResourceError(f"--listen {host}:{port}: cannot listen there ({error.strerror}): take another") from error
    return opened


def run(service: Service, listening: socket.socket) -> None:
    """Serves until a signal comes, or the service stops itself (`Server.end`)."""
    allow_many_connections()
    Server(service).run([listening])


class Server(uvicorn.Server):
    """The first SIGTERM or SIGINT has the service drain, while it still answers; the second ends it at once."""

    def __init__(self, service: Service) -> None:
        self._service, self._draining = service, False
        self._event_loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            application(service),
            http=_with_patience(service.settings.idle),
            ws="none",
            lifespan="on",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(int(service.settings.idle), 1),
            timeout_graceful_shutdown=_LAST,
            h11_max_incomplete_event_size=_MOST_HEAD,
        )
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._event_loop = asyncio.get_running_loop()
        self._service.on_failure = self.end
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining or self._event_loop is None:
            self.end()
            self.force_exit = sig == signal.SIGINT
        else:
            self._draining = True
            self._event_loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._drain()))

    def end(self) -> None:
        self.should_exit = True

    async def _drain(self) -> None:
        await self._service.jobs.drain(self._service.settings.grace)
        self.end()


def _with_patience(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which would wait for the head of a request for ever."""

    class Impatient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect(again=False)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _expect(self, again: bool = True) -> None:
            """The head of a request is to come in time, unless one is being answered."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif again:
                self._forget()
                self._late = self.loop.call_later(seconds, self.transport.close)

        def _forget(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Impatient


def allow_many_connections() -> None:
    """As many open files as the system lets this process have."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
