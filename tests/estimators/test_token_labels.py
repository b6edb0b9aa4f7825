"""`SequenceLabeler` on words: sentences as lists of str, a label for each word, with and without a random field."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

import recurra
from recurra import SequenceLabeler
from recurra.errors import DataError, UsageError
from recurra.recipes import recipe

pytest.importorskip("tokenizers")
NAMES = {"Ann": "B", "Lee": "I", "Bob": "B", "met": "O", "saw": "O", "we": "O"}
X = [
    ["Ann", "Lee", "met", "Bob"],
    ["we", "saw", "Ann"],
    ["Bob", "saw", "Ann", "Lee"],
    ["we", "met", "Bob"],
] * 4
Y = [[NAMES[word] for word in sentence] for sentence in X]


def make(**words):
    given = {
        "hidden_size": 8,
        "embedding_size": 6,
        "max_epochs": 60,
        "learning_rate": 0.03,
        "random_state": 0,
        "verbose": 0,
    } | words
    return SequenceLabeler(**given)


@pytest.mark.parametrize("crf", [False, True])
def test_learns_saves_and_gives_the_same_alone(tmp_path, crf):
    tagger = make(crf=crf, letters=3, bidirectional=True).fit(X, Y)
    new = [["we", "met", "Ann", "Lee"], ["Zoe"], ["Bob"] * 30]
    assert tagger.score(X, Y) == 1
    proba = tagger.predict_proba(new)
    assert [p.shape for p in proba] == [(4, 3), (1, 3), (30, 3)]
    np.testing.assert_allclose(proba[2].sum(axis=1), 1, atol=1e-6)
    tagger.save(tmp_path / "m.recurra")
    for runtime in ("full", "light"):
        other = recurra.load_model(tmp_path / "m.recurra", runtime=runtime)
        for sentence, own, labels in zip(new, proba, tagger.predict(new), strict=True):
            np.testing.assert_array_equal(other.predict_proba([sentence])[0], own)
            np.testing.assert_array_equal(other.predict([sentence])[0], labels)
    order = np.random.default_rng(0).permutation(len(X))
    turned = clone(tagger).fit([X[i] for i in order], [Y[i] for i in order])
    np.testing.assert_array_equal(turned.predict_proba(new)[0], proba[0])
    ev = tagger.evaluate(X, Y)
    assert ev.metrics["accuracy"] == 1
    assert "<html" in ev.to_html()
    assert tagger.segments([["we", "met"]])[0][0].label == "O"
    before = tagger.vocabulary_
    assert tagger.fit(X, Y, resume=True).vocabulary_ == before


def test_labels_that_follow_a_rule_are_chosen_together():
    # What a word is depends only on the label before it, which a network that reads the word alone cannot know.
    rng = np.random.default_rng(0)
    sentences = [["a", *rng.choice(["x", "y"], 5)] for _ in range(40)]
    labels = [["one", *["two", "one"] * 2, "two"] for _ in sentences]
    words = {
        "cell": "rnn",
        "hidden_size": 2,
        "embedding_size": 2,
        "max_epochs": 60,
        "tbptt": 1,
        "learning_rate": 0.02,
    }
    chain = make(crf=True, **words).fit(sentences, labels)
    assert chain.score(sentences, labels) == 1
    assert abs(chain.model_.weights["crf.transitions"]).max() > 0.3


def test_signals_take_the_field_too_and_such_a_network_does_not_stream():
    rng = np.random.default_rng(0)
    signals = [rng.normal(size=(n, 2)) for n in (5, 9, 7, 6)]
    labels = [(s[:, 0] > 0).astype(int) for s in signals]
    labeler = SequenceLabeler(hidden_size=4, max_epochs=2, crf=True, random_state=0, verbose=0).fit(
        signals, labels
    )
    assert [len(p) for p in labeler.predict(signals)] == [5, 9, 7, 6]
    for begin in (labeler.stream, lambda: labeler.stream(look_ahead=2), lambda: recurra.Streams(labeler)):
        with pytest.raises(UsageError, match="crf=True chooses the labels of a sequence together"):
            begin()
    assert labeler.explain(signals[0], step=1).values.shape == (5, 2)
    assert labeler.gradient_flow(signals, labels) is not None


def test_tools_of_scikit_learn():
    sentences, labels = np.empty(len(X), dtype=object), np.empty(len(X), dtype=object)
    sentences[:], labels[:] = X, [np.array(own) for own in Y]
    found = cross_val_predict(make(max_epochs=2), sentences, labels, cv=2)
    assert [len(own) for own in found] == [len(own) for own in Y]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([["a"], []], "sentence 1 is empty"),
        ([["a"], ["b", 3]], "sentence 1: word 1 must be a str; got 3"),
        ([["a"], "b"], "sentence 1 must be a list of words; got 'b' of type str"),
    ],
)
def test_what_is_no_sentence_is_named(given, expected):
    with pytest.raises(DataError) as caught:
        make().fit(given, [["A"], ["B"]])
    assert expected in str(caught.value)
    fitted = make(max_epochs=1).fit(X, Y)
    with pytest.raises(DataError, match=expected.split(";")[0]):
        fitted.predict(given)


def test_labels_and_words_must_be_as_many():
    with pytest.raises(DataError, match=r"must have one label per time step; got 3 labels for 4 steps"):
        make().fit(X, [Y[0][:3], *Y[1:]])
    with pytest.raises(UsageError, match="features= is for signals"):
        make(features="statistics").fit(X, Y)
    with pytest.raises(UsageError, match="explain is for signals"):
        make(max_epochs=1).fit(X, Y).explain(X[0])


def test_a_refit_on_signals_forgets_the_words():
    labeler = SequenceLabeler(hidden_size=4, max_epochs=1, random_state=0, verbose=0)
    labeler.fit([["a", "b"]] * 4, [["x", "y"]] * 4)
    assert labeler.model_.manifest["text"]["words"] > 1
    rng = np.random.default_rng(0)
    labeler.fit([rng.normal(size=(5, 2)) for _ in range(4)], [["x", "y", "x", "y", "x"]] * 4)
    assert "text" not in labeler.model_.manifest
    assert not hasattr(labeler, "vocabulary_")


def test_labels_are_those_of_the_likeliest_path_not_of_each_step():
    labeler = make(crf=True).fit(X, Y)
    weights = labeler.model_.weights
    weights["crf.transitions"] = np.where(np.eye(3, dtype=bool), -50, 0).astype(
        np.float32
    )  # none twice in a row
    scores = labeler.model_.outputs([["we", "we", "we", "we"]])
    assert scores.argmax(axis=1).tolist() == [labeler.classes_.tolist().index("O")] * 4
    found = labeler.predict([["we", "we", "we", "we"]])[0]
    assert all(found[:-1] != found[1:])


def endings(seed, count=60):
    """Return sentences of made-up words whose ending, or capital, tells the label; nearly every word is there once."""
    rng = np.random.default_rng(seed)
    sentences, labels = [], []
    for _ in range(count):
        kinds = rng.choice(["ing", "ed", "name"], rng.integers(4, 9)).tolist()
        stems = ["".join(rng.choice(list("bcdfghklmnprst"), 4)) for _ in kinds]
        sentences.append([s.title() if k == "name" else s + k for s, k in zip(stems, kinds, strict=True)])
        labels.append(kinds)
    return sentences, labels


@pytest.fixture(scope="module")
def bare():
    return SequenceLabeler(random_state=0, verbose=0).fit(*endings(0))


def test_a_bare_one_reads_words_it_never_saw_by_their_letters(bare, tmp_path):
    new, truth = endings(1)
    assert bare.score(new, truth) > 0.95
    assert "letters=24, subwords=32, lowercase=False" in bare.recipe_
    assert (bare.letters, bare.subwords, bare.lowercase) == (0, 0, True)
    bare.save(tmp_path / "m.recurra")
    for runtime in ("full", "light"):
        found = recurra.load_model(tmp_path / "m.recurra", runtime=runtime).predict_proba(new)
        for one, other in zip(found, bare.predict_proba(new), strict=True):
            np.testing.assert_array_equal(one, other)


def test_one_that_goes_on_reads_the_same_letters(bare):
    again = clone(bare).fit(*endings(0))
    again.fit(*endings(0), resume=True)
    kept = again.model_.manifest["params"]
    assert (kept["letters"], kept["subwords"], kept["lowercase"]) == (24, 32, False)
    assert again.score(*endings(1)) > 0.95


def test_words_are_read_whole_where_all_are_known_or_an_option_says_how():
    sentences, _ = endings(0)
    for X_, options in ((X, {}), (sentences, {"min_count": 2}), (sentences, {"letters": 8})):
        tagger = SequenceLabeler(random_state=0, verbose=0, **options)
        facts = recipe.Facts(len(X_), 0, True, "labeling", True, unseen=recipe.unseen_of(X_))
        assert "letters" not in recipe.decided(tagger, facts)


def test_the_share_of_new_words_is_what_good_and_turing_say():
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, 20001)
    chances /= chances.sum()
    words = rng.choice(20000, (400, 25), p=chances).astype(str).tolist()
    known = {word for sentence in words for word in sentence}
    new = chances[[str(number) not in known for number in range(20000)]].sum()
    assert recipe.unseen_of(words) == pytest.approx(new, abs=0.02)
    assert recipe.unseen_of(words + words[:200]) == recipe.unseen_of(words)
    assert recipe.unseen_of([["a", "b", "a"], ["c"]]) == 0.5
