"""Who means ill: without a token, with too much, too slowly, in too many connections."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.service.running import Puppet, Running, replace, running
from zkgpu.errors import UsageError
from zkgpu.service.settings import Settings, address_of, require_safe, token_in

TOKEN = "0123456789abcdef-token"


@pytest.fixture
def guarded(settings: Settings, puppet: Puppet) -> Iterator[Running]:
    limits = {"most_body": 1000, "slow": 0.5, "idle": 0.5, "rate": 1000}
    with running(replace(settings, token=TOKEN.encode(), **limits), puppet) as made:
        yield made


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"]
)
def test_nothing_is_told_without_the_token(guarded: Running, shown: str | None) -> None:
    guarded.token = None
    headers = {} if shown is None else {"Authorization": shown}
    for method, path in (
        *(("GET", "/v1/keys"), ("GET", "/metrics"), ("GET", "/docs"), ("GET", "/nothing"), ("DELETE", "/v1/proofs/0")),
        *(
            ("POST", "/v1/proofs?key=cubic"),
            ("POST", "/v1/verify"),
            ("GET", "/healthz/../v1/keys"),
            ("GET", "//healthz"),
        ),
    ):
        assert "token" in guarded.ask(method, path, **headers).error(401, 2)
    assert guarded.ask("GET", "/healthz", **headers).status == 200
    assert guarded.ask("GET", "/readyz", **headers).status == 200


def test_with_the_token_all_is_told(guarded: Running) -> None:
    assert guarded.ask("GET", "/v1/keys").status == 200


def test_without_a_token_a_page_cannot_reach_the_service_under_a_name_of_its_own(serve: Running) -> None:
    assert "names" in serve.ask("GET", "/v1/keys", Host="evil.example:80").error(421, 2)
    assert serve.ask("GET", "/v1/keys", Host=f"localhost:{serve.port}").status == 200


def test_a_body_that_is_too_long_is_refused_declared_or_not(guarded: Running) -> None:
    assert "1,000 bytes" in guarded.ask("POST", "/v1/proofs?key=cubic", bytes(1001)).error(413, 2)
    assert "1,000 bytes" in guarded.ask("POST", "/v1/proofs?key=cubic", iter([bytes(600), bytes(600)])).error(413, 2)
    assert "1,000 bytes" in guarded.ask("POST", "/v1/verify", bytes(1001)).error(413, 2)
    assert guarded.ask("POST", "/v1/proofs?key=cubic", bytes(1000)).status == 202


def test_a_body_that_comes_too_slowly_is_cut_off(guarded: Running) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=60)) as connection:
        connection.putrequest("POST", "/v1/proofs?key=cubic")
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.putheader("Content-Length", "500")
        connection.endheaders(b"only this")
        started, response = time.monotonic(), connection.getresponse()
        assert response.status == 408
        assert time.monotonic() - started < 45
    assert guarded.service.jobs._uploads == 0


def test_idle_connections_are_closed_and_keep_nobody_out(guarded: Running) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", guarded.port))) for _ in range(200)]
        for one in idle[:50]:
            one.sendall(b"GET /v1/keys HTTP/1.1\r\nHost: x\r\n")  # a head that never ends
        assert guarded.ask("GET", "/healthz").status == 200
        for one in idle:
            one.settimeout(60)
            assert one.recv(100) == b""


def test_what_is_no_question_for_a_verdict_is_refused(serve: Running) -> None:
    for body in (b"", b"{", b"[]", b"null", b'{"proof": 1}', b"\xff\xfe", b"[" * 5000, b'{"a": NaN}'):
        assert serve.ask("POST", "/v1/verify", body).error(422, 3)


@pytest.mark.parametrize(
    "head", [b"\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 50_000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_answered_or_closed(serve: Running, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", serve.port), timeout=60) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert b"Traceback" not in connection.recv(4096)
    assert serve.ask("GET", "/healthz").status == 200


def test_beyond_this_machine_a_token_is_needed() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "prover.example"):
        with pytest.raises(UsageError, match="token"):
            require_safe(host, None)
        require_safe(host, TOKEN.encode())
    for host in ("127.0.0.1", "::1", "localhost", "127.8.9.1"):
        require_safe(host, None)


def test_a_token_lies_in_a_file_that_is_its_owners(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path), "token")
    file.write_text(TOKEN + "\n")
    file.chmod(0o640)
    with pytest.raises(UsageError, match="others may read"):
        token_in(str(file))
    file.chmod(0o600)
    assert token_in(str(file)) == TOKEN.encode()
    for text in ("short", "sixteen characters with spaces", ""):
        file.write_text(text)
        with pytest.raises(UsageError, match="16 characters"):
            token_in(str(file))


@pytest.mark.parametrize("text", ["", "8545", "host", "host:99999", "::1:80", "[::1]", "a:b:80", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        address_of(text)


def test_addresses_are_read() -> None:
    assert address_of("127.0.0.1:8545") == ("127.0.0.1", 8545)
    assert address_of("[::1]:80") == ("::1", 80)
