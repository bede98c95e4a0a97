"""Real proofs, by processes and by the commands: what is lost with a process, and what no output shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.test_secrets import CANARY, SHOWN, STORED
from tests.service.running import Running, running, wait_for
from zkgpu import Circuit, unsafe_setup
from zkgpu.curves.bn254 import Fr
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.service.opened import Options
from zkgpu.service.places import Order, PlaceLost
from zkgpu.service.processes import Plan, Process, places_of
from zkgpu.service.served import Served, by_name, key_of
from zkgpu.service.settings import Settings
from zkgpu.service.worker import Worker, receive
from zkgpu.systems.files import write_key, write_verifying_key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for x * w = y with a secret x, its circuit, a right witness and a wrong one."""
    made = tmp_path_factory.mktemp("product")
    circuit = Circuit()
    x, w, y = circuit.private("x"), circuit.private("w"), circuit.public("y")
    circuit.assert_equal(x * w, y, label="product")
    compiled = circuit.compile()
    key = unsafe_setup(compiled, backend="cpu")
    write_key(made / "key.zkey", key)
    write_verifying_key(made / "vk.json", key.verifying_key)
    write_r1cs(made / "circuit.r1cs", compiled.r1cs)
    witness = compiled.witness({"x": CANARY, "w": 2, "y": 2 * CANARY % Fr.modulus})
    write_wtns(made / "right.wtns", Fr, witness)
    witness[1, 0] += np.uint64(1)
    write_wtns(made / "wrong.wtns", Fr, witness)
    return made


@pytest.fixture(scope="module")
def served(folder: Path) -> dict[str, Served]:
    return by_name([key_of(f"product={folder}/key.zkey,{folder}/circuit.r1cs")])


@pytest.fixture(scope="module")
def place(served: dict[str, Served]) -> Iterator[Process]:
    (made,) = places_of(served.values(), Plan.of(["cpu"], 1, 1, 1 << 30))
    assert isinstance(made, Process)
    yield made
    made.close()


