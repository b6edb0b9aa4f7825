"""Targets, weights, static inputs and texts that would be learned wrongly without a word: refused in a sentence."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError

TINY = {"max_epochs": 1, "hidden_size": 3, "random_state": 0, "verbose": 0}
X = [np.random.default_rng(k).normal(size=(5, 2)) for k in range(12)]
Y = np.arange(12) % 2
STEPS = [["a", "a", "b", "b", "a"]] * 12
TEXTS = ["one two", "three four"] * 6


def classifier(**words):
    return recurra.SequenceClassifier(**TINY, **words)


def regressor(**words):
    return recurra.SequenceRegressor(**TINY, **words)


# ------------------------------------------------------ weights

WEIGHED = {
    "classifier": lambda w: classifier().fit(X, Y, sample_weight=w),
    "regressor": lambda w: regressor().fit(X, np.arange(12.0), sample_weight=w),
    "labeler": lambda w: recurra.SequenceLabeler(**TINY).fit(X, STEPS, sample_weight=w),
    "texts": lambda w: recurra.TextClassifier(**TINY).fit(TEXTS, Y, sample_weight=w),
    "translator": lambda w: recurra.Translator(**TINY).fit(TEXTS, TEXTS, sample_weight=w),
}


@pytest.mark.parametrize("fit", WEIGHED.values(), ids=WEIGHED)
@pytest.mark.parametrize(
    ("weight", "words"),
    [(1e31, "at most 1e+30"), (1e300, "at most"), (1e-31, "reach 1e-30"), (5e-324, "reach")],
)
def test_weights_that_32_bits_take_for_infinity_or_nothing_are_refused(fit, weight, words):
    with pytest.raises(DataError) as caught:
        fit([weight] * 12)
    assert "sample_weight must" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("factor", [2.0**-90, 2.0**-40, 2.0**90])
def test_weights_are_shares_whatever_their_unit(factor):
    weights = np.arange(1.0, 13.0)
    one = classifier(wide=False).fit(X, Y, sample_weight=weights).predict_proba(X)
    other = classifier(wide=False).fit(X, Y, sample_weight=weights * factor).predict_proba(X)
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("weight", "sample", "words"),
    [
        ({0: 0, 1: 0}, None, "must reach 1e-30"),
        ({0: 1e-320, 1: 1e-320}, None, "must reach 1e-30"),
        ({0: 1e300, 1: 1}, None, "at most 1e+30"),
        ({0: 1e20, 1: 1}, 1e20, "at most 1e+30"),
        ({0: 1e-20, 1: 1e-20}, 1e-20, "must reach 1e-30"),
    ],
)
def test_class_weights_out_of_range_are_refused(weight, sample, words):
    with pytest.raises(DataError) as caught:
        classifier(class_weight=weight).fit(X, Y, sample_weight=None if sample is None else [sample] * 12)
    assert "class_weight" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("weight", [{0: 0, 1: 1}, {0: 1e-20}, {1: 1e20}, "balanced"])
def test_class_weights_within_range_train(weight):
    fitted = classifier(class_weight=weight).fit(X, Y)
    assert np.isfinite(fitted.predict_proba(X)).all()


# ------------------------------------------------------ targets

WHOLE = {
    "array": np.arange(12) + 2**62,
    "list": [2**62 + k for k in range(12)],
    "unsigned": np.arange(12, dtype=np.uint64) + np.uint64(2**63),
    "pandas": pd.Series([2**62 + k for k in range(12)], dtype="Int64"),
    "two targets": np.stack([np.arange(12), np.arange(12) + 2**60], 1),
    "steps": [np.arange(5) + 2**60] * 12,
}


@pytest.mark.parametrize("y", WHOLE.values(), ids=WHOLE)
def test_whole_numbers_that_a_float64_would_change_are_refused(y):
    """All of them became one number, and every answer that number."""
    with pytest.raises(DataError, match="y holds the whole number .* which a float64 cannot hold exactly"):
        regressor().fit(X, y)


@pytest.mark.parametrize(
    "y",
    [[10**400 + k for k in range(12)], [1, 10**120] * 6, [[1, 10**400]] * 12, [[10**400] * 5] * 12],
    ids=["all", "some", "two targets", "steps"],
)
def test_whole_numbers_beyond_every_float_are_named(y):
    with pytest.raises(DataError, match=r"y: sequence \d+ has a whole number beyond 1e\+100"):
        regressor().fit(X, y)


@pytest.mark.parametrize("y", [[2**53, 0] * 6, [-(2**60), 2**60] * 6, [True, False] * 6, [0.5, 2] * 6])
def test_whole_numbers_that_a_float64_holds_are_learned(y):
    assert np.isfinite(regressor().fit(X, y).predict(X)).all()


# ------------------------------------------------------ labels and texts

ENDING = {
    "list": ["a\0", "a", "b"] * 4,
    "objects": np.array(["a\0", "a", "b"] * 4, object),
    "pandas": pd.Series(["a\0", "a", "b"] * 4),
}


@pytest.mark.parametrize("y", ENDING.values(), ids=ENDING)
def test_labels_that_differ_by_a_last_nul_are_not_taken_for_one(y):
    with pytest.raises(DataError, match=r"ends with the character NUL.*label\.rstrip"):
        classifier().fit(X, y)


def test_labels_of_steps_that_differ_by_a_last_nul_are_not_taken_for_one():
    with pytest.raises(DataError, match="ends with the character NUL"):
        recurra.SequenceLabeler(**TINY).fit(X, [["a\0", "a", "b", "b", "a"]] * 12)


READ = {
    "classifier": lambda texts: recurra.TextClassifier(**TINY).fit(texts, Y),
    "regressor": lambda texts: recurra.TextRegressor(**TINY).fit(texts, np.arange(12.0)),
    "characters": lambda texts: recurra.TextClassifier(tokens="character", **TINY).fit(texts, Y),
    "generator": lambda texts: recurra.TextGenerator(**TINY).fit(texts),
    "words": lambda texts: recurra.SequenceLabeler(**TINY).fit(
        [text.split() for text in texts], [["a", "b"]] * 12
    ),
    "afterwards": lambda texts: recurra.TextClassifier(**TINY).fit(TEXTS, Y).predict(texts),
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
@pytest.mark.parametrize("half", ["\ud800", "\udfff x"])
def test_half_a_character_is_named(read, half):
    with pytest.raises(DataError, match="1.* holds '.ud[0-9a-f]{3}', half of a character"):
        read([TEXTS[0], f"a {half}b", *TEXTS[2:]])


def test_whole_characters_of_two_halves_are_read():
    READ["classifier"]([TEXTS[0], "a \U0001f600", *TEXTS[2:]])


# ------------------------------------------------------ static inputs


@pytest.mark.parametrize("factor", [1e-120, 1e-300, 5e-324])
@pytest.mark.parametrize("named", [False, True])
def test_tiny_static_inputs_are_refused_and_not_left_out(factor, named):
    static = np.arange(1.0, 25.0).reshape(12, 2) * [1.0, factor]
    table = pd.DataFrame(static, columns=["age", "mass"]) if named else static
    with pytest.raises(
        DataError, match=f"static: '{'mass' if named else 'static_1'}' holds nothing larger than"
    ):
        classifier().fit(X, Y, static=table)


@pytest.mark.parametrize("factor", [0.0, 1e-60, 1e60])
def test_static_inputs_within_range_are_learned_whatever_their_unit(factor):
    static = np.arange(24.0).reshape(12, 2) * factor
    fitted = classifier().fit(X, Y, static=static)
    assert np.isfinite(fitted.predict_proba(X, static=static)).all()
