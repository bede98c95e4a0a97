"""Stages reach whoever listened where the work was started, in every thread; and work stops between two of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import zkgpu
from zkgpu.errors import CancelledError
from zkgpu.jit.threads import parallel
from zkgpu.stages import Steps, advance, cancellable, carried, listening, measuring, stage, steps

INPUTS = {"x": 3, "y": 35}
STAGES = {"groth16": "quotient", "plonk": "grand product"}


def cubic() -> zkgpu.Circuit:
    c = zkgpu.Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x**3 + x + 5, y)
    return c


@pytest.fixture(scope="module", params=STAGES)
def prover(request: pytest.FixtureRequest) -> zkgpu.Prover:
    key = zkgpu.unsafe_setup(cubic(), request.param, backend="cpu")
    return zkgpu.Prover(key, "cpu", threads=2, circuit=cubic())


class Heard(list[str]):
    """Names of the stages that ended."""

    def __call__(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self.append(name)


def prove_in_thread(prover: zkgpu.Prover) -> Any:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # the thread is there already, in a context of its own
        return pool.submit(carried(prover.prove), INPUTS).result()


WAYS: dict[str, Callable[[zkgpu.Prover], Any]] = {
    "at once": lambda prover: prover.prove(INPUTS),
    "in a thread of asyncio": lambda prover: asyncio.run(to_thread(prover)),
    "beside the event loop": lambda prover: asyncio.run(prover.prove_async(INPUTS)),
    "in an executor": prove_in_thread,
}


async def to_thread(prover: zkgpu.Prover) -> Any:
    return await asyncio.to_thread(prover.prove, INPUTS)


@pytest.mark.parametrize("way", WAYS)
def test_whoever_listens_where_a_proof_is_started_hears_of_it(prover: zkgpu.Prover, way: str) -> None:
    heard = Heard()
    with listening(heard):
        done = WAYS[way](prover)
    assert zkgpu.verify(prover.key.verifying_key, done)
    assert {"check constraints", STAGES[prover.key.system], "self-check"} <= set(heard)
    count = len(heard)
    prover.prove(INPUTS)
    assert len(heard) == count, "nobody listens any more"


def test_proofs_beside_each_other_are_heard_by_their_own_listeners(prover: zkgpu.Prover) -> None:
    async def one(heard: Heard) -> None:
        with listening(heard):
            await prover.prove_async(INPUTS)

    async def several(all_heard: list[Heard]) -> None:
        await asyncio.gather(*map(one, all_heard))

    all_heard = [Heard() for _ in range(3)]
    asyncio.run(several(all_heard))
    assert all_heard[0] == all_heard[1] == all_heard[2]
    assert all_heard[0].count("self-check") == 1


def test_zkgpu_s_own_threads_work_in_the_context_of_who_asked() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="theirs")
    barrier = threading.Barrier(3, timeout=20)

    def task() -> tuple[str, int]:
        barrier.wait()  # so that no thread takes two
        with stage("a task"):
            return variable.get(), threading.get_ident()

    heard = Heard()
    variable.set("ours")
    with listening(heard):
        found = parallel([task] * 3, 3)
    assert [value for value, _ in found] == ["ours"] * 3
    assert len({ident for _, ident in found}) == 3
    assert heard == ["a task"] * 3


def stages_of(prover: zkgpu.Prover) -> list[str]:
    begun: list[str] = []
    with listening(lambda name, seconds: begun.append(name) if seconds is None else None):
        prover.prove(INPUTS)
    return begun


class Stop(Exception):
    """What a listener raises that has had enough."""


@pytest.mark.parametrize("how", ["a listener that raises", "an event that is set"])
def test_a_proof_is_stopped_at_each_of_its_stages_and_the_prover_goes_on(prover: zkgpu.Prover, how: str) -> None:
    for at, name in enumerate(stages_of(prover)):
        event, begun = threading.Event(), []

        def listen(name: str, seconds: float | None, at=at, event=event, begun=begun) -> None:  # type: ignore[no-untyped-def]
            if seconds is not None:
                return
            begun.append(name)
            if len(begun) > at:
                event.set()
                if how == "a listener that raises":
                    raise Stop

        if how == "a listener that raises":
            with pytest.raises(Stop), listening(listen):
                prover.prove(INPUTS)
            assert len(begun) == at + 1
        elif name != "self-check":
            with pytest.raises(CancelledError, match="stopped before the stage"), listening(listen):
                prover.prove(INPUTS, cancel=event)
            assert len(begun) == at + 1, "no stage began after the event"
        assert zkgpu.verify(prover.key.verifying_key, prover.prove(INPUTS))


def test_an_event_that_is_set_beforehand_stops_everything(prover: zkgpu.Prover) -> None:
    event = threading.Event()
    event.set()
    with pytest.raises(CancelledError) as error:
        prover.prove(INPUTS, cancel=event)
    assert error.value.exit_code == 130
    with pytest.raises(CancelledError), cancellable(event), cancellable(threading.Event()), cancellable(None):
        prover.prove(INPUTS)
    prover.prove(INPUTS, cancel=threading.Event())


def test_a_task_that_is_cancelled_ends_when_its_proof_has_stopped(prover: zkgpu.Prover) -> None:
    begun, go_on, stopped = threading.Event(), threading.Event(), []

    def listen(name: str, seconds: float | None) -> None:
        begun.set()
        assert go_on.wait(20)

    async def cancelled() -> None:
        with listening(listen):
            task = asyncio.create_task(prover.prove_async(INPUTS))
            await asyncio.to_thread(begun.wait, 20)
            task.cancel()
            await asyncio.sleep(0)
            stopped.append(task.done())
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            stopped.append(threading.active_count() > 0 and task.cancelled())

    asyncio.run(cancelled())
    assert stopped == [False, True]
    assert zkgpu.verify(prover.key.verifying_key, prover.prove(INPUTS))


def test_an_error_reaches_whoever_awaits(prover: zkgpu.Prover) -> None:
    with pytest.raises(zkgpu.errors.UnsatisfiedError):
        asyncio.run(prover.prove_async({"x": 3, "y": 36}))


def test_stopped_work_leaves_no_file_behind(tmp_path: Path, prover: zkgpu.Prover) -> None:
    def prove_and_save(event: threading.Event) -> None:
        prover.prove(INPUTS, cancel=event).save(tmp_path / "proof.json")

    event = threading.Event()
    at_once = STAGES[prover.key.system]
    with pytest.raises(CancelledError), listening(lambda name, seconds: event.set() if name == at_once else None):
        prove_and_save(event)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("system", STAGES)
def test_a_setup_is_stopped_too(system: str) -> None:
    event = threading.Event()
    with listening(lambda name, seconds: event.set()), cancellable(event), pytest.raises(CancelledError):
        zkgpu.unsafe_setup(cubic(), system, backend="cpu")


def test_a_carried_function_is_called_by_many_threads_at_once() -> None:
    barrier, heard = threading.Barrier(4, timeout=20), Heard()

    def work(value: int) -> int:
        """Doubles."""
        with stage("work"):
            barrier.wait()
            return 2 * value

    with listening(heard):
        bound = carried(work)
    assert bound.__doc__ == "Doubles."
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(partial(bound), range(4))) == [0, 2, 4, 6]
    assert heard == ["work"] * 4


def test_a_setup_tells_how_many_of_its_points_are_made() -> None:
    heard: list[tuple[int, int]] = []
    with measuring(lambda now: heard.append((now.done, now.total))):
        zkgpu.unsafe_setup(cubic(), "groth16", backend="cpu")
    done, totals = zip(*heard, strict=True)
    assert list(done) == sorted(set(done))
    assert set(totals) == {done[-1]}
    assert len(done) >= 5


def test_a_setup_stops_between_two_pieces() -> None:
    cancel = threading.Event()
    with cancellable(cancel), measuring(lambda _: cancel.set()), pytest.raises(CancelledError, match="stopped after"):
        zkgpu.unsafe_setup(cubic(), "groth16", backend="cpu")


def test_steps_tell_percentage_rate_and_time_left() -> None:
    assert str(Steps(200, 50, time.perf_counter() - 5)) == "25 %, 10 a second, 15 s left"
    assert str(Steps(200)) == "0 %"


def test_steps_of_what_is_called_are_parts_of_those_of_the_caller() -> None:
    heard: list[str] = []
    advance(1)  # of nothing that is counted
    with measuring(lambda now: heard.append(f"{now.done} of {now.total}")), steps(10):
        with steps(3):
            advance(3)
        advance(7)
    assert heard == ["3 of 10", "10 of 10"]
