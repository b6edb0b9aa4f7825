import pytest

from recurra import datasets
from recurra.errors import MissingDataError, UsageError


def test_reports():
    try:
        data = datasets.load("factory-reports")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert data.kind == "text"
    assert sorted(data.class_counts().values()) == [40, 68, 168, 204]
    assert data[0].values == "Items are occasionally getting stuck in the scanner spools."
    assert len(set(data.groups)) == 101
    assert "The MathWorks, Inc." in data.citation
    with pytest.raises(UsageError, match="has no official split, so there is no 'test' part"):
        datasets.load("factory-reports", "test")
