"""Commits beside each other and beside writers: each inference is in one batch, each batch in one commit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit.test_log import MODEL, inference, written
from zkgpu.audit import AuditFolder, Batch, commit
from zkgpu.audit import batch as room
from zkgpu.audit.batch import lines_of, tree_of
from zkgpu.audit.log import Log
from zkgpu.errors import FormatError, ResourceError, UsageError

COMMITTER = """
import json, sys
from pathlib import Path
from zkgpu.audit import AuditFolder, commit
from zkgpu.errors import FormatError
try:
    while True:
        batch = commit(AuditFolder(Path(sys.argv[1])), bytes(range(32)), chain=1, contract=2, most=1)
        print(json.dumps(batch.to_json()), flush=True)
except FormatError as error:
    print(error, file=sys.stderr)
"""
LINES = 40


def committed(folder: AuditFolder, most: int | None = None) -> Batch:
    return commit(folder, MODEL, chain=1, contract=2, most=most)


@pytest.fixture
def folder(tmp_path: Path) -> AuditFolder:
    written(tmp_path / "log.jsonl", LINES)
    return AuditFolder(tmp_path)


def test_two_processes_commit_to_each_inference_once_while_others_are_logged(folder: AuditFolder) -> None:
    command = [sys.executable, "-c", COMMITTER, str(folder.path)]
    with folder.alone():  # both wait, and begin together
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    log = Log(folder.log, MODEL)
    for i in range(LINES, LINES + 5):
        log.append([inference(i)])
    ended = [process.communicate(timeout=60) for process in both]
    said = [json.loads(line) for out, _ in ended for line in out.splitlines()]
    assert all("a batch of none" in error and error.count("\n") == 1 for _, error in ended)
    committed_last = LINES + 5 - len(said)
    if committed_last:  # logged after both had ended
        said.append(committed(folder).to_json())
    batches = folder.batches()
    assert sorted(said, key=lambda one: one["batch"]) == [batch.to_json() for batch in batches]
    assert batches[-1].end == LINES + 5
    for batch in batches:
        tree_of(folder, batch, lines_of(folder, batch, ()))


def test_a_commit_that_waits_too_long_says_so(folder: AuditFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PATIENCE", 0.05)
    with folder.alone(), pytest.raises(ResourceError, match="another process commits here"):
        committed(folder)
    assert committed(folder).count == LINES


def test_a_draw_waits_for_a_commit_and_is_not_lost(folder: AuditFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    committed(folder)
    monkeypatch.setattr(room, "_PATIENCE", 0.05)
    with folder.alone(), pytest.raises(ResourceError, match="another process commits here, or draws"):
        folder.draw(0, MODEL, 4)
    assert folder.draw(0, MODEL, 4) == folder.batch(0)


def test_what_is_no_audit_is_left_alone(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path / "nothing")
    with pytest.raises(UsageError, match="there is no log"):
        committed(folder)
    with pytest.raises(UsageError, match="there is no batch 0"):
        folder.draw(0, MODEL, 4)
    assert not folder.path.exists()


def test_locks_are_their_owner_s(folder: AuditFolder) -> None:
    committed(folder)
    with folder.answering(0), pytest.raises(UsageError, match="another process answers"), folder.answering(0):
        pass
    assert {path.stat().st_mode & 0o777 for path in folder.path.glob("*lock")} <= {0o600}
    with pytest.raises(FormatError, match="a batch of none"):
        committed(folder)
