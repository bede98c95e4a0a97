"""Whether this machine has room for a model's circuit, asked before it is built: its domain, and memory."""

from __future__ import annotations

from zkgpu.curves import DEFAULT
from zkgpu.groth16.qap import domain_for
from zkgpu.inference.costs import Costs
from zkgpu.provers.room import require_memory


def require_room(costs: Costs) -> None:
    """Raises ResourceError, with the sizes, for a circuit beyond the largest domain, or that memory cannot hold.

    The key's file is another matter: it lies where the caller says.
    """
    domain_for(DEFAULT.scalar_field, costs.constraints, costs.public)
    require_memory(costs.constraints, costs.memory)
