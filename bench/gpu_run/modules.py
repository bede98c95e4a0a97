"""Python packages for a machine that cannot fetch any: carried as wheels, unpacked into a folder of their own.

Such a folder is made where there is a network by

    python -m pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 -d .wheels pycryptodome platformdirs

for Python 3.12 on x86-64, with the packages that the machine lacks. Needs nothing but Python.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

CARRIED = ".wheels"  # beside the checkout's folders, kept out of git
NEEDED = ("numpy", "numba", "click", "rich", "Crypto", "platformdirs", "filelock", "pytest", "hypothesis")


def missing(modules: Iterable[str], site: Path) -> list[str]:
    """Those of the modules that neither this Python nor the unpacked wheels have."""
    return [name for name in modules if not importlib.util.find_spec(name) and not _unpacked(name, site)]


def _unpacked(name: str, site: Path) -> bool:
    return (site / name).is_dir() or (site / f"{name}.py").is_file()


def unpack(wheels: Path, site: Path) -> list[str]:
    """Put the packages of all wheels of a folder into `site`; their files' names."""
    found = sorted(wheels.glob("*.whl"))
    for wheel in found:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
    return [wheel.name for wheel in found]


def fetched(folder: Path, project: Path, extras: str) -> str:
    """The Python of a new environment with the project's packages, which come from the network.

    Raises OSError or CalledProcessError where they do not.
    """
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{project}[{extras}]"], check=True, timeout=900)
    return python


def here() -> str:
    return sys.executable
