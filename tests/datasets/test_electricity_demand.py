import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_series():
    try:
        data = datasets.load("electricity-demand")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    record = data[0]
    assert (data.kind, record.freq, record.values.shape, record.known.shape) == (
        "series",
        "30min",
        (17520, 1),
        (17520, 2),
    )
    assert record.values[0, 0] == 3.91464713
    assert record.known[1].tolist() == [0, 17.9]
    train, test = data.split(by="time", test=48)
    assert test[0].start - train[0].start == 17472 * 1800
    assert (len(train[0].known), len(test[0].known)) == (17520, 48)
