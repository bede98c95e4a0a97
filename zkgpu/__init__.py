"""Zero-knowledge proofs from Python circuits, circom files and neural networks, on CPUs and CUDA GPUs."""

__version__ = "0.1.0"
__all__ = ["__version__"]
