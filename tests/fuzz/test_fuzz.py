"""No damaged file hangs a reader, fills the memory, ends the process, or shows a bug of ours."""

from __future__ import annotations

import logging
import os
import random

import pytest

from tests.fuzz.campaign import OUTCOMES, Table, cases, run
from tests.fuzz.targets import BY_NAME, TARGETS
from tests.fuzz.worker import damaged, outcome

NIGHTLY = 100_000


def settings() -> tuple[dict[str, str], dict[str, int]]:
    """What a reader must leave as it is: the environment, and from which level on loggers speak."""
    loggers = {name: logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("zkgpu")}
    return dict(os.environ), {name: logger.level for name, logger in loggers.items() if logger.level}


def require_none_of_ours(table: Table) -> None:
    print(f"\n{table}\nslowest: {table.slowest:.2f} s")
    assert not table.faults, "\n".join(table.faults)


@pytest.mark.parametrize("part", range(2))
def test_two_thousand_damaged_files(part: int) -> None:
    pytest.importorskip("onnxruntime")
    require_none_of_ours(run(cases(1000, 0, TARGETS[part::2])))


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files() -> None:
    """The seed is drawn, and shown with each fault: `python -m tests.fuzz.worker TARGET SEED` shows that case."""
    pytest.importorskip("onnxruntime")
    seed = int(os.environ.get("ZKGPU_FUZZ_SEED", random.SystemRandom().randrange(1, 10**6)))
    require_none_of_ours(run(cases(NIGHTLY, seed)))


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in ("onnx", "wasm")])
def test_good_files_are_read_and_damage_is_the_same_every_time(name: str, tmp_path) -> None:
    target, before = BY_NAME[name], settings()
    for data in target.seeds():
        (tmp_path / "file").write_bytes(data)
        target.read(tmp_path / "file")
    assert settings() == before, "the tests after this one would find it changed"
    assert damaged(target, 1) == damaged(target, 1)
    assert len({damaged(target, seed) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        ("raise KeyError(1)", "bug"),
        ("raise MemoryError", "memory"),
        ("bytes(1 << 40)", "memory"),
        ("raise zkgpu.errors.FormatError('a')", "3"),
        ("raise zkgpu.errors.FormatError('two\\nlines')", "bug"),
        ("pass", "read"),
    ],
)
def test_an_outcome_is_what_was_raised(read: str, wanted: str, tmp_path) -> None:
    def reader(path: object) -> None:
        exec(read, {"zkgpu": __import__("zkgpu.errors")})

    target = type(TARGETS[0])("npy", BY_NAME["npy"].seeds, BY_NAME["npy"].mutations, reader)
    assert outcome(target, 1, tmp_path)[0] == wanted
    assert wanted in OUTCOMES


@pytest.mark.parametrize(("read", "wanted"), [("time.sleep(60)", "hang"), ("os._exit(1)", "crash")])
def test_a_worker_that_hangs_or_ends_is_counted_and_another_takes_over(read: str, wanted: str, monkeypatch) -> None:
    program = f"import os, sys, time\nfor line in sys.stdin:\n    {read}"
    monkeypatch.setattr("tests.fuzz.campaign.WORKER", ["-c", program])
    monkeypatch.setattr("tests.fuzz.campaign.STARTING", 0.3 if wanted == "hang" else 60.0)
    table = run([("npy", 1), ("npy", 2)])
    assert table.counts["npy"] == {wanted: 2}
    assert len(table.faults) == 2
