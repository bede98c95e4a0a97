"""Where a command writes, looked at before it works: nothing that it reads, nothing twice, and where there is room."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from zkgpu.cli.declaring import option
from zkgpu.errors import ResourceError, UsageError, ZkgpuError

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS

StrPath: TypeAlias = str | os.PathLike[str]
_SOURCES = (".py", ".circom", ".onnx")

force_option = option("--force", is_flag=True, help="Replace what is there of another circuit, or of a ceremony.")


def require_outputs(
    outputs: Iterable[StrPath], inputs: Iterable[StrPath | None], *, may_make_folders: bool = False
) -> None:
    """Raises UsageError for an output that is an input or an option, or that two share.

    Raises ResourceError for a place without room. Pipes and devices may be shared.
    """
    from zkgpu.formats.atomic import is_special, require_writable

    places = [os.fspath(path) for path in outputs if not is_special(path)]
    for place in places:
        if place.startswith("-"):
            raise UsageError(f"{place}: an output is a file: give ./{place} if this is its name")
        for path in inputs:
            if path is not None and _is_same(place, path):
                raise UsageError(f"{place}: this is read as well as written: choose another place for the output")
    for one, other in combinations(places, 2):
        if _is_same(one, other):
            raise UsageError(f"{other}: two outputs would be written there: choose a place for each")
    for place in places:
        require_writable(_above(place) if may_make_folders else place)


def require_kinds(outputs: Mapping[StrPath, str]) -> None:
    """Raises UsageError for an output that would take the place of a file of another kind: of another command, say.

    Args:
        outputs: by place, the kind of file as `formats.kinds` calls it
    """
    for path, kind in outputs.items():
        found = _found(path)
        if found not in (None, kind):
            raise UsageError(
                f"{os.fspath(path)}: there is {found}, in whose place {kind} would be written: "
                "choose another place, or remove it"
            )


def _found(path: StrPath) -> str | None:
    """What kind of file is there; None where there is none, an empty one, or one of an unknown kind."""
    from zkgpu.formats.container import map_file
    from zkgpu.formats.kinds import kind_of

    if not os.path.isfile(path) or not os.path.getsize(path):
        return None
    return "a source" if os.fspath(path).endswith(_SOURCES) else kind_of(map_file(path))


def require_disk(place: StrPath, size: int) -> None:
    """Raises ResourceError where a file of about that many bytes has no room, beside an old one that it replaces."""
    import shutil

    from zkgpu.provers.room import in_units

    free = shutil.disk_usage(os.path.dirname(os.path.abspath(_above(os.path.abspath(place))))).free
    if size > free:
        raise ResourceError(
            f"{os.fspath(place)}: it would take about {in_units(size)}, and the disk has {in_units(free)} left: "
            "make room, or choose another place"
        )


def require_room(key: StrPath, r1cs: R1CS, protocol: str) -> None:
    """Raises ResourceError where a setup of the circuit would have no memory, or its key no disk."""
    from zkgpu.provers.room import require_memory
    from zkgpu.systems.registry import system

    room = system(protocol).setup_room(r1cs)
    require_memory(r1cs.n_constraints, room.memory)
    require_disk(key, room.disk)


def require_replaceable(path: StrPath, r1cs: R1CS, force: bool, *, goes_on: bool = False) -> None:
    """Raises UsageError where something else would be replaced, without --force, than what a setup can make again.

    That is a key of the same circuit, unless it went through other hands: nobody can make their contributions again.

    Args:
        goes_on: the new key is what a ceremony made of the one that is there
    """
    from zkgpu.systems.files import read_key
    from zkgpu.systems.registry import system_of

    if force or not os.path.isfile(path):
        return
    try:
        key = read_key(path)
        is_same = system_of(key).holds_circuit(key, r1cs)
    except ZkgpuError:
        raise UsageError(f"{os.fspath(path)}: there is a file that is no key: --force replaces it") from None
    if not is_same:
        raise UsageError(f"{os.fspath(path)}: there is the key of another circuit: --force replaces it")
    taken = len(getattr(key, "contributions", ()))  # a key of PLONK has none: it follows from the powers of tau
    if taken > 1 and not goes_on:
        raise UsageError(f"{os.fspath(path)}: there is a key that took {taken} contributions: --force replaces it")


def _above(place: str) -> str:
    """A place that can be written if the folders of another one can be made."""
    folder = os.path.dirname(os.path.abspath(place))
    if os.path.exists(folder):
        return place
    return _above(folder)


def _is_same(one: StrPath, other: StrPath) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
