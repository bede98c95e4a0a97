"""Creation code without a compiler: compiled once with stand-ins for a key's numbers, which are then replaced.

Two keys whose circuits have the same public values have contracts that differ in constants only. A constant of 32
bytes is compiled to PUSH32 and its bytes wherever it is used, so the code for one key is that of any other with these
bytes replaced. The source with stand-ins is remembered by its digest: code of another contract is never linked.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict

from Crypto.Hash import keccak

from zkgpu.errors import FormatError, UsageError
from zkgpu.evm.abi import WORD_BYTES
from zkgpu.groth16.keys import VerifyingKey
from zkgpu.records import dataclass
from zkgpu.solidity.contract import verifier_source

_PUSH32 = b"\x7f"
_CONSTANT = re.compile(r"(?<= constant )([A-Z][A-Z0-9_]*) = (\w+)(?=;)")
_COMMENT = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_OF_ALL_KEYS = {"R"}


@dataclass(frozen=True)
class CompiledContract:
    """The contract of every key whose circuit has the same public values, compiled.

    Attributes:
        source: SHA-256 of `standin_source` without its comments, in hexadecimal
        code: creation code of that source, in hexadecimal
    """

    source: str
    code: str

    @classmethod
    def of(cls, source: str, code: str) -> CompiledContract:
        """What a compiler made of a source with stand-ins."""
        return cls(_digest(source), code)

    @classmethod
    def parse(cls, text: str) -> CompiledContract:
        """The contract in a text that `dump` wrote. Raises FormatError for any other."""
        try:
            fields = json.loads(text)
            bytes.fromhex(fields["code"])
            return cls(str(fields["source"]), fields["code"])
        except (ValueError, TypeError, KeyError) as error:
            raise FormatError("not a compiled contract: write it again with CompiledContract.dump") from error

    def dump(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    def for_key(self, key: VerifyingKey) -> bytes:
        """Creation code of the contract for `key`.

        Raises UsageError for a key whose contract has another source, FormatError when the code lacks a stand-in.
        """
        if _digest(standin_source(key)) != self.source:
            raise UsageError("this code was compiled for other public values: compile the key's own contract with solc")
        code = bytes.fromhex(self.code)
        for name, value in key_constants(verifier_source(key, allow_insecure=True)).items():
            code = _replaced(code, name, value)
        return code


def standin_source(key: VerifyingKey) -> str:
    """The source of the contract for `key` with a stand-in for each number that depends on the key."""
    source = verifier_source(key, allow_insecure=True)
    return _CONSTANT.sub(
        lambda found: found[0] if found[1] in _OF_ALL_KEYS else f"{found[1]} = 0x{_standin(found[1]).hex()}", source
    )


def _standin(name: str) -> bytes:
    """32 bytes that nothing else in a contract equals; the first is not 0, so that none is left out."""
    hashed = keccak.new(digest_bits=256, data=f"stand-in for {name}".encode()).digest()
    return b"\xa5" + hashed[1:]


def key_constants(source: str) -> dict[str, int]:
    """The numbers that depend on the key, by the names of their constants."""
    return {name: int(value, 0) for name, value in _CONSTANT.findall(source) if name not in _OF_ALL_KEYS}


def _replaced(code: bytes, name: str, value: int) -> bytes:
    standin = _standin(name)
    if code.count(standin) != code.count(_PUSH32 + standin) or standin not in code:
        raise FormatError(f"the code of the contract does not hold {name} as a word: compile it again")
    return code.replace(standin, value.to_bytes(WORD_BYTES, "big"))


def _digest(source: str) -> str:
    return hashlib.sha256(_COMMENT.sub("", source).encode()).hexdigest()
