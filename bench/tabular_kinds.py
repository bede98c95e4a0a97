"""What scikit-learn, XGBoost and LightGBM fit to tables: the kinds that `tabular.py` tries, and the tables.

Needs scikit-learn, and xgboost and lightgbm for their kinds. Every kind is one that skl2onnx or onnxmltools converts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import (
    compose,
    datasets,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    svm,
    tree,
)
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor

CLASSIFY, REGRESS, DESCRIBE = "classify", "regress", "describe"
SEED = 7
_FEW = 150  # rows that are fitted by kinds that keep them all
_TEST = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        task: classify, regress, or describe: without targets
        make: an unfitted estimator
        keeps_rows: whether the model is made of the rows that it was fitted to, so that few must do
        positive: whether features must not be negative
    """

    name: str
    task: str
    make: Callable[[], BaseEstimator]
    keeps_rows: bool = False
    positive: bool = False


@dataclass(frozen=True)
class Table:
    """Rows to fit to, and rows held out."""

    x: Floats
    y: Floats
    x_test: Floats
    y_test: Floats


def _split(x: Floats, y: Floats, stratify: bool) -> Table:
    x = x.astype(np.float32)
    parts = train_test_split(x, y, test_size=_TEST, random_state=SEED, stratify=y if stratify else None)
    return Table(parts[0], parts[2], parts[1], parts[3])


def _housing() -> tuple[Floats, Floats]:
    """Columns from 0.3 to 20,000 in size, as rooms, ages, incomes and areas are, and a price."""
    rng = np.random.default_rng(SEED)
    sizes = np.array([0.3, 1.0, 6.0, 40.0, 300.0, 2_000.0, 20_000.0])
    x = np.abs(rng.normal(1.0, 0.4, (500, sizes.size))) * sizes
    part = x / sizes
    return x, 180 + part @ np.array([40.0, -25, 60, 10, -30, 55, 80]) + 15 * part[:, 0] * part[:, 5] + rng.normal(
        0, 5, 500
    )


TABLES: Mapping[str, tuple[str, Callable[[], tuple[Floats, Floats]]]] = {
    "iris": (CLASSIFY, lambda: datasets.load_iris(return_X_y=True)),
    "digits": (CLASSIFY, lambda: datasets.load_digits(return_X_y=True)),
    "wine": (CLASSIFY, lambda: datasets.load_wine(return_X_y=True)),
    "breast_cancer": (CLASSIFY, lambda: datasets.load_breast_cancer(return_X_y=True)),
    "diabetes": (REGRESS, lambda: datasets.load_diabetes(return_X_y=True)),
    "housing-like": (REGRESS, _housing),
}


def table(name: str) -> Table:
    task, load = TABLES[name]
    return _split(*load(), stratify=task == CLASSIFY)


def shortened(given: Table) -> Table:
    """For kinds that keep the rows they were fitted to."""
    chosen = np.random.default_rng(SEED).permutation(len(given.x))[:_FEW]
    return Table(given.x[chosen], given.y[chosen], given.x_test, given.y_test)


def _scaled(estimator: BaseEstimator) -> BaseEstimator:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)


def _logistic() -> BaseEstimator:
    return linear_model.LogisticRegression(max_iter=300)


def _before_logistic(transformer: BaseEstimator, scale: bool = True) -> BaseEstimator:
    first = [preprocessing.StandardScaler()] if scale else []
    return pipeline.make_pipeline(*first, transformer, _logistic())


def _forest(**given: Any) -> BaseEstimator:
    return ensemble.RandomForestClassifier(**{"n_estimators": 20, "max_depth": 6, "random_state": SEED, **given})


def _tree(**given: Any) -> BaseEstimator:
    return tree.DecisionTreeClassifier(**{"max_depth": 6, "random_state": SEED, **given})


def _xgboost(kind: str) -> Callable[[], BaseEstimator]:
    def make() -> BaseEstimator:
        import xgboost

        estimator: BaseEstimator = getattr(xgboost, kind)(n_estimators=15, max_depth=4, n_jobs=1, random_state=SEED)
        return estimator

    return make


