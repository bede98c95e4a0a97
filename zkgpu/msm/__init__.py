"""Multi-scalar multiplication."""
