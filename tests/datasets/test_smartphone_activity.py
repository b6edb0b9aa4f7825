import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_recordings():
    try:
        data = datasets.load("smartphone-activity")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert len(data) == 223
    assert len(set(data.groups)) == 23
    assert (data.lengths.min(), data.lengths.max()) == (881, 1513)
    assert data.labels_per_step
    assert list(data.class_counts()) == ["SEATED", "SITTING_DOWN", "STANDING_UP", "TURNING", "WALKING"]
    assert data[0].values[0, 0] == -4.160221099853516
    train, test = data.split(random_state=0)
    assert not set(train.groups) & set(test.groups)
