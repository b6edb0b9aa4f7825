"""N-grams of texts: scikit-learn's TfidfVectorizer is the reference."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from recurra.errors import StoreError
from recurra.features.texts.ngrams import NGrams

TEXTS = [
    "The pump leaks oil, the pump leaks.", "Motor stopped after a loud noise", "ÖL am Boden", "a", "oil oil oil",
    "Sensor reports 0.5 bar", "日本語 の 文", "",
]  # fmt: skip


def dense(found, text):
    row = np.zeros(found.size)
    places, weights = found.entries(text)
    row[places] = weights
    return row


@pytest.mark.parametrize("text", [*TEXTS, "pump oil unknown words", "PUMP"])
def test_weights_are_those_of_scikit_learn(text):
    found = NGrams.fit(TEXTS)
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit(TEXTS)
    row = words.transform([text]).toarray()[0]
    ours = dense(found, text)[found.of_words]
    np.testing.assert_allclose(np.sort(ours[ours > 0]), np.sort(row[row > 0]), rtol=1e-5)
    # Runs of letters within words, the words as ours are cut: without marks between them.
    import re

    clean = [" ".join(re.findall(r"\w+", t.lower())) for t in [*TEXTS, text]]
    runs = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5)).fit(clean[:-1])
    row = runs.transform(clean[-1:]).toarray()[0]
    ours = dense(found, text)[~found.of_words]
    np.testing.assert_allclose(np.sort(ours[ours > 0]), np.sort(row[row > 0]), rtol=1e-5)


def test_of_single_words_the_runs_are_known_and_single_letters():
    words = ["pump", "oil", "leak", "leaks", "Öl", "a"]
    found = NGrams.fit(words)
    assert not found.of_words.any()
    runs = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(1, 5)).fit(words)
    names = runs.get_feature_names_out()
    assert found.size == len([name for name in names if name != " "])  # every word has its blanks
    blank = names.tolist().index(" ")
    for word in [*words, "pumping", "soil"]:
        row = runs.transform([word]).toarray()[0]
        row[blank] = 0
        row /= np.linalg.norm(row)
        ours = dense(found, word)
        np.testing.assert_allclose(np.sort(ours[ours > 0]), np.sort(row[row > 0]), rtol=1e-5)


def test_a_text_of_weight_two_is_the_text_twice():
    weights = np.ones(len(TEXTS))
    weights[1] = 2
    once, twice = NGrams.fit(TEXTS, weights), NGrams.fit([*TEXTS, TEXTS[1]])
    np.testing.assert_array_equal(once.ids, twice.ids)
    np.testing.assert_allclose(once.rarity, twice.rarity)


def test_a_file_keeps_all_and_odd_ones_are_refused():
    found = NGrams.fit(TEXTS)
    kept = NGrams.from_arrays(found.to_arrays())
    for text in TEXTS:
        for a, b in zip(found.entries(text), kept.entries(text), strict=True):
            np.testing.assert_array_equal(a, b)
    good = found.to_arrays()
    for change in (
        {"ids": good["ids"][::-1]},
        {"ids": good["ids"].astype(np.int64)},
        {"rarity": good["rarity"][:-1]},
        {"of_words": good["of_words"][None]},
        {"ids": good["ids"][None]},
    ):
        with pytest.raises(StoreError, match="n-grams"):
            NGrams.from_arrays(good | change)
    with pytest.raises(StoreError, match="incomplete"):
        NGrams.from_arrays({"ids": good["ids"]})
