"""What clients say beside the files that they send, and the page that tells them how."""

from __future__ import annotations

import html
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

import zkgpu
from zkgpu.errors import FormatError, UsageError
from zkgpu.service.opened import Options

_WHERE = re.compile(r" - at `\$\.?(\w*)`")
_JSON = "application/json"


class Ask(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The question of `POST /v1/proofs`."""

    key: Annotated[str, Meta(max_length=64, description="The name of a key or a model.")]
    priority: Annotated[int, Meta(ge=-9, le=9, description="Jobs with a larger one are proven first.")] = 0
    deadline: (
        Annotated[float, Meta(gt=0, le=1e7, description="Seconds from now until a proof is of no use.")] | None
    ) = None
    clamp: Annotated[bool, Meta(description="Bring what is out of a model's ranges to its end.")] = False
    binding: Annotated[str, Meta(max_length=66, description="The bytes that a model's proof is for: 0x..")] = ""
    witness_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds that a circuit's calculator may run.")
    ] = 600.0

    @property
    def options(self) -> Options:
        return Options(self.clamp, self.binding, self.witness_timeout)


class Wait(msgspec.Struct, forbid_unknown_fields=True):
    """The question of `GET /v1/proofs/{id}`."""

    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait for the job's end.")] = 0.0


class Against(msgspec.Struct, forbid_unknown_fields=True):
    """The question of `POST /v1/verify`."""

    key: Annotated[str, Meta(max_length=64, description="Verify by this key; else send a verification key.")] = ""


def asked(pairs: list[tuple[str, str]], kind: type[msgspec.Struct]) -> Any:
    """The question that a query holds. Raises UsageError, by name, for anything else."""
    given = dict(pairs)
    if len(given) != len(pairs):
        raise UsageError("something is asked for twice: say it once")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(_WHERE.sub(r": '\1'", str(error))) from None


def require_text(data: bytes) -> str:
    """Raises FormatError for bytes that are no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"byte {error.start:,} is not UTF-8: send JSON") from None


_CALLS: list[tuple[str, str, str, type[msgspec.Struct] | None, str | None]] = [
    (
        "post",
        "/v1/proofs",
        "Ask for a proof. The body is the file that the command takes: a .wtns, an input.json, samples of a model. 202 "
        "says that the job is on disk. Header Idempotency-Key: the same key gives the same job.",
        Ask,
        "*/*",
    ),
    (
        "get",
        "/v1/proofs/{id}",
        "A job: its state, its stages with seconds, and the result or the error as the command gives it.",
        Wait,
        None,
    ),
    ("delete", "/v1/proofs/{id}", "Cancel a job: at once, or before the next stage of its proof.", None, None),
    (
        "post",
        "/v1/verify",
        "Verify a proof: an object with proof, public and, unless a key is named, verification_key.",
        Against,
        _JSON,
    ),
    ("get", "/v1/keys", "The keys and models, by name.", None, None),
    ("get", "/v1/keys/{name}", "One of them, with its verification key and a model's statement.", None, None),
    ("get", "/healthz", "Whether the service answers.", None, None),
    ("get", "/readyz", "Whether all keys are open and jobs are taken.", None, None),
    ("get", "/metrics", "Counters for Prometheus.", None, None),
]


def openapi() -> dict[str, Any]:
    """The description of all calls, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, text, question, body in _CALLS:
        in_path = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        call: dict[str, Any] = {
            "summary": text,
            "parameters": in_path + (_parameters(question) if question else []),
            "responses": {
                "default": {"description": "JSON; of an error: error, one line, and the command's exit_code."}
            },
        }
        if body:
            call["requestBody"] = {"required": True, "content": {body: {}}}
        paths.setdefault(path, {})[method] = call
    return {
        "openapi": "3.1.0",
        "info": {"title": "zkgpu", "version": zkgpu.__version__, "description": "Proofs on demand."},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _parameters(question: type[msgspec.Struct]) -> list[dict[str, Any]]:
    (schema,) = (s for s in msgspec.json.schema_components([question])[1].values())
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": one}
        for name, one in schema["properties"].items()
    ]


def page() -> str:
    """The same for people."""
    rows = []
    for method, path, text, question, _ in _CALLS:
        names = ", ".join(field.name for field in msgspec.structs.fields(question)) if question else ""
        query = f"<br>query: <code>{html.escape(names)}</code>" if names else ""
        rows.append(f"<dt><code>{method.upper()} {html.escape(path)}</code></dt><dd>{html.escape(text)}{query}</dd>")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>zkgpu</title><h1>zkgpu</h1>"
        f"<p>In full: <a href=/openapi.json>openapi.json</a>.</p><dl>{''.join(rows)}</dl></html>"
    )
