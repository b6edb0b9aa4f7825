"""Features fed chunk by chunk give the numbers of the whole, for one sequence and for many side by side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import chunks
from recurra.errors import StoreError
from recurra.features.chain import Chain


def chain(missing="mask", scaling="zscore", channels=3):
    rng = np.random.default_rng(0)
    return Chain.fit([rng.normal(2, 3, size=(20, channels))], scaling=scaling, missing=missing)


def gappy(rng, steps, channels=3):
    values = rng.normal(size=(steps, channels))
    values[rng.random(values.shape) < 0.4] = np.nan
    return values


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_any_chunks_equal_the_whole_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    features = chain(str(rng.choice(["mask", "error"])), str(rng.choice(["zscore", "robust", "none"])))
    values = gappy(rng, int(rng.integers(0, 20)))
    pieces = chunks(rng, values)
    stream = features.stream()
    found = []
    for index, piece in enumerate(pieces):
        if index == len(pieces) // 2:
            state, stream = stream.state(), features.stream()
            stream.set_state(state)
        found.append(stream.push(piece))
    np.testing.assert_array_equal(np.concatenate(found), features.transform(values))
    assert found[0].dtype == np.float32
    assert stream.delay == 0


def test_rows_of_many_slots_in_one_call():
    rng = np.random.default_rng(1)
    features = chain()
    stream = features.stream()
    stream.grow(5)
    values = [gappy(rng, 6) for _ in range(5)]
    for step in range(6):
        slots = rng.permutation(5)
        found = stream.step(np.stack([values[s][step] for s in slots]), slots)
        for row, slot in zip(found, slots, strict=True):
            np.testing.assert_array_equal(row, features.transform(values[slot][: step + 1])[-1])


def test_slots_are_reset_alone():
    features = chain(scaling="none")
    stream = features.stream()
    stream.grow(2)
    gap = np.full((1, 3), np.nan)
    for slot in (0, 1):
        stream.push(np.full((1, 3), 7.0), slot)
    stream.reset(0)
    assert stream.push(gap, 0)[0, :3].tolist() == [0, 0, 0]
    assert stream.push(gap, 1)[0, :3].tolist() == [7, 7, 7]


def test_a_stateless_chain_says_so():
    assert not chain(missing="error").stream().remembers
    assert chain(missing="mask").stream().remembers
    assert chain(missing="error").stream().state() == {}
    assert chain(missing="error").only_scaling is not None
    assert chain(missing="mask").only_scaling is None


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({}, "stream state, features: the array '1.last' is missing."),
        ({"1.last": np.zeros(3), "9.z": np.zeros(1)}, "the array '9.z' is not known here."),
        (
            {"1.last": np.zeros(2)},
            r"the array '1.last' must hold float64 of shape \(3,\); got float64 of \(2,\).",
        ),
        ({"1.last": np.zeros(3, np.int64)}, "must hold float64 .* got int64"),
        ({"1.last": np.full(3, np.nan)}, "the array '1.last' holds NaN."),
        ({"1.last": np.full(3, np.inf)}, "the array '1.last' holds infinity."),
        ({"1.last": np.full(3, -np.inf)}, "the array '1.last' holds infinity."),
    ],
)
def test_a_state_that_does_not_fit(state, text):
    with pytest.raises(StoreError, match=text):
        chain().stream().set_state(state)
