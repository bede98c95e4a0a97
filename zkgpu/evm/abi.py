"""The contract's interface in words of 32 bytes, as EIP-196 and EIP-197 and the Solidity ABI lay them out."""

from __future__ import annotations

from Crypto.Hash import keccak

from zkgpu.curves import CURVES, Curve, Point
from zkgpu.errors import PointError, UsageError

SELECTOR_BYTES = 4
WORD_BYTES = 32


def g1_words(point: Point) -> tuple[int, ...]:
    """(x, y), or (0, 0) for infinity.

    Raises UsageError for a point of another group than the G1 of a curve with contracts, PointError for a coordinate
    outside [0, q).
    """
    return _coordinates(point, "G1")


def g2_words(point: Point) -> tuple[int, ...]:
    """(x.c1, x.c0, y.c1, y.c0), all zero for infinity. Raises as g1_words, for G2."""
    x0, x1, y0, y1 = _coordinates(point, "G2")
    return x1, x0, y1, y0


def contract_curves() -> list[Curve]:
    """The curves that the contracts are written for: the EVM takes their coordinates as words, c1 of a pair first."""
    known = [(curve, curve.precompiles) for curve in CURVES]
    return [c for c, evm in known if evm is not None and evm.coordinate_bytes == WORD_BYTES and evm.imaginary_first]


def require_contracts(curve: Curve) -> None:
    """Raises UsageError for a curve that there are no contracts for."""
    if curve not in contract_curves():
        raise UsageError(f"there are no contracts for {curve.title}: use a key over {_titles()}")


def _titles() -> str:
    return " or ".join(curve.title for curve in contract_curves())


def _coordinates(point: Point, name: str) -> tuple[int, ...]:
    if point.group not in [curve.g1 if name == "G1" else curve.g2 for curve in contract_curves()]:
        raise UsageError(
            f"the contract takes points of {_titles()} {name}, not of {point.group.name}: "
            f"use a key and a proof over {_titles()}"
        )
    if not point.is_canonical():
        raise PointError(
            f"a coordinate of a point of {point.group.name} is no integer in [0, q): values are never reduced"
        )
    return point.coordinates()


def selector(function: str, parameters: str, n_public: int, packed_size: int = 0) -> bytes:
    """First four bytes of the Keccak-256 of the signature; `parameters` are those before the public inputs."""
    inputs = f",uint256[{n_public}]" if n_public else ""
    signature = f"{function}({parameters}{inputs}{',bytes' if packed_size else ''})"
    return keccak.new(digest_bits=256, data=signature.encode()).digest()[:SELECTOR_BYTES]
