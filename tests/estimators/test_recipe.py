"""A call without options: what is decided, and that all promises hold for the linear part beside the network."""

from functools import partial

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import RecurraWarning, StoreError, UsageError
from recurra.recipes import recipe

load_light = partial(recurra.load_model, runtime="light")

WORDS = ["pump", "leak", "motor", "noise", "belt", "hot", "oil", "stop"]


def waves(n=40, seed=0, channels=2):
    rng = np.random.default_rng(seed)
    X, y = [], []
    for k in range(n):
        t = np.arange(rng.integers(12, 40))[:, None]
        period = 4 if k % 2 else 7
        X.append(
            np.sin(2 * np.pi * t / period + rng.uniform(0, 6, channels))
            + 0.3 * rng.normal(size=(len(t), channels))
        )
        y.append("fast" if k % 2 else "slow")
    return X, np.array(y)


def reports(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 2, "pump", "motor")
    texts = [f"{' '.join(rng.choice(WORDS[2:], 4))} at the {label}" for label in y]
    return texts, y


@pytest.fixture(scope="module")
def fitted():
    X, y = waves()
    return recurra.SequenceClassifier(random_state=0).fit(X, y)


def test_what_is_decided_is_said_and_kept_and_the_options_stay_as_given(fitted):
    assert fitted.recipe_.startswith(
        "Recipe: a linear map of fixed dilated kernels and shapelets has 80 % of the say, a network with"
    )
    assert fitted.wide == "auto"
    assert fitted.pooling == "last"
    kept = fitted.model_.manifest["params"]
    assert kept["wide"] is True
    assert (kept["bidirectional"], kept["pooling"]) == (True, "mean+max")
    assert fitted.score(*waves(seed=1)) > 0.9


def test_the_decided_options_given_by_hand_repeat_the_bits(fitted):
    X, y = waves()
    kept = fitted.model_.manifest["params"]
    names = ("wide", "bidirectional", "pooling", "dropout", "max_epochs")
    again = recurra.SequenceClassifier(random_state=0, **{name: kept[name] for name in names}).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_batches_of_long_sequences_are_small():
    rng = np.random.default_rng(0)
    X, y = [rng.normal(size=(n, 1)) for n in (5000, 7000)] * 6, ["a", "b"] * 6
    found = recurra.SequenceClassifier(random_state=0).fit(X, y)
    assert found.model_.manifest["params"]["batch_size"] == 2**16 // 6000
    assert "batch_size=10" in found.recipe_
    decided = [
        recipe.decided(recurra.SequenceRegressor(), recipe.Facts(40, 40 * mean, False, "regression", False))
        for mean in (2048, 2049, 10**6)
    ]
    assert [own.get("batch_size") for own in decided] == [None, 31, 4]


def test_batch_mates_order_and_threads_move_no_bit(fitted):
    X, _ = waves(seed=2)
    whole = fitted.predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(X[::-1])[::-1], whole)
    for k in (0, 7, 39):
        np.testing.assert_array_equal(fitted.predict_proba(X[k : k + 1])[0], whole[k])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        np.testing.assert_array_equal(fitted.predict_proba(X), whole)
    finally:
        torch.set_num_threads(before)


def test_a_file_gives_the_same_bits_with_and_without_torch(fitted, tmp_path):
    X, _ = waves(seed=3)
    fitted.save(tmp_path / "m.recurra")
    for model in (recurra.load_model(tmp_path / "m.recurra"), load_light(tmp_path / "m.recurra")):
        np.testing.assert_array_equal(model.predict_proba(X), fitted.predict_proba(X))


def test_a_file_whose_linear_part_makes_no_sense_is_refused(fitted, tmp_path):
    from recurra import store

    fitted.save(tmp_path / "m.recurra")
    manifest, arrays = store.load(tmp_path / "m.recurra")
    for change in ({"share": 2.0}, {"share": "all"}, {"kind": "thought"}):
        store.save(tmp_path / "odd.recurra", {**manifest, "wide": {**manifest["wide"], **change}}, arrays)
        with pytest.raises(
            StoreError, match=r"wide\.(share must be a finite number|kind 'thought' is unknown)"
        ):
            recurra.load_model(tmp_path / "odd.recurra")
    for name in ("wide.weight", "wide.bias", "wide.features.spread", "wide.features.values.dilations"):
        store.save(tmp_path / "odd.recurra", manifest, {n: a for n, a in arrays.items() if n != name})
        with pytest.raises(StoreError):
            recurra.load_model(tmp_path / "odd.recurra")


def test_the_linear_part_and_the_network_both_count(fitted):
    X, _ = waves(seed=4)
    from dataclasses import replace

    model = fitted.model_
    alone = [replace(model, wide=replace(model.wide, share=s)).predict_proba(X) for s in (0.0, 1.0)]
    mixed = np.log(np.maximum(alone[0], 1e-3)) * 0.2 + np.log(alone[1]) * 0.8
    expected = np.exp(mixed) / np.exp(mixed).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_an_option_of_the_network_or_training_leaves_it_out():
    X, y = waves(12)
    for option in (
        {"hidden_size": 8},
        {"max_epochs": 2},
        {"cell": "gru"},
        {"wide": False},
        {"pooling": "mean"},
    ):
        clf = recurra.SequenceClassifier(random_state=0, **option).fit(X, y)
        assert clf.model_.wide is None
        assert clf.recipe_ == ""
        clf.stream().step(X[0][0])
    clf = recurra.SequenceClassifier(random_state=0, max_epochs=2, wide=True).fit(X, y)
    assert clf.model_.wide is not None
    with pytest.raises(UsageError, match="reads whole sequences; train with wide=False"):
        clf.stream()
    with pytest.raises(UsageError, match="reads whole sequences; train with wide=False"):
        clf.stream(look_ahead=3)


