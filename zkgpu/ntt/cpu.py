"""Number-theoretic transforms on the CPU, in place on blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.cpu import CpuField, CpuVector
from zkgpu.jit.memory import second_level_cache
from zkgpu.jit.threads import at_most, parallel
from zkgpu.ntt import kernels
from zkgpu.ntt.domain import Domain
from zkgpu.ntt.plan import RADIX, SMALLEST_LOG, Plan, plan, subtransform_log
from zkgpu.ntt.twiddles import Twiddles, twiddles


def ntt(cpu: CpuField, coefficients: CpuVector, domain: Domain, in_place: bool = False) -> CpuVector:
    """Values of a polynomial on a domain, in bit-reversed order, from its coefficients in natural order.

    The offsets 1 and omega_2n (the odd coset) cost nothing; any other costs one more pass over the data.

    Args:
        in_place: overwrite the coefficients. Raises LengthError unless there are as many as domain points.
    """
    data = _working_copy(cpu, coefficients, domain, in_place)
    if _is_small(domain):
        return _replace(cpu, data, _evaluate(domain, cpu.to_integers(data)))
    group = _group(domain)
    if group is None:
        cpu.multiply_by_powers(data, domain.offset, out=data)
    tables = _tables(cpu, domain, group, inverse=False)
    kernel = partial(kernels.forward(cpu.isa, cpu.field.modulus, cpu.field.root_of_unity(RADIX)), data.blocks)
    _run(_plan(cpu, domain, group, False), cpu.thread_count(domain.size), kernel, tables)
    return data


def intt(cpu: CpuField, evaluations: CpuVector, domain: Domain, in_place: bool = False) -> CpuVector:
    """Coefficients in natural order from the values on a domain in bit-reversed order: the inverse of ntt."""
    data = _working_copy(cpu, evaluations, domain, in_place)
    if _is_small(domain):
        return _replace(cpu, data, _interpolate(domain, cpu.to_integers(data)))
    group = _group(domain)
    root = cpu.field.inverse(cpu.field.root_of_unity(RADIX))
    tables = _tables(cpu, domain, group, inverse=True)
    kernel = partial(kernels.inverse(cpu.isa, cpu.field.modulus, root), data.blocks)
    _run(_plan(cpu, domain, group, True), cpu.thread_count(domain.size), kernel, tables)
    if group is None:
        cpu.multiply_by_powers(data, cpu.field.inverse(domain.offset), out=data)
    return data


def _tables(cpu: CpuField, domain: Domain, group: int | None, *, inverse: bool) -> Twiddles:
    """Kept for all transforms alike; made, when they are, by no more threads than this one may use."""
    with at_most(cpu.threads):
        return twiddles(cpu.field, cpu.isa, domain.log_size, group or 0, inverse)


def _working_copy(cpu: CpuField, vector: CpuVector, domain: Domain, in_place: bool) -> CpuVector:
    if len(vector) != domain.size:
        raise LengthError(f"{len(vector)} entries but {domain.size} domain points: the two must be equal")
    if domain.field != cpu.field:
        raise UsageError(f"a domain of {domain.field.name} was given to transforms over {cpu.field.name}")
    cpu.check(vector)
    return vector if in_place else cpu.copy(vector)


def _group(domain: Domain) -> int | None:
    """0 for the roots of unity, 1 for the odd coset, None for any other coset."""
    if domain.offset == 1:
        return 0
    has_double = domain.log_size < domain.field.two_adicity
    return 1 if has_double and domain.offset == domain.field.root_of_unity(2 * domain.size) else None


def _plan(cpu: CpuField, domain: Domain, group: int | None, inverse: bool) -> Plan:
    log_lanes, subtransform = cpu.isa.lanes.bit_length() - 1, subtransform_log(second_level_cache())
    return plan(domain.log_size, log_lanes, group or 0, inverse, subtransform)


def _run(plan: Plan, threads: int, kernel: Callable[..., None], tables: Twiddles) -> None:
    for phase in plan.phases:
        parallel([partial(kernel, passes, tables.powers, tables.tiles, tables.scale) for passes in phase], threads)


# Transforms too short for a tile, by their definition.


def _is_small(domain: Domain) -> bool:
    return domain.log_size < SMALLEST_LOG


def _points(domain: Domain) -> list[int]:
    p = domain.field.modulus
    return [domain.offset * pow(domain.omega, int(i), p) % p for i in domain.bit_reversal]


def _evaluate(domain: Domain, coefficients: list[int]) -> list[int]:
    p = domain.field.modulus
    return [sum(c * pow(x, k, p) for k, c in enumerate(coefficients)) % p for x in _points(domain)]


def _interpolate(domain: Domain, values: list[int]) -> list[int]:
    p, scale = domain.field.modulus, domain.field.inverse(domain.size)
    inverses = [domain.field.inverse(x) for x in _points(domain)]
    return [
        scale * sum(v * pow(x, k, p) for v, x in zip(values, inverses, strict=True)) % p for k in range(domain.size)
    ]


def _replace(cpu: CpuField, data: CpuVector, values: list[int]) -> CpuVector:
    data.blocks[:] = cpu.from_integers(values).blocks
    return data
