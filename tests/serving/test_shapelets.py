"""Shapelets of a model: how they are drawn, what a vector of them says, what a file of them may hold."""

import tracemalloc

import numpy as np
import pytest

from recurra.errors import StoreError
from recurra.serving.shapelets import NUMBERS, TAPS, Shapelets
from recurra.serving.summaries import Summary


def recordings(n, channels, seed=0, longest=60):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(1, longest), channels)).astype(np.float32) for _ in range(n)]


def fitted(data, n_shapelets=150, random_state=0):
    return Shapelets.fit(data, np.arange(len(data)) % 3, random_state=random_state, n_shapelets=n_shapelets)


def test_they_are_drawn_by_the_seed_and_kept_in_a_file():
    data = recordings(9, 5)
    first, again, other = (fitted(data, random_state=seed) for seed in (1, 1, 2))
    found = first.transform(data[0])
    assert found.shape == (first.size,) == (NUMBERS * 150,)
    np.testing.assert_array_equal(found, again.transform(data[0]))
    assert (found != other.transform(data[0])).any()
    kept = Shapelets.from_arrays(first.to_arrays(), 5)
    for x in data:
        np.testing.assert_array_equal(first.transform(x), kept.transform(x))


def test_for_classes_most_are_normalized_and_for_numbers_few():
    data = recordings(9, 2)

    def share(classes):
        banks = Shapelets.fit(data, classes, random_state=0, n_shapelets=2000).banks
        return sum(len(bank.limits) for bank in banks if bank.normalized) / 2000

    assert 0.75 < share(np.arange(9) % 3) < 0.85
    assert 0.15 < share(None) < 0.25


@pytest.mark.parametrize("channels", [1, 2, 12])
@pytest.mark.parametrize("length", [1, 2, 7, 30, 200])
def test_each_is_a_piece_of_a_sequence_and_nothing_is_nearer_to_it(channels, length):
    rng = np.random.default_rng(length)
    data = [rng.normal(size=(length + i % 3, channels)).astype(np.float32) for i in range(12)]
    shapelets = fitted(data)
    vectors = np.stack([shapelets.transform(x) for x in data])
    assert (vectors >= 0).all()
    assert (vectors <= 1).all()
    first = 0
    for bank in shapelets.banks:
        near = vectors[:, first : first + len(bank.limits)]
        assert near.max(axis=0).min() > 0.999  # the one that it was cut out of
        first += NUMBERS * len(bank.limits)
        assert 3 <= bank.values.shape[2] <= TAPS
        assert (bank.channels[:, 0] >= 0).all()
        assert not bank.values[bank.channels < 0].any()
    dilations = [bank.dilation for bank in shapelets.banks]
    assert max(dilations) * (bank.values.shape[2] - 1) < max(length, 3)
    assert len(set(dilations)) > 1 or length < 30


def test_limits_are_among_the_distances_to_the_own_class():
    """So that few windows of a sequence of the class are near, and of another class fewer."""
    rng = np.random.default_rng(0)
    steps = np.arange(200)[:, None]
    waves = [np.sin(steps / (3 + 9 * (i % 2)) + rng.uniform(0, 9)) for i in range(20)]
    data = [(wave + 0.1 * rng.normal(size=wave.shape)).astype(np.float32) for wave in waves]
    shapelets = Shapelets.fit(data, np.arange(20) % 2, random_state=0, n_shapelets=400)
    x, first, shares = data[0], 0, []
    for bank in shapelets.banks:
        n = len(bank.limits)
        shares.append(shapelets.transform(x)[first + 2 * n : first + 3 * n])
        first += NUMBERS * n
    assert 0.01 < np.mean(np.concatenate(shares)) < 0.12


def test_one_short_sequence_does_not_decide_for_all():
    data = [
        np.random.default_rng(i).normal(size=(1 if i == 0 else 100, 1)).astype(np.float32) for i in range(30)
    ]
    shapelets = fitted(data)
    assert {bank.values.shape[2] for bank in shapelets.banks} == {TAPS}
    assert np.isfinite(shapelets.transform(data[0])).all()


@pytest.mark.parametrize("value", [0.0, 1e30, -1e36])
def test_what_does_not_move_or_is_far_away_has_a_vector_in_bounds(value):
    data = [*recordings(6, 2), np.full((20, 2), value, np.float32)]
    for x in (data[-1], data[0]):
        found = fitted(data).transform(x)
        assert ((found >= 0) & (found <= 1)).all()
    found = fitted(data[:-1]).transform(data[-1])
    assert ((found >= 0) & (found <= 1)).all()


