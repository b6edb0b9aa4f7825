import hashlib
import zipfile
from importlib import resources

import numpy as np
import pytest

from recurra import datasets


def test_official_split():
    data = datasets.load("japanese-vowels")
    assert [
        len(data),
        len(datasets.load("japanese-vowels", "train")),
        len(datasets.load("japanese-vowels", "test")),
    ] == [
        640,
        270,
        370,
    ]
    assert set(data.part("train").class_counts().values()) == {30}
    # The counts per speaker of the data set's description.
    assert list(data.part("test").class_counts().values()) == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert (data.lengths.min(), data.lengths.max()) == (7, 29)
    assert data[0].values.dtype == np.float32
    assert data.groups is None
    assert data.licence == "CC BY 4.0"
    assert "Kudo" in data.citation


def test_values_are_the_published_decimals():
    data = datasets.load("japanese-vowels")
    # First line of the training file and last value of the test file, as published.
    assert (
        data[0].values[:5, 0].tolist()
        == np.float32([1.860936, 1.891651, 1.939205, 1.717517, 1.741191]).tolist()
    )
    assert data[0].values[:2, 1].tolist() == np.float32([-0.207383, -0.193249]).tolist()
    assert (data[0].label, data[270].label, data[639].label) == ("1", "1", "9")
    flat = np.concatenate(data.X).astype(np.float64)
    assert np.abs(flat * 1e6 - np.round(flat * 1e6)).max() < 0.15  # float32 of six places


def test_bundled_file_is_small_and_as_made():
    path = resources.files("recurra.datasets").joinpath("bundled", "japanese-vowels.npz")
    content = path.read_bytes()
    assert len(content) < 500_000
    assert (
        hashlib.sha256(content).hexdigest()
        == "b3ba1e3d14d8fc414afbc53f78fbdc2b7e31f839eae14aeab2230116d817674b"
    )
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("split", ["all", "train", "test"])
def test_no_sequence_comes_twice(split):
    data = datasets.load("japanese-vowels", split)
    assert len({values.tobytes() for values in data.X}) == len(data)
