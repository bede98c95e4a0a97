"""A result on a device against another way of computing it there, for sizes that Python's integers take minutes for.

Vectors' kernels check transforms and sums, with which they share nothing but products; they are checked themselves
against Python's integers at small sizes. Equality of long vectors is equality of polynomials at a random point.
"""

from __future__ import annotations

import secrets
from itertools import accumulate
from typing import Any

import numpy as np

from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import Fr
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.ntt.domain import Domain, bit_reversal

r = Fr.modulus
REPEATED = 1 << 14  # points below which a sum is done again
FACTORS = ("random", "zero", "one", "minus one", "half", "same", "bits")


class WrongResult(Exception):
    """A device computed something else than it should."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise WrongResult(f"wrong result: {what}")


def random_scalars(n: int, seed: int) -> Limbs:
    """(n, 4) canonical limbs below 2^253."""
    limbs = np.random.default_rng(seed).integers(0, 1 << 64, (n, 4), dtype=np.uint64)
    limbs[:, 3] >>= np.uint64(11)
    return limbs


def values_of(backend: CudaBackend, vector: Any) -> list[int]:
    return Fr.from_limbs(backend.limbs(vector))


def require_vectors(backend: CudaBackend, n: int) -> None:
    """Every operation on a short vector, against Python's integers."""
    values = [pow(7, 11 * i + 1, r) for i in range(n)]
    vector = backend.vector(Fr.to_limbs(values))
    quotient = list(accumulate(values[:0:-1], lambda above, c: (c + 3 * above) % r, initial=5))[::-1]
    found = {
        "limbs there and back": (vector, values),
        "x^2 + 1": (backend.pointwise(lambda x: x * x + 1, vector), [(x * x + 1) % r for x in values]),
        "inverse": (backend.inverse(vector), [pow(x, -1, r) for x in values]),
        "prefix product": (backend.prefix_product(vector), list(accumulate(values, lambda x, y: x * y % r))),
        "division by X - root": (backend.divide_by_linear(vector, 3, 5), quotient),
    }
    for what, (computed, right) in found.items():
        require(values_of(backend, computed) == right, what)
    require(backend.evaluate(vector, 3) == sum(v * pow(3, i, r) for i, v in enumerate(values)) % r, "evaluate")


def require_transform(backend: CudaBackend, log_size: int, offset: int = 1) -> None:
    """All evaluations by Lagrange's formula at a random point, some by themselves, and the way back.

    P(x) = (x^n - s^n) / (n s^n) sum of e_j w_j / (x - w_j) over the domain's points w_j, for P with P(w_j) = e_j.
    """
    domain = Domain(Fr, 1 << log_size, offset)
    n, x = domain.size, secrets.randbelow(r)
    coefficients = backend.vector(random_scalars(n, log_size))
    evaluations, points = backend.ntt(coefficients, domain), points_of(backend, domain)
    inverses = backend.inverse(backend.pointwise(lambda w: x - w, points))
    terms = backend.pointwise(lambda e, w, i: e * w * i, evaluations, points, inverses)
    outer = pow(offset, n, r)
    lagrange = (pow(x, n, r) - outer) * pow(n * outer, -1, r) * backend.evaluate(terms, 1) % r
    require(lagrange == backend.evaluate(coefficients, x), f"transform of 2^{log_size} on {offset} <omega>")
    back = backend.intt(evaluations, domain)
    require(backend.evaluate(back, x) == backend.evaluate(coefficients, x), f"transform of 2^{log_size} and back")


