"""The one call of a whole network against the kernels one by one: the same bits."""

import numpy as np
import pytest

import recurra
from models import CELLS, POOLINGS, random_model
from recurra.kernels.heads import pooling as heads
from recurra.serving.streams.stateful_network import RunningNetwork

if not recurra.kernels.describe()["native"]:
    pytest.skip("the compiled extension is not there", allow_module_level=True)


def pair(cell="lstm", pooling="mean", scaling="zscore", seed=0):
    """Return the network twice, the scaling, and the one call of the first."""
    rng = np.random.default_rng(seed)
    task = "labeling" if pooling == "none" else "classification"
    model = random_model(
        rng, task=task, cell=cell, pooling=pooling, missing="error", scaling=scaling, channels=3
    )
    first, second = (RunningNetwork(model.manifest["network"], model.weights) for _ in range(2))
    scaled = model.features.steps[0]
    numbers = None if scaling == "none" else (scaled.center, scaled.spread)
    return model, first.fused(numbers, 3), first, second


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["zscore", "none"])
@pytest.mark.parametrize("pooling", [*POOLINGS, "none"])
@pytest.mark.parametrize("cell", CELLS)
def test_same_bits_as_the_kernels_one_by_one(cell, pooling, scaling, kind):
    for seed in range(5):
        model, fused, first, second = pair(cell, pooling, scaling, seed)
        rng = np.random.default_rng(seed)
        outputs, shares = (
            np.full(model.manifest["network"]["output_size"], np.nan, np.float32) for _ in range(2)
        )
        for row in rng.normal(0, 4, size=(12, 3)).astype(kind):
            assert fused.step(row, outputs, shares)
            second.advance(model.features.transform(row[None]))
            expected = second.outputs()
            np.testing.assert_array_equal(outputs, expected[0])
            np.testing.assert_array_equal(shares, heads.softmax(expected)[0])
        for name, array in first.arrays().items():
            np.testing.assert_array_equal(array, second.arrays()[name])


@pytest.mark.parametrize(
    "row",
    [
        np.zeros(2),
        np.zeros((1, 3)),
        np.zeros(6)[::2],
        np.zeros(3, np.int64),
        np.zeros(3, ">f8"),
        np.array([0, np.nan, 0]),
        np.array([0, 0, np.inf]),
        np.array([1e300, 0, 0]),
        [0.0, 0.0, 0.0],
        b"abc",
    ],
    ids=repr,
)
def test_what_it_cannot_take_changes_nothing(row):
    _, fused, first, _ = pair()
    shares = np.zeros(8, np.float32)
    fused.step(np.ones(3), np.zeros(8, np.float32), shares)
    before = first.state()
    assert not fused.step(row, np.zeros(8, np.float32), shares)
    for name, array in first.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_reference_has_none():
    with recurra.kernels.use("reference"):
        assert pair()[1] is None
