"""What every prover asks of an assignment before any arithmetic sees it."""

from __future__ import annotations

import numpy as np

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Field, Limbs


def require_shape(assignment: Limbs, n_wires: int, field: Field) -> None:
    """Raises UsageError unless this is an (n, 4) uint64 array of limbs, LengthError if n is wrong."""
    if assignment.ndim != 2 or assignment.shape[1] != field.limbs or assignment.dtype != np.uint64:
        raise UsageError(f"the assignment must be an (n, {field.limbs}) uint64 array of limbs")
    if assignment.shape[0] != n_wires:
        raise LengthError(
            f"the witness has {assignment.shape[0]} values but the key is for {n_wires} wires: "
            "it belongs to another circuit"
        )


def require_canonical(assignment: Limbs, field: Field) -> None:
    """Raises UsageError unless this is 1, then values, as canonical limbs."""
    canonical = field.is_canonical(assignment)
    if not canonical.all():
        raise UsageError(f"witness value {int(np.argmin(canonical))} is not below the modulus of {field.name}")
    if field.from_limbs(assignment[:1]) != [1]:
        raise UsageError("witness value 0 must be the constant 1")
