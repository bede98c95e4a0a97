"""What the device "auto" is: a GPU that works, or else the CPU, and why."""

from __future__ import annotations

import functools
import importlib.util
import logging
from typing import TYPE_CHECKING

from zkgpu.curves import DEFAULT
from zkgpu.errors import ResourceError
from zkgpu.extras import hint
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.backend.cuda import CudaBackend

log = logging.getLogger(__name__)


@functools.cache
def gpu_problem() -> str | None:
    """Why GPU 0 is not used, in one line; None when it works. Found out once a process, and said in the log."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {hint('cuda13')}"
    problem = _problem_found()
    if problem is None:
        log.info("auto: computing on cuda:0")
    else:
        log.warning("auto: computing on the CPU, as the GPU does not work: %s", problem)
    return problem


def describe_gpu() -> str:
    """What GPU 0 is, or why it is not used."""
    problem = gpu_problem()
    if problem is not None:
        return f"none: {problem}"
    from zkgpu.gpu.cupy_driver import CupyDriver

    return f"cuda:0: {CupyDriver().description}"


def _problem_found() -> str | None:
    from zkgpu.backend.cuda import CudaBackend
    from zkgpu.gpu.cupy_driver import CupyDriver

    try:
        with stage("test GPU"):
            require_right_results(CudaBackend(CupyDriver(), DEFAULT))
    except Exception as error:  # a broken installation fails in many ways, and none may keep the CPU from work
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0]
    return None


def require_right_results(backend: CudaBackend) -> None:
    """Raises ResourceError unless known products, and a known sum of points, come out."""
    field, group = backend.curve.scalar_field, backend.curve.g1
    factors = [1, 2, field.modulus - 5]
    vector = backend.vector(field.to_limbs(factors))
    squares = field.from_limbs(backend.limbs(backend.pointwise(lambda x: x * x + 1, vector)))
    points = backend.points(group, group.to_rows(k * group.generator for k in (1, 3, 1)))
    # 1 + 2 * 3 - 5
    if squares != [2, 5, 26] or backend.msm(points, vector) != 2 * group.generator:
        raise ResourceError(f"{backend.name}: it gives wrong results: do not trust it")
