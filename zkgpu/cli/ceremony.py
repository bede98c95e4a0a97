"""powers and key: the two phases of a Groth16 setup, as contributors and verifiers meet them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zkgpu.cli.declaring import argument, group, option
from zkgpu.cli.outputs import require_disk, require_outputs
from zkgpu.cli.python_circuit import load_circuit
from zkgpu.cli.session import Session
from zkgpu.cli.types import FileOrProgram, IntRange, PathKind, Stream, is_program
from zkgpu.errors import UsageError
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.ceremony.draws import Beacon
    from zkgpu.ceremony.ptau import PowersOfTau
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.groth16.keys import ProvingKey

FILE = PathKind(exists=True, dir_okay=False)
OUTPUT = PathKind(dir_okay=False)
_MOST_ENTROPY = 1 << 20  # bytes that are read of it
_REDUCED = "the hash that the last contribution left is of all 2^{} powers of the ceremony, and cannot be checked here"

name_option = option("--name", default="", help="A name for the contribution, which everybody can read.")
entropy_option = option(
    "--entropy",
    kind=Stream(),
    metavar="FILE",
    help="Bytes to mix into what the operating system draws; - for standard input.",
)
replace_option = option("--force", is_flag=True, help="Replace the output where there is a file.")


@group("powers")
def powers_group() -> None:
    """Phase 1: powers of tau, for all circuits up to a size. Files are those of snarkjs.

    new, contribute (each party, one after another), beacon, prepare; then verify, by everybody who relies on it.
    """


@powers_group.command("new")
@argument("power", kind=IntRange(1, 27))
@argument("output", metavar="NEW.ptau", kind=OUTPUT)
@option("--curve", "curve_name", help="By its name in snarkjs' files.")
@replace_option
def powers_new(session: Session, power: int, output: str, curve_name: str | None, force: bool) -> None:
    """Begin a ceremony of 2^POWER powers, which serves circuits of up to 2^POWER constraints."""
    from zkgpu.ceremony.phase_one import write_new_powers
    from zkgpu.curves import DEFAULT, curve_named, known_curves

    curve = DEFAULT if curve_name is None else curve_named(curve_name)
    if curve is None:
        raise UsageError(f"--curve {curve_name}: is not known: give {known_curves()}")
    _require_new(output, [], force, 384 << power)
    with session.working(), stage("write powers"):
        write_new_powers(output, curve, power)
    session.finish({"output": output, "power": power}, f"{output}: 2^{power} powers, to which nobody contributed yet")


@powers_group.command("contribute")
@argument("powers", metavar="OLD.ptau", kind=FILE)
@argument("output", metavar="NEW.ptau", kind=OUTPUT)
@name_option
@entropy_option
@replace_option
def powers_contribute(session: Session, powers: str, output: str, name: str, entropy: Any, force: bool) -> None:
    """Multiply tau, alpha and beta by secrets from this machine's operating system, which are forgotten."""
    _contribute_powers(session, powers, output, force, name=name, entropy=_read(entropy))


@powers_group.command("beacon")
@argument("powers", metavar="OLD.ptau", kind=FILE)
@argument("output", metavar="NEW.ptau", kind=OUTPUT)
@argument("value", metavar="HEX")
@argument("exponent", metavar="EXPONENT", kind=int)
@name_option
@replace_option
def powers_beacon(
    session: Session, powers: str, output: str, value: str, exponent: int, name: str, force: bool
) -> None:
    """End a ceremony: contribute what follows from a public value, by 2^EXPONENT iterations of SHA-256.

    The value is one that nobody could know while others contributed, as of a block of a chain to come.
    """
    _contribute_powers(session, powers, output, force, name=name, beacon=_beacon(value, exponent))


def _contribute_powers(session: Session, powers: str, output: str, force: bool, **given: Any) -> None:
    from zkgpu.ceremony.phase_one import contribute_powers

    _require_new(output, [powers], force, os.path.getsize(powers))
    with session.working():
        ptau = _read_powers(powers)
        if ptau.lagrange is not None:
            session.warn(f"{powers}: is prepared, and {output} will not be: prepare it again")
        _forbid_core_dumps()
        contribution = contribute_powers(ptau, output, session.backend(), **given)
    number, digest = len(ptau.contributions) + 1, contribution.response_hash().hex()
    session.finish(
        {"output": output, "power": ptau.power, "contribution": number, "contribution_hash": digest},
        f"{output}: contribution {number} to 2^{ptau.power} powers",
        f"its hash, to publish: {digest}",
    )


