"""Channels in the order of the training, labels written as the classes are."""

import numpy as np

from recurra.records import Dataset, Record
from recurra.runs.data.alignment import aligned, with_known_labels


def test_labels_of_another_type_are_the_same_classes(tmp_path):
    """A folder called 1 is the class 1 of a table."""
    data = Dataset([Record(np.zeros((2, 1)), label=label) for label in ("1", "2", "x")])
    assert [r.label for r in with_known_labels(data, np.array([1, 2]))] == [1, 2, "x"]
    per_step = Dataset([Record(np.zeros((2, 1)), label=np.array(["1", "2"]))])
    assert with_known_labels(per_step, np.array([1, 2]))[0].label.tolist() == [1, 2]


def test_channels_are_put_in_order_by_name():
    data = Dataset([Record(np.array([[1.0, 2.0, 3.0]]))], channel_names=["c", "a", "b"])
    assert aligned(data, ["a", "c"])[0].values.tolist() == [[2.0, 1.0]]
    assert aligned(data, None) is data
    assert aligned(data, ["c", "a", "b"]) is data
