"""What a model file keeps of the data it was trained on."""

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.errors import StoreError
from recurra.fitting.manifest import MOST_LENGTHS, kept_lengths

TINY = {"max_epochs": 1, "hidden_size": 3, "random_state": 0, "verbose": 0}
X = [np.random.default_rng(k).normal(size=(4 + k % 3, 2)) for k in range(12)]
Y = np.arange(12) % 2
TEXTS = ["one two", "three four five"] * 6

WEIGHED = {
    "classifier": lambda w: (recurra.SequenceClassifier(**TINY).fit(X, Y, sample_weight=w), X),
    "regressor": lambda w: (recurra.SequenceRegressor(**TINY).fit(X, 1.0 * Y, sample_weight=w), X),
    "texts": lambda w: (recurra.TextClassifier(**TINY).fit(TEXTS, Y, sample_weight=w), TEXTS),
    "translator": lambda w: (recurra.Translator(**TINY).fit(TEXTS, TEXTS, sample_weight=w), TEXTS),
}


@pytest.mark.filterwarnings("ignore:predict. 12 of 12 answers did not end")
@pytest.mark.parametrize("fit", WEIGHED.values(), ids=WEIGHED)
@pytest.mark.parametrize("weight", [50_000, 10**9, 10**25])
def test_a_model_whose_weights_count_many_is_small_and_can_be_loaded(fit, weight, tmp_path):
    """Twelve sequences that stand for 600,000 made a file that nobody could read; of 10**9 each, no memory held it."""
    fitted, given = fit([weight] * 12)
    fitted.save(tmp_path / "m.recurra")
    assert (tmp_path / "m.recurra").stat().st_size < 300_000
    loaded = recurra.load_model(tmp_path / "m.recurra")
    np.testing.assert_array_equal(loaded.predict(given), fitted.predict(given))
    # Of texts words, as the classifier read them, or characters, as the translator did.
    texts = {len(own.split()) for own in TEXTS}, {len(own) for own in TEXTS}
    learned = texts[isinstance(fitted, recurra.Translator)] if given is TEXTS else {4, 5, 6}
    assert set(loaded.model_.manifest["training"]["lengths"]) == learned


@pytest.mark.parametrize("count", [1, 100, MOST_LENGTHS])
def test_lengths_of_few_sequences_are_kept_as_they_are(count):
    lengths = np.random.default_rng(count).integers(1, 1000, count)
    assert kept_lengths(lengths.tolist()) == lengths.tolist()
    times = np.zeros(count)
    times[:1] = 3.0
    assert kept_lengths(lengths, times) == [lengths[0]] * 3


@pytest.mark.parametrize("count", [MOST_LENGTHS + 1, 700_000])
def test_lengths_of_many_sequences_spread_as_all_of_them(count):
    lengths = np.random.default_rng(count).lognormal(5, 1, count).astype(int)
    kept = kept_lengths(lengths)
    assert len(kept) == MOST_LENGTHS
    assert (kept[0], kept[-1]) == (lengths.min(), lengths.max())
    shares = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(np.quantile(kept, shares), np.quantile(lengths, shares), atol=1, rtol=0.01)


def test_weighted_lengths_spread_as_if_written_out():
    rng = np.random.default_rng(0)
    lengths, times = rng.integers(1, 500, 3000), rng.integers(0, 40, 3000)
    kept, all_of_them = kept_lengths(lengths, times * 1.0), np.repeat(lengths, times)
    shares = np.linspace(0, 1, 41)
    np.testing.assert_allclose(np.quantile(kept, shares), np.quantile(all_of_them, shares), atol=1)


@pytest.mark.parametrize(
    "content", [{"n": list(range(600_000))}, {"n": [[]] * 300_000}, {"text": "," * 600_000}]
)
def test_what_could_not_be_read_again_is_not_written(content, tmp_path):
    with pytest.raises(StoreError, match="could not be read again"):
        store.save(tmp_path / "m.recurra", content, {})
    assert not list(tmp_path.iterdir())
