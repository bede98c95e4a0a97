"""Perceptrons: 64-128-64-10 on digits, and with --large 784-1024-256-10 with random weights, a million of them."""

import sys
from itertools import pairwise

import numpy as np
from sklearn.neural_network import MLPClassifier

from examples.digits import digits
from examples.measured import Example, table
from examples.networks import perceptron


def large() -> Example:
    random, sizes = np.random.default_rng(0), (784, 1024, 256, 10)
    weights = [random.normal(0, a**-0.5, (a, b)) for a, b in pairwise(sizes)]
    images = random.integers(0, 256, (60, 784)) / 255
    model = perceptron(weights, [np.zeros(b) for b in sizes[1:]])
    return Example("MLP 784-1024-256-10", model, images, images)


def small() -> Example:
    data = digits()
    learnt = MLPClassifier((128, 64), max_iter=200, random_state=0).fit(data.learn / 16, data.labels)
    weights = [learnt.coefs_[0] / 16, *learnt.coefs_[1:]]
    model = perceptron(weights, learnt.intercepts_)
    return Example("MLP 64-128-64-10", model, data.learn[:200], data.test, classifier=True)


if __name__ == "__main__":
    table(large() if "--large" in sys.argv else small())
