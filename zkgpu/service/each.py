"""Proofs of one inference after another by a service, or by places: what `inference.Prover.prove_each` does here.

Each is a context, whose end is the end of whatever was asked for and not waited for. It gives a function of samples,
that is real inputs by name; which yields their statements in order, each verified by the key that the caller has.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import UsageError, error_with
from zkgpu.provers.proof_system import AnyVerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.service.batch import at_work, outcome_at
from zkgpu.service.client import Client
from zkgpu.service.opened import Options, statement_from, verifying_key_from
from zkgpu.service.places import Order, Outcome, Place

Sample: TypeAlias = Mapping[str, NDArray[Any]]
ProveEach: TypeAlias = Callable[[Sequence[Sample]], Iterator[Statement]]

_AHEAD = 32  # jobs that a service has at a time: enough for its places, and little is lost with what asked


@contextmanager
def by_service(client: Client, name: str, key: AnyVerifyingKey, *, clamp: bool = False) -> Iterator[ProveEach]:
    """By a service's key of that name.

    Args:
        clamp: as of `inference.Prover.prove_each`

    Raises UsageError where it is another than the caller's; else as `Client`, and what the service's command raises.
    """
    _require_same(name, client.key(name), key)
    asked: deque[str] = deque()

    def prove_each(samples: Sequence[Sample]) -> Iterator[Statement]:
        query = {"key": name, "clamp": str(clamp).lower()}
        jobs = (client.begin(file_of(sample), query) for sample in samples)
        asked.extend(islice(jobs, _AHEAD))
        while asked:
            job = client.end_of(asked[0])
            asked.popleft()
            asked.extend(islice(jobs, 1))
            yield _required(job.get("result", job), key)

    try:
        yield prove_each
    finally:
        for id_ in asked:
            client.cancel(id_)


@contextmanager
def by_places(places: Sequence[Place], name: str, key: AnyVerifyingKey, *, clamp: bool = False) -> Iterator[ProveEach]:
    """By places that serve a key under that name, all at once; they are closed at the end. Raises as `Place.open`.

    Args:
        clamp: as of `inference.Prover.prove_each`
    """
    pool = ThreadPoolExecutor(len(places), "zkgpu-each")
    free: SimpleQueue[Place] = SimpleQueue()

    def outcome(sample: Sample) -> Outcome:
        place = free.get()
        try:
            return outcome_at(place, Order("", name, file_of(sample), Options(clamp=clamp)))
        finally:
            free.put(place)

    def prove_each(samples: Sequence[Sample]) -> Iterator[Statement]:
        for made in pool.map(outcome, samples):
            yield _required(made, key)

    try:
        facts = places[0].open(name)
        _require_same(name, facts, key)
        for place in at_work(places, facts):
            free.put(place)
        yield prove_each
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for place in places:  # which ends what they do
            place.close()
        pool.shutdown()


def file_of(sample: Sample) -> bytes:
    """What an .npz with one sample holds."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in sample.items()})
    return file.getvalue()


def _require_same(name: str, facts: Mapping[str, Any], key: AnyVerifyingKey) -> None:
    if verifying_key_from(facts["verification_key"]) != key:
        raise UsageError(f"{name}: whoever proves has another key by this name: give it the one of this folder")


def _required(outcome: Outcome, key: AnyVerifyingKey) -> Statement:
    """The statement that came of a sample. Raises the error that came instead, SelfCheckError for no valid proof."""
    if "error" in outcome:
        raise error_with(outcome["error"].removeprefix("bytes: "), outcome["exit_code"])
    return statement_from(outcome, key)