def _lightgbm(kind: str) -> Callable[[], BaseEstimator]:
    def make() -> BaseEstimator:
        import lightgbm

        estimator: BaseEstimator = getattr(lightgbm, kind)(
            n_estimators=15, num_leaves=12, n_jobs=1, random_state=SEED, verbose=-1
        )
        return estimator

    return make


def _mixed_columns() -> BaseEstimator:
    return compose.ColumnTransformer(
        [
            ("scaled", preprocessing.StandardScaler(), [0, 2]),
            ("ranged", preprocessing.MinMaxScaler(), [1]),
            ("kept", "passthrough", [3]),
        ]
    )


def _joined() -> BaseEstimator:
    return pipeline.FeatureUnion([("scaled", preprocessing.StandardScaler()), ("main", decomposition.PCA(2))])


def _mlp(kind: str, activation: str) -> Callable[[], BaseEstimator]:
    def make() -> BaseEstimator:
        given = {"hidden_layer_sizes": (32, 16), "activation": activation, "max_iter": 300, "random_state": SEED}
        return _scaled(getattr(neural_network, kind)(**given))

    return make


def _normalized(norm: str) -> Callable[[], BaseEstimator]:
    return lambda: _before_logistic(preprocessing.Normalizer(norm))


CLASSIFIERS = (
    Kind("LogisticRegression", CLASSIFY, lambda: _logistic()),
    Kind("StandardScaler + LogisticRegression", CLASSIFY, lambda: _scaled(_logistic())),
    Kind("SGDClassifier hinge", CLASSIFY, lambda: _scaled(linear_model.SGDClassifier(random_state=SEED))),
    Kind(
        "SGDClassifier log_loss",
        CLASSIFY,
        lambda: _scaled(linear_model.SGDClassifier(loss="log_loss", random_state=SEED)),
    ),
    Kind(
        "SGDClassifier modified_huber",
        CLASSIFY,
        lambda: _scaled(linear_model.SGDClassifier(loss="modified_huber", random_state=SEED)),
    ),
    Kind("Perceptron", CLASSIFY, lambda: _scaled(linear_model.Perceptron(random_state=SEED))),
    Kind("RidgeClassifier", CLASSIFY, lambda: linear_model.RidgeClassifier()),
    Kind("RidgeClassifierCV", CLASSIFY, lambda: _scaled(linear_model.RidgeClassifierCV())),
    Kind("LinearSVC", CLASSIFY, lambda: svm.LinearSVC(max_iter=20_000)),
    Kind("LinearDiscriminantAnalysis", CLASSIFY, lambda: discriminant_analysis.LinearDiscriminantAnalysis()),
    Kind(
        "QuadraticDiscriminantAnalysis",
        CLASSIFY,
        lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
    ),
    Kind("GaussianNB", CLASSIFY, lambda: naive_bayes.GaussianNB()),
    Kind("BernoulliNB", CLASSIFY, lambda: _scaled(naive_bayes.BernoulliNB())),
    Kind("MultinomialNB", CLASSIFY, lambda: naive_bayes.MultinomialNB(), positive=True),
    Kind("ComplementNB", CLASSIFY, lambda: naive_bayes.ComplementNB(), positive=True),
    Kind("DecisionTreeClassifier", CLASSIFY, lambda: _tree()),
    Kind("StandardScaler + DecisionTreeClassifier", CLASSIFY, lambda: _scaled(_tree())),
    Kind("ExtraTreeClassifier", CLASSIFY, lambda: tree.ExtraTreeClassifier(max_depth=6, random_state=SEED)),
    Kind("RandomForestClassifier", CLASSIFY, lambda: _forest()),
    Kind("StandardScaler + RandomForestClassifier", CLASSIFY, lambda: _scaled(_forest())),
    Kind(
        "MinMaxScaler + RandomForestClassifier",
        CLASSIFY,
        lambda: pipeline.make_pipeline(preprocessing.MinMaxScaler(), _forest()),
    ),
    Kind(
        "ExtraTreesClassifier",
        CLASSIFY,
        lambda: ensemble.ExtraTreesClassifier(n_estimators=20, max_depth=6, random_state=SEED),
    ),
    Kind(
        "GradientBoostingClassifier",
        CLASSIFY,
        lambda: ensemble.GradientBoostingClassifier(n_estimators=15, random_state=SEED),
    ),
    Kind(
        "HistGradientBoostingClassifier",
        CLASSIFY,
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=15, max_leaf_nodes=12, random_state=SEED),
    ),
    Kind("AdaBoostClassifier", CLASSIFY, lambda: ensemble.AdaBoostClassifier(n_estimators=15, random_state=SEED)),
    Kind(
        "BaggingClassifier of trees",
        CLASSIFY,
        lambda: ensemble.BaggingClassifier(_tree(), n_estimators=8, random_state=SEED),
    ),
    Kind(
        "BaggingClassifier of LogisticRegression",
        CLASSIFY,
        lambda: ensemble.BaggingClassifier(_scaled(_logistic()), n_estimators=5, random_state=SEED),
    ),
    Kind(
        "VotingClassifier soft",
        CLASSIFY,
        lambda: ensemble.VotingClassifier(
            [("a", _scaled(_logistic())), ("b", _tree()), ("c", _forest(n_estimators=5))],
            voting="soft",
            flatten_transform=False,
        ),
    ),
    Kind(
        "VotingClassifier hard",
        CLASSIFY,
        lambda: ensemble.VotingClassifier(
            [("a", _scaled(_logistic())), ("b", _tree()), ("c", _forest(n_estimators=5))],
            voting="hard",
            flatten_transform=False,
        ),
    ),
    Kind(
        "StackingClassifier",
        CLASSIFY,
        lambda: ensemble.StackingClassifier([("a", _scaled(_logistic())), ("b", _tree())], _logistic()),
    ),
    Kind("OneVsRestClassifier", CLASSIFY, lambda: OneVsRestClassifier(_scaled(_logistic()))),
    Kind("OneVsOneClassifier", CLASSIFY, lambda: _scaled(OneVsOneClassifier(_logistic()))),
    Kind(
        "CalibratedClassifierCV sigmoid",
        CLASSIFY,
        lambda: CalibratedClassifierCV(_scaled(_logistic()), method="sigmoid", cv=2),
    ),
    Kind(
        "CalibratedClassifierCV isotonic",
        CLASSIFY,
        lambda: CalibratedClassifierCV(_scaled(_logistic()), method="isotonic", cv=2),
    ),
    Kind("SVC linear", CLASSIFY, lambda: _scaled(svm.SVC(kernel="linear"))),
    Kind("SVC poly", CLASSIFY, lambda: _scaled(svm.SVC(kernel="poly"))),
    Kind("SVC rbf", CLASSIFY, lambda: _scaled(svm.SVC(kernel="rbf")), keeps_rows=True),
    Kind("SVC sigmoid", CLASSIFY, lambda: _scaled(svm.SVC(kernel="sigmoid")), keeps_rows=True),
    Kind("SVC rbf unscaled", CLASSIFY, lambda: svm.SVC(kernel="rbf"), keeps_rows=True),
    Kind(
        "SVC rbf probability",
        CLASSIFY,
        lambda: _scaled(svm.SVC(kernel="rbf", probability=True, random_state=SEED)),
        keeps_rows=True,
    ),
    Kind("NuSVC", CLASSIFY, lambda: _scaled(svm.NuSVC(nu=0.3)), keeps_rows=True),
    Kind("KNeighborsClassifier", CLASSIFY, lambda: neighbors.KNeighborsClassifier(3), keeps_rows=True),
    Kind("MLPClassifier relu", CLASSIFY, _mlp("MLPClassifier", "relu")),
    Kind("MLPClassifier tanh", CLASSIFY, _mlp("MLPClassifier", "tanh")),
    Kind("MLPClassifier logistic", CLASSIFY, _mlp("MLPClassifier", "logistic")),
    Kind(
        "GaussianProcessClassifier",
        CLASSIFY,
        lambda: _scaled(gaussian_process.GaussianProcessClassifier()),
        keeps_rows=True,
    ),
    Kind("XGBClassifier", CLASSIFY, _xgboost("XGBClassifier")),
    Kind("LGBMClassifier", CLASSIFY, _lightgbm("LGBMClassifier")),
)

