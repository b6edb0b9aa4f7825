import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from recurra.features.rows.scaling import Scaling


@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(1, 4))
def test_zscore_agrees_with_scikit_learn(seed, channels):
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(3, 5, (n, channels)) for n in rng.integers(1, 9, 4)]
    scaling = Scaling.fit(sequences)
    oracle = StandardScaler().fit(np.concatenate(sequences))
    np.testing.assert_allclose(
        scaling.transform(sequences[1]), oracle.transform(sequences[1]), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["zscore", "robust"])
def test_a_weight_of_two_is_the_sequence_twice(kind):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 2)) for n in (3, 5, 4)]
    weighted = Scaling.fit(sequences, np.array([1.0, 2.0, 0.0]), kind=kind)
    repeated = Scaling.fit([sequences[0], sequences[1], sequences[1]], kind=kind)
    np.testing.assert_allclose(weighted.center, repeated.center, rtol=1e-12)
    np.testing.assert_allclose(weighted.spread, repeated.spread, rtol=1e-12)


@pytest.mark.parametrize("kind", ["zscore", "robust"])
def test_constant_channel_is_centred_and_not_divided_by_rounding_noise(kind):
    values = np.full((50, 1), 0.1) + np.array([0.0, 1e-17] * 25)[:, None]
    scaling = Scaling.fit([values], kind=kind)
    assert scaling.spread[0] == 1.0
    assert np.abs(scaling.transform(values)).max() < 1e-12


def test_robust_ignores_a_far_value_and_zscore_does_not():
    values = np.append(np.random.default_rng(1).normal(size=999), 1e6)[:, None]
    assert Scaling.fit([values], kind="robust").spread[0] == pytest.approx(1, abs=0.1)
    assert Scaling.fit([values], kind="zscore").spread[0] > 1e4


def test_robust_falls_back_where_most_values_are_alike():
    values = np.array([0.0] * 9 + [10.0])[:, None]
    assert Scaling.fit([values], kind="robust").spread[0] == pytest.approx(3.0)


def test_missing_values_are_left_out_and_stay():
    scaling = Scaling.fit([np.array([[1.0], [np.nan], [3.0]])])
    assert scaling.center[0] == 2.0
    assert np.isnan(scaling.transform(np.array([[np.nan]])))[0, 0]


def test_manifest_round_trip():
    scaling = Scaling.fit([np.random.default_rng(0).normal(size=(9, 3))], kind="robust")
    again = Scaling.from_manifest(*scaling.to_manifest())
    x = np.ones((2, 3))
    np.testing.assert_array_equal(again.transform(x), scaling.transform(x))


@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans(), gaps=st.booleans())
@settings(max_examples=20, deadline=None)
def test_zscore_of_portions_is_numpys_of_everything(seed, weighted, gaps):
    """To the bit."""
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(3, 5, (int(n), 2)) for n in rng.integers(1, 9000, 30)]
    for sequence in sequences[::3] if gaps else ():
        sequence[::7, 1] = np.nan
    weights = rng.integers(0, 3, 30) * 1.0 if weighted else None
    if weighted:
        weights[0] = 1.0
    found = Scaling.fit(sequences, weights)
    rows = np.concatenate(sequences)
    counts = np.ones(len(rows)) if weights is None else np.repeat(weights, [len(s) for s in sequences])
    for channel in range(2):
        there = ~np.isnan(rows[:, channel]) & (counts > 0)
        values, own = rows[there, channel], counts[there]
        mean = np.average(values, weights=own)
        assert found.center[channel] == mean
        assert found.spread[channel] == np.sqrt(np.average((values - mean) ** 2, weights=own))
