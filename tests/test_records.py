import numpy as np
import pytest

from recurra.records import Dataset, Record


def dataset():
    return Dataset(
        [
            Record(np.zeros((2, 3)), label="a", group="p", name="x.csv", part="train"),
            Record(np.ones((4, 3)), label="b", group="q", name="y.csv", part="test"),
        ],
        channel_names=["u", "v", "w"],
    )


def test_columns_of_a_dataset():
    data = dataset()
    assert [x.shape for x in data.X] == [(2, 3), (4, 3)]
    assert data.y.tolist() == ["a", "b"]
    assert data.groups.tolist() == ["p", "q"]
    assert data.names == ["x.csv", "y.csv"]
    assert data.lengths.tolist() == [2, 4]
    assert data.summary()["class_counts"] == {"a": 1, "b": 1}
    assert repr(data) == "Dataset(2 sequences, length 2 to 4, 3 channels, 2 classes, 2 groups)"


def test_parts_of_the_official_split():
    data = dataset()
    assert data.part("train").names == ["x.csv"]
    assert data.part("test").names == ["y.csv"]
    assert data.part("test").channel_names == ["u", "v", "w"]


def test_labels_per_step_stay_ragged():
    data = Dataset([Record(np.zeros((n, 1)), label=np.arange(n) % 2) for n in (2, 3)])
    assert data.labels_per_step
    assert data.y.dtype == object
    assert [len(labels) for labels in data.y] == [2, 3]
    assert data.class_counts() == {"0": 3, "1": 2}


def test_labels_per_step_stay_ragged_when_lengths_agree():
    data = Dataset([Record(np.zeros((3, 1)), label=np.array([0, 1, 0])) for _ in range(2)])
    assert data.y.shape == (2,)


def test_several_numbers_a_sequence_are_columns():
    data = Dataset([Record(np.zeros((5, 1)), label=np.array([1.0, 2.0])) for _ in range(4)])
    assert data.y.shape == (4, 2)
    assert data.class_counts() == {}


def test_sample_rate_only_where_all_agree():
    records = [Record(np.zeros((2, 1)), sample_rate_hz=rate) for rate in (100.0, 50.0)]
    assert Dataset(records).sample_rate_hz is None
    assert Dataset(records[:1]).sample_rate_hz == 100.0


def test_missing_values_are_counted():
    assert Dataset([Record(np.array([[1.0], [np.nan]]))]).summary()["n_missing"] == 1


def test_frozen():
    with pytest.raises(AttributeError):
        dataset().source = "elsewhere"
