"""A small ceremony by zkgpu, whose files are small enough to be checked dozens of times."""

from __future__ import annotations

from pathlib import Path

import pytest

from zkgpu import open_backend
from zkgpu.ceremony.phase_one import contribute_powers, write_new_powers
from zkgpu.ceremony.preparing import prepare_powers
from zkgpu.ceremony.ptau import PowersOfTau, read_ptau
from zkgpu.curves.bn254 import BN254


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2^3 powers: new, one and two with as many contributions, and ready, which is two prepared."""
    folder, backend = tmp_path_factory.mktemp("small"), open_backend("cpu")
    write_new_powers(folder / "new", BN254, 3)
    contribute_powers(read_ptau(folder / "new"), folder / "one", backend, name="one")
    contribute_powers(read_ptau(folder / "one"), folder / "two", backend, name="two", entropy=b"dice")
    prepare_powers(read_ptau(folder / "two"), folder / "ready", backend)
    return folder


@pytest.fixture(scope="session")
def small(small_folder: Path) -> PowersOfTau:
    """The prepared file."""
    return read_ptau(small_folder / "ready")
