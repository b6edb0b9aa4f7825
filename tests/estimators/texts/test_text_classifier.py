"""`TextClassifier`: scikit-learn's tools on lists of str, what a model file keeps, and texts at the edge."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict

import recurra
from recurra import TextClassifier, WordVectors
from recurra.errors import DataError, RecurraWarning, UsageError

pytest.importorskip("tokenizers")
TEXTS = ["oil leaks out", "it is leaking oil", "no power at all", "the power is gone"] * 6
LABELS = ["leak", "leak", "power", "power"] * 6
VECTORS = WordVectors(["oil", "power", "petrol"], [[1.0, 0], [-1, 0], [1, 0.1]])


def make(**words):
    return TextClassifier(
        **{"hidden_size": 6, "embedding_size": 6, "max_epochs": 15, "random_state": 0, "verbose": 0, **words}
    )


@pytest.fixture(scope="module")
def fitted():
    return make(letters=4, max_epochs=60).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "words",
    [
        {"letters": 4, "pooling": "max", "bidirectional": True},
        {"vectors": VECTORS, "letters": 3},
        {"vectors": VECTORS, "subwords": 3},
        {"vectors": VECTORS, "train_vectors": True, "input_dropout": 0.2},
        {"tokens": "bpe", "max_vocabulary": 270},
        {"tokens": "character", "pooling": "attention", "class_weight": "balanced"},
    ],
    ids=lambda words: "-".join(words),
)
def test_every_answer_is_the_same_from_the_file_alone_and_in_company(tmp_path, words):
    clf = make(**words).fit(TEXTS, LABELS)
    new = ["oil xylophone!", "petrol", "the power is gone", "☃"]
    proba = clf.predict_proba(new)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    clf.save(tmp_path / "m.recurra")
    loaded = recurra.load_model(tmp_path / "m.recurra")
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light")
    for other in (loaded, light):
        np.testing.assert_array_equal(other.predict_proba(new), proba)
    for text, row in zip(new, proba, strict=True):
        np.testing.assert_array_equal(clf.predict_proba([text])[0], row)
    assert loaded.get_params()["tokens"] == clf.tokens
    assert loaded.vocabulary_ == clf.vocabulary_
    np.testing.assert_array_equal(clone(clf).fit(TEXTS[::-1], LABELS[::-1]).predict_proba(new), proba)


def test_only_the_words_that_are_asked_for_keep_a_vector():
    kept = make(vectors=VECTORS, extra_words=0, max_epochs=1).fit(TEXTS, LABELS)
    assert "petrol" not in kept.vocabulary_
    assert kept.coverage_ == pytest.approx(2 / 12)
    more = make(vectors=VECTORS, max_epochs=1).fit(TEXTS, LABELS)
    assert "petrol" in more.vocabulary_
    assert more.model_.features.steps[0].coverage(["petrol oil it"]) == pytest.approx(2 / 3)
    assert (
        sum(w.size for n, w in more.model_.weights.items() if n.startswith("front")) == 0
    )  # they are not trained


def test_tools_of_scikit_learn():
    search = GridSearchCV(make(max_epochs=2), {"hidden_size": [3, 4]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_estimator_.hidden_size in (3, 4)
    table = pd.Series(TEXTS)
    assert len(cross_val_predict(make(max_epochs=1), table, LABELS, cv=2)) == len(TEXTS)
    voting = VotingClassifier([(str(s), make(max_epochs=2, random_state=s)) for s in (0, 1)], voting="soft")
    assert voting.fit(TEXTS, LABELS).predict_proba(TEXTS[:3]).shape == (3, 2)


def test_weights_and_order():
    doubled = make(max_epochs=3).fit([*TEXTS[:4], TEXTS[0]], [*LABELS[:4], LABELS[0]])
    weighed = make(max_epochs=3).fit(TEXTS[:4], LABELS[:4], sample_weight=[2, 1, 1, 1])
    np.testing.assert_array_equal(doubled.predict_proba(TEXTS[:4]), weighed.predict_proba(TEXTS[:4]))


def test_going_on_keeps_the_words():
    clf = make(max_epochs=2).fit(TEXTS, LABELS)
    before = clf.vocabulary_
    clf.fit(["new words: oil", "power"], ["leak", "power"], resume=True)
    assert clf.vocabulary_ == before


def test_a_text_that_comes_in_pieces(fitted):
    text = "It is  leaking oil, \nall of it"
    stream = fitted.stream()
    assert stream.push("It i") is not None
    stream.push("s  leaking oi")
    stream.push("l, \nall of ")
    np.testing.assert_array_equal(stream.push("i").probabilities, fitted.predict_proba([text[:-3]])[0])
    stream.push("t")
    np.testing.assert_array_equal(stream.finish().probabilities, fitted.predict_proba([text])[0])
    stream.reset()
    assert stream.push("oil") is None
    with pytest.raises(UsageError, match="byte pairs"):
        make(tokens="bpe", max_epochs=1).fit(TEXTS, LABELS).stream()


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_words_that_decide(fitted, method):
    found = fitted.explain("the oil is leaking", method=method, target="leak")
    assert found.input == ["the", "oil", "is", "leaking"]
    assert found.kind == "text"
    if method == "integrated_gradients":
        assert abs(found.error) < 1e-3
    share = dict(zip(found.input, found.per_step, strict=True))
    assert share["oil"] > share["the"] - 0.5
    assert "oil" in found._repr_html_()
    assert len(fitted.explain("oil", method=method).values) == 1


def test_clouds(fitted):
    scores = fitted.word_scores(TEXTS)
    assert list(scores) == ["leak", "power"]
    assert "oil" in scores["leak"]
    assert "gone" in scores["power"]
    assert all(0 <= score <= 1 for own in scores.values() for score in own.values())


def test_a_report_quotes_texts(fitted, tmp_path):
    pytest.importorskip("wordcloud")
    wrong = ["power", *LABELS[1:8]]
    ev = fitted.evaluate(TEXTS[:8], wrong)
    page = ev.to_html()
    assert "It reads: “oil leaks out”" in page
    assert "Word clouds" in page
    assert ev.metrics["n_test"] == 8


def test_a_text_of_a_hundred_thousand_words(fitted):
    assert fitted.predict(["oil " * 100_000]).shape == (1,)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (["oil", " \n"], "text 1 is empty"),
        (["oil", ""], "text 1 is empty"),
        (["oil", 3.5], "text 1 must be a str; got 3.5 of type float"),
        (["oil", None], "text 1 must be a str; got None"),
        ("oil", "Pass [text] for a single one"),
        ([], "found 0 texts"),
    ],
)
def test_what_is_no_text_is_named(fitted, X, expected):
    for call in (fitted.predict, lambda texts: make().fit(texts, ["leak"] * len(texts))):
        with pytest.raises(DataError) as caught:
            call(X)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


def test_words_that_do_not_go_together():
    with pytest.raises(UsageError, match="vectors are of words; got tokens='bpe'"):
        make(tokens="bpe", vectors=VECTORS).fit(TEXTS, LABELS)
    with pytest.raises(UsageError, match="letters must be a whole number of at least 0"):
        make(letters=-1).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match="X and y must have one entry per sequence"):
        make().fit(TEXTS, [*LABELS, "leak"])


def test_a_linear_part_without_a_say_is_not_warned_of(recwarn):
    from recurra.insight.explanations.sequences import warn_of_one_part
    from recurra.serving.models.wide import Wide

    parts = [Wide(None, np.zeros((2, 0), np.float32), np.zeros(2, np.float32), share) for share in (0.0, 0.2)]
    warn_of_one_part("TextClassifier", parts[0])
    assert not recwarn.list
    warn_of_one_part("TextClassifier", parts[1])
    assert "has 80 % of the say" in str(recwarn.pop(RecurraWarning).message)
