"""Fronts in a prediction and in a stream: 0 bits apart; a file's claims are checked."""

import numpy as np
import pytest

from recurra.errors import StoreError
from recurra.kernels.fronts.front import front_of, front_shapes
from recurra.ragged import Ragged
from recurra.serving.prediction import expected_shapes, network_outputs
from recurra.serving.streams.stateful_network import RunningNetwork

NETWORK = {
    "cell": "gru", "input_size": 1, "hidden_size": 6, "output_size": 2, "num_layers": 1, "bidirectional": False,
    "pooling": "mean", "dropout": 0.0, "front": {"name": "embedding", "vocabulary": 9, "size": 3},
}  # fmt: skip


def test_step_by_step_equals_the_whole():
    rng = np.random.default_rng(1)
    weights = {n: rng.normal(size=s).astype(np.float32) for n, s in expected_shapes(NETWORK).items()}
    sequence = rng.integers(0, 9, (12, 1)).astype(np.float32)
    running = RunningNetwork(NETWORK, weights)
    for row in sequence:
        running.advance(row[None])
    np.testing.assert_array_equal(
        running.outputs(), network_outputs(NETWORK, weights, Ragged.from_list([sequence]))
    )


def test_a_network_without_a_front_has_none():
    assert front_of({"input_size": 3}) is None
    assert front_shapes({"input_size": 3, "front": None}) == {}


def test_a_front_of_a_newer_version_is_refused():
    with pytest.raises(StoreError, match="the front 'holograms' is unknown"):
        front_of({"front": {"name": "holograms"}})


@pytest.mark.parametrize("wrong", [{"vocabulary": 0}, {"size": -1}, {"size": "3"}])
def test_a_description_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="whole numbers"):
        front_shapes({**NETWORK, "front": {**NETWORK["front"], **wrong}})
