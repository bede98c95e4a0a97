"""What runs CUDA kernels: their sources, the checks on every launch, and the drivers that reach a device."""