@pytest.fixture(scope="module")
def serve(served: dict[str, Served], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a process of its own."""
    places = places_of(served.values(), Plan.of(["cpu"], 1, 1, 1 << 30))
    with running(Settings(served, tmp_path_factory.mktemp("service") / "spool"), *places) as made:
        yield made


def order(path: Path) -> Order:
    return Order("job", "product", str(path), Options())


def ignore(*_: object) -> None:
    pass


def test_a_process_opens_proves_and_names_what_is_wrong(place: Process, folder: Path) -> None:
    facts = place.open("product")
    assert (facts["protocol"], facts["large"], facts["unsafe"]) == ("groth16", False, True)
    stages: list[str] = []
    done = place.prove(order(folder / "right.wtns"), lambda name, _: stages.append(name))
    assert (done["ok"], done["verified"]) == (True, True)
    assert "self-check" in done["stages"]
    assert stages
    wrong = place.prove(order(folder / "wrong.wtns"), ignore)
    assert (wrong["ok"], wrong["exit_code"]) == (False, 4)
    assert "constraint 0" in wrong["error"]
    assert place.state.resident == ["product"]


def test_a_service_is_told_of_stages_now_and_then_and_of_the_last_for_certain() -> None:
    mine, other = Pipe()
    with mine, other:
        worker = Worker(other)
        threading.Thread(target=worker._talk, daemon=True).start()
        for i in range(200):
            worker._tell(f"stage {i % 20}", None if i < 190 else float(i))
        heard = [receive(mine)["stages"]]
        while "stage 19" not in heard[-1] or heard[-1]["stage 19"] != 199:
            heard.append(receive(mine)["stages"])
        assert heard[0] == {"stage 0": None}
        assert len(heard) < 100
        assert {name: seconds for told in heard for name, seconds in told.items()} == {
            f"stage {i}": None if i < 10 else 180.0 + i for i in range(20)
        }


def test_a_process_that_dies_is_begun_anew(place: Process, folder: Path) -> None:
    def kill(*_: object) -> None:
        place._process.kill()
        place._process.wait()

    with pytest.raises(PlaceLost):
        place.prove(order(folder / "right.wtns"), kill)
    assert place.state.restarts == 1
    assert place.prove(order(folder / "right.wtns"), ignore)["ok"]


def test_a_cancel_is_heeded_in_the_middle_of_a_proof(place: Process, folder: Path) -> None:
    done = place.prove(order(folder / "right.wtns"), lambda *_: place.cancel("job"))
    assert done["ok"] or done["exit_code"] == 130  # it may come too late
    place.cancel("job")
    assert place.prove(order(folder / "right.wtns"), ignore)["ok"]


def test_a_process_ends_with_its_service(place: Process) -> None:
    process = place._process
    place._connection.close()
    assert process.wait(60) == 0
    place._again()


def test_the_commands_do_the_same_by_a_service(serve: Running, folder: Path, tmp_path: Path, command: Any) -> None:
    there = ("--server", f"http://127.0.0.1:{serve.port}")
    proof, public, right = tmp_path / "proof.json", tmp_path / "public.json", folder / "right.wtns"
    here = command("--json", "prove", folder / "key.zkey", right, "--proof", tmp_path / "p.json")
    for key in (folder / "key.zkey", "product"):
        done = command("--json", *there, "prove", key, right, "--proof", proof)
        assert done.code == 0, done.err
        assert done.json.keys() == here.json.keys()
        assert public.read_text() == (tmp_path / "p.public.json").read_text()
    for where in (there, ()):
        assert command(*where, "verify", folder / "vk.json", public, proof).code == 0
    public.write_text('["5"]')
    assert command(*there, "verify", folder / "vk.json", public, proof).code == 1
    proof.unlink()
    wrong = command(*there, "prove", folder / "key.zkey", folder / "wrong.wtns", "--proof", proof)
    assert "constraint 0" in wrong.error(4)
    assert not proof.exists()
    assert "no such key" in command(*there, "prove", folder / "circuit.r1cs", right).error(2)
    assert "leave it out" in command(*there, "inspect", folder / "key.zkey").error(2)
    circuit = ("--circuit", folder / "circuit.r1cs")
    assert "--circuit" in command(*there, "prove", "product", right, *circuit).error(2)
    _require_silence(serve)


def test_health_is_told_while_proofs_are_made(serve: Running, folder: Path) -> None:
    """In one of three tries: what else this machine does may delay some of them."""
    assert any(_median_of_health(serve, folder) < 0.05 for _ in range(3))


def _median_of_health(serve: Running, folder: Path) -> float:
    seconds = []
    for _ in range(20):
        last = serve.accepted(_body(folder, "right"), "key=product")
        seconds.append(_health(serve))
    while serve.job(last, wait=0)["state"] != "done":
        seconds.append(_health(serve))
    return sorted(seconds)[len(seconds) // 2]


def _health(serve: Running) -> float:
    """Seconds until it was told."""
    started = time.monotonic()
    assert serve.ask("GET", "/healthz").status == 200
    return time.monotonic() - started


def _require_silence(serve: Running) -> None:
    """No file of the spool and no page shows the secret; what is over has no inputs left."""
    spool = serve.service.settings.spool
    stored = b"".join(path.read_bytes() for path in spool.rglob("*") if path.is_file())
    told = serve.ask("GET", "/metrics").body + serve.ask("GET", "/v1/keys").body
    assert not [secret for secret in STORED if secret in stored + told]
    assert list((spool / "inputs").iterdir()) == []


def started(folder: Path, spool: Path, *options: str) -> tuple[subprocess.Popen[str], Running]:
    """`zkgpu serve` as a process of its own, which answers."""
    command = [sys.executable, "-m", "zkgpu", "--json", "serve", "--listen", "127.0.0.1:0", "--spool", str(spool)]
    command += ["--key", f"product={folder}/key.zkey,{folder}/circuit.r1cs", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    serve = Running(int(url.rpartition(":")[2]), *([None] * 3))  # type: ignore[arg-type]
    wait_for(lambda: _answers(serve))
    return process, serve


def test_an_accepted_job_survives_the_death_of_the_service(folder: Path, tmp_path: Path) -> None:
    """Killed as soon as it has accepted, while its processes start. The next one ends by a signal, and leaves nothing
    but results."""
    logs: list[str] = []

    process, serve = started(folder, tmp_path / "spool", "--workers", "1")
    ids = [serve.accepted(_body(folder, name), "key=product", Idempotency_Key=name) for name in ("right", "wrong")]
    process.kill()
    logs.extend(process.communicate())
    process, serve = started(folder, tmp_path / "spool", "--workers", "1")
    again = [serve.accepted(_body(folder, name), "key=product", Idempotency_Key=name) for name in ("right", "wrong")]
    assert again == ids
    jobs = [serve.job(id_, wait=30) for id_ in ids]
    assert [(job["state"], job["exit_code"]) for job in jobs] == [("done", 0), ("failed", 4)]
    shown = json.dumps(jobs[0]["result"]["proof"])
    assert json.dumps(serve.job(ids[0])["result"]["proof"]) == shown
    process.send_signal(signal.SIGTERM)
    logs.extend(process.communicate(timeout=90))
    assert process.returncode == 0
    assert not [secret for secret in SHOWN if secret in "".join(logs)]
    assert list((tmp_path / "spool" / "inputs").iterdir()) == []


def _answers(serve: Running) -> bool:
    try:
        return serve.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def _body(folder: Path, name: str) -> bytes:
    return (folder / f"{name}.wtns").read_bytes()


def test_a_service_that_strangers_reach_does_not_start_without_a_token(folder: Path, command: Any) -> None:
    key = ("--key", f"product={folder}/key.zkey")
    assert "--token-file" in command("serve", *key, "--listen", "0.0.0.0:0").error(2)


def test_why_a_key_cannot_be_opened_is_told_once(folder: Path, tmp_path: Path, command: Any) -> None:
    """As the process's last line; another file than a key is seen when it is opened, not before."""
    line = ("serve", "--listen", "127.0.0.1:0", "--spool", tmp_path, "--workers", "1")
    outcome = command(*line, "--key", f"k={folder / 'right.wtns'}")
    assert (outcome.code, outcome.err.count("a proving key")) == (3, 1), outcome.err


@pytest.mark.parametrize(
    "key", ["", "=x", "a=", "../a=key", "a b=key", "a=key,x.txt", "a=nothing", "a=key,k.wasm,l.wasm"]
)
def test_a_key_that_cannot_be_served_is_refused(key: str, folder: Path, command: Any) -> None:
    given = key.replace("key", str(folder / "key.zkey"))
    assert command("serve", "--key", given).error(2)