def test_a_class_of_one_and_one_sequence_in_all():
    data = recordings(4, 2)
    assert np.isfinite(Shapelets.fit(data, np.array([0, 0, 0, 1]), random_state=0).transform(data[3])).all()
    assert np.isfinite(Shapelets.fit(data[:1], np.zeros(1, int), random_state=0).transform(data[1])).all()


def test_a_dilation_beyond_a_sequence_takes_no_memory():
    arrays = fitted(recordings(4, 3)).to_arrays()
    far = Shapelets.from_arrays(arrays | {"dilations": np.full_like(arrays["dilations"], 2**24 - 1)}, 3)
    tracemalloc.start()
    assert np.isfinite(far.transform(np.ones((5, 3), np.float32))).all()
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"dilations": None},
        {"dilations": np.array([0, 1])},
        {"dilations": np.array([1, 2**24])},
        {"dilations": np.array([1.0, 1.0])},
        {"dilations": np.ones((2, 1), np.int64)},
        {"dilations": np.zeros(0, np.int64), "normalized": np.zeros(0, np.int64)},
        {"dilations": np.ones(33, np.int64), "normalized": np.ones(33, np.int64)},
        {"normalized": None},
        {"normalized": np.array([0, 2])},
        {"normalized": np.array([0])},
        {"channels.0": None},
        {"channels.0": np.full((8, 1), 3)},
        {"channels.0": np.full((8, 1), -2)},
        {"channels.0": np.zeros((7, 1), np.int64)},
        {"channels.0": np.zeros((8, 1))},
        {"channels.0": np.zeros((8, 10), np.int64), "values.0": np.zeros((8, 10, 11), np.float32)},
        {"values.0": None},
        {"values.0": np.zeros((8, 1, 12), np.float32)},
        {"values.0": np.zeros((8, 1, 2), np.float32)},
        {"values.0": np.zeros((8, 1, 11))},
        {"values.0": np.full((8, 1, 11), np.nan, np.float32)},
        {"limits.0": None},
        {"limits.0": np.zeros(8, np.float32)},
        {"limits.0": np.ones(8)},
        {"limits.0": np.ones(7, np.float32)},
        {"limits.0": np.full(8, np.inf, np.float32)},
    ],
)
def test_a_file_that_makes_no_sense_is_refused(change):
    fine = {
        "dilations": np.array([1, 2]),
        "normalized": np.array([0, 1]),
        "channels.0": np.zeros((8, 1), np.int64),
        "values.0": np.ones((8, 1, 11), np.float32),
        "limits.0": np.ones(8, np.float32),
        "channels.1": np.zeros((2, 2), np.int64),
        "values.1": np.ones((2, 2, 11), np.float32),
        "limits.1": np.ones(2, np.float32),
    }
    assert Shapelets.from_arrays(fine, 3).size == 30
    with pytest.raises(StoreError, match="shapelets"):
        Shapelets.from_arrays({n: a for n, a in (fine | change).items() if a is not None}, 3)


@pytest.mark.parametrize("static_size", [0, 2])
def test_a_summary_with_shapelets_begins_as_one_without(static_size):
    data = recordings(9, 3 + static_size)
    words = {"random_state": 4, "many": True}
    plain = Summary.fit(data, static_size=static_size, **words)
    more = plain.with_shapelets(data, classes=np.arange(9) % 3, **words)
    assert plain.size == plain.without_shapelets == more.without_shapelets < more.size == len(more.emphasis())
    np.testing.assert_array_equal(more.emphasis()[: plain.size], plain.emphasis())
    assert (more.emphasis()[plain.size :] == 1).all()
    kept = Summary.from_arrays(more.to_arrays(), 3, static_size)
    for x in data:
        found = more.transform(x)
        np.testing.assert_array_equal(found[: plain.size], plain.transform(x))
        np.testing.assert_array_equal(found, kept.transform(x))
        own = np.ascontiguousarray(x[:, :3])
        np.testing.assert_array_equal(found[plain.size :], more.shapelets.transform(own))
        beside = found[more.beside_shapelets]
        np.testing.assert_allclose(beside[1:4], own.mean(axis=0), atol=1e-6)
        assert len(beside) == 13 + static_size * 14
        np.testing.assert_array_equal(beside[13 : 13 + static_size], x[0, 3:])
