import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_series():
    try:
        train, test = (datasets.load("m3-monthly", split=side) for side in ("train", "test"))
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert (len(train), train.names) == (1428, test.names)
    assert (train.lengths.min(), train.lengths.max()) == (48, 126)
    assert set(test.lengths) == {18}
    assert (train[0].values[0, 0], test[0].values[0, 0], train[0].static) == (2640, 2280, ["MICRO"])
