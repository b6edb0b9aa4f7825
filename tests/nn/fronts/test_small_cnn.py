"""The small network: its numpy twin, and frames that do not know of each other."""

import numpy as np
import pytest
import torch

from recurra.errors import ShapeError, UsageError
from recurra.kernels.fronts.small_cnn import SmallCNN as NumpyCNN
from recurra.nn.fronts.small_cnn import SmallCNN
from recurra.ragged import Ragged

DESCRIPTION = {"name": "small_cnn", "image_size": 16, "channels": 7}


@pytest.fixture
def network():
    made = SmallCNN(DESCRIPTION, 3 * 16**2)
    made.initialize(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim == 1:
                weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    return made


def clips(seed=0):
    rng = np.random.default_rng(seed)
    return Ragged.from_list([rng.normal(size=(n, 768)).astype(np.float32) for n in (3, 1, 70)])


def weights_of(network):
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}


def test_the_twin_agrees(network):
    weights, given = weights_of(network), clips()
    shapes = NumpyCNN().shapes(DESCRIPTION, 768)
    assert {name: w.shape for name, w in weights.items()} == shapes
    found = NumpyCNN().forward(DESCRIPTION, weights, given)
    with torch.no_grad():
        wanted = network(given.replace(torch.from_numpy(given.values)))
    assert wanted.values.abs().max() > 0.5
    assert found.lengths.tolist() == given.lengths.tolist()
    np.testing.assert_allclose(found.values, wanted.values.numpy(), rtol=1e-4, atol=1e-5)


def test_a_frame_alone_gives_the_same_bits(network):
    weights, given = weights_of(network), clips()
    together = NumpyCNN().forward(DESCRIPTION, weights, given).values
    running = NumpyCNN().running(DESCRIPTION, weights, 1)
    alone = np.concatenate([running.step(given.values[i : i + 1]) for i in range(len(given.values))])
    assert np.array_equal(alone, together)


@pytest.mark.parametrize("size", [0, 12, 2.5])
def test_sizes_that_cannot_be(size):
    description = DESCRIPTION | {"image_size": size}
    with pytest.raises((ShapeError, UsageError), match="image_size must be"):
        SmallCNN(description, 768)
    with pytest.raises(ValueError, match="multiple of 8"):
        NumpyCNN().shapes(description, 768)
