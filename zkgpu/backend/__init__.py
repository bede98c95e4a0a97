"""Devices: what one must do, and the ones there are."""
