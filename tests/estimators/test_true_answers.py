"""What a fitted network is judged by is read as in training: the same forms are taken, the same ones refused."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import RecurraError

QUICK = {"hidden_size": 2, "max_epochs": 1, "random_state": 0, "verbose": 0}
N = 12
X = [np.sin(np.arange(8) * (0.3 if n % 2 else 0.9))[:, None] + n / 50 for n in range(N)]
LABELS = np.array(["a", "b"] * (N // 2))
NUMBERS = np.arange(N) / 10
STEPS = [np.where(x[:, 0] > 0.2, "up", "down") for x in X]
OTHER_ORDER = np.arange(N)[::-1]


@pytest.fixture(scope="module")
def fitted():
    return {
        "labels": recurra.SequenceClassifier(**QUICK).fit(X, LABELS),
        "numbers": recurra.SequenceRegressor(**QUICK).fit(X, NUMBERS),
        "steps": recurra.SequenceLabeler(**QUICK).fit(X, STEPS),
    }


def without_first(values):
    return [None, *values[1:]]


REFUSED = {
    "labels": {
        "none": without_first(LABELS.tolist()),
        "no category": pd.Series(pd.Categorical(without_first(LABELS.tolist()))),
        "no string": pd.Series([pd.NA, *LABELS[1:]], dtype="string"),
        "masked": np.ma.masked_array((LABELS == "a").astype(int), mask=[True] + [False] * (N - 1)),
        "bytes": LABELS.astype("S"),
        "dates": pd.Series(pd.to_datetime(np.where(LABELS == "a", "2024", "2025"))),
        "a dictionary": dict(enumerate(LABELS)),
    },
    "numbers": {
        "nan": np.r_[np.nan, NUMBERS[1:]],
        "masked": np.ma.masked_array(NUMBERS, mask=[True] + [False] * (N - 1)),
        "texts": [str(number) for number in NUMBERS],
        "complex": NUMBERS + 1j,
        "times": pd.Series(pd.to_timedelta(NUMBERS, unit="s")),
    },
    "steps": {
        "none": [np.array(without_first(own.tolist()), dtype=object) for own in STEPS],
        "bytes": [own.astype("S") for own in STEPS],
    },
}


@pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind, forms in REFUSED.items() for form in forms]
)
@pytest.mark.parametrize("method", ["fit", "score", "evaluate"])
def test_what_cannot_be_learned_cannot_be_judged_by(kind, form, method, fitted):
    model = fitted[kind] if method != "fit" else type(fitted[kind])(**QUICK)
    with pytest.raises(RecurraError, match=r"\by\b"):
        getattr(model, method)(X, REFUSED[kind][form])


TAKEN = {
    "labels": {
        "another index": pd.Series(LABELS, index=OTHER_ORDER),
        "categories": pd.Series(pd.Categorical(LABELS, categories=["b", "z", "a"])),
        "column": LABELS[:, None],
        "frame": pd.DataFrame({"y": LABELS}, index=OTHER_ORDER),
        "strings": pd.Series(LABELS, dtype="string"),
    },
    "numbers": {
        "another index": pd.Series(NUMBERS, index=OTHER_ORDER),
        "column": NUMBERS[:, None],
        "nullable": pd.Series(NUMBERS, dtype="Float64"),
        "objects": NUMBERS.astype(object),
    },
    "steps": {
        "another index": pd.Series(STEPS, index=OTHER_ORDER),
        "columns": [own[:, None] for own in STEPS],
        "categories": [pd.Series(pd.Categorical(own)) for own in STEPS],
    },
}


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize(("kind", "form"), [(kind, form) for kind, forms in TAKEN.items() for form in forms])
def test_every_form_is_judged_alike(kind, form, fitted):
    y, model = TAKEN[kind][form], fitted[kind]
    plain = {"labels": LABELS, "numbers": NUMBERS, "steps": STEPS}[kind]
    assert model.score(X, y) == model.score(X, plain)
    metrics = [model.evaluate(X, given).metrics for given in (y, plain)]
    np.testing.assert_equal(*metrics)
    again = type(model)(**QUICK).fit(X, y)
    for found, before in zip(again.predict(X), model.predict(X), strict=True):
        np.testing.assert_array_equal(found, before)
