"""The service's face over HTTP, as an ASGI application."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from zkgpu.errors import FormatError, ResourceError, UsageError, described
from zkgpu.service.guards import Refused, RequireToken, body_of
from zkgpu.service.questions import Against, Ask, Wait, asked, openapi, page, require_text
from zkgpu.service.service import Service, UnknownName
from zkgpu.service.spool import Conflict, Job

Answer = Callable[[Service, Request], Awaitable[Response]]

MOST_JSON = 1 << 24  # bytes of what is to be verified
_SOON = {"Retry_After": "1"}
_MOST_KEY = 200  # characters of an idempotency key
_STATUS: list[tuple[type[Exception], int]] = [
    (UnknownName, 404),
    (Conflict, 409),
    (UsageError, 400),
    (FormatError, 422),
    (ResourceError, 503),
]


def application(service: Service) -> Starlette:
    """The application, which starts the service and stops it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        return Route(path, _answering(service, answer), methods=[method])

    return Starlette(
        routes=[
            route("/v1/proofs", _ask, "POST"),
            route("/v1/proofs/{id}", _tell),
            route("/v1/proofs/{id}", _cancel, "DELETE"),
            route("/v1/verify", _verify, "POST"),
            route("/v1/keys", _keys),
            route("/v1/keys/{name}", _key),
            route("/healthz", _health),
            route("/readyz", _ready),
            route("/metrics", _metrics),
            route("/openapi.json", _openapi),
            route("/docs", _docs),
        ],
        exception_handlers={HTTPException: _not_there},
        middleware=[Middleware(RequireToken, settings=service.settings)],
        lifespan=lifespan,
    )


async def _not_there(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = f"{error.detail}: /docs lists what may be asked, and how".lower()
    return Refused(error.status_code, said, UsageError.exit_code, **(error.headers or {})).response()


def _answering(service: Service, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def call(request: Request) -> Response:
        try:
            return await answer(service, request)
        except Refused as refused:
            service.metrics.refused.labels(str(refused.status)).inc()
            return refused.response()
        except Exception as error:  # whatever it is, a client gets one line without values
            text, code = described(error)
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
            service.metrics.refused.labels(str(status)).inc()
            return Refused(status, text, code, **(_SOON if status == 503 else {})).response()

    return call


async def _ask(service: Service, request: Request) -> Response:
    ask: Ask = asked(request.query_params.multi_items(), Ask)
    if ask.key not in service.settings.served:
        service.facts_of(ask.key)
    idempotency = _idempotency(request)
    known = await service.jobs.by_idempotency(idempotency) if idempotency else None
    _require_seat(service, is_known=known is not None)
    try:
        job = await _accepted(service, request, ask, idempotency)
    finally:
        if known is None:
            service.jobs.release()
    return JSONResponse(_shown(job), 202, {"Location": f"/v1/proofs/{job.id}"})


def _require_seat(service: Service, is_known: bool) -> None:
    if service.jobs.is_draining:
        raise Refused(503, "the service is about to end: ask again soon", ResourceError.exit_code, Retry_After="10")
    seconds = None if is_known else service.jobs.reserve()
    if seconds is not None:
        text = "the queue is full: ask again after a while"
        raise Refused(429, text, ResourceError.exit_code, Retry_After=f"{seconds:.0f}")


async def _accepted(service: Service, request: Request, ask: Ask, idempotency: str | None) -> Job:
    digest, size = service.jobs.digest(), 0
    digest.update(repr((ask.key, ask.options)).encode())
    path, file = service.jobs.upload()
    try:
        with file:
            async for piece in body_of(request, service.settings):
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
            await service.jobs.flushed(file)
        if not size:
            raise UsageError("the body is empty: send the file that is to be proven")
        deadline = None if ask.deadline is None else time.time() + ask.deadline
        job = Job(ask.key, ask.options, digest.digest(), size, ask.priority, deadline, idempotency)
        return await service.jobs.accept(job, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _idempotency(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _MOST_KEY:
        raise UsageError(f"an idempotency key has 1 to {_MOST_KEY} characters")
    return key


async def _tell(service: Service, request: Request) -> Response:
    wait: Wait = asked(request.query_params.multi_items(), Wait)
    job = await _job(service, request)
    if wait.wait and not job.is_over:
        await service.jobs.wait(job, wait.wait)
    return JSONResponse(_shown(job))


async def _cancel(service: Service, request: Request) -> Response:
    job = await _job(service, request)
    if not job.is_over:
        await service.jobs.cancel(job)
    return JSONResponse(_shown(job), 200 if job.is_over else 202)


async def _job(service: Service, request: Request) -> Job:
    job = await service.jobs.find(request.path_params["id"])
    if job is None:
        raise UnknownName("there is no such job, or its result was kept for as long as results are")
    return job


def _shown(job: Job) -> dict[str, Any]:
    """A job as clients see it: of one that is over, all that came of it."""
    times = {name: getattr(job, name) for name in ("created", "started", "finished", "deadline")}
    facts = {"id": job.id, "key": job.key, "state": job.state, "priority": job.priority, **times}
    if job.outcome is None:
        return {**facts, "stages": dict(job.stages)}
    outcome = {**job.outcome}
    told = [name for name in ("exit_code", "error", "stages", "seconds") if name in outcome]
    shown: dict[str, Any] = {name: outcome.pop(name) for name in told}
    return {**facts, "lost": job.lost, **shown, **({"result": outcome} if outcome["ok"] else {})}


async def _verify(service: Service, request: Request) -> Response:
    against: Against = asked(request.query_params.multi_items(), Against)
    own_key = service.facts_of(against.key)["verification_key"] if against.key else None
    body = bytearray()
    async for piece in body_of(request, service.settings):
        body += piece
        if len(body) > MOST_JSON:
            raise Refused(413, f"a proof and its public values have at most {MOST_JSON:,} bytes", connection="close")
    outcome = await service.verify(require_text(bytes(body)), own_key)
    return JSONResponse(outcome, 200 if outcome["ok"] else 422)


async def _keys(service: Service, request: Request) -> Response:
    hidden = ("verification_key", "statement")
    found = {name: service.facts_of(name) for name in service.settings.served}
    return JSONResponse(
        {name: {key: fact for key, fact in facts.items() if key not in hidden} for name, facts in found.items()}
    )


async def _key(service: Service, request: Request) -> Response:
    return JSONResponse(service.facts_of(request.path_params["name"]))


async def _health(service: Service, request: Request) -> Response:
    return JSONResponse({"ok": True})


async def _ready(service: Service, request: Request) -> Response:
    return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else 503)


async def _metrics(service: Service, request: Request) -> Response:
    return Response(service.jobs.page(), media_type="text/plain; version=0.0.4")


async def _openapi(service: Service, request: Request) -> Response:
    return JSONResponse(openapi())


async def _docs(service: Service, request: Request) -> Response:
    return HTMLResponse(page())