TRANSFORMERS = (
    Kind(
        "MinMaxScaler + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.MinMaxScaler(), scale=False),
    ),
    Kind(
        "MaxAbsScaler + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.MaxAbsScaler(), scale=False),
    ),
    Kind(
        "RobustScaler + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.RobustScaler(), scale=False),
    ),
    *(Kind(f"Normalizer {norm} + LogisticRegression", CLASSIFY, _normalized(norm)) for norm in ("l1", "l2", "max")),
    Kind("Binarizer + LogisticRegression", CLASSIFY, lambda: _before_logistic(preprocessing.Binarizer())),
    Kind(
        "KBinsDiscretizer onehot + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(
            preprocessing.KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"), scale=False
        ),
    ),
    Kind(
        "KBinsDiscretizer ordinal + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), scale=False),
    ),
    Kind("PolynomialFeatures + LogisticRegression", CLASSIFY, lambda: _before_logistic(_polynomial())),
    Kind("PowerTransformer + LogisticRegression", CLASSIFY, lambda: _before_logistic(preprocessing.PowerTransformer())),
    Kind(
        "QuantileTransformer + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.QuantileTransformer(n_quantiles=20)),
    ),
    Kind("SelectKBest + LogisticRegression", CLASSIFY, lambda: _before_logistic(feature_selection.SelectKBest(k=3))),
    Kind(
        "SelectFromModel + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(feature_selection.SelectFromModel(_forest(n_estimators=5))),
    ),
    Kind(
        "VarianceThreshold + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(feature_selection.VarianceThreshold(0.05), scale=False),
    ),
    Kind("PCA + LogisticRegression", CLASSIFY, lambda: _before_logistic(decomposition.PCA(3))),
    Kind("TruncatedSVD + LogisticRegression", CLASSIFY, lambda: _before_logistic(decomposition.TruncatedSVD(3))),
    Kind("IncrementalPCA + LogisticRegression", CLASSIFY, lambda: _before_logistic(decomposition.IncrementalPCA(3))),
    Kind(
        "KernelPCA + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(decomposition.KernelPCA(3, kernel="rbf", gamma=0.05)),
        keeps_rows=True,
    ),
    Kind(
        "GaussianRandomProjection + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(random_projection.GaussianRandomProjection(3, random_state=SEED)),
    ),
    Kind(
        "NeighborhoodComponentsAnalysis + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(neighbors.NeighborhoodComponentsAnalysis(3, max_iter=20, random_state=SEED)),
        keeps_rows=True,
    ),
    Kind("FeatureUnion + LogisticRegression", CLASSIFY, lambda: _before_logistic(_joined(), scale=False)),
    Kind("ColumnTransformer + LogisticRegression", CLASSIFY, lambda: _before_logistic(_mixed_columns(), scale=False)),
    Kind(
        "ColumnTransformer + RandomForestClassifier",
        CLASSIFY,
        lambda: pipeline.make_pipeline(_mixed_columns(), _forest()),
    ),
    Kind("SimpleImputer + LogisticRegression", CLASSIFY, lambda: _before_logistic(impute.SimpleImputer())),
    Kind(
        "FunctionTransformer + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(preprocessing.FunctionTransformer()),
    ),
    Kind(
        "RandomTreesEmbedding + LogisticRegression",
        CLASSIFY,
        lambda: _before_logistic(
            ensemble.RandomTreesEmbedding(5, max_depth=3, sparse_output=False, random_state=SEED), scale=False
        ),
    ),
)


