"""scikit-learn's contract, all checks, none skipped; and its tools on sequences of unequal length."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from recurra import (
    SequenceClassifier,
    SequenceLabeler,
    SequenceRegressor,
    TextClassifier,
    TextGenerator,
    TextRegressor,
    VideoClassifier,
)

# scipy reads this variable when it is imported; without it scikit-learn skips a check.
EVERY_CHECK = """
import collections, json, sys, warnings
warnings.simplefilter("ignore")
import recurra
from sklearn.utils.estimator_checks import check_estimator
options = json.loads(sys.argv[2])
results = check_estimator(getattr(recurra, sys.argv[1])(verbose=0, **options), on_skip=None, on_fail=None)
print(json.dumps([[r["check_name"], r["status"], repr(r["exception"])] for r in results]))
"""


# At the least as many as scikit-learn 1.9.0 had for estimators without sample weights; ours also take those.
@pytest.mark.parametrize(
    ("estimator", "options", "fewest"),
    [
        ("SequenceClassifier", {"hidden_size": 8, "max_epochs": 15, "learning_rate": 0.03}, 55),
        ("SequenceRegressor", {"hidden_size": 24, "max_epochs": 25, "learning_rate": 0.03}, 52),
        pytest.param("SequenceClassifier", {}, 55, marks=pytest.mark.slow),  # with the recipe: a minute each
        pytest.param("SequenceRegressor", {}, 52, marks=pytest.mark.slow),
    ],
)
def test_passes_every_check_of_scikit_learn(estimator, options, fewest):
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = [sys.executable, "-c", EVERY_CHECK, estimator, json.dumps(options)]
    results = json.loads(
        subprocess.run(run, env=environment, check=True, capture_output=True, text=True).stdout
    )
    assert [result for result in results if result[1] != "passed"] == []
    assert len(results) >= fewest


def ragged(n=24, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = np.empty(n, dtype=object)
    X[:] = [rng.normal(loc=label, size=(rng.integers(2, 7), 2)) for label in y]
    return X, y


def clips(n=24, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = np.empty(n, dtype=object)
    X[:] = [rng.integers(0, 100 + 100 * label, (rng.integers(2, 5), 8, 8, 3), dtype=np.uint8) for label in y]
    return X, y


def texts(n=24, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    words = [["oil", "leaks", "out", "of", "it"], ["no", "power", "at", "all", "today"]]
    X = np.empty(n, dtype=object)
    X[:] = [" ".join(rng.choice(words[label], rng.integers(2, 7))) for label in y]
    return X, y


ESTIMATORS = [
    SequenceClassifier,
    SequenceRegressor,
    SequenceLabeler,
    VideoClassifier,
    TextClassifier,
    TextRegressor,
]


@pytest.fixture(params=ESTIMATORS, ids=lambda e: e.__name__)
def case(request):
    """Every estimator with data of its own kind."""
    words = {"hidden_size": 4, "max_epochs": 3, "random_state": 0, "verbose": 0}
    if request.param is VideoClassifier:
        return VideoClassifier(backbone="small-cnn", image_size=8, **words), *clips()
    if request.param in (TextClassifier, TextRegressor):
        pytest.importorskip("tokenizers")
        return request.param(embedding_size=4, letters=3, subwords=2, **words), *texts()
    X, y = ragged()
    estimator = request.param(**words)
    if request.param is SequenceLabeler:
        labels = np.empty(len(X), dtype=object)
        labels[:] = [(x[:, 0] > 0.5).astype(int) for x in X]
        return estimator, X, labels
    return estimator, X, y


def flat(predicted):
    return np.concatenate(list(predicted)) if predicted.dtype == object else predicted


def test_same_seed_same_answer(case):
    estimator, X, y = case
    first = flat(clone(estimator).fit(X, y).predict(X))
    np.testing.assert_array_equal(first, flat(clone(estimator).fit(X, y).predict(X)))


def test_order_of_the_training_data_does_not_matter(case):
    estimator, X, y = case
    order = np.random.default_rng(1).permutation(len(X))
    first = flat(clone(estimator).fit(X, y).predict(X))
    np.testing.assert_array_equal(first, flat(clone(estimator).fit(X[order], y[order]).predict(X)))


def test_a_weight_of_two_is_the_sequence_twice(case):
    estimator, X, y = case
    weights = np.arange(len(X)) % 3
    weighted = clone(estimator).fit(X, y, sample_weight=weights)
    repeated = clone(estimator).fit(np.repeat(X, weights), np.repeat(y, weights))
    np.testing.assert_array_equal(flat(weighted.predict(X)), flat(repeated.predict(X)))


def test_list_and_object_array_are_the_same(case):
    estimator, X, y = case
    first = flat(clone(estimator).fit(X, y).predict(X))
    np.testing.assert_array_equal(first, flat(clone(estimator).fit(list(X), list(y)).predict(list(X))))


def test_works_in_a_pipeline(case):
    estimator, X, y = case
    halved = FunctionTransformer(
        lambda those: [x[: len(x) // 2] if isinstance(x, str) else (x / 2).astype(x.dtype) for x in those],
        check_inverse=False,
    )
    pipeline = Pipeline([("halve", halved), ("net", estimator)]).fit(X, y)
    assert len(pipeline.predict(X)) == len(X)
    assert np.isfinite(pipeline.score(X, y))


def test_global_generators_are_left_alone(case):
    import random

    import torch

    estimator, X, y = case
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is checked
    torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    clone(estimator).set_params(dropout=0.5, random_state=None).fit(X, y).predict(X)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])


def test_a_generator_is_an_estimator_without_labels():
    pytest.importorskip("tokenizers")
    text = "the cat sat on the mat. " * 40
    writer = TextGenerator(hidden_size=8, embedding_size=4, max_epochs=1, random_state=0, verbose=0)
    assert clone(writer).get_params() == writer.get_params()
    first = clone(writer).fit([text]).generate("the", length=30, random_state=1)
    assert clone(writer).fit(np.array([text])).generate("the", length=30, random_state=1) == first
    search = GridSearchCV(writer, {"hidden_size": [4, 8]}, cv=2).fit([text[:500], text[500:]])
    assert search.best_params_["hidden_size"] in (4, 8)
    assert np.isfinite(search.best_score_)


def test_grid_search_in_two_processes():
    X, y = ragged()
    search = GridSearchCV(
        SequenceClassifier(max_epochs=2, random_state=0, verbose=0), {"hidden_size": [2, 4]}, cv=2, n_jobs=2
    )
    search.fit(X, y)
    assert search.best_params_["hidden_size"] in (2, 4)


def test_cross_val_predict_with_groups():
    X, y = ragged()
    estimator = SequenceClassifier(hidden_size=4, max_epochs=2, random_state=0, verbose=0)
    predicted = cross_val_predict(estimator, X, y, groups=np.arange(len(X)) // 4, cv=GroupKFold(3))
    assert predicted.shape == y.shape
