"""What stands before every request: who may ask, how much a body may be, and how slow."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from zkgpu.errors import UsageError
from zkgpu.service.settings import Settings

OPEN = ("/healthz", "/readyz")  # what needs no token: those who ask for it run the machine, and learn nothing else


class Refused(Exception):
    """A request that comes to nothing.

    Attributes:
        status: of the response
        code: the exit code that the command would have
        headers: beside the others
    """

    def __init__(self, status: int, text: str, code: int = UsageError.exit_code, **headers: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> JSONResponse:
        body = {"ok": False, "error": str(self), "exit_code": self.code}
        return JSONResponse(body, self.status, self.headers)


class RequireToken:
    """Lets through what bears the token, in any time but the same; where there is none, what calls this machine so.

    Without a token a page in a browser could reach a service on its user's machine under a name of its own: hence the
    list of names.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._judged(scope) if scope["type"] == "http" else None
        if refused is not None:
            await refused.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _judged(self, scope: Scope) -> Refused | None:
        headers, token = Headers(scope=scope), self._settings.token
        if scope["path"] in OPEN:
            return None
        if token is None:
            name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
            return None if name in self._settings.hosts else Refused(421, "this service is called by other names")
        given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given[2].strip().encode("utf-8", "replace"), token)
        if given[0].lower() == "bearer" and same:
            return None
        return Refused(401, "a token is needed: send 'Authorization: Bearer ..'", WWW_Authenticate="Bearer")


async def body_of(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    """The pieces of a body. Raises Refused for one that is too long or too slow, as soon as that shows."""
    declared = request.headers.get("content-length", "0")
    _require_room(int(declared) if declared.isdecimal() else 0, settings)
    received, started = 0, time.monotonic()
    pieces = request.stream().__aiter__()
    while True:
        left = started + settings.slow + received / settings.rate - time.monotonic()
        try:
            piece = await asyncio.wait_for(pieces.__anext__(), max(left, 0))
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise Refused(408, "the body comes too slowly: send it again", connection="close") from None
        except ClientDisconnect:
            raise Refused(400, "the body is cut short: send it again", connection="close") from None
        received += len(piece)
        _require_room(received, settings)
        yield piece


def _require_room(size: int, settings: Settings) -> None:
    if size > settings.most_body:
        raise Refused(
            413,
            f"a body has at most {settings.most_body:,} bytes: the operator gives more with --most-body",
            connection="close",
        )
