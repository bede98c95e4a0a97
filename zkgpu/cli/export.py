"""export and inspect: what else can be made of keys and proofs, and what a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zkgpu.cli.declaring import argument, command, group, option
from zkgpu.cli.outputs import require_kinds, require_outputs
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import told
from zkgpu.cli.types import FILE, OUTPUT
from zkgpu.cli.verifying import insecure_option
from zkgpu.errors import InsecureKeyError

if TYPE_CHECKING:
    from zkgpu.provers.proof_system import AnyVerifyingKey


@group("export")
def export_group() -> None:
    """Export a verifying key, a Solidity verifier, or calldata for it."""


@export_group.command("vk")
@argument("key_file", metavar="KEY.zkey", kind=FILE)
@argument("output", metavar="VERIFICATION_KEY.json", kind=OUTPUT)
@insecure_option
def export_vk(session: Session, key_file: str, output: str, allow_insecure_key: bool) -> None:
    """Write the verifying key of a .zkey file as snarkjs' verification_key.json."""
    from zkgpu.formats.kinds import KEY
    from zkgpu.systems.files import write_verifying_key

    require_outputs([output], [key_file])
    require_kinds({output: KEY})
    key = _read_verifying_key(session, key_file, allow_insecure_key)
    write_verifying_key(output, key)
    session.finish({"output": output, "public": key.n_public, "unsafe": key.is_unsafe}, f"{output}: verifying key")


@export_group.command("solidity")
@argument("key_file", metavar="KEY.zkey|VERIFICATION_KEY.json", kind=FILE)
@argument("output", metavar="VERIFIER.sol", kind=OUTPUT)
@option("--name", help="Name of the contract: Groth16Verifier or PlonkVerifier by default.")
@insecure_option
def export_solidity(session: Session, key_file: str, output: str, name: str | None, allow_insecure_key: bool) -> None:
    """Write a Solidity contract that verifies proofs for a key."""
    from zkgpu.formats.atomic import write_text
    from zkgpu.solidity import verifier_source
    from zkgpu.solidity.form import form_of

    require_outputs([output], [key_file])
    require_kinds({output: "a contract"})
    key = _read_verifying_key(session, key_file, allow_insecure_key)
    name = form_of(key, "VerifyingKey").contract_name if name is None else name
    write_text(output, verifier_source(key, name, allow_insecure=allow_insecure_key))
    session.finish({"output": output, "contract": name, "unsafe": key.is_unsafe}, f"{output}: contract {name}")


@export_group.command("calldata")
@argument("public_file", metavar="PUBLIC.json", kind=FILE)
@argument("proof_file", metavar="PROOF.json", kind=FILE)
@option("--hex", "as_hex", is_flag=True, help="ABI-encoded bytes with the selector, for a raw call.")
def export_calldata(session: Session, public_file: str, proof_file: str, as_hex: bool) -> None:
    """Print the arguments of verifyProof, as `snarkjs zkey export soliditycalldata` does."""
    from zkgpu.formats.public_values import read_public_values
    from zkgpu.solidity import calldata, calldata_text
    from zkgpu.systems.files import read_proof

    proof, (public_inputs, packed) = read_proof(proof_file), read_public_values(public_file)
    data = calldata(proof, public_inputs, packed=packed)
    text = "0x" + data.hex() if as_hex else calldata_text(proof, public_inputs, packed)
    session.finish({"calldata": text}, text)


def _read_verifying_key(session: Session, path: str, allow_insecure_key: bool) -> AnyVerifyingKey:
    """The verifying key of a .zkey or JSON file."""
    from zkgpu.formats import zkey
    from zkgpu.formats.container import map_file
    from zkgpu.systems.files import read_key, read_verifying_key

    if map_file(path)[:4].tobytes() != zkey.MAGIC:
        key: AnyVerifyingKey = read_verifying_key(path)
        weakness = key.weakness()
    else:
        proving_key = read_key(path, session.backend().first_invalid_point)
        key, weakness = proving_key.verifying_key, proving_key.weakness()
    if not allow_insecure_key:
        InsecureKeyError.raise_for(weakness)
    session.warn_of_key(key.is_unsafe, weakness)
    return key


@command("inspect")
@argument("path", metavar="FILE", kind=FILE)
def inspect_command(session: Session, path: str) -> None:
    """Say what a .r1cs, .wtns, .ptau, .zkey or JSON file holds."""
    from zkgpu.cli.ceremony import contribution_lines
    from zkgpu.systems.inspection import inspect_file

    facts: dict[str, Any] = inspect_file(path)
    short = {name: len(value) if name == "contributions" else value for name, value in facts.items()}
    session.finish(facts, *told(short), *(contribution_lines(facts) if "contributions" in facts else []))
