import gzip

import numpy as np
import pytest

from recurra import datasets
from recurra.datasets import handwritten_digits
from recurra.errors import DataError, MissingDataError


def test_rows():
    try:
        test = datasets.load("handwritten-digits", split="test")
    except MissingDataError as missing:
        pytest.skip(str(missing))
    assert len(test) == 10_000
    assert test[0].values.shape == (28, 28)
    assert test[0].values.max() == 1
    assert [record.label for record in test.records[:4]] == [7, 2, 1, 0]
    images, digits = handwritten_digits.images("train")
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(digits).min() > 800


def test_idx(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02\0\0\0\x02\0\0\0\x01\x05\x07"))
    assert handwritten_digits._idx(path).tolist() == [[5], [7]]
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01\0\0\0\0"))
    with pytest.raises(DataError, match="is no IDX file of bytes"):
        handwritten_digits._idx(path)
