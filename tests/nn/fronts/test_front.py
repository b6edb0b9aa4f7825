"""Fronts: described, built, differentiated, stored, and the same numbers from torch and numpy."""

import numpy as np
import pytest
import torch

from recurra.errors import UsageError
from recurra.nn.fronts.front import FRONTS, make_front
from recurra.nn.networks.sequence_network import NetworkConfig, build, from_arrays, to_arrays
from recurra.ragged import Ragged
from recurra.serving.prediction import expected_shapes, network_outputs

CONFIG = NetworkConfig(
    cell="lstm",
    input_size=1,
    hidden_size=5,
    output_size=3,
    front={"name": "embedding", "vocabulary": 11, "size": 4},
)


def ids(rng, lengths):
    return Ragged.from_list([rng.integers(0, 11, (n, 1)).astype(np.float32) for n in lengths])


def as_torch(ragged):
    return ragged.replace(torch.from_numpy(ragged.values))


def test_every_front_has_a_twin_without_torch():
    from recurra.kernels.fronts.front import FRONTS as TWINS

    assert set(FRONTS) == set(TWINS)


def test_a_network_with_an_embedding_predicts_without_torch_what_it_predicts_with_it():
    network = build(CONFIG, seed=3).eval()
    inputs = ids(np.random.default_rng(0), [4, 1, 7])
    weights = to_arrays(network)
    assert {name: array.shape for name, array in weights.items()} == expected_shapes(CONFIG.to_dict())
    with torch.no_grad():
        expected = network(as_torch(inputs)).numpy()
    np.testing.assert_allclose(network_outputs(CONFIG.to_dict(), weights, inputs), expected, atol=1e-6)
    copy = from_arrays(CONFIG, weights)
    with torch.no_grad():
        np.testing.assert_array_equal(copy.eval()(as_torch(inputs)).numpy(), expected)


def test_an_embedding_learns_only_the_vectors_it_was_shown():
    network = build(CONFIG, seed=0)
    network(as_torch(Ragged.from_list([np.array([[2.0], [7.0]], np.float32)]))).sum().backward()
    rows = network.front.weight.grad.abs().sum(dim=1)
    assert rows.nonzero().flatten().tolist() == [2, 7]


def test_equal_seeds_give_equal_vectors():
    assert torch.equal(build(CONFIG, seed=5).front.weight, build(CONFIG, seed=5).front.weight)
    assert not torch.equal(build(CONFIG, seed=5).front.weight, build(CONFIG, seed=6).front.weight)


def test_an_unknown_front_is_named():
    with pytest.raises(UsageError, match="'embeding'.*Did you mean 'embedding'"):
        make_front({"name": "embeding"}, 1)


def test_an_embedding_reads_one_number_a_step():
    with pytest.raises(UsageError, match="input_size"):
        make_front({"name": "embedding", "vocabulary": 3, "size": 2}, 2)
