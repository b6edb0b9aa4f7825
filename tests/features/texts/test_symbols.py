"""Text as numbers and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import StoreError
from recurra.features.texts.symbols import BEGIN, END, SPECIAL, UNKNOWN, Symbols

TEXTS = ["the cat sat on the mat", "the dog sat on the cat", "a mat and a dog"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_characters_come_back_as_they_were(texts):
    symbols = Symbols.fit(texts, level="character")
    for text in texts:
        numbers = symbols.encode(text)
        assert numbers.min() >= len(SPECIAL)
        assert symbols.decode(numbers) == text


def test_words_seen_once_count_as_unknown():
    symbols = Symbols.fit(TEXTS, level="word")
    assert symbols.names[3:5] == ("the", "a")
    assert symbols.encode("the and")[1] == UNKNOWN
    assert symbols.decode(symbols.encode("the  cat")) == "the cat"


def test_lists_are_taken_as_they_are():
    symbols = Symbols.fit([["K", "AE", "T"], ["D", "AO", "G"]], level="character")
    assert symbols.level == "token"
    assert symbols.decode(symbols.encode(["K", "AO"])) == "K AO"
    assert symbols.pieces("K AO") == ["K", "AO"]


def test_byte_pairs_join_what_is_frequent_and_spell_the_rest():
    pytest.importorskip("tokenizers")
    symbols = Symbols.fit(TEXTS, level="bpe", size=40)
    for text in [*TEXTS, "the goat sat"]:
        assert symbols.decode(symbols.encode(text)) == text
    assert len(symbols.pieces("the cat")) < len("the cat")
    again = Symbols.from_manifest(symbols.to_manifest())
    assert (again.encode("the goat") == symbols.encode("the goat")).all()


def test_only_the_commonest_are_kept():
    assert len(Symbols.fit(["aaabbc"], level="character", size=2)) == len(SPECIAL) + 2


def test_a_text_cannot_spell_a_special_symbol():
    symbols = Symbols.fit(["a b a b"], level="word")
    assert symbols.encode("a <end>").tolist()[1] == UNKNOWN
    own = Symbols.fit(["<end> a <end> a"], level="word")
    assert own.encode("<end>")[0] > 2


@pytest.mark.parametrize("level", ["character", "word", "bpe"])
def test_marks_stand_around_a_text(level):
    if level == "bpe":
        pytest.importorskip("tokenizers")
    plain, marked = (Symbols.fit(TEXTS, level=level, marks=marks) for marks in (False, True))
    for text in [*TEXTS, "a goat"]:
        assert marked.encode(text).tolist() == [BEGIN, *plain.encode(text).tolist(), END]
        assert marked.pieces(text) == plain.pieces(text)
    assert Symbols.from_manifest(marked.to_manifest()) == marked


@pytest.mark.parametrize(
    "change",
    [{"marks": 1}, {"level": "letters"}, {"names": ["a", "b", "c"]}, {"names": "abc"}, {"tokenizer": 3}],
)
def test_a_vocabulary_that_makes_no_sense_is_refused(change):
    manifest = Symbols.fit(TEXTS, level="word").to_manifest() | change
    with pytest.raises(StoreError, match="the vocabulary makes no sense"):
        Symbols.from_manifest(manifest)
