"""Which job goes where."""

from __future__ import annotations

from tests.service.running import Puppet
from zkgpu.service.opened import Options
from zkgpu.service.places import State
from zkgpu.service.scheduling import MOST_PASSES, choose
from zkgpu.service.spool import Job


def job(key: str, priority: int = 0) -> Job:
    return Job(key, Options(), b"", 1, priority)


def place(*resident: str, shared: bool = True) -> Puppet:
    return Puppet(is_shared=shared, state=State(list(resident)))


def large(key: str) -> bool:
    return key == "large"


def test_nothing_is_chosen_without_a_job_or_a_place() -> None:
    assert choose([], [place()], [], large) is None
    assert choose([job("a")], [], [], large) is None


def test_a_job_goes_where_its_key_is_open() -> None:
    waiting, places = [job("a")], [place("b"), place("a")]
    assert choose(waiting, places, [], large) == (waiting[0], places[1])


def test_one_whose_key_is_open_may_pass_one_whose_key_is_not_but_only_so_often() -> None:
    waiting, here = [job("a"), job("b")], place("b")
    assert choose(waiting, [here], [], large) == (waiting[1], here)
    waiting[0].passed = MOST_PASSES
    assert choose(waiting, [here], [], large) == (waiting[0], here)


def test_none_of_lower_priority_passes() -> None:
    waiting, here = [job("a", 1), job("b")], place("b")
    assert choose(waiting, [here], [], large) == (waiting[0], here)


def test_a_large_proof_waits_until_the_machine_rests_and_others_until_it_is_made() -> None:
    small, big = job("small"), job("large")
    free, busy = place("large"), place("small")
    assert choose([big], [free], [(small, busy)], large) is None
    assert choose([big], [free, busy], [], large) == (big, free)
    assert choose([small], [busy], [(big, free)], large) is None


def test_a_place_with_cores_of_its_own_waits_for_nobody() -> None:
    small, big = job("small"), job("large")
    gpu, other = place(shared=False), place(shared=False)
    assert choose([big], [gpu], [(small, other)], large) == (big, gpu)
    assert choose([small], [gpu], [(big, other)], large) == (small, gpu)


def test_few_pass_a_large_proof_that_waits() -> None:
    waiting = [job("large"), *(job("small") for _ in range(100))]
    here, busy = place("small"), place("small")
    for _ in range(MOST_PASSES):
        found = choose(waiting, [here], [(job("small"), busy)], large)
        assert found is not None
        waiting.remove(found[0])
        waiting[0].passed += 1
    assert choose(waiting, [here], [(job("small"), busy)], large) is None
