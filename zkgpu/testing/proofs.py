"""Proofs of a circuit in a proof system, and its contract in an EVM: valid ones are accepted, altered ones are not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace

from zkgpu.api import Prover, unsafe_setup, verify
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.errors import FormatError, ResourceError, SelfCheckError
from zkgpu.evm.in_memory import call_verifier
from zkgpu.extras import hint
from zkgpu.provers.proof_system import AnyVerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.solidity import verifier_source

_COMPILERS = ("solc", "solcjs")


def check_proofs(
    system: str, compiled: CompiledCircuit, valid: Sequence[Mapping[str, object]], solidity: bool | str
) -> None:
    """See check_circuit."""
    key = unsafe_setup(compiled, system, backend="cpu")
    code = compile_contract(verifier_source(key.verifying_key), solidity) if solidity else None
    with Prover(key, "cpu", circuit=compiled) as prover:
        for inputs in valid:
            statement = prover.prove(inputs)
            altered = with_other_values(statement, compiled)
            _check_verdicts(system, key.verifying_key, statement, altered)
            if code is not None:
                _call(code, statement, altered)


def with_other_values(statement: Statement, compiled: CompiledCircuit) -> Statement | None:
    """The statement with another public value, the last; None when it has none."""
    if statement.packed:
        last = statement.packed[-1] ^ 1
        return replace(statement, packed=statement.packed[:-1] + bytes([last]))
    if statement.public_inputs:
        *others, last = statement.public_inputs
        return replace(statement, public_inputs=[*others, (last + 1) % compiled.r1cs.field.modulus])
    return None


def _check_verdicts(system: str, key: AnyVerifyingKey, statement: Statement, altered: Statement | None) -> None:
    if not verify(key, statement):
        raise SelfCheckError(f"{system}: the verifier refuses a proof of valid inputs")
    if altered is not None and _accepts(key, altered):
        raise SelfCheckError(f"{system}: the verifier accepts a proof beside other public values")


def _accepts(key: AnyVerifyingKey, statement: Statement) -> bool:
    try:
        return verify(key, statement)
    except FormatError:  # a packed value outside of its interval
        return False


def _call(code: bytes, statement: Statement, altered: Statement | None) -> None:
    valid = statement.calldata()
    other = _with_another_point(valid) if altered is None else altered.calldata()
    if call_verifier(code, valid, other) is None:
        raise ResourceError(f"pyrevm is not installed, which runs the contract: {hint('evm')}")


def _with_another_point(call: bytes) -> bytes:
    """The call with the lowest bit of its first argument, a coordinate in the proof, changed."""
    changed = bytearray(call)
    changed[4 + 31] ^= 1
    return bytes(changed)


def compile_contract(source: str, compiler: bool | str) -> bytes:
    """The creation code of the contract in a Solidity source.

    Args:
        compiler: the path to solc or solcjs, or True for the one on PATH

    Raises ResourceError where there is no compiler, SelfCheckError for what it says of the source.
    """
    found = compiler if isinstance(compiler, str) else next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is None:
        raise ResourceError("there is no solc on PATH: install one, or give its path as `solidity`")
    request = {
        "language": "Solidity",
        "sources": {"Verifier.sol": {"content": source}},
        "settings": {
            "optimizer": {"enabled": True},
            "evmVersion": "shanghai",
            "outputSelection": {"*": {"*": ["evm.bytecode.object"]}},
        },
    }
    command = [found, "--standard-json"]
    try:
        done = subprocess.run(  # noqa: S603 - the compiler that the caller names
            command, input=json.dumps(request), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ResourceError(f"{found} cannot be run: {error.strerror}") from error
    return _creation_code(found, done.stdout)


def _creation_code(compiler: str, answer: str) -> bytes:
    """From the compiler's JSON, before which solcjs may write a line of its own."""
    try:
        output = json.loads(answer[answer.index("{") :])
    except ValueError:
        raise SelfCheckError(f"{compiler} --standard-json does not answer as a Solidity compiler does") from None
    errors = [error["message"] for error in output.get("errors", ()) if error["severity"] == "error"]
    if errors:
        raise SelfCheckError(f"{compiler} does not compile the contract: {errors[0]}")
    (contract,) = output["contracts"]["Verifier.sol"].values()
    return bytes.fromhex(contract["evm"]["bytecode"]["object"])
