import pytest
from msm_cases import Progression

from zkgpu.curves.bn254 import G1, G2
from zkgpu.jit.isa import ISAS, supported


@pytest.fixture(params=ISAS, ids=str)
def isa(request):
    if ISAS[request.param] not in supported():
        pytest.skip(f"this CPU has no {request.param} instruction set")
    return ISAS[request.param]


@pytest.fixture(params=[G1, G2], ids=["G1", "G2"])
def group(request):
    return request.param


@pytest.fixture(scope="session")
def progressions():
    """The first points of one progression in each group."""
    return {group: Progression(group, 1100) for group in (G1, G2)}
