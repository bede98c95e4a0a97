"""audit: from logged inferences to calls that answer a draw, and what is refused on the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audit.blocks import block_of
from tests.conftest import Command
from tests.zkml.models import model, node, normal, onnx
from zkgpu.audit import AuditedModel, AuditFolder, Log, tree
from zkgpu.audit import batch as batches
from zkgpu.audit.header import unchecked
from zkgpu.cli.program import main
from zkgpu.inference import Folder
from zkgpu.transcript import keccak256

SAMPLES = np.random.default_rng(1).integers(0, 17, (40, 4))
CONTRACT = "0x" + "ab" * 20
HASH = "0x" + "5c" * 32


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder beside its samples, and that of another model, both set up."""
    folder = tmp_path_factory.mktemp("audit")
    np.save(folder / "data.npy", SAMPLES)
    np.save(folder / "nine.npy", SAMPLES[:9])
    np.save(folder / "one.npy", SAMPLES[10])
    for name, seed in (("build", 0), ("other", 1)):
        network = model([node("Gemm", "x w", "out")], {"x": ("N", 4)}, weights={"w": normal(4, 3, seed=seed)})
        onnx.save(network, folder / "model.onnx")
        for arguments in (
            ("compile", folder / "model.onnx", "--calibrate", folder / "data.npy", "-o", folder / name),
            ("setup", folder / name, "--unsafe"),
        ):
            with pytest.raises(SystemExit) as ended:
                main(["-q", "--device", "cpu", "zkml", *map(str, arguments)])
            assert not ended.value.code
    return folder


class Audit:
    """The commands of one audit's folder."""

    def __init__(self, command: Command, build: Path, folder: Path) -> None:
        self._command, self.build, self.folder = command, build, folder
        self.log_file = folder / "log.jsonl"

    def __call__(self, *arguments: object) -> Any:
        return self._command("--json", "--device", "cpu", "audit", *arguments)

    def ok(self, *arguments: object) -> dict[str, Any]:
        done = self(*arguments)
        assert done.code == 0, done
        return dict(done.json)

    def refused(self, code: int, *arguments: object) -> str:
        """The one line of the error."""
        done = self(*arguments)
        assert done.code == code, done
        return str(done.json["error"])

    def log(self, inputs: str = "nine.npy", *options: object) -> dict[str, Any]:
        return self.ok("log", self.build / "build", self.folder, self.build / inputs, *options)

    @property
    def committing(self) -> tuple[object, ...]:
        return "commit", self.build / "build", self.folder, "--contract", CONTRACT, "--chain-id", 1

    @property
    def answering(self) -> tuple[object, ...]:
        return "answer", self.build / "build", self.folder, "--batch", 0

    def draw(self, samples: int = 3) -> dict[str, Any]:
        return self.ok("draw", self.folder, "--batch", 0, "--block", self.block(), "--samples", samples)

    def block(self, height: int = 17, **changes: object) -> Path:
        """A file as a node's answer."""
        path = self.folder / f"block_{height}.json"
        path.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {**block_of(height), **changes}}))
        return path


@pytest.fixture
def audit(command: Command, build: Path, tmp_path: Path) -> Audit:
    return Audit(command, build, tmp_path / "audit")


def test_log_commit_draw_answer(audit: Audit, tmp_path: Path) -> None:
    logged = audit.log()
    assert logged["logged"] == len(logged["inferences"]) == 9
    assert audit.log("one.npy", "--request", HASH)["inferences"][0]["request"] == HASH
    batch = audit.ok(*audit.committing)
    assert (batch["count"], batch["batch"], batch["samples"]) == (10, 0, None)
    assert batch["calldata"].endswith(f"{batch['root'][2:]}{10:064x}")
    assert audit.refused(2, *audit.answering).endswith("batch 0 is not drawn: run `zkgpu audit draw` first")
    drawn = audit.draw()["drawn"]
    assert audit.draw()["drawn"] == drawn
    assert len(set(drawn)) == 3
    done = audit.ok(*audit.answering, "--per-call", 2)
    calls = [bytes.fromhex(Path(path).read_text().strip()[2:]) for path in done["calls"]]
    assert len(calls) == 2
    kept = {path.name: path.read_bytes() for path in (audit.folder / "batch_0").glob("answer_*.json")}
    assert [json.loads(kept[f"answer_{p}.json"])["index"] for p in range(3)] == drawn
    (audit.folder / "batch_0" / "answer_1.json").unlink()
    audit.ok(*audit.answering)
    again = {path.name: path.read_bytes() for path in (audit.folder / "batch_0").glob("answer_*.json")}
    assert {name for name, data in again.items() if data != kept[name]} == {"answer_1.json"}
    receipt = audit.ok("receipt", audit.folder, "--batch", 0, "--request", HASH, "-o", tmp_path / "receipt.json")
    assert (receipt["index"], len(receipt["path"])) == (9, 4)
    status = audit.ok("status", audit.folder)
    assert (status["logged"], status["not_committed"], status["batches"][0]["answered"]) == (10, 0, 3)
    assert status["batches"][0]["calldata"] == batch["calldata"]


