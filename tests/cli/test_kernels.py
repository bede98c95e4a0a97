"""The build of a release's kernels: a process for each level, and the check of a wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from zkgpu.backend import shipping
from zkgpu.cli import kernels
from zkgpu.errors import ZkgpuError

SAYS_LEVEL = """
from zkgpu.backend.shipping import levels
from zkgpu.jit.isa import supported
print(levels()[0], supported()[0].name)
"""


@pytest.mark.parametrize("level", shipping.levels())
def test_a_process_of_a_level_compiles_for_it_and_no_better(level: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAYS_LEVEL],
        env=shipping.environment_of(level),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [level, shipping.instructions_of(level)]


def test_a_level_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "environment_of", lambda _: shipping.environment_of("x86-64"))
    with pytest.raises(ZkgpuError, match=r"x86-64-fma: error: .*'fma' needs"):
        kernels._built_level("x86-64-fma")


def test_a_wheel_without_a_level_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel, names = tmp_path / "zkgpu.whl", [f"zkgpu/kernels/{'0' * 24}-{level}/f.code" for level in kernels.LEVELS]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names[1:]:
            archive.writestr(name, b"")
    with pytest.raises(SystemExit, match=r"no kernels for x86-64-ifma"):
        kernels.main(["--check", str(wheel)])
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(names[0], b"")
    kernels.main(["--check", str(wheel)])
    assert "kernels of every level are there" in capsys.readouterr().out
