"""The table of aims: what was measured, put on the machine of the other provers."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from aims import AIMS, best_peer, figure, figures
from lines import of_a_crowd, published

MSM = {"what": "MSM", "aim": 0.5, "peer": "msm_g1", "log_size": 18}
LINE = {"seconds": 0.6, "best": 0.3, "cores": 2, "threads": 2, "source": "a.jsonl:1", "cpu_seconds": 0.9}
KEPT = published()["calibration_ns"]


def test_seconds_of_a_machine_with_slower_products_count_for_less():
    row = figure(MSM, {**LINE, "load": 1.0, "calibration_ns": 2 * KEPT})
    assert row.scaled == pytest.approx(0.3)
    assert row.cells()[5:7] == ["1.8x", "yes"]


def test_on_a_busy_machine_the_best_run_counts():
    row = figure(MSM, {**LINE, "load": 2.5, "calibration_ns": KEPT})
    assert row.measured == 0.3
    assert figure(MSM, {**LINE, "load": 1.5, "calibration_ns": KEPT}).measured == 0.6


def test_an_aim_that_is_missed_is_told():
    assert figure({**MSM, "aim": 0.2}, {**LINE, "load": 1.0, "calibration_ns": KEPT}).cells()[6] == "no"


def test_memory_is_not_scaled():
    aim = {"what": "memory", "aim_bytes": 2e8, "peer": "groth16 prove", "log_size": 18}
    row = figure(aim, {"peak_bytes": 3e8, "idle_bytes": 1e8, "calibration_ns": 2 * KEPT, "source": ""})
    assert row.scaled == row.measured == 2e8
    assert row.cells()[1:5] == ["rapidsnark 182 MB", "200 MB", "200 MB", "200 MB"]


def test_the_best_of_several_peers_is_named():
    assert best_peer("groth16 prove", 18, False) == ("gnark", 3.09)
    assert best_peer("groth16 prove", 16, False) == ("rapidsnark", 0.92)


def test_every_aim_has_a_peer_and_every_row_an_aim():
    wanted = json.loads(AIMS.read_text())
    for aim in wanted:
        assert best_peer(aim["peer"], aim["log_size"], "aim_bytes" in aim)[1] > 0
    assert {row.what for row in figures()} <= {aim["what"] for aim in wanted}
    assert figures()


def test_threads_in_a_crowd_tell_nothing_but_one_thread_has_the_processors_time():
    assert of_a_crowd({"threads": 2, "cores": 2, "load": 8.1})
    assert not of_a_crowd({"threads": 2, "cores": 2, "load": 8.0})
    assert not of_a_crowd({"threads": 1, "cores": 2, "load": 12.0})
