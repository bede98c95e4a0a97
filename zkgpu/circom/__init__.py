"""Witnesses of circom 2 circuits, computed by the .wasm calculator that circom makes beside each circuit."""

from zkgpu.circom.calculator import Calculator, compute_witness
from zkgpu.circom.guard import Limits

__all__ = ["Calculator", "Limits", "compute_witness"]
