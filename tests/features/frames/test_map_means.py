"""Maps over a grid of places: means by hand, the same bits in any company, what cannot be said in words."""

import numpy as np
import pytest

from recurra.errors import UsageError
from recurra.features.frames.map_means import averaged

RNG = np.random.default_rng(0)


def test_a_grid_over_what_it_does_not_divide():
    maps = RNG.normal(size=(2, 3, 5, 7)).astype(np.float32)
    found = averaged(maps, 2).reshape(2, 2, 2, 3)
    np.testing.assert_allclose(found[:, 0, 0], maps[:, :, :2, :3].mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(found[:, 0, 1], maps[:, :, :2, 3:].mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(found[:, 1, 0], maps[:, :, 2:, :3].mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(averaged(maps, 1), maps.mean((2, 3)), atol=1e-6)
    one_each = averaged(maps[:, :, :5, :5], 5).reshape(2, 5, 5, 3)
    assert np.array_equal(one_each, maps[:, :, :5, :5].transpose(0, 2, 3, 1))


@pytest.mark.parametrize("grid", [1, 2, 4])
def test_a_frame_has_the_same_bits_in_any_company(grid):
    maps = RNG.normal(size=(9, 40, 14, 14)).astype(np.float32)
    alone = np.concatenate([averaged(maps[i : i + 1], grid) for i in range(9)])
    assert np.array_equal(alone, averaged(maps, grid))
    last = np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.array_equal(averaged(last, grid), alone)


def test_a_grid_finer_than_the_maps():
    with pytest.raises(
        UsageError, match="grid must be at most 4, the places a side of this layer's maps; got 5"
    ):
        averaged(np.zeros((1, 2, 4, 6), np.float32), 5)
