"""The files other tools read and write: with the readers of the proof systems, the only door for untrusted bytes.

Lengths, indices, ranges and points are checked here, before any kernel sees them: kernels check no bounds.
"""
