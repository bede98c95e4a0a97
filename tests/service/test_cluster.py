"""Provers as actors of a Ray cluster of this machine."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

import ray

from tests.service.running import replace, running
from tests.service.test_processes import folder, started  # noqa: F401  the first is a fixture
from zkgpu.service.cluster import ActorPlace, Shape, actors_of
from zkgpu.service.opened import Options
from zkgpu.service.places import Order, PlaceLost
from zkgpu.service.served import Served, by_name, key_of
from zkgpu.service.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_actors_are_one_a_gpu_or_a_share_of_the_cores() -> None:
    assert Shape.of({"CPU": 64, "GPU": 4}, None) == Shape(4, 16, 1)
    assert Shape.of({"CPU": 16}, None) == Shape(4, 4, 0)
    assert Shape.of({"CPU": 2}, None) == Shape(1, 2, 0)
    assert Shape.of({"CPU": 2}, 2) == Shape(2, 1, 0)


@pytest.fixture(scope="module")
def served(folder: Path) -> dict[str, Served]:  # noqa: F811
    return by_name([key_of(f"product={folder}/key.zkey,{folder}/circuit.r1cs")])


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One for all tests: a process that begins several is ended by Ray."""
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def places(served: dict[str, Served]) -> Iterator[list[ActorPlace]]:
    made = actors_of(served.values(), "local", 2, 1 << 30)
    assert all(isinstance(place, ActorPlace) for place in made)
    yield made  # type: ignore[misc]
    for place in made:
        place.close()


def order(path: Path, job: str = "job") -> Order:
    return Order(job, "product", str(path), Options())


def ignore(*_: object) -> None:
    pass


def kill(place: ActorPlace) -> None:
    os.kill(ray.get(place._actor.where.remote())[1], signal.SIGKILL)


def test_an_actor_proves_dies_and_proves_again(places: list[ActorPlace], folder: Path) -> None:  # noqa: F811
    assert places[0].open("product")["protocol"] == "groth16"
    assert places[0].prove(order(folder / "right.wtns"), ignore)["ok"]
    assert places[1].prove(order(folder / "wrong.wtns"), ignore)["exit_code"] == 4
    kill(places[0])
    assert _again(places[0], folder)["ok"]


def _again(place: ActorPlace, folder: Path) -> dict[str, object]:  # noqa: F811
    """What a place proves whose actor was killed, perhaps before anybody noticed: it is lost once, or not at all."""
    try:
        return place.prove(order(folder / "right.wtns"), ignore)
    except PlaceLost:
        return place.prove(order(folder / "right.wtns"), ignore)


def test_a_service_on_a_cluster_loses_no_job_with_an_actor(
    places: list[ActorPlace],
    served: dict[str, Served],
    folder: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    with running(Settings(served, tmp_path / "spool"), *places) as serve:
        ids = [serve.accepted((folder / "right.wtns").read_bytes(), "key=product") for _ in range(30)]
        for place in places:
            kill(place)
        assert [serve.job(id_, wait=60)["state"] for id_ in ids] == ["done"] * 30


def test_files_that_a_node_does_not_have_travel(folder: Path, tmp_path: Path) -> None:  # noqa: F811
    """As if this were another machine: the actor is told of a place where there is nothing."""
    shutil.copy(folder / "key.zkey", tmp_path / "key.zkey")
    served = by_name([key_of(f"product={tmp_path / 'key.zkey'}")])
    (tmp_path / "key.zkey").rename(tmp_path / "elsewhere.zkey")
    (place,) = actors_of(served.values(), "local", 1, 1 << 30)
    assert isinstance(place, ActorPlace)
    place._served["product"] = replace(served["product"], path=str(tmp_path / "elsewhere.zkey"))
    try:
        assert place.open("product")["protocol"] == "groth16"
        assert place.prove(order(folder / "right.wtns"), ignore)["ok"]
    finally:
        place.close()


def test_a_service_on_a_cluster_ends_by_a_signal(folder: Path, tmp_path: Path) -> None:  # noqa: F811
    """Ray's core answers SIGTERM by a stack and an abort, where nobody puts Python's handlers back."""
    process, serve = started(folder, tmp_path / "spool", "--cluster", "local", "--workers", "1")
    id_ = serve.accepted((folder / "right.wtns").read_bytes(), "key=product")
    while serve.job(id_, wait=15)["state"] != "done":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert (process.returncode, "SIGTERM received" in log) == (0, False)