def _polynomial() -> BaseEstimator:
    chosen = pipeline.make_pipeline(feature_selection.SelectKBest(k=4), preprocessing.PolynomialFeatures(2))
    return pipeline.make_pipeline(chosen)


REGRESSORS = (
    Kind("LinearRegression", REGRESS, lambda: linear_model.LinearRegression()),
    Kind("Ridge", REGRESS, lambda: linear_model.Ridge()),
    Kind("Lasso", REGRESS, lambda: linear_model.Lasso(alpha=0.1)),
    Kind("ElasticNet", REGRESS, lambda: _scaled(linear_model.ElasticNet(alpha=0.1))),
    Kind("BayesianRidge", REGRESS, lambda: linear_model.BayesianRidge()),
    Kind("ARDRegression", REGRESS, lambda: _scaled(linear_model.ARDRegression())),
    Kind("HuberRegressor", REGRESS, lambda: _scaled(linear_model.HuberRegressor(max_iter=500))),
    Kind("Lars", REGRESS, lambda: linear_model.Lars()),
    Kind("OrthogonalMatchingPursuit", REGRESS, lambda: linear_model.OrthogonalMatchingPursuit()),
    Kind("TheilSenRegressor", REGRESS, lambda: _scaled(linear_model.TheilSenRegressor(max_iter=50, random_state=SEED))),
    Kind("RANSACRegressor", REGRESS, lambda: linear_model.RANSACRegressor(random_state=SEED)),
    Kind("SGDRegressor", REGRESS, lambda: _scaled(linear_model.SGDRegressor(random_state=SEED))),
    Kind("QuantileRegressor", REGRESS, lambda: _scaled(linear_model.QuantileRegressor(alpha=0.01))),
    Kind("PoissonRegressor", REGRESS, lambda: _scaled(linear_model.PoissonRegressor())),
    Kind("GammaRegressor", REGRESS, lambda: _scaled(linear_model.GammaRegressor())),
    Kind("TweedieRegressor", REGRESS, lambda: _scaled(linear_model.TweedieRegressor(power=1.5))),
    Kind("LinearSVR", REGRESS, lambda: _scaled(svm.LinearSVR(max_iter=5000))),
    Kind("SVR linear", REGRESS, lambda: _scaled(svm.SVR(kernel="linear", C=10))),
    Kind("SVR poly", REGRESS, lambda: _scaled(svm.SVR(kernel="poly", C=10)), keeps_rows=True),
    Kind("SVR rbf", REGRESS, lambda: _scaled(svm.SVR(kernel="rbf", C=10)), keeps_rows=True),
    Kind("SVR sigmoid", REGRESS, lambda: _scaled(svm.SVR(kernel="sigmoid")), keeps_rows=True),
    Kind("NuSVR", REGRESS, lambda: _scaled(svm.NuSVR(C=10)), keeps_rows=True),
    Kind("KNeighborsRegressor", REGRESS, lambda: _scaled(neighbors.KNeighborsRegressor(3)), keeps_rows=True),
    Kind("DecisionTreeRegressor", REGRESS, lambda: tree.DecisionTreeRegressor(max_depth=6, random_state=SEED)),
    Kind("ExtraTreeRegressor", REGRESS, lambda: tree.ExtraTreeRegressor(max_depth=6, random_state=SEED)),
    Kind(
        "RandomForestRegressor",
        REGRESS,
        lambda: ensemble.RandomForestRegressor(n_estimators=20, max_depth=6, random_state=SEED),
    ),
    Kind(
        "StandardScaler + RandomForestRegressor",
        REGRESS,
        lambda: _scaled(ensemble.RandomForestRegressor(n_estimators=20, max_depth=6, random_state=SEED)),
    ),
    Kind(
        "ExtraTreesRegressor",
        REGRESS,
        lambda: ensemble.ExtraTreesRegressor(n_estimators=20, max_depth=6, random_state=SEED),
    ),
    Kind("GradientBoostingRegressor", REGRESS, lambda: ensemble.GradientBoostingRegressor(n_estimators=30)),
    Kind("HistGradientBoostingRegressor", REGRESS, lambda: ensemble.HistGradientBoostingRegressor(max_iter=30)),
    Kind("AdaBoostRegressor", REGRESS, lambda: ensemble.AdaBoostRegressor(n_estimators=10, random_state=SEED)),
    Kind("BaggingRegressor", REGRESS, lambda: ensemble.BaggingRegressor(_scaled(linear_model.Ridge()), 5)),
    Kind(
        "VotingRegressor",
        REGRESS,
        lambda: ensemble.VotingRegressor(
            [("a", _scaled(linear_model.Ridge())), ("b", tree.DecisionTreeRegressor(max_depth=5))]
        ),
    ),
    Kind(
        "StackingRegressor",
        REGRESS,
        lambda: ensemble.StackingRegressor(
            [("a", _scaled(linear_model.Ridge())), ("b", tree.DecisionTreeRegressor(max_depth=5))], linear_model.Ridge()
        ),
    ),
    Kind("MultiOutputRegressor", REGRESS, lambda: MultiOutputRegressor(_scaled(linear_model.Ridge()))),
    Kind("MLPRegressor relu", REGRESS, _mlp("MLPRegressor", "relu")),
    Kind("MLPRegressor tanh", REGRESS, _mlp("MLPRegressor", "tanh")),
    Kind(
        "GaussianProcessRegressor",
        REGRESS,
        lambda: _scaled(gaussian_process.GaussianProcessRegressor(alpha=1.0, normalize_y=True)),
        keeps_rows=True,
    ),
    Kind("PLSRegression", REGRESS, lambda: PLSRegression(2)),
    Kind(
        "PCA + LinearRegression",
        REGRESS,
        lambda: _scaled(pipeline.make_pipeline(decomposition.PCA(4), linear_model.LinearRegression())),
    ),
    Kind(
        "PolynomialFeatures + Ridge",
        REGRESS,
        lambda: _scaled(pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge())),
    ),
    Kind("XGBRegressor", REGRESS, _xgboost("XGBRegressor")),
    Kind("LGBMRegressor", REGRESS, _lightgbm("LGBMRegressor")),
)

