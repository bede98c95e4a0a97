"""What docs/operate.md and its files say holds of the commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from zkgpu.cli.batch import batch_command
from zkgpu.cli.parsing import GlobalOption, made
from zkgpu.cli.serve import serve_command
from zkgpu.service.metrics import Metrics

PAGE = Path(__file__).parents[2] / "docs" / "operate.md"
FOLDER = PAGE.with_suffix("")
OPTIONS = {name for command in (made(serve_command), made(batch_command)) for p in command.params for name in p.opts}


def texts() -> dict[str, str]:
    return {path.name: path.read_text() for path in (PAGE, *FOLDER.iterdir())}


@pytest.mark.parametrize("name", sorted(texts()))
def test_only_options_that_there_are(name: str) -> None:
    commands = re.findall(r"(?:zkgpu(?:\n +)?|args: \[)\s?(?:serve|batch)[^\n`\]]*", texts()[name])
    for command in commands:
        given = {word for word in re.findall(r"--[a-z-]+", command)}
        assert given <= OPTIONS, command


def test_the_unit_starts_a_service_that_is_allowed(tmp_path: Path) -> None:
    line = re.search(r"^ExecStart=\S+/zkgpu serve (.*)$", (FOLDER / "zkgpu.service").read_text(), re.M)
    assert line
    (tmp_path / "token").touch()
    words = [word.replace("${CREDENTIALS_DIRECTORY}", str(tmp_path)) for word in shlex.split(line[1])]
    context: click.Context = made(serve_command).make_context("serve", words)
    assert (context.params["listen"], context.params["grace"]) == ("0.0.0.0:8545", 60)


def test_every_file_is_named_and_every_metric_is_there() -> None:
    text = PAGE.read_text()
    assert all(f"operate/{path.name}" in text for path in FOLDER.iterdir())
    there = Metrics().text(0, []).decode()
    for metric in re.findall(r"zkgpu_[a-z_]+?(?=_bucket|[^a-z_])", text):
        assert f"# TYPE {metric} " in there, metric


def test_the_table_of_options_is_whole() -> None:
    named = set(re.findall(r"--[a-z-]+", PAGE.read_text().partition("## Asking")[0]))
    own = [option for option in made(serve_command).params if not isinstance(option, GlobalOption)]
    assert {name for option in own for name in option.opts} <= named
