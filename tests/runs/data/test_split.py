"""Splits as asked, described in words."""

import numpy as np
import pytest
import scipy.io.wavfile

import recurra
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record
from recurra.runs.data import split
from recurra.runs.data.identity import digest


def dataset(n=20, group=None, part=None, label="ab"):
    rng = np.random.default_rng(0)
    return Dataset(
        [
            Record(
                rng.normal(size=(4, 1)),
                label=label[i % len(label)],
                group=group(i) if group else None,
                part=part(i) if part else None,
            )
            for i in range(n)
        ]
    )


def divide(data, test=None, by=None, **options):
    return split.divide(
        data, test=split.test_of(test) if test is not None else None, by=by, seed=0, options=options
    )


def test_the_official_split_comes_first():
    data = dataset(part=lambda i: "test" if i < 6 else "train")
    divided = divide(data)
    assert (len(divided.train), len(divided.test)) == (14, 6)
    assert divided.how == "The data's own split: 14 train, 6 test."
    assert len(divide(data, 0.5).test) == 10


def test_a_fifth_is_held_out_and_groups_stay_whole():
    divided = divide(dataset())
    assert (len(divided.train), len(divided.test)) == (16, 4)
    assert divided.how.startswith("20% are held out at random, classes in balance")
    grouped = divide(dataset(group=lambda i: i // 4))
    sides = [set(side.groups.tolist()) for side in (grouped.train, grouped.test)]
    assert not sides[0] & sides[1]
    assert grouped.how.startswith("20% are held out, none of the 5 groups on both sides")
    loose = divide(dataset(group=lambda i: i // 4), by="record")
    assert loose.how.startswith("20% are held out at random")


def test_by_time_takes_the_last():
    data = dataset()
    divided = divide(data, by="time")
    assert divided.how.startswith("The last 20% in time are held out")
    assert [
        np.array_equal(a.values, b.values) for a, b in zip(divided.test, data.records[-4:], strict=True)
    ] == [True] * 4


def test_the_seed_decides():
    data = dataset()
    one, two = (split.divide(data, test=0.2, by=None, seed=s, options={}) for s in (0, 1))
    assert digest(one.test) != digest(two.test)
    assert digest(one.test) == digest(divide(data, 0.2).test)


def test_nothing_held_out():
    divided = divide(dataset(), "0")
    assert divided.test is None
    assert len(divided.train) == 20


@pytest.mark.parametrize(
    ("value", "read"), [("0.25", 0.25), ("0", 0.0), (0, 0.0), ("new.csv", "new.csv"), (0.5, 0.5)]
)
def test_what_test_means(value, read):
    assert split.test_of(value) == read


@pytest.mark.parametrize("value", ["1", 1.5, -0.1])
def test_no_share(value):
    with pytest.raises(
        UsageError, match="test must be a file, a share of at least 0 and less than 1, or 0 for none"
    ):
        split.test_of(value)


def test_one_sequence_cannot_be_split():
    with pytest.raises(DataError):
        divide(dataset(1))


def test_one_example_of_each_class_can_be_learned_where_a_test_part_has_them():
    classes = "abcdefghijkl"
    data = dataset(12, label=classes)
    split.check_classes_left(data, split.Split(data, dataset(24, label=classes), ""))
    with pytest.raises(DataError, match="each of the 12 sequences has a label of its own"):
        split.check_classes_left(data, split.Split(data, dataset(3, label="xyz"), ""))
    with pytest.raises(DataError, match="each of the 12 sequences has a label of its own"):
        split.check_classes_left(data, split.Split(data, None, ""))


@pytest.mark.parametrize("kind", ["a.wav", "a.npy", "folder"])
def test_what_one_recording_is_advised_can_be_done(kind, tmp_path):
    values = np.sin(np.arange(400) / 9).astype(np.float32)
    path = tmp_path / kind
    if kind == "a.wav":
        scipy.io.wavfile.write(path, 100, values)
    elif kind == "a.npy":
        np.save(path, values[None, :, None])
    else:
        path.mkdir()
        np.save(path / "a.npy", values[:, None])
    quick = {"task": "anomaly", "max_epochs": 1, "random_state": 0, "verbose": 0, "out": tmp_path / "run"}
    with pytest.raises(DataError, match="holds one sequence") as caught:
        recurra.train(path, **quick)
    said = str(caught.value)
    assert "forecast" not in said  # which takes a table, as id= does
    assert "id=" not in said
    assert said.endswith("hold nothing out with test=0.")
    recurra.train(path, test=0, **quick)
    assert (tmp_path / "run" / "model.recurra").exists()