def points_of(backend: CudaBackend, domain: Domain) -> Any:
    """The domain's points, bit-reversed: the values of X, of which a few are checked."""
    if domain.size == 1:
        return backend.vector(Fr.to_limbs([domain.offset]))
    x = np.zeros((domain.size, 4), np.uint64)
    x[1, 0] = 1
    points = backend.ntt(backend.vector(x), domain)
    order = bit_reversal(min(domain.log_size, 10))  # of the upper bits, so that 2^10 entries are spread over all
    step = domain.size // len(order)
    for k in {0, 1 % len(order), len(order) // 3, len(order) - 1}:
        found = values_of(backend, points.part(k * step, k * step + 1))
        require(found == [domain.offset * pow(domain.omega, int(order[k]), r) % r], f"point {k * step} of a domain")
    return points


def factors_of(kind: str, n: int) -> Limbs:
    """n scalars of one of FACTORS."""
    if kind == "random":
        return random_scalars(n, 5)
    if kind == "bits":
        limbs = np.zeros((n, 4), np.uint64)
        limbs[:, 0] = np.random.default_rng(3).integers(0, 2, n)
        return limbs
    value = {"zero": 0, "one": 1, "minus one": r - 1, "half": r >> 1, "same": pow(5, 77, r)}[kind]
    return np.repeat(Fr.to_limbs([value]), n, axis=0)


def sum_to_do(backend: CudaBackend, group: Group, n: int, kind: str = "random") -> tuple[Any, Any, int]:
    """(points, scalars, the logarithm of their sum), some points equal and some at infinity."""
    logs = random_scalars(n, 4)
    logs[:: max(1, n // 5)] = 0
    if n > 8:
        logs[3], logs[4] = logs[5], logs[5]
    of_points, scalars = backend.vector(logs), backend.vector(factors_of(kind, n))
    total = backend.evaluate(backend.pointwise(lambda x, y: x * y, of_points, scalars), 1)
    return backend.points(group, backend.fixed_base(group.generator, of_points)), scalars, total


def require_sum(backend: CudaBackend, group: Group, n: int, kind: str = "random") -> None:
    """A sum of known multiples of the generator, whose logarithm the kernels of vectors compute.

    Few points are summed three times: the second time a recording is made, the third it is replayed.
    """
    points, scalars, total = sum_to_do(backend, group, n, kind)
    right = total * group.generator
    for time in ("", " once more", " a third time")[: 3 if n < REPEATED else 1]:
        require(backend.msm(points, scalars) == right, f"sum of {n} in {group.name}, {kind}{time}")


def require_points(backend: CudaBackend, group: Group, n: int) -> None:
    """Points scaled, combined and as plain integers, and a point that is none found among them."""
    logs = backend.vector(random_scalars(n, 8))
    rows = backend.fixed_base(group.generator, logs)
    require(backend.first_invalid_point(group, rows) is None, f"valid points of {group.name}")
    bad = rows.copy()
    bad[n // 2, 0] ^= np.uint64(1)
    found = backend.first_invalid_point(group, bad)
    require(found is not None and found[0] == n // 2, f"an invalid point of {group.name}")
    again = backend.fixed_base(group.generator, backend.pointwise(lambda x: x * 12345, logs))
    require(np.array_equal(backend.scale_points(group, rows, 12345), again), f"scaled points of {group.name}")
    first, second = np.arange(n - 1), np.arange(1, n)
    where = np.repeat(first, 2), np.stack([first, second], axis=1).ravel(), np.arange(2 * (n - 1)) % 2
    matrix = SparseMatrix.from_entries((n - 1, n), *where, Fr.to_limbs([3, r - 2]))
    again = backend.fixed_base(
        group.generator, backend.pointwise(lambda x, y: x * 3 - y * 2, logs.part(0, n - 1), logs.part(1, n))
    )
    require(np.array_equal(backend.combine_points(group, matrix, rows), again), f"combined points of {group.name}")
    f = group.base_field
    plain = f.to_limbs(f.from_montgomery_limbs(rows.reshape(-1, f.limbs))).reshape(rows.shape)
    require(np.array_equal(backend.canonical_rows(group, rows), plain), f"points of {group.name} as plain integers")


def require_byte_products(driver: Any, m: int, k: int, n: int) -> None:
    from zkgpu.gpu.matmul import ByteProducts
    from zkgpu.gpu.program import Programs

    rng = np.random.default_rng(2)
    x, y = rng.integers(-128, 128, (m, k)).astype(np.int8), rng.integers(-128, 128, (k, n)).astype(np.int8)
    found = ByteProducts(Programs(driver))(x, y)
    require(np.array_equal(found, x.astype(np.int64) @ y.astype(np.int64)), "product of bytes")
