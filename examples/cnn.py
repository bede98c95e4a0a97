"""A convolutional network on digits: 3 x 3 convolution to 8 channels, Relu, max pooling, dense layer to 10 classes.

Its weights are in models/digits_cnn.onnx; models/README.md says how they were learnt.
"""

from pathlib import Path

import onnx

from examples.digits import digits
from examples.measured import Example, table

MODEL = Path(__file__).parent / "models" / "digits_cnn.onnx"


def example() -> Example:
    data = digits()
    learn, test = data.learn.reshape(-1, 1, 8, 8), data.test.reshape(-1, 1, 8, 8)
    return Example("CNN on 8x8 digits", onnx.load(MODEL), learn[:200], test, classifier=True)


if __name__ == "__main__":
    table(example())
