"""Witnesses of circom 2 circuits, computed by the .wasm calculator that circom makes beside each circuit."""

from zkgpu.circom.calculator import compute_witness

__all__ = ["compute_witness"]
