"""Options of data and of estimators told apart."""

import pytest

from recurra.errors import UsageError
from recurra.runs.data.sources import divide_options


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(
        UsageError, match=r"^train: there is no word 'hiden_size'\. Did you mean 'hidden_size'\?$"
    ):
        divide_options("train", {"hiden_size": 3})
    assert divide_options("train", {"hidden_size": 3, "id": "x"}) == ({"id": "x"}, {"hidden_size": 3})
