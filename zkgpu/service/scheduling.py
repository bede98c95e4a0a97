"""Which job goes where next: a pure question, asked whenever a job comes or a place becomes free."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zkgpu.service.places import Place
from zkgpu.service.spool import Job

LOOKED_AT = 64  # jobs from the head of the queue, of which one may go first where its key is open
MOST_PASSES = 16  # jobs that may pass one


def choose(
    waiting: Sequence[Job],
    free: Sequence[Place],
    running: Sequence[tuple[Job, Place]],
    is_large: Callable[[str], bool],
) -> tuple[Job, Place] | None:
    """The next job and its place, or None while there is nothing to do but to wait.

    Args:
        waiting: the queue, by rank
        is_large: whether a proof by this key is to have the cores of its machine to itself

    A job goes to a place where its key is open. Others of the same priority may pass one whose key is open nowhere,
    but few. A large proof is made where places share their cores when all of them rest, for which those that are free
    wait; beside it nothing begins there.
    """
    if any(place.is_shared and is_large(job.key) for job, place in running):
        free = [place for place in free if not place.is_shared]
    if not waiting or not free:
        return None
    head = waiting[0]
    if head.passed < MOST_PASSES:
        for job in waiting[:LOOKED_AT]:
            place = next((place for place in free if job.key in place.state.resident), None)
            if place is not None and job.priority == head.priority and not is_large(job.key):
                return job, place
    place = min(free, key=lambda place: (head.key not in place.state.resident, place.state.bytes))
    if is_large(head.key) and place.is_shared and any(other.is_shared for _, other in running):
        return None
    return head, place