def test_going_on_keeps_what_was_decided(fitted, tmp_path):
    X, y = waves()
    fitted.save(tmp_path / "m.recurra")
    more = recurra.load_model(tmp_path / "m.recurra")
    more.set_params(max_epochs=2)
    more.fit(X, y, resume=True)
    assert more.model_.manifest["network"]["bidirectional"]
    assert more.model_.wide is not None


def test_numbers_are_learned_by_both():
    X, _ = waves(60)
    y = np.array([x[:, 0].std() + len(x) / 10 for x in X])
    reg = recurra.SequenceRegressor(random_state=0).fit(X[:45], y[:45])
    assert reg.model_.wide is not None
    assert reg.score(X[45:], y[45:]) > 0.7


def test_texts_are_told_apart_by_words_and_letters(tmp_path):
    texts, y = reports()
    clf = recurra.TextClassifier(random_state=0).fit(texts[:40], y[:40])
    assert clf.recipe_.startswith("Recipe: a linear map of words and runs of letters")
    assert clf.score(texts[40:], y[40:]) > 0.9
    clf.save(tmp_path / "t.recurra")
    light = load_light(tmp_path / "t.recurra")
    np.testing.assert_array_equal(light.predict_proba(texts), clf.predict_proba(texts))
    for k in (0, 5):
        np.testing.assert_array_equal(clf.predict_proba(texts[k : k + 1])[0], clf.predict_proba(texts)[k])


def spelled(n=300, seed=0):
    """Words that are told apart by whether a vowel stands more often than twice."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("aeioubcdfghklmnprst"), rng.integers(5, 11))) for _ in range(n)]
    return words, np.array([str(sum(letter in "aeiou" for letter in word) > 2) for word in words])


def test_single_words_are_read_letter_by_letter(tmp_path):
    words, y = spelled(380)
    found = recurra.TextClassifier(random_state=0).fit(words[:320], y[:320])
    assert "tokens='character'" in found.recipe_
    assert found.tokens == "word"
    assert found.model_.manifest["params"]["tokens"] == "character"
    assert found.score(words[320:], y[320:]) > 0.85
    # Counting vowels is for the network: the share of 0.5 would be what no judging gave.
    assert found.model_.wide.share < 0.5
    kept = found.model_.manifest["params"]
    names = ("wide", "bidirectional", "pooling", "dropout", "tokens", "hidden_size", "max_epochs")
    again = recurra.TextClassifier(random_state=0, **{n: kept[n] for n in names}).fit(words[:320], y[:320])
    np.testing.assert_array_equal(again.predict_proba(words), found.predict_proba(words))
    found.save(tmp_path / "m.recurra")
    light = load_light(tmp_path / "m.recurra")
    np.testing.assert_array_equal(light.predict_proba(words[320:]), found.predict_proba(words[320:]))
    found.set_params(max_epochs=1)
    found.fit(words, y, resume=True)
    assert found.model_.manifest["params"]["tokens"] == "character"


def test_the_share_of_single_words_is_usual_where_few_are_held_out():
    words, y = spelled(60)
    options = {"max_epochs": 2, "wide": True, "tokens": "character", "hidden_size": 8}
    assert recurra.TextClassifier(random_state=0, **options).fit(words, y).model_.wide.share == 0.5
    none = recurra.TextClassifier(random_state=0, validation_fraction=0, **options).fit(words * 6, [*y] * 6)
    assert none.model_.wide.share == 0.5


def test_what_is_said_of_single_words_beforehand():
    words, y = spelled(60)
    data = recurra.Dataset([recurra.Record(w, label=c) for w, c in zip(words, y, strict=True)], kind="text")
    assert "has the share of the say that is best on words held out" in str(recurra.look(data))


@pytest.mark.parametrize("given", [{"tokens": "bpe"}, {"letters": 8}, {"max_tokens": 1}, {"hidden_size": 8}])
def test_what_is_given_for_single_words_stays(given):
    words, y = spelled(60)
    found = recurra.TextClassifier(random_state=0, **given).fit(words, y)
    assert found.model_.manifest["params"]["tokens"] == given.get("tokens", "word")


def test_an_explanation_says_which_part_it_is_of(fitted):
    x = waves(seed=6)[0][1]
    with pytest.warns(RecurraWarning, match=r"gradients tell of the network, which has 20 % of the say"):
        found = fitted.explain(x)
    assert abs(found.error) < 0.05 * abs(found.output) + 0.05
    both = fitted.explain(x, method="occlusion", target="fast")
    assert both.output == pytest.approx(
        fitted.model_.outputs([x])[0][list(fitted.classes_).index("fast")], abs=1e-4
    )
    texts, y = reports()
    clf = recurra.TextClassifier(random_state=0).fit(texts, y)
    found = clf.explain("oil at the pump", method="occlusion", target="pump")
    assert found.input[int(np.argmax(found.values))] == "pump"
