import pytest

from recurra import datasets
from recurra.errors import UsageError


def test_names_and_terms():
    assert "japanese-vowels" in datasets.names()
    for name in datasets.names():
        source = datasets.info(name)
        assert source.name == name
        assert source.page.startswith("https://")
        assert source.licence
        assert source.citation
        assert all(len(file.sha256) == 64 for file in source.files)


def test_unknown_name():
    with pytest.raises(UsageError) as caught:
        datasets.load("japanese-vowel")
    assert str(caught.value).startswith("there is no data set 'japanese-vowel'; known are 'adding-problem', ")
    assert str(caught.value).endswith("Did you mean 'japanese-vowels'?")


def test_unknown_split():
    with pytest.raises(
        UsageError, match=r"datasets\.load: split must be one of 'all', 'train', 'test'; got 'tets'"
    ):
        datasets.load("japanese-vowels", split="tets")
