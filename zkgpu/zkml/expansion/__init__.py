"""Operators that stand for many others, written out in an ONNX model: recurrent cells, loops, attention."""
