import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_series():
    try:
        data = datasets.load("chickenpox")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert data.kind == "series"
    assert data[0].values.shape == (498, 1)
    assert data[0].values[:2, 0].tolist() == [956, 927]
    train, test = data.split(by="time", test=0.1)
    assert [train.lengths[0], test.lengths[0]] == [448, 50]
