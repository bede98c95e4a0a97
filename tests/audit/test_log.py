"""The log of an audit: what was acknowledged is there, and whatever else happened to it is named with its line."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zkgpu.audit.log import Inference, Log, model_of, read_log
from zkgpu.errors import FormatError, ResourceError, UsageError

_PARTS = ("request", "inputs", "outputs")
MODEL, OTHER = bytes(range(32)), bytes(range(1, 33))


def inference(i: int, data: bytes = b"\x01\x02\x03") -> Inference:
    request, inputs, outputs = (hashlib.sha256(f"{name} {i}".encode()).digest() for name in _PARTS)
    return Inference(request, inputs, outputs, data)


def written(path: Path, count: int = 3, start: int = 0, model: bytes = MODEL) -> Path:
    Log(path, model).append([inference(i) for i in range(start, start + count)])
    return path


def read(path: Path, model: bytes = MODEL) -> list[Inference]:
    return [line.inference for line in read_log(path, model)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "log.jsonl")


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", MODEL)
    log.append([inference(0, b""), inference(1, b"ab" * 500)])
    log.append([inference(2)])
    assert log.count == 3
    assert read(tmp_path / "log.jsonl") == [inference(0, b""), inference(1, b"ab" * 500), inference(2)]
    assert [line.number for line in read_log(tmp_path / "log.jsonl", MODEL)] == [2, 3, 4]
    assert model_of(tmp_path / "log.jsonl") == MODEL


def test_a_log_is_for_its_owner_s_eyes(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_processes_append_to_one_log(path: Path) -> None:
    one, other = Log(path, MODEL), Log(path, MODEL)
    one.append([inference(10)])
    other.append([inference(11)])
    one.append([inference(12)])
    assert read(path)[3:] == [inference(10), inference(11), inference(12)]
    with pytest.raises(UsageError, match="line 6 has this request"):
        one.append([inference(11)])


def test_a_log_cut_anywhere_in_its_last_line_is_named_and_loses_nothing_but_that_line(path: Path) -> None:
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for size in (last + 1, last + 100, len(whole) - 30, len(whole) - 2):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"log.jsonl: line 4 is cut short"):
            read(path)
        Log(path, MODEL).append([inference(9)])
        assert read(path) == [inference(0), inference(1), inference(9)]
        assert path.with_name(f"log.jsonl.cut-{last}").read_bytes() == whole[last:size]
        assert path.with_name(f"log.jsonl.cut-{last}").stat().st_mode & 0o777 == 0o600


def test_a_last_line_that_lacks_only_its_newline_is_completed(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    Log(path, MODEL)
    assert path.read_bytes() == whole


def test_a_first_line_that_was_cut_is_written_again(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl", 0)
    whole = path.read_bytes()
    for size in (0, 10, 60):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"line 1 is cut short|the log is empty"):
            read(path)
        written(path)
        assert read(path) == [inference(i) for i in range(3)]


def test_a_file_that_is_no_log_is_left_as_it_is(tmp_path: Path) -> None:
    for data in (b"something else", b"something else\n", b'{"zkgpu audit batch": 1}\n', b"\0" * 50):
        path = tmp_path / "other"
        path.write_bytes(data)
        with pytest.raises(FormatError, match="line 1"):
            Log(path, MODEL)
        assert path.read_bytes() == data


def test_a_log_of_another_model_is_refused_by_its_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 1 is of another model"):
        read(path, OTHER)
    with pytest.raises(FormatError, match="line 1 is of another model"):
        Log(path, OTHER)
    foreign = written(tmp_path / "foreign", model=OTHER).read_bytes().splitlines(keepends=True)
    with path.open("ab") as file:
        file.write(foreign[2])
    with pytest.raises(FormatError, match="line 5 is of another model"):
        read(path)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_lines_that_are_missing_changed_doubled_or_in_another_order_are_named(path: Path) -> None:
    a, b, c, d = lines_of(path)
    changed = c.replace(b'"outputs":"', b'"outputs":"0')[:-30] + c[-29:]
    flipped = c.replace(c[90:91], b"0" if c[90:91] != b"0" else b"1", 1)
    for lines, number in (
        ([a, c, d], 2),
        ([a, c, b, d], 2),
        ([a, b, b, c, d], 3),
        ([a, b, d], 3),
        ([a, b, flipped, d], 3),
        ([a, b, changed, d], 3),
        ([a, b, b"\n", c, d], 3),
        ([a, b, c, d, a, b], 5),
        ([b, c, d], 1),
    ):
        path.write_bytes(b"".join(lines))
        for use in (read, lambda p: Log(p, MODEL)):
            with pytest.raises(FormatError, match=f"line {number} "):
                use(path)
        assert path.read_bytes() == b"".join(lines)


def test_two_lines_with_one_request_are_named_though_they_follow_each_other(path: Path) -> None:
    """As a log has them that something else wrote."""
    from zkgpu.audit import log as room

    lines = lines_of(path)
    check = bytes.fromhex(lines[-1][-35:-3].decode())
    again = next(room._checked([room._text(MODEL, inference(1))], check))
    path.write_bytes(b"".join(lines) + again)
    with pytest.raises(FormatError, match="line 5 has the request of line 3"):
        read(path)


def test_a_request_that_is_there_already_is_refused_and_nothing_is_written(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match="line 3 has this request already"):
        Log(path, MODEL).append([inference(7), inference(1)])
    with pytest.raises(UsageError, match="one of these inferences has this request"):
        Log(path, MODEL).append([inference(7), inference(7)])
    assert path.read_bytes() == before


def test_a_line_of_which_a_full_disk_takes_a_part_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write = path.read_bytes(), os.write
    log = Log(path, MODEL)
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:40]))
    with pytest.raises(ResourceError, match="only a part could be written"):
        log.append([inference(5)])
    monkeypatch.undo()
    assert path.read_bytes() == before
    log.append([inference(5)])
    assert read(path)[3:] == [inference(5)]


def test_a_log_that_becomes_shorter_under_its_writer_is_refused(path: Path) -> None:
    log = Log(path, MODEL)
    path.write_bytes(b"".join(lines_of(path)[:-1]))
    with pytest.raises(FormatError, match="has become shorter"):
        log.append([inference(5)])


def test_a_writer_that_met_a_damaged_line_goes_on_refusing_it(path: Path) -> None:
    log = Log(path, MODEL)
    with path.open("ab") as file:
        file.write(b"damaged\n")
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(FormatError, match="line 5 is damaged"):
            log.append([inference(5)])
    assert path.read_bytes() == before


def test_requests_and_digests_of_other_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        Inference(bytes(31), bytes(32), bytes(32), b"")


WRITER = """
import hashlib, sys
from zkgpu.audit.log import Inference, Log
log = Log(sys.argv[1], bytes(range(32)))
i = 0
while True:
    parts = [hashlib.sha256(f"{name} {i}".encode()).digest() for name in ("request", "inputs", "outputs")]
    log.append([Inference(*parts, bytes(200_000))])
    print(i, flush=True)
    i += 1
"""


def test_lines_that_a_killed_process_acknowledged_are_there_and_any_other_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(5)]
        os.kill(process.pid, signal.SIGKILL)
        said += map(int, process.stdout.read().split())
    Log(path, MODEL)
    found = read(path)
    assert said[-1] + 1 <= len(found) <= said[-1] + 2
    assert found == [inference(i, bytes(200_000)) for i in range(len(found))]