@powers_group.command("prepare")
@argument("powers", metavar="OLD.ptau", kind=FILE)
@argument("output", metavar="PREPARED.ptau", kind=OUTPUT)
@replace_option
def powers_prepare(session: Session, powers: str, output: str, force: bool) -> None:
    """Make a ceremony's last file ready for `zkgpu setup`. Where it is stopped, the same command goes on from there."""
    from zkgpu.backend.beside import large_in_files
    from zkgpu.ceremony.preparing import prepare_powers
    from zkgpu.ceremony.published import prepared_bytes

    with session.working():
        ptau = _read_powers(powers)
        _require_new(output, [powers], force, 2 * prepared_bytes(ptau.curve, ptau.power))
        with large_in_files(_folder_of(output)):
            prepare_powers(ptau, output, session.backend())
    session.finish({"output": output, "power": ptau.power}, f"{output}: 2^{ptau.power} powers, prepared for phase 2")


@powers_group.command("verify")
@argument("powers", metavar="POT.ptau", kind=FILE)
def powers_verify(session: Session, powers: str) -> None:
    """Check all that a file holds: its powers, Lagrange points, and every contribution."""
    from zkgpu.ceremony.powers import verify_file
    from zkgpu.ceremony.published import file_name, power_of
    from zkgpu.formats.container import map_file
    from zkgpu.store.open_hash import blake2b_of

    with session.working():
        ptau = _read_powers(powers)
        verify_file(ptau, session.backend())
        with stage("hash file"):
            digest = blake2b_of(map_file(powers))
    known = power_of(digest)
    published = None if known is None else file_name(known)
    facts: dict[str, Any] = {
        "power": ptau.power,
        "prepared": ptau.lagrange is not None,
        "contributions": _contributions(ptau),
        "last_hash_checked": not ptau.is_reduced,
        "digest": digest.hex(),
        "published_as": published,
    }
    session.finish(
        facts,
        f"valid powers of tau: 2^{ptau.power}, {len(ptau.contributions)} contributions"
        + (", prepared" if facts["prepared"] else ", not prepared"),
        *contribution_lines(facts),
        *([_REDUCED.format(ptau.ceremony_power)] if ptau.is_reduced else []),
        f"BLAKE2b {digest.hex()}" + (f", which is published as {published}" if published else ""),
    )


@powers_group.command("inspect")
@argument("powers", metavar="POT.ptau", kind=FILE)
def powers_inspect(session: Session, powers: str) -> None:
    """Say who contributed to a file, without checking it."""
    ptau = _read_powers(powers)
    facts: dict[str, Any] = {
        "curve": ptau.curve.name,
        "power": ptau.power,
        "ceremony_power": ptau.ceremony_power,
        "prepared": ptau.lagrange is not None,
        "contributions": _contributions(ptau),
    }
    prepared = "prepared" if facts["prepared"] else "not prepared"
    part = f", of 2^{ptau.ceremony_power} in the ceremony" if ptau.is_reduced else ""
    session.finish(
        facts,
        f"2^{ptau.power} powers over {ptau.curve.title}{part}, {prepared}",
        *contribution_lines(facts),
    )


def _contributions(ptau: PowersOfTau) -> list[dict[str, Any]]:
    from zkgpu.ceremony.contributors import contribution_facts

    return [contribution_facts(i, c, c.response_hash()) for i, c in enumerate(ptau.contributions, 1)]


def contribution_lines(facts: Mapping[str, Any]) -> list[str]:
    """A line for each contribution: number, name, beacon and hash."""
    from zkgpu.ceremony.contributors import contribution_line

    return [contribution_line(one) for one in facts["contributions"]]


@group("key")
def key_group() -> None:
    """Phase 2: a Groth16 key of one circuit, or of a model. Keys without challenges are those of snarkjs.

    `zkgpu setup` begins it; then contribute (each party, one after another), beacon, and verify, by everybody who
    relies on the key.
    """


@key_group.command("contribute")
@argument("key", metavar="OLD.zkey", kind=FILE)
@argument("output", metavar="NEW.zkey", kind=OUTPUT)
@name_option
@entropy_option
@replace_option
def key_contribute(session: Session, key: str, output: str, name: str, entropy: Any, force: bool) -> None:
    """Multiply the key's secrets by others from this machine's operating system, which are forgotten."""
    _contribute_to_key(session, key, output, force, name=name, entropy=_read(entropy))


@key_group.command("beacon")
@argument("key", metavar="OLD.zkey", kind=FILE)
@argument("output", metavar="NEW.zkey", kind=OUTPUT)
@argument("value", metavar="HEX")
@argument("exponent", metavar="EXPONENT", kind=int)
@name_option
@replace_option
def key_beacon(session: Session, key: str, output: str, value: str, exponent: int, name: str, force: bool) -> None:
    """End a ceremony: contribute what follows from a public value, by 2^EXPONENT iterations of SHA-256."""
    _contribute_to_key(session, key, output, force, name=name, beacon=_beacon(value, exponent))


