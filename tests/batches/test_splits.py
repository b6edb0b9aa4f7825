import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.batches.splits import content_keys, holdout, k_folds, split
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record


def dataset(labels, groups=None, contents=None, **shared):
    contents = range(len(labels)) if contents is None else contents
    groups = [None] * len(labels) if groups is None else groups
    return Dataset(
        [
            Record(np.full((2, 1), c, dtype=float), label=y, group=g, name=str(i))
            for i, (y, g, c) in enumerate(zip(labels, groups, contents, strict=True))
        ],
        **shared,
    )


cases = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from("pqr"), min_size=n, max_size=n),
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 6)), min_size=n, max_size=n)),
        st.lists(st.integers(0, 30), min_size=n, max_size=n),
        st.permutations(range(n)),
    )
)


@settings(max_examples=200, deadline=None)
@given(case=cases, test=st.sampled_from([0.1, 0.2, 0.5, 0.8]), seed=st.integers(0, 5))
def test_split_keeps_groups_and_identical_sequences_together(case, test, seed):
    labels, groups, contents, order = case
    data = dataset(labels, groups, contents)
    try:
        train, held = split(data, test=test, random_state=seed)
    except DataError as error:
        assert "so they cannot be split" in str(error)  # noqa: PT017 - only some cases raise
        return
    assert len(train) > 0
    assert len(held) > 0
    assert sorted(train.names + held.names, key=int) == data.names
    assert not set(content_keys(train.X)) & set(content_keys(held.X))
    if groups is not None and any(g is not None for g in groups):
        assert not ({r.group for r in train} & {r.group for r in held}) - {None}
    turned = data.take(order)  # the order of the records decides nothing
    again = split(turned, test=test, random_state=seed)
    assert sorted(r.values[0, 0] for r in again[1]) == sorted(r.values[0, 0] for r in held)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    test=st.floats(0.1, 0.9),
    seed=st.integers(0, 3),
)
def test_classes_keep_their_share(sizes, test, seed):
    labels = [name for name, size in zip("pqrst", sizes, strict=False) for _ in range(size)]
    if len(labels) < 2:
        return
    train, held = split(dataset(labels), test=test, random_state=seed)
    for name, size in zip("pqrst", sizes, strict=False):
        share = sum(record.label == name for record in held)
        assert abs(share - test * size) <= 1.0 + (len(held) == 1)
        if len(held) > 1:
            assert sum(record.label == name for record in train) >= 1


def test_size_is_met():
    labels = ["p"] * 30 + ["q"] * 20
    assert [len(side) for side in split(dataset(labels), test=0.2)] == [40, 10]
    assert [len(side) for side in split(dataset(labels), test=7)] == [43, 7]
    groups = [i // 5 for i in range(50)]
    train, held = split(dataset(labels, groups), test=0.2)
    assert [len(train), len(held)] == [40, 10]
    assert held.class_counts() == {"p": 5, "q": 5}


def test_groups_are_ignored_on_request():
    data = dataset(["p"] * 40, [i // 20 for i in range(40)])
    train, held = split(data, by="record")
    assert {r.group for r in train} & {r.group for r in held}


def test_labels_per_step_and_numbers():
    steps = [np.array(["p", "q"]) if i % 2 else np.array(["q", "q"]) for i in range(20)]
    assert len(split(dataset(steps), test=0.2)[1]) == 4
    assert len(split(dataset([0.5 * i for i in range(20)]), test=0.2)[1]) == 4


def test_seed_decides():
    data = dataset(["p"] * 30)
    assert split(data, random_state=1)[1].names == split(data, random_state=1)[1].names
    assert split(data, random_state=1)[1].names != split(data, random_state=2)[1].names
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that the global generator is left alone
    split(data, random_state=None)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_by_time():
    data = dataset(["p"] * 10)
    assert split(data, test=0.2, by="time")[1].names == ["8", "9"]
    turned = Dataset([Record(r.values, label=r.label, name=r.name, start=-float(r.name)) for r in data])
    assert sorted(split(turned, test=0.2, by="time")[1].names) == ["0", "1"]
    series = Dataset(
        [Record(np.arange(10.0)[:, None], label=np.arange(10), start=100.0, sample_rate_hz=2.0)],
        kind="series",
    )
    train, held = split(series, test=0.3, by="time")
    assert train[0].values[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert held[0].label.tolist() == [7, 8, 9]
    assert held[0].start == 103.5


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        ({"test": 0.0}, UsageError, "split: test must be a number in (0, 1); got 0.0."),
        ({"test": 1.5}, UsageError, "split: test must be a number in (0, 1); got 1.5."),
        ({"test": 4}, UsageError, "split: test must be a whole number in [1, 3]; got 4."),
        (
            {"by": "person"},
            UsageError,
            "split: by must be one of None, 'group', 'time', 'record'; got 'person'.",
        ),
        ({"by": "group"}, UsageError, "split: by='group' needs groups, and no record has one."),
    ],
)
def test_bad_words(words, kind, expected):
    with pytest.raises(kind) as caught:
        split(dataset(["p"] * 4), **words)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (dataset(["p"] * 4, ["g"] * 4), "split: all 4 records belong to one group, so they cannot be split."),
        (
            dataset(["p"] * 4, contents=[1] * 4),
            "split: all 4 records are the same sequence, so they cannot be split.",
        ),
        (dataset(["p"]), "split: needs at least 2 records; there are 1."),
    ],
)
def test_nothing_to_split(data, expected):
    with pytest.raises(DataError) as caught:
        split(data)
    assert str(caught.value).startswith(expected)


