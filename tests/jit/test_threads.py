"""The shared thread pool."""

import multiprocessing
import threading

import numpy as np
import pytest

from zkgpu.errors import UsageError
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.jit.threads import available_threads, parallel, ranges


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(threads):
    assert parallel([lambda k=k: k * k for k in range(50)], threads) == [k * k for k in range(50)]


def test_no_tasks_give_no_results():
    assert parallel([], 4) == []


def test_one_thread_runs_in_the_caller():
    assert parallel([threading.get_ident] * 3, 1) == [threading.get_ident()] * 3


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [IndexError, KeyError, KeyboardInterrupt])
def test_an_exception_reaches_the_caller_and_stops_the_rest(threads, error):
    done = []

    def fail():
        raise error("mine")

    with pytest.raises(error, match="mine"):
        parallel([fail] * threads + [lambda: done.append(1)] * 1000, threads)
    assert len(done) < 1000


def test_calls_may_nest_deeper_than_the_pool():
    def nest(depth):
        return sum(parallel([lambda: nest(depth - 1)] * 3, 3)) if depth else 1

    assert nest(4) == 81


def child(queue):
    queue.put(parallel([lambda: 1, lambda: 2], 2))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_gets_threads_of_its_own():
    parallel([lambda: 0, lambda: 0], 2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    assert queue.get(timeout=30) == [1, 2]
    process.join()


def test_the_thread_count_can_be_set(monkeypatch):
    monkeypatch.setenv("ZKGPU_THREADS", "3")
    assert available_threads() == 3
    monkeypatch.setenv("ZKGPU_THREADS", "many")
    with pytest.raises(UsageError, match="many"):
        available_threads()


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize("parts", [1, 3, 8])
def test_ranges_cover_everything_once(n, parts):
    cuts = ranges(n, parts, 8)
    assert [k for begin, end in cuts for k in range(begin, end)] == list(range(n))
    assert len(cuts) <= parts
    assert all(begin % 8 == 0 for begin, _ in cuts)


def test_arrays_begin_at_a_cache_line():
    for shape in [1, (3, 5, 8), (0, 5, 8)]:
        array = aligned_empty(shape, np.int64)
        assert array.ctypes.data % 64 == 0 or array.size == 0
        assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert not aligned_zeros((7, 4)).any()