def _contribute_to_key(session: Session, path: str, output: str, force: bool, **given: Any) -> None:
    from zkgpu.backend.beside import large_in_files
    from zkgpu.groth16.ceremony import contribution_hash
    from zkgpu.groth16.setup import contribute
    from zkgpu.groth16.zkey import write_zkey

    _require_new(output, [path], force, os.path.getsize(path))
    with session.working():
        key = _read_groth16_key(session, path)
        if key.is_unsafe:
            raise UsageError(
                f"{path}: one party made the key and knows its tau: set up from a ceremony's powers instead"
            )
        _forbid_core_dumps()
        with large_in_files(_folder_of(output)):
            key = contribute(key, session.backend(), **given)
        with stage("write key"):
            write_zkey(output, key)
    digest = contribution_hash(key.contributions[-1]).hex()
    session.finish(
        {"output": output, "contribution": len(key.contributions), "contribution_hash": digest},
        f"{output}: contribution {len(key.contributions)} to a key of {key.n_wires:,} wires",
        f"its hash, to publish: {digest}",
    )


@key_group.command("verify")
@argument("circuit", metavar="CIRCUIT.r1cs|FILE.py:circuit|BUILD", kind=FileOrProgram(dir_okay=True))
@argument("powers", metavar="POT.ptau", kind=FILE)
@argument("key", metavar="KEY.zkey", kind=FILE)
def key_verify(session: Session, circuit: str, powers: str, key: str) -> None:
    """Check a key against its circuit, or a model's build folder, and the prepared powers; and every contribution."""
    from zkgpu.groth16.setup import verify_key

    with session.working():
        with stage("read circuit"):
            r1cs = _read_circuit(circuit)
        proving_key = _read_groth16_key(session, key)
        verify_key(proving_key, r1cs, _read_powers(powers), session.backend())
    facts = _key_facts(proving_key)
    session.finish(
        facts,
        f"valid key: {proving_key.n_wires:,} wires, {len(proving_key.contributions)} contributions",
        *contribution_lines(facts),
    )


@key_group.command("inspect")
@argument("key", metavar="KEY.zkey", kind=FILE)
def key_inspect(session: Session, key: str) -> None:
    """Say who contributed to a key, without checking it."""
    from zkgpu.groth16.zkey import read_zkey

    found = read_zkey(key)
    facts = _key_facts(found)
    session.finish(
        facts,
        f"key of {facts['wires']:,} wires, circuit hash {facts['circuit_hash']}"
        + (", UNSAFE" if facts["unsafe"] else ""),
        *contribution_lines(facts),
    )


def _key_facts(key: ProvingKey) -> dict[str, Any]:
    from zkgpu.ceremony.contributors import contribution_facts
    from zkgpu.groth16.ceremony import contribution_hash

    return {
        "wires": key.n_wires,
        "circuit_hash": key.circuit_hash.hex(),
        "committed_wires": key.n_committed,
        "unsafe": key.is_unsafe,
        "contributions": [contribution_facts(i, c, contribution_hash(c)) for i, c in enumerate(key.contributions, 1)],
    }


def _read_circuit(path: str) -> R1CS:
    from zkgpu.formats.r1cs import read_r1cs

    if is_program(path):
        return load_circuit(path).r1cs
    if not os.path.isdir(path):
        return read_r1cs(path)
    from pathlib import Path

    from zkgpu.inference import Folder

    return Folder(Path(path)).read_model().circuit.r1cs


def _read_groth16_key(session: Session, path: str) -> ProvingKey:
    from zkgpu.groth16.keys import ProvingKey
    from zkgpu.systems.files import read_key

    with stage("open key"):
        key = read_key(path, session.backend().first_invalid_point)
    if not isinstance(key, ProvingKey):
        raise UsageError(f"{path}: is no Groth16 key: those of other systems follow from circuit and powers alone")
    return key


def _read_powers(path: str) -> PowersOfTau:
    from zkgpu.ceremony.ptau import read_ptau

    with stage("read powers of tau"):
        return read_ptau(path)


def _require_new(output: str, inputs: list[str], force: bool, size: int) -> None:
    """Raises UsageError where a file would be replaced, which may be all there is of a ceremony."""
    if os.path.isfile(output) and not force:
        raise UsageError(f"{output}: there is a file: --force replaces it")
    require_outputs([output], inputs)
    require_disk(output, size)


def _beacon(value: str, exponent: int) -> Beacon:
    try:
        return bytes.fromhex(value.removeprefix("0x")), exponent
    except ValueError:
        raise UsageError(f"the beacon's value {value!r} is no hexadecimal: give two digits for each byte") from None


def _read(entropy: Any) -> bytes:
    return b"" if entropy is None else bytes(entropy.read(_MOST_ENTROPY))


def _forbid_core_dumps() -> None:
    """A crash must not write the secrets that are about to be drawn."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _folder_of(path: str) -> Any:
    from pathlib import Path

    return Path(path).absolute().parent
