"""Polynomials over a scalar field, as coefficients or as values on a domain, and KZG commitments to them."""

from zkgpu.poly.kzg import Claim, Committer, Opening, batch_quotient, openings_hold
from zkgpu.poly.polynomials import Coefficients, Coset, combine, divide_by_linear, evaluate, interpolate, roots_of_unity
from zkgpu.poly.srs import Srs

__all__ = [
    "Claim",
    "Coefficients",
    "Committer",
    "Coset",
    "Opening",
    "Srs",
    "batch_quotient",
    "combine",
    "divide_by_linear",
    "evaluate",
    "interpolate",
    "openings_hold",
    "roots_of_unity",
]
