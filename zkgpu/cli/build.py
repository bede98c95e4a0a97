"""The build folder of a model, as commands meet it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zkgpu.cli.outputs import require_disk

if TYPE_CHECKING:
    from zkgpu.inference import CompiledModel, Folder


def build_folder(path: str) -> Folder:
    from zkgpu.inference import Folder

    return Folder(Path(path))


def require_room_for(compiled: CompiledModel, folder: Folder) -> None:
    """Raises ResourceError before a circuit is built that no domain, memory or disk would hold."""
    from zkgpu.inference import estimate, require_room

    costs = estimate(compiled.account.size)
    require_room(costs)
    require_disk(folder.key_file, costs.key_bytes)
