"""scikit-learn's images of handwritten digits, 8 x 8 pixels from 0 to 16, split into 1,437 to learn and 360 to test."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits


class Digits(NamedTuple):
    learn: NDArray[Any]
    labels: NDArray[Any]
    test: NDArray[Any]
    answers: NDArray[Any]


def digits() -> Digits:
    """Images as rows of 64 numbers."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    images, labels = data.data[order], data.target[order]
    return Digits(images[:1437], labels[:1437], images[1437:], labels[1437:])
