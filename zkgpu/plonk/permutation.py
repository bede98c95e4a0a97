"""sigma, the permutation that makes equal what one wire holds in several places.

Each position of the table, column by column, has a label: omega^row, k_1 omega^row, k_2 omega^row, the values of the
identity permutation. sigma goes around the positions of each wire, and S1, S2, S3 hold the labels that sigma leads to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs
from zkgpu.ntt.domain import Domain
from zkgpu.plonk.keys import Index


def sigma(wires: Index, size: int) -> NDArray[np.int64]:
    """(3, size) int64: the position that each position's sigma is, positions being column * size + row.

    Args:
        wires: (3, rows); the rows up to `size` hold wire 0

    Read row by row, a wire's position leads to the one before it, and the first to the last, as in snarkjs' keys.
    """
    table = np.zeros((size, 3), dtype=np.int64)
    table[: wires.shape[1]] = wires.T
    by_wire = np.argsort(table.reshape(-1), kind="stable")
    of_wire = table.reshape(-1)[by_wire]
    is_first = np.concatenate([[True], of_wire[1:] != of_wire[:-1]])
    is_last = np.concatenate([is_first[1:], [True]])
    before = np.concatenate([by_wire[:1], by_wire[:-1]])
    before[is_first] = by_wire[is_last]
    leads_to = np.empty_like(by_wire)
    leads_to[by_wire] = before
    row, column = np.divmod(leads_to.reshape(size, 3), 3)
    positions: NDArray[np.int64] = (column * size + row).T
    return positions


def identity_labels(domain: Domain, k: tuple[int, int]) -> Limbs:
    """(3 n, 4) uint64 canonical limbs: the label of every position."""
    p, omega, power, powers = domain.field.modulus, domain.omega, 1, []
    for _ in range(domain.size):
        powers.append(power)
        power = power * omega % p
    return domain.field.to_limbs(factor * x for factor in (1, *k) for x in powers)
