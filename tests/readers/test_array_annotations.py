"""What stands beside arrays is used or refused: parts, groups and labels that make no sense were taken without a word."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, ShapeError
from recurra.runs.data.split import divide

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 9, 2))
PARTS = {
    "a word": ["hello"] * 12,
    "a third": ["train", "test", "valid"] * 4,
    "numbers": [0, 1] * 6,
    "empty": ["train", ""] * 6,
    "None as text": ["train", "None"] * 6,
}
GROUPS = {
    "numbers": [np.nan, np.nan, *range(10)],
    "all": [np.nan] * 12,
    "objects": ["a", None, *"bcdefghijk"],
    "dates": np.array(["2024-01-01", "NaT"] * 6, "M8[D]"),
    "pandas": ["a", pd.NA] * 6,
    "all of pandas": [pd.NA] * 12,
}
SHAPES = [(3, 2), (9, 2, 2), (8, 2), (1, 9), (2, 9)]


def given(tmp_path, way, **beside):
    """Return data with annotations, from memory or from a file."""
    if way == "memory":
        named = {"part": "parts", "y": "labels", "groups": "groups"}
        return recurra.load(list(X), **{named[word]: value for word, value in beside.items()})
    np.savez(tmp_path / "data.npz", X=X, **{word: np.asarray(value) for word, value in beside.items()})
    return recurra.load(tmp_path / "data.npz")


@pytest.mark.parametrize("way", ["memory", "file"])
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_parts_are_train_or_test(tmp_path, way, parts):
    with pytest.raises(DataError, match=r"the part of sequence \d must be 'train' or 'test'; got"):
        given(tmp_path, way, part=parts)


@pytest.mark.parametrize("way", ["memory", "file"])
def test_parts_in_capital_letters_are_the_split(tmp_path, way):
    data = given(tmp_path, way, part=["Train", "TEST", "train"] * 4)
    assert [record.part for record in data] == ["train", "test", "train"] * 4


@pytest.mark.parametrize("absent", [None, np.nan, pd.NA, pd.NaT, float("nan")], ids=repr)
def test_a_part_that_is_absent_is_none(absent):
    data = recurra.load(list(X), parts=["train", "test", absent] * 4)
    assert [record.part for record in data] == ["train", "test", None] * 4


def test_parts_of_bytes_are_read_as_text(tmp_path):
    data = given(tmp_path, "file", part=np.array(["train", "test"] * 6, "S"))
    assert [record.part for record in data] == ["train", "test"] * 6


def test_what_is_of_no_part_is_told():
    data = recurra.load(list(X), parts=["train", "test", None] * 4, labels=list("ab") * 6)
    how = divide(data, test=None, by=None, seed=0, options={}).how
    assert how == "The data's own split: 4 train, 4 test; 4 sequences of no part are in neither."


@pytest.mark.parametrize("way", ["memory", "file"])
@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_a_missing_group_is_refused(tmp_path, way, groups):
    if way == "file" and np.asarray(groups).dtype == object:
        groups = np.array([np.nan, np.inf, *range(10)])  # objects are in no such file
    with pytest.raises(DataError, match=r"the group of sequence \d is missing"):
        given(tmp_path, way, groups=groups)


def test_groups_that_are_all_none_are_none():
    assert recurra.load(list(X), groups=[None] * 12).groups is None


@pytest.mark.parametrize("way", ["memory", "file"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [int, float, str])
def test_labels_of_other_axes_are_refused(tmp_path, way, shape, kind):
    labels = RNG.integers(0, 2, (12, *shape)).astype(kind)
    with pytest.raises(
        ShapeError, match=r"the label of sequence 0 must be .* its 9 steps; got an array of shape"
    ):
        given(tmp_path, way, y=labels)


@pytest.mark.parametrize("way", ["memory", "file"])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (9,), (9, 1), (9, 3)])
def test_labels_of_sequences_and_of_steps_are_read(tmp_path, way, shape):
    labels = RNG.normal(size=(12, *shape))
    data = given(tmp_path, way, y=labels)
    assert all(np.array_equal(record.label, own) for record, own in zip(data, labels, strict=True))