DESCRIPTIONS = (
    Kind("KMeans", DESCRIBE, lambda: _scaled(KMeans(3, n_init=2, random_state=SEED))),
    Kind("MiniBatchKMeans", DESCRIBE, lambda: _scaled(MiniBatchKMeans(3, n_init=2, random_state=SEED))),
    Kind("GaussianMixture", DESCRIBE, lambda: _scaled(mixture.GaussianMixture(3, random_state=SEED, reg_covar=0.01))),
    Kind(
        "BayesianGaussianMixture",
        DESCRIBE,
        lambda: _scaled(mixture.BayesianGaussianMixture(n_components=3, random_state=SEED, reg_covar=0.01)),
    ),
    Kind("IsolationForest", DESCRIBE, lambda: ensemble.IsolationForest(n_estimators=10, random_state=SEED)),
    Kind("OneClassSVM", DESCRIBE, lambda: _scaled(svm.OneClassSVM(nu=0.2)), keeps_rows=True),
    Kind("SGDOneClassSVM", DESCRIBE, lambda: _scaled(linear_model.SGDOneClassSVM(random_state=SEED))),
    Kind("LocalOutlierFactor", DESCRIBE, lambda: _scaled(neighbors.LocalOutlierFactor(novelty=True)), keeps_rows=True),
)

KINDS = (*CLASSIFIERS, *TRANSFORMERS, *REGRESSORS, *DESCRIPTIONS)


def pairs(kinds: tuple[Kind, ...] = KINDS) -> list[tuple[Kind, str]]:
    """All kinds with all tables of their task."""
    found = []
    for kind in kinds:
        wanted = CLASSIFY if kind.task == DESCRIBE else kind.task
        found += [(kind, name) for name, (task, _) in TABLES.items() if task == wanted]
    return found
