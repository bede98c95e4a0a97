"""Keys within a budget, and what becomes of a job where a device errs."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from zkgpu.errors import ResourceError, SelfCheckError, UnsatisfiedError
from zkgpu.service.opened import Options
from zkgpu.service.resident import Residents
from zkgpu.service.served import Served
from zkgpu.stages import stage

GPU, CPU = "gpu", "cpu"


class Key:
    """A key that is open; it raises what it is given, one after another, and then proves."""

    key = SimpleNamespace(is_unsafe=False, weakness=lambda: None)

    def __init__(self, device: str, errors: list[Exception]) -> None:
        self.device, self._errors = device, errors

    def results(self, body: bytes, options: Options) -> dict[str, Any]:
        with stage("multi-scalar multiplications"):
            if self._errors and self.device == GPU:
                raise self._errors.pop(0)
        with stage("self-check"):
            return {"proof": body.decode()}


def residents(folder: Path, errors: list[Exception], memory: int = 1 << 20, on_cpu: Any = lambda: CPU) -> Residents:
    served = {name: Served(name, str(folder / name)) for name in "abc"}
    for one in served.values():
        Path(one.path).write_bytes(bytes(100))
    return Residents(served, GPU, memory, on_cpu, lambda _, devices: Key(devices, errors))  # type: ignore[arg-type, return-value]


def outcome(keeping: Residents, cancel: threading.Event | None = None) -> dict[str, Any]:
    return keeping.outcome("a", b"body", Options(), lambda *_: None, cancel)


def test_the_keys_used_longest_ago_go_when_others_need_their_place(tmp_path: Path) -> None:
    keeping = residents(tmp_path, [], memory=250)
    for name in "abac":
        keeping.opened(name)
    assert (keeping.names, keeping.size) == (["a", "c"], 200)


def test_one_key_may_have_more_than_the_budget(tmp_path: Path) -> None:
    keeping = residents(tmp_path, [], memory=50)
    keeping.opened("a")
    keeping.opened("b")
    assert keeping.names == ["b"]


def test_an_error_of_the_device_is_tried_again_there_and_counted(tmp_path: Path) -> None:
    keeping = residents(tmp_path, [RuntimeError("CUDA_ERROR_LAUNCH_FAILED 35")])
    found = outcome(keeping)
    assert (found["ok"], found["device"], found["device_errors"]) == (True, GPU, ["RuntimeError"])
    assert not keeping.is_faulty


def test_a_device_that_errs_twice_gives_way_to_the_cpu_and_is_begun_anew(tmp_path: Path) -> None:
    keeping = residents(tmp_path, [RuntimeError("1"), ResourceError("2")])
    found = outcome(keeping)
    assert (found["ok"], found["device"]) == (True, CPU)
    assert found["device_errors"] == ["RuntimeError", "ResourceError"]
    assert keeping.is_faulty


def test_what_is_wrong_with_the_job_is_not_tried_again(tmp_path: Path) -> None:
    errors: list[Exception] = [UnsatisfiedError("constraint cubic"), RuntimeError("never reached")]
    found = outcome(residents(tmp_path, errors))
    assert (found["ok"], found["error"], found["exit_code"]) == (False, "constraint cubic", 4)
    assert found["device_errors"] == []
    assert len(errors) == 1


def test_on_a_cpu_alone_nothing_is_tried_again(tmp_path: Path) -> None:
    found = outcome(residents(tmp_path, [RuntimeError("value 35")], on_cpu=None))
    assert found["exit_code"] == 70
    assert "35" not in found["error"]


def test_a_cancelled_job_stops_before_its_next_stage(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    found = outcome(residents(tmp_path, []), cancel)
    assert (found["ok"], found["exit_code"], found["device_errors"]) == (False, 130, [])


def test_refused_self_checks_are_counted(tmp_path: Path) -> None:
    class Twice(Key):
        def results(self, body: bytes, options: Options) -> dict[str, Any]:
            with stage("self-check"):
                pass
            return super().results(body, options)

    keeping = residents(tmp_path, [])
    assert outcome(keeping)["self_check_failures"] == 0
    keeping._open["a"] = Twice(GPU, [])  # type: ignore[assignment]
    assert outcome(keeping)["self_check_failures"] == 1
    keeping._open["a"] = Key(GPU, [SelfCheckError("withheld")])  # type: ignore[assignment]
    assert outcome(keeping)["exit_code"] == 6