def test_one_step_cannot_be_cut():
    one = Dataset([Record(np.zeros((1, 1)), name="a")])
    with pytest.raises(DataError, match="cannot cut record 'a': it needs at least two time steps; got 1"):
        split(one, by="time")


@settings(max_examples=150, deadline=None)
@given(case=cases, fraction=st.sampled_from([0.1, 0.2, 0.4]), seed=st.integers(0, 3))
def test_holdout(case, fraction, seed):
    labels, groups, contents, order = case
    keys = content_keys(np.full((2, 1), c) for c in contents)
    train, valid = holdout(labels, groups=groups, fraction=fraction, random_state=seed, keys=keys)
    assert sorted([*train, *valid]) == list(range(len(labels)))
    assert train.dtype == valid.dtype == np.int64
    assert len(train) > 0
    assert not {keys[i] for i in train} & {keys[i] for i in valid}
    if groups is not None:
        assert not ({groups[i] for i in train} & {groups[i] for i in valid}) - {None}
    # Any order of the records gives the same two sets.
    moved = [None if groups is None else [groups[i] for i in order]][0]
    again = holdout(
        [labels[i] for i in order],
        groups=moved,
        fraction=fraction,
        random_state=seed,
        keys=[keys[i] for i in order],
    )
    assert sorted(contents[order[i]] for i in again[1]) == sorted(contents[i] for i in valid)


def test_holdout_of_nothing():
    assert [len(side) for side in holdout(10, fraction=0.0)] == [10, 0]
    assert [len(side) for side in holdout(1, fraction=0.5)] == [1, 0]
    assert [len(side) for side in holdout(10, groups=[1] * 10, fraction=0.5)] == [10, 0]
    assert [len(side) for side in holdout(10, fraction=0.2)] == [8, 2]
    assert [len(side) for side in holdout(np.linspace(0, 1, 10), fraction=0.2)] == [8, 2]
    with pytest.raises(UsageError, match="holdout: fraction must be a number in"):
        holdout(10, fraction=1.0)


def test_a_class_of_one_stays_to_train_on():
    train, valid = holdout(["p"] * 20 + ["q"], fraction=0.2)
    assert 20 in train
    assert len(valid) == 4


@settings(max_examples=30, deadline=None)
@given(case=cases, seed=st.integers(0, 3))
def test_k_folds(case, seed):
    labels, groups, contents, order = case
    data = dataset(labels, groups, contents)
    try:
        folds = k_folds(data, n_splits=3, random_state=seed)
    except DataError as error:
        assert str(error).startswith("k_folds: 3 folds need as many groups or distinct sequences; there are ")  # noqa: PT017
        return
    assert sorted(i for _, test in folds for i in test) == list(range(len(labels)))
    for train, test in folds:
        assert not set(train) & set(test)
        assert not {contents[i] for i in train} & {contents[i] for i in test}
        if groups is not None:
            assert not ({groups[i] for i in train} & {groups[i] for i in test}) - {None}
    moved = k_folds(data.take(order), n_splits=3, random_state=seed)
    assert [sorted(contents[order[i]] for i in test) for _, test in moved] == [
        sorted(contents[i] for i in test) for _, test in folds
    ]


@given(st.lists(st.sampled_from(["a", "b", "Z", "é", "10", "9"]), min_size=4, max_size=40), st.integers(0, 9))
def test_classes_that_are_words_are_split_as_any_others(labels, seed):
    """The short way for words chooses what counting class by class does."""
    keys = [bytes([i]) for i in range(len(labels))]
    lists = [np.array([label], dtype=object) for label in labels]  # a label per time step, of one step
    words, others = (holdout(own, fraction=0.3, random_state=seed, keys=keys) for own in (labels, lists))
    assert [part.tolist() for part in words] == [part.tolist() for part in others]
