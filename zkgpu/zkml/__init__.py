"""From an ONNX model to an integer network and its circuit. The face of it is `zkgpu.inference`."""
