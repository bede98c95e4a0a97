"""Compiles CPU kernels: LLVM IR emitters for two instruction paths, and the disk cache of compiled code."""
