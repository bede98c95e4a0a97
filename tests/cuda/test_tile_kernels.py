"""The kernels of bench/tile_kernels.py, run block by block by NumPy in place of NVIDIA's tile language."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr

BENCH = Path(__file__).parents[2] / "bench"
r, R = Fr.modulus, 1 << 256


class Language(ModuleType):
    """What the kernels use of `cuda.tile`: tiles are arrays, and `block` is where the kernel runs."""

    int32, uint32, uint64 = np.int32, np.uint32, np.uint64
    Constant = {int: int}  # noqa: RUF012
    PaddingMode = SimpleNamespace(ZERO=0)
    where, transpose, zeros = staticmethod(np.where), staticmethod(np.transpose), staticmethod(np.zeros)
    block: tuple[int, ...] = ()

    def kernel(self, function: Callable[..., None]) -> Callable[..., None]:
        return function

    def bid(self, axis: int) -> int:
        return self.block[axis]

    def static_iter(self, what: Any) -> Any:
        return what

    def astype(self, x: Any, dtype: Any) -> Any:
        return x.astype(dtype)

    def num_tiles(self, array: Any, axis: int, shape: tuple[int, ...]) -> int:
        return -(-array.shape[axis] // shape[axis])

    def load(self, array: Any, index: tuple[int, ...], shape: tuple[int, ...], **_: Any) -> Any:
        found = np.zeros(shape, array.dtype)
        part = array[self._place(index, shape)]
        found[: part.shape[0], : part.shape[1]] = part
        return found

    def store(self, array: Any, index: tuple[int, ...], tile: Any) -> None:
        part = array[self._place(index, tile.shape)]
        part[...] = tile[: part.shape[0], : part.shape[1]]

    def mma(self, x: Any, y: Any, total: Any) -> Any:
        return total + x.astype(np.int32) @ y.astype(np.int32)

    def _place(self, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(i * n, (i + 1) * n) for i, n in zip(index, shape, strict=True))

    def launch(self, grid: tuple[int, ...], kernel: Callable[..., None], *arguments: Any) -> None:
        for self.block in np.ndindex(*grid):
            kernel(*arguments)


@pytest.fixture
def language(monkeypatch: pytest.MonkeyPatch) -> Iterator[Language]:
    language = Language("cuda.tile")
    parent = ModuleType("cuda")
    parent.tile = language  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cuda", parent)
    monkeypatch.setitem(sys.modules, "cuda.tile", language)
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.delitem(sys.modules, "tile_kernels", raising=False)
    yield language
    sys.modules.pop("tile_kernels", None)


@pytest.fixture
def kernels(language: Language) -> Any:
    return importlib.import_module("tile_kernels")


def planes(values: list[int]) -> Any:
    return np.array([[x >> 32 * i & 0xFFFFFFFF for x in values] for i in range(8)], np.uint32)


def numbers(limbs: Any) -> list[int]:
    return [sum(int(limb) << 32 * i for i, limb in enumerate(column)) for column in limbs.T]


def elements(n: int, seed: int) -> list[int]:
    """Below 2 r, its ends among them."""
    generator = random.Random(seed)
    edges = [0, 1, r - 1, r, r + 1, 2 * r - 1]
    return [*edges, *(generator.randrange(2 * r) for _ in range(n - len(edges)))]


def test_products_are_those_of_python(language: Language, kernels: Any) -> None:
    n, count = 2 * kernels.LANES, 3
    x, y = elements(n, 1), elements(n, 2)[::-1]
    out = planes(x)
    language.launch((2,), kernels.products, planes(y), out, count)
    found = numbers(out)
    assert all(value < 2 * r for value in found)
    assert [v % r for v in found] == [a * pow(b * pow(R, -1, r), count, r) % r for a, b in zip(x, y, strict=True)]


def test_a_pass_does_two_steps_of_a_transform(language: Language, kernels: Any) -> None:
    n, quarter = 4 * kernels.LANES, 1  # tiles of a quarter
    values = elements(n, 3)
    root = pow(5, (r - 1) // n, r)
    powers = [pow(root, i * k, r) * R % r for k in (1, 2, 3) for i in range(n // 4)]
    imaginary = [pow(root, n // 4, r) * R % r] * kernels.LANES
    found = planes(values)
    language.launch((quarter,), kernels.pass_of_four, found, planes(powers), planes(imaginary), quarter)
    assert all(value < 2 * r for value in numbers(found))
    assert [v % r for v in numbers(found)] == two_steps(values, root)


def two_steps(values: list[int], root: int) -> list[int]:
    """Steps of a transform by decimation in frequency over halves, then over quarters."""
    n = len(values)
    half = n // 2
    sums = [(values[i] + values[i + half]) % r for i in range(half)]
    rest = [(values[i] - values[i + half]) * pow(root, i, r) % r for i in range(half)]
    if n == 4 * 128:
        return [*two_steps(sums, root * root % r), *two_steps(rest, root * root % r)]
    return [*sums, *rest]


def test_products_of_bytes_are_exact(language: Language, kernels: Any) -> None:
    rng = np.random.default_rng(5)
    left, right = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((37, 48), (20, 48)))
    out = np.zeros((37, 20), np.int32)
    language.launch((3, 2), kernels.multiply_bytes, left, right, out, 16, 16, 32)
    assert np.array_equal(out, left.astype(int) @ right.T.astype(int))
