from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test sees, or leaves, marks in the user's cache."""
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
