import numpy as np
import pytest

from recurra.errors import StoreError
from recurra.features.chain import Chain
from recurra.features.rows.missing import MissingMask

NAN = np.nan


def test_mask_fills_with_the_last_value_and_says_where():
    x = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN]])
    expected = [[0, 1, 1, 0], [2, 1, 0, 1], [2, 1, 1, 1]]
    np.testing.assert_array_equal(MissingMask().transform(x), expected)


def test_filling_never_looks_ahead():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((20, 3)) < 0.4, NAN, rng.normal(size=(20, 3)))
    whole = MissingMask().transform(x)
    for cut in range(1, 20):
        np.testing.assert_array_equal(MissingMask().transform(x[:cut]), whole[:cut])


def test_chain_counts_the_mask_channels_and_gives_float32():
    chain = Chain.fit([np.array([[1.0, NAN], [3.0, 4.0]])], scaling="zscore", missing="mask")
    out = chain.transform(np.array([[1.0, NAN]]))
    assert chain.input_size == 4
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, [[-1, 0, 0, 1]])


def test_chain_survives_the_manifest():
    chain = Chain.fit([np.random.default_rng(0).normal(2, 3, (30, 2))], scaling="robust", missing="mask")
    again = Chain.from_manifest(*chain.to_manifest())
    x = np.array([[1.0, NAN], [NAN, 2.0]])
    np.testing.assert_array_equal(again.transform(x), chain.transform(x))
    assert again.input_size == chain.input_size


def test_unknown_feature_is_named():
    with pytest.raises(
        StoreError, match="needs the feature 'scalling', which this version lacks. Did you mean 'scaling'"
    ):
        Chain.from_manifest({"n_channels": 1, "steps": [{"name": "scalling"}]}, {})
