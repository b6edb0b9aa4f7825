import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_recordings():
    try:
        data = datasets.load("cinc2017-validation")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert len(data) == 300
    assert data.class_counts() == {"atrial fibrillation": 50, "noisy": 30, "normal": 150, "other": 70}
    assert (data.lengths.min(), data.lengths.max()) == (3002, 18170)
    assert data.sample_rate_hz == 300
    assert data[0].name == "A00001"
    assert data[0].values[0, 0] == pytest.approx(
        -0.127
    )  # millivolt; the header says that the first sample is -127
