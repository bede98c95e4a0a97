from pathlib import Path

import pytest

from zkgpu.ceremony.ptau import PowersOfTau, read_ptau


@pytest.fixture(scope="session")
def ptau_of_64_powers() -> PowersOfTau:
    return read_ptau(Path(__file__).parents[1] / "data" / "samples" / "pot6_b.ptau")
