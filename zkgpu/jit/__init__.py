"""Compiles CPU kernels: LLVM IR emitters for three instruction sets, and the disk cache of compiled code."""
