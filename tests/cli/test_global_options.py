"""Options that every command takes before and after its name, and names that are nearly right."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from zkgpu.backend.machine import CacheInfo
from zkgpu.cli.declaring import GLOBAL_OPTIONS
from zkgpu.cli.parsing import Group, cli, paths
from zkgpu.cli.program import COMMANDS, by_heading

ROOT = click.Context(cli, info_name="zkgpu")


def all_commands() -> dict[str, click.Command]:
    """By the names that lead to it."""
    found: dict[str, click.Command] = {}
    for path in paths(cli, ROOT):
        command: click.Command = cli
        for name in path.split():
            assert isinstance(command, click.Group)
            command = command.get_command(ROOT, name) or pytest.fail(path)
        found[path] = command
    return found


@pytest.fixture(autouse=True)
def _small_cache(monkeypatch: Any, tmp_path: Path) -> None:
    """`cache info` counts the files of the real one."""
    monkeypatch.setattr("zkgpu.backend.machine.cache_info", lambda: CacheInfo(tmp_path, 0, 0))


@pytest.mark.parametrize(
    "line",
    [
        "--json cache info",
        "cache --json info",
        "cache info --json",
        "--json --json cache --threads 1 info --json --threads 1",
        "cache info --json -q -v --no-progress --show-values --device cpu",
    ],
)
def test_global_options_stand_before_and_after_the_command_at_every_depth(command: Any, line: str) -> None:
    outcome = command(*line.split())
    assert (outcome.code, outcome.json["ok"], outcome.json["schema"]) == (0, True, 1)


def test_an_option_after_the_command_has_its_effect(command: Any, work: Any) -> None:
    work.prepared()
    arguments = ("check", work / "circuit.r1cs", work / "witness.wtns")
    assert command(*arguments, "-q").out == ""
    assert "check constraints" in command(*arguments, "--timings").err
    assert "check constraints" in command("-v", *arguments).err
    assert command(*arguments, "--json", "--timings").json["stages"][0]["stage"] == "read files"
    assert "at most" in command(*arguments, "--threads", "100000").error(5)
    assert "unknown device" in command("setup", work / "circuit.r1cs", "--unsafe", "k", "--device", "no").error(2)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", ""])
def test_a_device_that_is_none_is_refused_by_commands_that_compute_nothing_too(command: Any, device: str) -> None:
    assert "unknown device" in command("cache", "info", "--device", device).error(2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--threads 1 cache info --threads 2", "--threads: it is given as 1 and as 2"),
        ("cache --device cpu info --device cuda", "--device: it is given as cpu and as cuda"),
        ("cache info --device cpu --device auto", "--device: it is given as cpu and as auto"),
    ],
)
def test_an_option_given_twice_with_other_values_is_refused(command: Any, line: str, reason: str) -> None:
    assert reason in command(*line.split()).error(2)


def test_what_is_said_twice_counts_once_and_v_adds_up(command: Any) -> None:
    assert command("--device", "cpu", "cache", "info", "--device", "cpu").code == 0
    command("-v", "cache", "-v", "info")
    assert logging.getLogger("zkgpu").level == logging.DEBUG
    command("cache", "info", "-v")
    assert logging.getLogger("zkgpu").level == logging.INFO


def test_every_command_takes_every_global_option_and_every_group_guesses() -> None:
    everywhere = {name for option in GLOBAL_OPTIONS for name in option.flags}
    for path, command in all_commands().items():
        names = [name for option in command.params for name in option.opts]
        assert everywhere <= set(names), path
        assert len(names) == len(set(names)), path
        assert isinstance(command, Group) or not isinstance(command, click.Group), path


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("dmeo", "`zkgpu demo`"),
        ("verfy vk.json", "`zkgpu verify`"),
        ("zkml chekc", "`zkgpu zkml check`"),
        ("export sol k.zkey", "`zkgpu export solidity`"),
        ("export solidty", "`zkgpu export solidity`"),
        ("calldata", "`zkgpu export calldata`"),
        ("zkml cache", "`zkgpu cache`"),
        ("cache warn --json", "`zkgpu cache warm`"),
        ("setup c.r1cs k.zkey --protocol plnk", "`plonk`"),
        ("zkml estimate tests/conftest.py --weights privat", "`private`"),
        ("zkml prove --wieghts x", "--weights"),
        ("demo --jsno", "--json"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(command: Any, line: str, meant: str) -> None:
    outcome = command(*line.split())
    assert outcome.code == 2
    assert "did you mean" in outcome.err.lower()
    assert meant in outcome.err
    if "--json" in line:
        assert meant in json.loads(outcome.out)["error"]


def test_a_name_that_is_like_nothing_is_answered_by_where_names_are(command: Any) -> None:
    assert "`zkgpu --help` lists them" in command("xyzzy").error(2)
    assert "`zkgpu zkml --help` lists them" in command("zkml", "xyzzy").error(2)


def test_help_lists_every_command_once_in_order_of_use_under_headings(command: Any) -> None:
    listed = [name for names in by_heading().values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)
    assert "Others" not in by_heading()
    text = command("--help").out
    places = [text.index(f"\n{heading}:\n") for heading in by_heading()]
    places += [text.index(f"\n  {name} ") for name in ("compile", "witness", "setup", "prove", "verify", "export")]
    assert places[: len(by_heading())] == sorted(places[: len(by_heading())])
    assert places[len(by_heading()) :] == sorted(places[len(by_heading()) :])


def test_the_help_of_a_command_says_where_the_global_options_are(command: Any) -> None:
    text = " ".join(command("cache", "info", "--help").out.split())
    assert "see `zkgpu --help`" in text
    assert "--no-progress" not in text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "--server: it is empty"),
        ("http://127.0.0.1:99999", "give http://HOST:PORT"),
        ("http://127.0.0.1:x", "give http://HOST:PORT"),
        ("http://[::1", "give http://HOST:PORT"),
        ("http://", "give http://HOST:PORT"),
        ("http://ann:hunter2@127.0.0.1:1", "give http://HOST:PORT, and --token-file"),
    ],
)
def test_what_is_no_address_of_a_service_is_refused_by_name(
    command: Any, samples: Path, tmp_path: Path, url: str, told: str
) -> None:
    files = (samples / "multiplier" / "multiplier_groth16.zkey", samples / "multiplier" / "witness.wtns")
    line = command("--server", url, "prove", *files, "--proof", tmp_path / "p.json").error(2)
    assert told in line
    assert "hunter2" not in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [{"_ZKGPU_COMPLETE": "bash_source"}, {"COMP_WORDS": "zkgpu po", "COMP_CWORD": "1"}])
def test_words_are_completed(asked: dict[str, str]) -> None:
    """As docs/how-to/work-with-files.md says."""
    environment = {**os.environ, "_ZKGPU_COMPLETE": "bash_complete", **asked}
    code = "from zkgpu.cli import main; main([])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "powers" in done.stdout if "COMP_WORDS" in asked else "_zkgpu_completion" in done.stdout
