import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from recurra.datasets.loading import load_any
from recurra.errors import DataError, UsageError
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


def recordings(lengths=(10, 3, 7), **words):
    return Dataset(
        [Record(np.arange(n)[:, None] + 100.0 * i, label=f"{i % 2}", **words) for i, n in enumerate(lengths)]
    )


def test_windows_cover_every_step_and_keep_their_length():
    cut = recordings().windows(4, 3)
    assert [x[:, 0].tolist() for x in cut.X[:3]] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert [len(x) for x in cut.X] == [4, 4, 4, 3, 4, 4]
    assert cut.X[-1][:, 0].tolist() == [203, 204, 205, 206]
    assert cut.names[:2] == ["0[0:4]", "0[3:7]"]
    assert cut.y.tolist() == ["0", "0", "0", "1", "0", "0"]
    assert len(recordings().windows(4)) == 4 + 1 + 3


def test_windows_cut_labels_per_step_along_and_know_their_time():
    record = Record(np.zeros((5, 1)), label=np.arange(5), sample_rate_hz=2.0, start=100.0)
    cut = Dataset([record]).windows(3, 2)
    assert [r.label.tolist() for r in cut.records] == [[0, 1, 2], [2, 3, 4]]
    assert [r.start for r in cut.records] == [100.0, 101.0]


def test_no_split_parts_the_windows_of_a_record():
    train, test = recordings((40,) * 12).windows(8, 2).split(test=0.25)
    assert len(train) > 0
    assert len(test) > 0
    assert set(train.groups).isdisjoint(test.groups)
    assert set(recordings(group="p").windows(4).groups) == {"p"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"length": 0}, r"windows: length must be a whole number of at least 1; got 0\."),
        ({"length": 4, "hop": 5}, r"windows: hop must be a whole number in \[1, 4\]; got 5\."),
    ],
)
def test_windows_that_cannot_be(words, message):
    with pytest.raises(UsageError, match=message):
        recordings().windows(**words)


def test_texts_have_no_windows():
    with pytest.raises(UsageError, match="cuts sequences of numbers; got records of kind 'text'"):
        Dataset([Record("a b")], kind="text").windows(2)


def test_a_notebook_shows_counts_classes_and_the_first_records():
    records = [
        Record(np.zeros((5 + k, 2)), label="<b>" if k else "a" * 99, group=k % 2, name=f"r & {k}")
        for k in range(7)
    ]
    data = Dataset(records, channel_names=["x", "<y>"], source="here", notes=("1 row was left out.",))
    root = ElementTree.fromstring(data._repr_html_())
    text = " ".join(" ".join(root.itertext()).split())
    for words in (
        "Dataset(7 sequences, length 5 to 11, 2 channels, 2 classes, 2 groups)",
        "lengths 5 to 11 time steps, median 8",
        "x, <y>",
        "<b>: 6",
        "r & 4",
        "and 2 more",
        "1 row was left out.",
    ):
        assert words in text, words
    assert "r & 5" not in text
    assert "a" * 59 + "…" in text
    assert "color" not in data._repr_html_()


@pytest.mark.parametrize(
    "data",
    [
        Dataset([]),
        Dataset([Record("some text", label="a")], kind="text"),
        Dataset([Record("clip.mp4")], kind="video"),
        Dataset([Record(np.zeros((9, 1)), start=0.0, freq="h")], kind="series"),
        Dataset([Record(np.zeros((3, 1)), label=np.array([1, 2, 1]))]),
    ],
)
def test_a_notebook_shows_every_kind_of_data(data):
    assert repr(data) in "".join(ElementTree.fromstring(data._repr_html_()).itertext())


@pytest.mark.parametrize("rate", [0, -5.0, float("nan"), float("inf"), 1e300, 1e-300, "5", True, [5.0]])
def test_a_sample_rate_is_a_number_time_can_be_counted_with(rate, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    for make in (
        lambda: Record(np.zeros((2, 1)), name="r", sample_rate_hz=rate),
        lambda: load_any(tmp_path / "a.csv", sample_rate_hz=rate),
        lambda: load_any([np.zeros((2, 1))], sample_rate_hz=rate),
    ):
        with pytest.raises(
            DataError, match=r"^\S+: the sample rate must be a number of steps a second, from 1e-12 to"
        ):
            make()


@pytest.mark.parametrize(
    "rate", [8, 8.0, np.int16(8), np.float16(8), np.array(8.0), Fraction(8), Decimal(8), 1e-9, 1e9]
)
def test_numbers_of_any_kind_are_sample_rates(rate):
    assert Record(np.zeros((2, 1)), sample_rate_hz=rate).sample_rate_hz == rate
