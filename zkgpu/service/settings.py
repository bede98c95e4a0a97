"""What an operator sets, judged before anything starts."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from dataclasses import field
from pathlib import Path

from zkgpu.errors import UsageError
from zkgpu.records import dataclass
from zkgpu.service.served import Served

DAY = 86400.0
_PLACE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_LOOPBACK = "localhost"
_LEAST_TOKEN = 16  # characters
_PRINTABLE = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """A service.

    Attributes:
        served: keys and models, by name
        spool: the folder of jobs
        token: what each request must bear, but for those about health; None only where strangers cannot reach it
        most_waiting: jobs in the queue
        most_body: bytes of a request
        keep: seconds for which results are kept
        grace: seconds for what is proven when the service is to end
        slow, rate: a body may take `slow` seconds, and one more for each `rate` bytes
        idle: seconds in which a connection must send the head of a request
        hosts: names of this machine, the only ones that a service without a token answers to
    """

    served: dict[str, Served]
    spool: Path
    token: bytes | None = None
    most_waiting: int = 1000
    most_body: int = 1 << 28
    keep: float = DAY
    grace: float = 30.0
    slow: float = 20.0
    rate: int = 1 << 16
    idle: float = 10.0
    hosts: tuple[str, ...] = field(default=("localhost", "127.0.0.1", "[::1]"))


def address_of(text: str) -> tuple[str, int]:
    """HOST:PORT, with brackets around an IPv6 address. Raises UsageError for anything else."""
    found = _PLACE.fullmatch(text)
    if not found or int(found["port"]) > 65535:
        raise UsageError(f"--listen {text}: give HOST:PORT, such as 127.0.0.1:8545 or [::1]:8545")
    return found["six"] or found["name"], int(found["port"])


def require_safe(host: str, token: bytes | None) -> None:
    """Raises UsageError for a service that strangers reach and anybody may use."""
    if token is None and not _is_loopback(host):
        raise UsageError(
            f"--listen {host}: others reach this address: give --token-file with a secret for them to show, or listen "
            "on 127.0.0.1"
        )


def token_in(path: str) -> bytes:
    """The token in a file that is its owner's alone. Raises UsageError for any other file, and for a short token."""
    mode = os.stat(path).st_mode
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"{path}: others may read this file: chmod 600 it")
    text = Path(path).read_text(errors="replace").strip()
    if len(text) < _LEAST_TOKEN or not _PRINTABLE.fullmatch(text):
        raise UsageError(
            f"{path}: a token has {_LEAST_TOKEN} characters or more and no spaces: `openssl rand -hex 32` makes one"
        )
    return text.encode()


def _is_loopback(host: str) -> bool:
    try:
        return host == _LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which anything may stand behind
        return False
