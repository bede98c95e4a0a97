"""A linear classifier of digits, 64 to 10: learnt by logistic regression, proven with public and private weights."""

from sklearn.linear_model import LogisticRegression

from examples.digits import digits
from examples.measured import table
from examples.networks import perceptron

if __name__ == "__main__":
    data = digits()
    learnt = LogisticRegression(max_iter=300).fit(data.learn / 16, data.labels)
    model = perceptron([learnt.coef_.T / 16], [learnt.intercept_])
    table("dense 64-10", model, data.learn[:200], data.test)
