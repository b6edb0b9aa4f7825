"""Sample weights: what numpy would turn into numbers and is none is refused, in training and in scores."""

import datetime

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError

N = 12
DAYS = pd.date_range("2020-01-01", periods=N)
NO_NUMBERS = {
    "numpy dates": DAYS.values,
    "a column of dates": pd.Series(DAYS),
    "dates with a zone": DAYS.tz_localize("Europe/Berlin"),
    "a list of dates": [datetime.date(2020, 1, 1 + i) for i in range(N)],
    "durations": np.arange(N).astype("m8[s]"),
    "a column of durations": pd.Series(pd.to_timedelta(range(N), "h")),
    "text": ["1"] * N,
    "text in objects": np.array([1.0] * (N - 1) + ["2"], dtype=object),
    "masked out": np.ma.masked_array(np.ones(N), [True] + [False] * (N - 1)),
    "complex": np.ones(N) + 0j,
}
NUMBERS = {
    "list": [1, 2] * 6,
    "booleans": [True, False] * 6,
    "column": pd.Series([1.0, 2.0] * 6),
    "objects": np.array([1, 2.0] * 6, dtype=object),
    "nothing masked out": np.ma.masked_array([1.0, 2.0] * 6),
    "one for all": 2.0,
}
RNG = np.random.default_rng(0)
X = [RNG.normal(size=(5, 2)) for _ in range(N)]
SMALL = {"hidden_size": 3, "max_epochs": 1, "random_state": 0, "verbose": 0}
TEXTS = ["north wind", "warm rain again", "calm"] * 4
KINDS = {
    "classifier": (recurra.SequenceClassifier, X, list("ab") * 6),
    "regressor": (recurra.SequenceRegressor, X, list(range(N))),
    "labeler": (recurra.SequenceLabeler, X, [["a", "b", "b", "a", "a"]] * N),
    "texts": (recurra.TextClassifier, TEXTS, list("ab") * 6),
    "translator": (recurra.Translator, TEXTS, TEXTS),
}


@pytest.mark.parametrize("what", NO_NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_is_refused(kind, what):
    made, data, y = KINDS[kind]
    with pytest.raises(DataError, match=r"sample_weight (must hold numbers|has 1 values)"):
        made(**SMALL).fit(data, y, sample_weight=NO_NUMBERS[what])


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_of_any_kind_are_taken(what):
    made, data, y = KINDS["classifier"]
    given = NUMBERS[what]
    plain = np.full(N, 2.0) if np.ndim(given) == 0 else np.asarray(given, dtype=float)
    found, same = (made(**SMALL).fit(data, y, sample_weight=w) for w in (given, plain))
    np.testing.assert_array_equal(found.predict_proba(data), same.predict_proba(data))


@pytest.mark.parametrize("what", NO_NUMBERS)
@pytest.mark.parametrize("kind", ["classifier", "regressor", "labeler"])
def test_scores_refuse_them_too(kind, what):
    made, data, y = KINDS[kind]
    fitted = made(**SMALL).fit(data, y)
    with pytest.raises(DataError, match=r"score: sample_weight (must hold numbers|has 1 values)"):
        fitted.score(data, y, sample_weight=NO_NUMBERS[what])


OUT_OF_RANGE = {
    "negative": -np.ones(N),
    "one negative": np.r_[-0.5, np.ones(N - 1)],
    "NaN": np.r_[np.nan, np.ones(N - 1)],
    "infinity": np.r_[np.inf, np.ones(N - 1)],
    "zeros": np.zeros(N),
    "too few": np.ones(N - 1),
    "two columns": np.ones((N, 2)),
    "beyond what a sum holds": np.r_[1e300, np.ones(N - 1)],
    "below it": np.full(N, 1e-320),
}


@pytest.mark.parametrize("what", OUT_OF_RANGE)
@pytest.mark.parametrize("kind", ["classifier", "regressor", "labeler", "texts"])
def test_a_score_takes_the_weights_that_a_fit_takes(kind, what):
    made, data, y = KINDS[kind]
    fitted = made(**SMALL).fit(data, y)
    said = []
    for weighed in (made(**SMALL).fit, fitted.score):
        with pytest.raises(ValueError, match=r"[Ww]eight|samples|sample_weight") as raised:
            weighed(data, y, sample_weight=OUT_OF_RANGE[what])
        said.append(str(raised.value).replace(": score", ""))
    assert said[0] == said[1]


@pytest.mark.parametrize("kind", ["classifier", "regressor", "labeler"])
def test_weights_of_a_score_count_sequences_several_times(kind):
    made, data, y = KINDS[kind]
    fitted, counts = made(**SMALL).fit(data, y), np.arange(N) % 3
    many = [(x, label) for x, label, count in zip(data, y, counts, strict=True) for _ in range(count)]
    right = fitted.score([x for x, _ in many], [label for _, label in many])
    for weights in (counts, counts.tolist(), pd.Series(counts)):
        assert fitted.score(data, y, sample_weight=weights) == pytest.approx(right, rel=1e-12)
    assert fitted.score(data, y, sample_weight=3.0) == pytest.approx(fitted.score(data, y), rel=1e-12)


def test_no_weights_at_all_are_refused_like_too_few():
    X, y = [np.ones((3, 1)) * i for i in range(4)], list("abab")
    for none in ([], np.array([], dtype=str)):
        with pytest.raises(ValueError, match=r"0 sample\(s\)|sample_weight"):
            recurra.SequenceClassifier(max_epochs=1, verbose=0).fit(X, y, sample_weight=none)
