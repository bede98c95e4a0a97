"""A linear classifier of digits, 64 to 10: learnt by logistic regression, proven with public and private weights.

With --save the learnt model is written to models/digits_dense.onnx.
"""

import sys
from pathlib import Path

import onnx
from sklearn.linear_model import LogisticRegression

from examples.digits import digits
from examples.measured import Example, table
from examples.networks import perceptron

MODEL = Path(__file__).parent / "models" / "digits_dense.onnx"


def example() -> Example:
    data = digits()
    learnt = LogisticRegression(max_iter=300).fit(data.learn / 16, data.labels)
    model = perceptron([learnt.coef_.T / 16], [learnt.intercept_])
    return Example("dense 64-10", model, data.learn[:200], data.test, classifier=True)


if __name__ == "__main__":
    learnt = example()
    if "--save" in sys.argv:
        onnx.save(learnt.model, MODEL)
    table(learnt)
