import pytest

from recurra import datasets
from recurra.errors import MissingDataError


def test_engines():
    try:
        data = datasets.load("cmapss-fd001")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert [len(data.part("train")), len(data.part("test"))] == [100, 100]
    assert all(record.label[-1] == 0 for record in data.part("train"))
    assert [record.label[-1] for record in data.part("test")][:2] == [112, 98]
    assert len(data.channel_names) == data[0].values.shape[1] == 24
    assert data[0].values[0, :5].tolist() == [-0.0007, -0.0004, 100.0, 518.67, 641.82]