def test_only_what_is_new_is_committed_to_and_no_more_than_wanted(audit: Audit) -> None:
    audit.log()
    assert audit.ok(*audit.committing, "--most", 4)["count"] == 4
    second = audit.ok(*audit.committing)
    assert (second["batch"], second["first"], second["count"]) == (1, 4, 5)
    line = audit.refused(3, *audit.committing)
    assert line.endswith("log.jsonl: nothing was logged after line 10: a batch of none")
    (audit.folder / "batch_1.json").unlink()
    again = audit.ok(*audit.committing)
    assert again["root"] == second["root"]


def test_more_inferences_than_a_batch_may_have_are_refused_by_the_line(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tree.MOST == 2**20 - 1
    monkeypatch.setattr(batches, "MOST", 8)
    audit.log()
    assert "line 10 is one more than the 8 inferences of a batch" in audit.refused(3, *audit.committing)
    assert not (audit.folder / "batch_0.json").exists()
    assert audit.ok(*audit.committing, "--most", 8)["count"] == 8


def test_a_log_of_another_model_or_another_contract_s_is_refused(audit: Audit) -> None:
    audit.log()
    other = ("commit", audit.build / "other", *audit.committing[2:])
    assert "line 1 is of another model" in audit.refused(3, *other)
    line = audit.refused(3, "log", audit.build / "other", audit.folder, audit.build / "nine.npy")
    assert "line 1 is of another model" in line
    audit.ok(*audit.committing)
    audit.draw()
    assert "over another model's" in audit.refused(3, "answer", audit.build / "other", *audit.answering[2:])
    audit.log()
    elsewhere = audit.refused(2, *audit.committing[:3], "--contract", "0x" + "cd" * 20, "--chain-id", 1)
    assert "its batches are for another contract" in elsewhere


def test_a_log_without_what_was_committed_is_refused_and_nothing_is_proven(audit: Audit) -> None:
    audit.log()
    audit.ok(*audit.committing)
    audit.draw()
    logging = ("log", audit.build / "build", audit.folder, audit.build / "nine.npy")
    lines = audit.log_file.read_bytes().splitlines(keepends=True)
    for kept, said in (
        (b"".join(lines[:-1]), "it ends with line 9, and batch 0 was committed up to line 10"),
        (b"".join(lines)[:-20], "it ends with line 9, and batch 0 was committed up to line 10"),
        (lines[0], "it ends with line 1, and batch 0 was committed up to line 10"),
        (b"".join([*lines[:4], *lines[5:]]), "line 5 was changed, or lines before it are missing"),
    ):
        audit.log_file.write_bytes(kept)
        for command in (audit.answering, audit.committing, logging):
            assert said in audit.refused(3, *command)
        assert audit.log_file.read_bytes() == kept
    audit.log_file.unlink()
    assert "it is gone, and batch 0 was made of it" in audit.refused(3, *logging)
    assert not audit.log_file.exists()
    audit.ok("log", audit.build / "build", audit.folder.with_name("other"), audit.build / "nine.npy")
    audit.log_file.write_bytes((audit.folder.with_name("other") / "log.jsonl").read_bytes())
    for command in (audit.answering, audit.committing, logging):
        assert "line 10 is not the one that batch 0 ended with" in audit.refused(3, *command)
    assert not list(audit.folder.glob("batch_0/*"))


def test_an_answer_that_the_model_does_not_give_is_named_before_anything_is_proven(audit: Audit) -> None:
    folder = Folder(audit.build / "build")
    mine = AuditedModel.of(folder.read_model(), folder.read_verifying_key())
    true = [mine.inference(mine.compiled.quantized(sample)) for sample in SAMPLES[:4]]
    audit.folder.mkdir()
    lies = [*true[:2], replace(true[2], outputs=bytes(32)), replace(true[3], data=true[2].data)]
    Log(AuditFolder(audit.folder).log, mine.hash).append(lies)
    audit.ok(*audit.committing)
    audit.draw(samples=4)
    line = audit.refused(3, *audit.answering)
    assert "line 4: the model answers otherwise than was logged" in line or "line 5: the digest of its inputs" in line
    assert not list(audit.folder.glob("batch_0/answer_*"))


def test_files_that_were_changed_are_refused(audit: Audit) -> None:
    audit.log()
    audit.ok(*audit.committing)
    audit.draw()
    audit.ok(*audit.answering)
    answers = audit.folder / "batch_0"
    first, second = (answers / f"answer_{p}.json" for p in (0, 1))
    whole = first.read_text()
    moved = json.dumps({**json.loads(second.read_text()), "position": 0, "index": json.loads(whole)["index"]})
    for text in (second.read_text(), moved, "{}", whole[:-40], whole.replace('"path"', '"way"')):
        first.write_text(text)
        assert "answer_0.json" in audit.refused(3, *audit.answering)
    first.write_text(whole)
    batch = audit.folder / "batch_0.json"
    facts = json.loads(batch.read_text())
    for change in (
        {"root": HASH},
        {"count": 0},
        {"count": 8},
        {"first": 1},
        {"samples": None},
        {"randao": "0x12"},
        {"chain": 1.5},
        {"more": 1},
    ):
        batch.write_text(json.dumps({**facts, **change}))
        assert audit(*audit.answering).code == 3, change


def test_a_draw_that_no_contract_makes_is_refused(audit: Audit) -> None:
    audit.log()
    audit.ok(*audit.committing)
    audit.draw()
    for block, samples, said in (
        (audit.block(), 0, "1 to 256 samples"),
        (audit.block(), 257, "1 to 256 samples"),
        (audit.block(), 4, "was drawn by another block"),
        (audit.block(18), 3, "was drawn by another block"),
    ):
        assert said in audit.refused(2, "draw", audit.folder, "--batch", 0, "--block", block, "--samples", samples)


def test_a_draw_by_a_wrong_block_can_be_mended(audit: Audit) -> None:
    audit.log()
    audit.ok(*audit.committing)
    wrong = audit.draw()["drawn"]
    other = ("draw", audit.folder, "--batch", 0, "--block", audit.block(18), "--samples", 3)
    right = audit.ok(*other, "--again")["drawn"]
    assert right != wrong
    assert audit.ok(*other)["drawn"] == right


def test_what_is_no_block_draws_nothing(audit: Audit) -> None:
    audit.log()
    audit.ok(*audit.committing)
    for change, said in (
        ({"mixHash": HASH}, "its hash is not that of its header"),
        ({"mixHash": "0x12"}, "its mixHash has not as many bytes"),
        ({"number": 5}, "its number is not written as 0x"),
        ({"number": None}, "its number is not written as 0x"),
        ({"extraData": "0x123"}, "its extraData has not as many bytes"),
    ):
        block = audit.block(**change)
        assert said in audit.refused(3, "draw", audit.folder, "--batch", 0, "--block", block, "--samples", 3)
    for text in ("{}", "[]", "7", '{"result": null}'):
        block.write_text(text)
        line = audit.refused(3, "draw", audit.folder, "--batch", 0, "--block", block, "--samples", 3)
        assert line.endswith("not a block: give what eth_getBlockByNumber returns")
    zero = {**block_of(17), "mixHash": "0x" + "00" * 32}
    block.write_text(json.dumps({**zero, "hash": "0x" + keccak256(unchecked(zero)).hex()}))
    line = audit.refused(2, "draw", audit.folder, "--batch", 0, "--block", block, "--samples", 3)
    assert "not all of them zero" in line


def test_batches_of_which_one_is_missing_are_not_gone_on_with(audit: Audit) -> None:
    """Else its inferences were committed to once more, beside those of the batch after it."""
    audit.log()
    for _ in range(3):
        audit.ok(*audit.committing, "--most", 2)
    (audit.folder / "batch_1.json").unlink()
    for command in (audit.committing, ("status", audit.folder)):
        line = audit.refused(3, *command)
        assert line.endswith("batch_1.json: it is missing, and batch_2.json is there: restore it")
    (audit.folder / "batch_2.json").unlink()
    assert audit.ok(*audit.committing)["count"] == 7


def test_usage_that_makes_no_sense_is_refused(audit: Audit) -> None:
    build = audit.build / "build"
    (audit.build / "block.json").write_text(json.dumps(block_of(5)))
    assert "there is no log" in audit.refused(2, "status", audit.folder)
    assert "there is no batch 0" in audit.refused(
        2, "draw", audit.folder, "--batch", 0, "--block", audit.build / "block.json", "--samples", 3
    )
    log = ("log", build, audit.folder, audit.build / "nine.npy")
    assert "--request names one inference" in audit.refused(2, *log, "--request", HASH)
    audit.log("one.npy", "--request", HASH)
    one = ("log", build, audit.folder, audit.build / "one.npy", "--request", HASH)
    assert "line 2 has this request already" in audit.refused(2, *one)
    assert "an address is 0x and 40" in audit.refused(2, *audit.committing[:3], "--contract", "0x12", "--chain-id", 1)
    for chain in (2**64, 2**256, 10**100):
        line = audit.refused(2, *audit.committing[:3], "--contract", CONTRACT, "--chain-id", chain)
        assert "the number of a chain has at most 64 bits" in line
    audit.ok(*audit.committing)
    line = audit.refused(2, "receipt", audit.folder, "--batch", 0, "--request", "0x" + "11" * 32, "-o", "r.json")
    assert "batch 0 has no inference of this request" in line
    terms = ("terms", build, "--verifier", CONTRACT, "--bond", 10)
    assert "the reward must be less than the bond" in audit.refused(2, *terms, "--reward", 10)
    done = audit(*terms, "--reward", 4)
    assert len(done.json["arguments"]) == 2 + 2 * 32 * 16
    assert "UNSAFE" in done.err
    secret = shutil.copytree(build, audit.folder / "copy")
    (secret / "verification_key.json").unlink()
    assert "zkgpu zkml setup" in audit.refused(2, "terms", secret, *terms[2:], "--reward", 4)
