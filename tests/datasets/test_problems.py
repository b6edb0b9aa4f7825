"""What all generated problems promise."""

import numpy as np
import pytest

from recurra import datasets
from recurra.errors import UsageError

PROBLEMS = ("adding-problem", "copying-memory", "reber-grammar", "temporal-order")


def same(one, other):
    return all(np.array_equal(a.values, b.values) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", PROBLEMS)
def test_equal_seeds_give_equal_sequences_and_parts_never_meet(name):
    one, again, other, test = (
        datasets.load(name, part, n=12, random_state=seed)
        for part, seed in (("train", 5), ("train", 5), ("train", 6), ("test", 5))
    )
    assert same(one, again)
    assert not same(one, other)
    assert not same(one, test)
    assert {record.part for record in test} == {"test"}
    assert one[0].values.shape[1] == len(one.channel_names)
    assert one.citation


@pytest.mark.parametrize("name", PROBLEMS)
def test_all_holds_both_parts_from_their_own_streams(name):
    everything = datasets.load(name, n=10, random_state=2)
    assert [record.part for record in everything] == ["train"] * 8 + ["test"] * 2
    assert same(everything.part("test"), datasets.load(name, "test", n=2, random_state=2))


def test_lengths_between_two_bounds_are_even_on_a_logarithmic_scale():
    lengths = datasets.load("adding-problem", "train", n=4000, length=(10, 160)).lengths
    counts = [((lengths >= 10 * 2**k) & (lengths < 20 * 2**k)).mean() for k in range(4)]
    assert lengths.min() == 10
    assert lengths.max() == 160
    assert max(abs(share - 0.25) for share in counts) < 0.03


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"n": 0}, r"datasets\.load 'adding-problem': n must be a whole number of at least 2; got 0"),
        ({"length": 1}, r"length must be a whole number of at least 2; got 1"),
        ({"length": (20, 10)}, r"length must be a whole number of at least 20; got 10"),
        ({"length": (1, 2, 3)}, r"length must be a whole number or a pair of them; got \(1, 2, 3\)"),
        ({"lenght": 10}, r"has no option 'lenght'; known are .* Did you mean 'length'\?"),
        ({"random_state": -1}, r"random_state must be a whole number of at least 0; got -1"),
    ],
)
def test_messages(words, message):
    with pytest.raises(UsageError, match=message):
        datasets.load("adding-problem", **words)


def test_recorded_data_take_no_options():
    with pytest.raises(UsageError, match=r"'japanese-vowels' is recorded, not generated, and takes no 'n'"):
        datasets.load("japanese-vowels", n=3)
