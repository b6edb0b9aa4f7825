import numpy as np
import pytest

from recurra.errors import DataError, StoreError
from recurra.features.chain import Chain
from recurra.features.texts.tokens import BEGIN, END, LETTERS, UNKNOWN_LETTER, Words

pytest.importorskip("tokenizers")
TEXTS = ["The pump doesn't start.", "The pump is well-known!", "pump"]


def test_words_are_cut_as_glove_cuts_them():
    words = Words.fit(TEXTS)
    assert words.tokens("The PUMP doesn't start; it's Well-known.") == [
        *("the", "pump", "does", "n't", "start", ";", "it", "'s", "well-known", ".")
    ]
    assert words.vocabulary["pump"] == 1  # the most frequent
    assert words.transform("pump engine")[:, 0].tolist() == [1, 0]
    assert Words.fit(TEXTS, lowercase=False).tokens("The") == ["The"]


def test_a_text_of_weight_two_counts_twice():
    twice = Words.fit(["a b", "b c", "b c"], min_count=2)
    weighed = Words.fit(["a b", "b c"], np.array([1.0, 2.0]), min_count=2)
    assert weighed.vocabulary == twice.vocabulary == {"[UNK]": 0, "b": 1, "c": 2}
    assert Words.fit(["a b", "b c"], max_vocabulary=1).vocabulary == {"[UNK]": 0, "b": 1}


def test_letters_stand_beside_the_word():
    words = Words.fit(["ab c"], letters=True)
    rows = words.transform("c ax " + "a" * 15 + "b" * 15)
    assert rows.shape == (3, 1 + LETTERS + 2)
    a, b, c = (5 + "abc".index(letter) - 0 - (5 - 4) for letter in "abc")
    assert rows[0, 1:5].tolist() == [BEGIN, c, END, 0]
    assert rows[1, 1:5].tolist() == [BEGIN, a, UNKNOWN_LETTER, END]
    assert rows[2, 1:].tolist() == [BEGIN, *[a] * 12, *[b] * 12, END]  # its first and its last twelve


def test_characters_and_byte_pairs():
    characters = Words.fit(["a b\n"], level="character", lowercase=False)
    assert characters.tokens("a B\n") == ["a", " ", "B", "\n"]
    pairs = Words.fit(["low lower lowest"] * 5, level="bpe", max_vocabulary=270)
    assert "low" in pairs.tokens("lowest")
    assert pairs.transform("never seen: ☃").min() > 0  # bytes: nothing is unknown


@pytest.mark.parametrize("level", ["word", "character", "bpe"])
def test_a_model_file_gives_the_same_rows(level):
    words = Words.fit(TEXTS, level=level, letters=level == "word", max_tokens=9)
    config, arrays = Chain([words], 0).to_manifest()
    back = Chain.from_manifest(config, arrays)
    np.testing.assert_array_equal(back.transform(TEXTS[0]), words.transform(TEXTS[0]))
    assert back.input_size == words.output_size(0)
    assert not back.reads_numbers


def test_a_limit_cuts_and_counts():
    words = Words.fit(TEXTS, max_tokens=3)
    assert len(words.transform(TEXTS[0])) == 3
    assert words.cut(TEXTS) == 2
    assert Words.fit(TEXTS).cut(TEXTS) == 0


def test_a_hundred_thousand_words():
    assert Words.fit(TEXTS).transform("pump " * 100_000).shape == (100_000, 1)


def test_a_text_without_a_token_is_refused():
    with pytest.raises(DataError, match="at least one token"):
        Words.fit(TEXTS).transform(" \t ")


def test_a_broken_tokenizer_is_a_store_error():
    config, arrays = Words.fit(TEXTS).to_manifest()
    for bad in (b"{", b"[]", b'{"model": 3}'):
        with pytest.raises(StoreError, match="the tokenizer cannot be read"):
            Words.from_manifest(config, {**arrays, "tokenizer": np.frombuffer(bad, np.uint8)})
    vectors = np.zeros((2, 3), np.float32)
    with pytest.raises(StoreError, match="do not belong together"):
        Words.from_manifest(config, {**arrays, "vectors": vectors})
