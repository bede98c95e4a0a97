"""What a prover does when its own verification refuses a proof: devices may err."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from zkgpu.backend.protocol import Backend
from zkgpu.errors import SelfCheckError

log = logging.getLogger(__name__)
T = TypeVar("T")


def with_second_tries(backend: Backend, prove: Callable[[Backend], T]) -> T:
    """prove(backend); where that raises SelfCheckError once more, and then on the device the backend falls back on.

    A device that erred is named in a warning. Raises what the last try raises: then the witness or the key is wrong.
    """
    try:
        return prove(backend)
    except SelfCheckError:
        log.debug("%s: a proof failed its self-check", backend.name)
    try:
        proof = prove(backend)
    except SelfCheckError:
        other = backend.fallback()
        if other is None:
            raise
    else:
        log.warning("%s: a proof failed its self-check and was made again: check this machine", backend.name)
        return proof
    proof = prove(other)
    log.warning("%s: a proof failed its self-check twice: do not trust it; made on %s", backend.name, other.name)
    return proof
