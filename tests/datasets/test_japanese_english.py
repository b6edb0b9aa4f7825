import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_sentences():
    try:
        data = datasets.load("japanese-english")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert data.kind == "pairs"
    assert [len(data.part(part)) for part in ("train", "dev", "test")] == [50_000, 500, 500]
    assert data.part("train")[0].values.startswith("誰 が 一番 に")
    assert data.part("train")[0].label == "i can 't tell who will arrive first ."
    assert data.part("test")[1].label == "he didn 't care for swimming ."
