"""Convolutions and patches: the numpy twin against torch's own, and rows that do not depend on their neighbours."""

import numpy as np
import pytest
import torch

from recurra.kernels.fronts.front import FRONTS as TWINS
from recurra.nn.fronts.front import make_front
from recurra.ragged import Ragged

CASES = [
    ({"name": "patches", "size": 5}, 24),
    (
        {
            "name": "convolution",
            "channels": 3,
            "size": 6,
            "kernel": 4,
            "stride": 2,
            "kernel_2": 3,
            "stride_2": 1,
        },
        3 * 16,
    ),
    (
        {
            "name": "convolution",
            "channels": 1,
            "size": 2,
            "kernel": 8,
            "stride": 8,
            "kernel_2": 1,
            "stride_2": 1,
        },
        8,
    ),
]


def made(description, width):
    front = make_front(description, width)
    front.initialize(torch.Generator().manual_seed(0))
    front.bias.data.normal_()
    weights = {name: tensor.detach().numpy() for name, tensor in front.state_dict().items()}
    rows = np.random.default_rng(0).normal(size=(37, width)).astype(np.float32)
    return front, weights, Ragged(rows, [30, 7])


@pytest.mark.parametrize(("description", "width"), CASES)
def test_the_twin_agrees_with_torch(description, width):
    front, weights, inputs = made(description, width)
    twin = TWINS[description["name"]]
    assert {n: w.shape for n, w in weights.items()} == twin.shapes(description, width)
    assert twin.output_size(description, width) == front.output_size
    with torch.no_grad():
        expected = front(Ragged(torch.from_numpy(inputs.values), inputs.lengths)).values.numpy()
    found = twin.forward(description, weights, inputs).values
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("description", "width"), CASES)
def test_every_row_by_itself_bit_for_bit(description, width):
    _, weights, inputs = made(description, width)
    twin = TWINS[description["name"]]
    whole = twin.forward(description, weights, inputs).values
    running = twin.running(description, weights, 2)
    for first in range(0, 36, 2):
        np.testing.assert_array_equal(
            running.step(inputs.values[first : first + 2]), whole[first : first + 2]
        )
    some = np.array([5, 3, 30])
    np.testing.assert_array_equal(
        twin.forward(description, weights, Ragged(inputs.values[some], [3])).values, whole[some]
    )


@pytest.mark.parametrize(
    "change", [{"size": 0}, {"size": 2.0}, {"kernel": 17}, {"channels": 5}, {"kernel_2": 9}, {"stride": "4"}]
)
def test_descriptions_that_make_no_sense(change):
    description, width = CASES[1]
    with pytest.raises(ValueError, match="must be whole numbers|must fit into its window"):
        TWINS["convolution"].shapes({**description, **change}, width)
