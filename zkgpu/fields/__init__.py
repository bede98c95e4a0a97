"""Finite fields: prime fields with their Montgomery constants, and quadratic extensions."""

from zkgpu.fields.field import Field
from zkgpu.fields.quadratic import QuadraticExtension

__all__ = ["Field", "QuadraticExtension"]
