"""What is explained is what `predict` says: the number in the units of y, the predicted class."""

import warnings

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError

METHODS = ("integrated_gradients", "occlusion", "gradient_times_input")
QUICK = {"max_epochs": 2, "hidden_size": 6, "random_state": 0, "verbose": 0}
QUANTILES = {"loss": "quantile", "quantiles": (0.1, 0.4, 0.9)}
OPTIONS = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "members": {"members": 2},
    "quantiles": QUANTILES,
    "members of quantiles": {**QUANTILES, "members": 2},
    "median alone": {"loss": "quantile", "quantiles": (0.5,)},
    "convolutions": {"frontend": "convolutions"},
    "mask": {"missing": "mask"},
}


def recordings(n=24):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(30, 50), 2)) * [1, 20] + [0, 100] for _ in range(n)]
    return X, np.array([40 + 3 * x[:, 0].std() + x[:, 1].mean() for x in X])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("what", [*OPTIONS, "patches"])
@pytest.mark.parametrize("targets", [1, 2])
def test_the_number_explained_is_the_one_predicted(what, targets, method):
    X, y = recordings()
    y = y if targets == 1 else np.stack([y, 1e3 - 5 * y], axis=1)
    words = OPTIONS.get(what, {"frontend": "patches"})
    model = recurra.SequenceRegressor(**QUICK, **words).fit(X, y)
    right = np.ravel(model.predict(X[:1]))
    for target in range(targets):
        found = model.explain(X[0], method=method, target=target if targets > 1 else None)
        assert found.output == pytest.approx(right[target], rel=1e-5)
        assert found.target == (target if targets > 1 else None)
    with pytest.raises(UsageError, match=rf"target must be in 0\.\.{targets - 1}; got {targets}"):
        model.explain(X[0], method=method, target=targets)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("what", OPTIONS)
def test_of_numbers_per_step_each_or_their_sum(what, method):
    X, _ = recordings(12)
    y = [7 + 2 * np.cumsum(x[:, 0]) for x in X]
    model = recurra.SequenceRegressor(**QUICK, **OPTIONS[what]).fit(X, y)
    right = model.predict(X[:1])[0]
    for step in (0, 5, -1):
        assert model.explain(X[0], method=method, step=step).output == pytest.approx(right[step], rel=1e-4)
    assert model.explain(X[0], method=method).output == pytest.approx(right.sum(), rel=1e-4)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize("what", ["plain", "members", "quantiles", "members of quantiles"])
def test_the_number_of_a_text(what, method):
    texts = [" ".join(words) for words in np.random.default_rng(0).choice(list("abcdefg"), (30, 6))]
    y = np.array([100 + 10 * text.count("a") for text in texts])
    model = recurra.TextRegressor(**QUICK, **OPTIONS[what]).fit(texts, y)
    found = model.explain(texts[0], method=method)
    assert found.output == pytest.approx(float(model.predict(texts[:1])[0]), rel=1e-5)
    assert found.target is None
    if method == "integrated_gradients":
        assert found.values.sum() - found.details["change"] == pytest.approx(found.error, abs=1e-4)


def test_the_default_class_is_the_one_predicted_where_a_linear_part_has_a_say():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(30, 1)) + np.sin(np.arange(30)[:, None] / (2 + i % 3)) for i in range(40)]
    model = recurra.SequenceClassifier(random_state=0, verbose=0, wide=True, max_epochs=1).fit(
        X, np.arange(40) % 3
    )
    new = [rng.normal(size=(30, 1)) for _ in range(40)]
    labels, of_network = model.predict(new), model.model_.of_network.predict(new)
    apart = np.flatnonzero(labels != of_network)
    assert len(apart)
    for at in apart[:3]:
        for method in METHODS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert model.explain(new[at], method=method).target == labels[at]


def test_the_default_label_of_a_step_is_the_one_predicted_where_labels_are_chosen_together():
    rng = np.random.default_rng(1)
    y = [np.repeat(rng.choice(["rest", "walk"], 5), 8) for _ in range(20)]
    X = [(own == "walk")[:, None] + rng.normal(size=(40, 1)) for own in y]
    model = recurra.SequenceLabeler(crf=True, **{**QUICK, "max_epochs": 15}, cell="rnn").fit(X, y)
    model.model_.weights["crf.transitions"][:] = [[1.5, -1.5], [-1.5, 1.5]]  # a label stays what it was
    alone, right = model.classes_[model.model_.outputs(X).argmax(axis=1)], np.concatenate(model.predict(X))
    apart = np.flatnonzero(alone != right)
    assert len(apart) >= 3
    for at in apart[:3]:
        found = model.explain(X[at // 40], step=int(at % 40), method="gradient_times_input")
        assert found.target == right[at]
