import pytest

from recurra import datasets
from recurra.datasets.fetch import is_here
from recurra.datasets.pronunciations import SOURCE


def test_words_and_phonemes():
    if not is_here(SOURCE):
        pytest.skip(f"{SOURCE.name} is not there; make data")
    data = datasets.load("pronunciations")
    by_word = {}
    for record in data:
        by_word.setdefault(record.values, []).append(record.label)
    assert by_word["cat"] == ["K AE T"]
    assert len(by_word["tomato"]) == 2
    assert len({p for r in data for p in r.label.split()}) == 39
    assert len(by_word) > 110_000
    assert all(r.values.isascii() and r.values.isalpha() and r.values.islower() for r in data)
