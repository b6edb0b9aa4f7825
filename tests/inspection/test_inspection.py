import json

import numpy as np
import pytest

from recurra import datasets
from recurra.inspection.inspection import inspect
from recurra.records import Dataset, Record


def made(n=40, channels=2, labels="pq", **shared):
    rng = np.random.default_rng(0)
    records = [
        Record(rng.normal(size=(3 + i % 4, channels)), label=labels[i % len(labels)], name=f"r{i}")
        for i in range(n)
    ]
    return Dataset(records, **shared)


def change(data, **columns):
    from dataclasses import replace

    return replace(
        data, records=[replace(r, **{k: f(i, r) for k, f in columns.items()}) for i, r in enumerate(data)]
    )


def test_vowels():
    found = inspect(datasets.load("japanese-vowels"))
    assert found.problems == []
    assert (found.n_train, found.n_test) == (270, 370)
    lines = found.lines()
    assert lines[0] == "640 sequences of 7 to 29 steps (median 15), 12 channels, 156.25 steps a second."
    assert lines[1] == "Split: 270 to train, 370 to test."
    assert lines[3].startswith("Classes: 3 118 (18 %), 8 80 (12 %)")
    assert lines[-1] == "Next: recurra train japanese-vowels -o runs/first"  # nothing that the recipe decides


def test_to_dict_is_flat_json():
    out = inspect(datasets.load("japanese-vowels")).to_dict()
    assert json.loads(json.dumps(out)) == out
    assert not any(isinstance(value, dict) for value in out.values())
    assert out["class_3"] == 118
    assert not any(name.startswith("suggest_") for name in out)
    assert out["leaks"] == []


def test_channels():
    data = change(made(channel_names=["x", "still"]), values=lambda i, r: r.values * [1, 0] + [0, 5])
    found = inspect(data)
    assert found.channels[1].constant
    assert found.problems == ["1 of 2 channels never changes: 'still'; leave it out."]
    holes = inspect(change(made(), values=lambda i, r: np.where(i == 3, np.nan, r.values)))
    assert holes.settings["missing"] == "mask"
    assert holes.summary["n_missing"] == 12
    infinite = inspect(change(made(), values=lambda i, r: np.where(i == 3, np.inf, r.values)))
    assert infinite.problems == ["12 values are infinite; replace them, training refuses infinity."]
    assert json.dumps(infinite.to_dict(), allow_nan=False)
    empty = inspect(change(made(), values=lambda i, r: r.values * [1, np.nan]))
    assert empty.problems == ["1 channel has no value at all: 'channel 1'; leave it out."]


def test_classes():
    data = made(60, labels="p" * 19 + "q")
    found = inspect(data)
    assert found.settings["class_weight"] == "balanced"
    assert found.problems == ["1 of 2 classes has fewer than 10 examples: q (3); figures for it say little."]
    assert inspect(made(labels="p")).problems == ["There is only one class, 'p'; a classifier needs two."]
    many = inspect(change(made(40), label=lambda i, r: f"p{i}"))
    assert any(problem.startswith("There are 40 classes for 40 sequences;") for problem in many.problems)


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (lambda i, r: "pq"[i % 2], "SequenceClassifier"),
        (lambda i, r: i / 7, "SequenceRegressor"),
        (lambda i, r: np.arange(r.length) % 2, "SequenceLabeler"),
        (lambda i, r: np.linspace(0, 1, r.length), "SequenceRegressor"),
    ],
)
def test_task(label, task):
    assert inspect(change(made(), label=label)).task == task


def test_same_group_on_both_sides():
    data = change(made(), group=lambda i, r: f"g{i % 8}")
    leaks = inspect(data, train=data.take(range(20)), test=data.take(range(20, 40))).leaks
    assert leaks == [
        "8 groups are on both sides of the split, for instance 'g0' (20 of 20 test sequences): the test may "
        "only show "
        "that they are recognised. Split by group."
    ]
    train, test = data.split()
    assert inspect(data, train=train, test=test).leaks == []


def test_identical_sequences():
    data = made()
    doubled = Dataset([*data.records, data[0], data[1]])
    found = inspect(doubled, train=doubled.take(range(40)), test=doubled.take([40, 41]))
    assert found.leaks == [
        "2 of 2 test sequences are also in the training part, for instance 'r0'. Remove them from one side."
    ]
    assert found.remarks[0].startswith("2 sequences are identical to another one, for instance 'r0' and 'r0'")
    texts = Dataset([Record(words, label="a", name=words) for words in ("one", "two", "one")], kind="text")
    assert (
        inspect(texts)
        .remarks[0]
        .startswith("1 text is identical to another one, for instance 'one' and 'one'")
    )
    other = Dataset([*data.records, change(data, label=lambda i, r: "z")[0]])
    assert inspect(other).remarks[1] == "1 of them carries another label, for instance 'r0' and 'r0'."


def test_channel_that_equals_the_label():
    data = change(made(), values=lambda i, r: np.column_stack([r.values, np.full(r.length, i % 2)]))
    assert inspect(data).leaks == [
        "1 channel equals the label: 'channel 2'. The answer is in the question: leave it out."
    ]
    steps = change(made(), label=lambda i, r: np.arange(r.length) % 2)
    told = change(steps, values=lambda i, r: np.column_stack([r.values, r.label * 3.0 - 1]))
    assert inspect(told).leaks[0].startswith("1 channel equals the label: 'channel 2'.")
    numbers = change(made(), label=lambda i, r: i / 7, values=lambda i, r: np.full((r.length, 1), i / 7))
    assert inspect(numbers).leaks[0].startswith("1 channel equals the label")
    assert inspect(made()).leaks == []


def test_time_order_mixed():
    data = change(made(), start=lambda i, r: float(i))
    mixed = inspect(data, train=data.take(range(0, 40, 2)), test=data.take(range(1, 40, 2)))
    assert mixed.leaks == [
        "19 of 20 test sequences were recorded before the last training sequence. "
        "If the network is to judge the future, split by time."
    ]
    train, test = data.split(by="time")
    assert inspect(data, train=train, test=test).leaks == []


def test_turned_round_and_mixed_rates():
    turned = inspect(made(channels=100))
    assert turned.problems[-1].startswith(
        "The sequences have 100 channels but a median length of 4.5: they may be turned"
    )
    mixed = inspect(change(made(), sample_rate_hz=lambda i, r: 50.0 if i % 2 else 100.0))
    assert mixed.problems == [
        "The sequences are sampled at 2 different rates (50 Hz, 100 Hz); resample them to one."
    ]


def test_text():
    found = inspect(
        Dataset([Record("abc", label="p"), Record("de", label="q")], kind="text", source="my file.csv")
    )
    assert found.lines()[0] == "2 texts of 2 to 3 characters (median 2.5)."
    assert found.next_command.startswith("recurra train 'my file.csv' -o runs/first")
    assert found.settings == {}
