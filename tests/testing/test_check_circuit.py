"""check_circuit: each of its questions catches what it is there for, and says where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import zkgpu.testing.proofs as proofs
from zkgpu.circuits import Circuit
from zkgpu.circuits import gadgets as g
from zkgpu.errors import ResourceError, SelfCheckError, UnsatisfiedError, UnsoundError, UsageError
from zkgpu.testing import check_circuit

VALID, INVALID = [{"x": 49}, {"x": 0}], [{"x": 50}]


def root(bits: int | None = 8) -> Circuit:
    """The root of x, published; either of the two, without `bits`."""
    c = Circuit()
    x = c.private("x")
    found = c.hint(lambda v: int(int(v) ** 0.5), [x], label="root")
    if bits:
        g.range_check(found, bits)
    c.assert_equal(found * found, x, label="square")
    c.output("out", found)
    return c


def test_a_sound_circuit_passes() -> None:
    check_circuit(root(), valid=VALID, invalid=INVALID)
    check_circuit(root().compile(), valid=VALID)


def test_valid_inputs_that_break_a_constraint_are_named_with_it() -> None:
    with pytest.raises(UnsatisfiedError, match=r"valid inputs 2: constraint \d+ 'square'"):
        check_circuit(root(), valid=[*VALID, *INVALID])


def test_invalid_inputs_that_satisfy_everything_are_named() -> None:
    with pytest.raises(UnsoundError, match="invalid inputs 1 satisfy every constraint"):
        check_circuit(root(), valid=VALID, invalid=[*INVALID, {"x": 64}])


def test_a_wire_that_nothing_pins_is_named() -> None:
    c = Circuit()
    x = c.private("x")
    low = c.hint(lambda v: int(v) % 8, [x], label="low")
    high = c.hint(lambda v: int(v) // 8, [x], label="high")
    c.assert_equal(low + 8 * high, x)
    c.output("out", low)
    with pytest.raises(UnsoundError, match=r"valid inputs 0: a second witness: .*'(low|high|out)' may have another"):
        check_circuit(c, valid=[{"x": 123}])
    check_circuit(c, valid=[{"x": 123}], attack=False)


def test_another_root_is_named_by_its_hint() -> None:
    with pytest.raises(UnsoundError, match="'root' may have another value: a second output 'out'"):
        check_circuit(root(bits=None), valid=VALID)


def test_what_is_meant_to_be_determined_is_attacked_too() -> None:
    c = Circuit()
    c.output("square", c.private("key") ** 2)
    check_circuit(c, valid=[{"key": 6}])
    with pytest.raises(UnsoundError, match="'key' may have another value"):
        check_circuit(c, valid=[{"key": 6}], determined=["key"])


@pytest.mark.parametrize("system", ["groth16", "plonk"])
def test_proofs_are_made_and_altered_ones_refused(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts: list[bool] = []
    verify = proofs.verify

    def remembered(*given: Any) -> bool:
        verdicts.append(verify(*given))
        return verdicts[-1]

    monkeypatch.setattr(proofs, "verify", remembered)
    check_circuit(root(), valid=VALID, attack=False, systems=[system])
    assert verdicts == [True, False] * len(VALID)


@pytest.mark.parametrize(("answer", "said"), [(True, "accepts a proof beside other"), (False, "refuses a proof of")])
def test_a_verifier_that_is_wrong_is_found(answer: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "verify", lambda *_: answer)
    with pytest.raises(SelfCheckError, match=f"plonk: the verifier {said}"):
        check_circuit(root(), valid=VALID, attack=False, systems=["plonk"])


def test_packed_values_are_altered_where_there_are_some() -> None:
    c = Circuit()
    c.output_array("out", c.private("x", 3) * 2, bits=8)
    check_circuit(c, valid=[{"x": [1, 2, 127]}], systems=["groth16"])


# returns one 32-byte word, 1 or 0, for any call: PUSH1 answer, 0, MSTORE, then RETURN(0, 32); and its constructor
def standin(answer: int) -> bytes:
    body = bytes.fromhex(f"60{answer:02x}60005260206000f3")
    return bytes.fromhex(f"60{len(body):02x}600c60003960{len(body):02x}6000f3") + body


@pytest.mark.parametrize(("answer", "said"), [(1, "accepts an altered call"), (0, "refuses the valid call")])
def test_a_contract_that_is_wrong_is_found(answer: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyrevm")
    monkeypatch.setattr(proofs, "compile_contract", lambda *_: standin(answer))
    with pytest.raises(SelfCheckError, match=said):
        check_circuit(root(), valid=VALID, attack=False, systems=["plonk"], solidity=True)


@pytest.mark.node
@pytest.mark.parametrize("system", ["groth16", "plonk"])
def test_contracts_of_a_circuit_are_compiled_and_called(system: str) -> None:
    pytest.importorskip("pyrevm")
    compiler = Path(os.environ.get("NODE_PATH", ""), ".bin", "solcjs")
    if not compiler.exists():
        pytest.skip("npm's solc is not where node finds it")
    check_circuit(root(), valid=VALID[:1], attack=False, systems=[system], solidity=str(compiler))


def test_a_compiler_that_is_missing_or_is_none_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResourceError, match="nowhere/solc cannot be run: No such file"):
        proofs.compile_contract("", "/nowhere/solc")
    with pytest.raises(SelfCheckError, match="does not answer as a Solidity compiler"):
        proofs.compile_contract("", "/bin/echo")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="no solc on PATH"):
        proofs.compile_contract("", True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"valid": []}, "give valid inputs"),
        ({"valid": VALID, "solidity": True}, "give the proof systems"),
        ({"valid": VALID, "systems": ["fflonk"]}, "no proof system 'fflonk'"),
        ({"valid": [{"y": 3}]}, "unknown input 'y'"),
        ({"valid": VALID, "invalid": [{"y": 3}]}, "unknown input 'y'"),
    ],
)
def test_questions_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_circuit(root(), **{"attack": False, **options})


def test_constraints_without_a_program_are_no_circuit_to_check() -> None:
    with pytest.raises(UsageError, match="R1CS is given, not a Circuit"):
        check_circuit(root().compile().r1cs, valid=VALID)  # type: ignore[arg-type]
