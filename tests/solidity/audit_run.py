"""`zkgpu audit` from the log to the released bond, with a network that reads digits and its own contract in an EVM."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from audits import BOND, OPERATOR, REWARD, Chain
from model_contracts import deployed

from tests.audit.blocks import block_of
from zkgpu.audit import AuditedModel, Sample, Terms
from zkgpu.audit.calls import answer_call, batch_call
from zkgpu.backend import open_backend
from zkgpu.demo.digits import model
from zkgpu.evm.abi import selector
from zkgpu.inference import Folder, unsafe_setup

SEED = 7


@dataclass
class Costs:
    """Gas of each transaction, and seconds of each command, by name."""

    gas: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def zkgpu(*arguments: object) -> dict[str, Any]:
    """What a command prints as JSON. Raises RuntimeError when it fails."""
    command = [sys.executable, "-m", "zkgpu", "--json", "--device", "cpu", "audit", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stdout} {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def whole_run(folder: Path, count: int, samples: int, per_call: int, sizes: Sequence[int] = ()) -> Costs:
    """Logs `count` inferences by the command, commits, has them drawn, answers all samples, and takes the bond back.

    Args:
        sizes: numbers of answers in one call, whose gas is measured and taken back before
    """
    costs, build, audit = Costs(), folder / "build", folder / "audit"
    compiled, backend = model(), open_backend("cpu")
    key = unsafe_setup(compiled, backend)
    Folder(build).write_model(compiled)
    Folder(build).write_key(key, compiled)
    np.save(folder / "images.npy", np.random.default_rng(SEED).integers(0, 17, (count, 64)))
    terms = Terms(BOND, REWARD, samples, most=count, delay=64, window=7200)
    mine = AuditedModel.of(compiled, key.verifying_key)
    chain = Chain(terms, mine.layout, deployed(key.verifying_key))
    costs.gas["deploy"] = chain.contract.deploy_gas
    given = zkgpu("terms", build, "--verifier", chain.verifier.address, *_options(terms))
    assert given["arguments"] == "0x" + chain.arguments.hex()

    def timed(name: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        start = time.perf_counter()
        done = call()
        costs.seconds[name] = time.perf_counter() - start
        return done

    def send(name: str, data: bytes, value: int = 0) -> None:
        said = chain.send(data, value=value)
        if said != "ok":
            raise RuntimeError(f"{name}: {said}")
        costs.gas[name] = costs.gas.get(name, 0) + chain.gas_used

    timed("log", lambda: zkgpu("log", build, audit, folder / "images.npy"))
    where = ("--contract", chain.contract.address, "--chain-id", 1)
    batch = timed("commit", lambda: zkgpu("commit", build, audit, *where))
    send("commit", bytes.fromhex(batch["calldata"][2:]), terms.bond)
    block = chain.block + terms.delay
    chain.at(block + 1)
    chain.header_of(block)
    (folder / "block.json").write_text(json.dumps(block_of(block)))
    draw = ("draw", audit, "--batch", 0, "--block", folder / "block.json", "--samples", samples)
    drawn = timed("draw", lambda: zkgpu(*draw))
    send("draw", bytes.fromhex(drawn["calldata"][2:]))
    if chain.ask(batch_call("drawn", 0))[2:] != drawn["drawn"]:
        raise RuntimeError("the contract draws others")
    answer = ("answer", build, audit, "--batch", 0, "--per-call", per_call)
    done = timed("answer", lambda: zkgpu(*answer))
    made = [Sample.from_json(json.loads(path.read_text())) for path in _in_order(audit / "batch_0")]
    for size in sizes:
        with chain.undone():
            send(f"answer {size}", answer_call(0, made[:size]))
    with chain.undone():
        chain.at(block + terms.window + 1)
        send("slash", batch_call("slash", 0))
    for path in done["calls"]:
        send("all answers", bytes.fromhex(Path(path).read_text().strip()[2:]))
    chain.at(block + terms.window + 1)
    send("release", batch_call("release", 0))
    before = chain.balance(OPERATOR)
    send("withdraw", selector("withdraw", "", 0))
    if chain.balance(OPERATOR) - before != terms.bond:
        raise RuntimeError("the bond did not come back")
    return costs


def _in_order(folder: Path) -> list[Path]:
    return sorted(folder.glob("answer_*.json"), key=lambda path: int(path.stem.removeprefix("answer_")))


def _options(terms: Terms) -> list[object]:
    names = ("bond", "reward", "samples", "most", "delay", "window")
    return [part for name in names for part in (f"--{name}", getattr(terms, name))]
