"""What surrounds calls of CUDA: the GPU is the calling thread's, and CUDA's errors are ours."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from zkgpu.errors import ResourceError
from zkgpu.gpu.driver import OutOfMemory

FULL = "close other programs on this GPU, or use --device cpu"


class Translated:
    """In the block, CUDA's errors are ours. One object does for all blocks: it remembers nothing of them."""

    def __init__(self, cuda: Any, name: str):
        self._errors, self._name = (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError), name

    def __enter__(self) -> None: ...

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if not isinstance(error, self._errors):
            return
        if "out of memory" in str(error):
            raise OutOfMemory(f"{self._name}: no memory for what CUDA itself needs: {FULL}") from error
        raise ResourceError(f"{self._name}: {error}: check the driver with nvidia-smi, or use --device cpu") from error


class Calls:
    """The context of one GPU, which must be current in each thread that calls CUDA.

    Reading a thread's context is the cheapest of CUDA's calls, and nearly always the answer is the right one.
    """

    def __init__(self, cuda: Any, name: str, number: int):
        self._driver, self._number = cuda.driver, number
        self._current, self._translated = cuda.driver.ctxGetCurrent, Translated(cuda, name)
        self._context = self._current()

    def __call__(self) -> AbstractContextManager[None]:
        """A block of calls; afterwards the thread has the context that it had before."""
        if self._current() == self._context:
            return self._translated
        return self._Elsewhere(self)

    class _Elsewhere:
        """A block in a thread where another context is current, or none."""

        def __init__(self, calls: Calls):
            self._calls = calls

        def __enter__(self) -> None:
            calls = self._calls
            self._before = calls._current()
            calls._driver.ctxSetCurrent(calls._context)

        def __exit__(self, *error: Any) -> None:
            calls = self._calls
            # a thread that had none, and would get that of GPU 0 with its first call, may keep it
            if self._before or calls._number:
                calls._driver.ctxSetCurrent(self._before)
            calls._translated.__exit__(*error)
