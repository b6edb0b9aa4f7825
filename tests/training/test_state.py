import math

import numpy as np
import pytest
import torch

from recurra import store
from recurra.errors import StoreError
from recurra.training.state import TrainingState, pack, unpack

TREE = {
    "numbers": [1, 2.5, True, None, "text"],
    "bounds": (math.inf, -math.inf),
    0: {"exp_avg": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(3.0), "lr": np.float64(0.1)},
    "a.b": torch.ones(1),
    "a": {"b": torch.zeros(1)},
    "norms": np.array([1.5, 2.5]),
    "empty": {},
}


def test_there_and_back_through_a_file(tmp_path):
    state = pack(TREE)
    store.save(tmp_path / "state.recurra", state.manifest, state.arrays)
    back = unpack(TrainingState(*store.load(tmp_path / "state.recurra")))
    assert back["numbers"] == TREE["numbers"]
    assert back["bounds"] == TREE["bounds"]
    assert torch.equal(back[0]["exp_avg"], TREE[0]["exp_avg"])
    assert back[0]["step"].shape == ()
    assert back[0]["lr"] == 0.1
    assert back["a.b"] == 1
    assert back["a"]["b"] == 0
    assert back["norms"].tolist() == [1.5, 2.5]
    assert back["empty"] == {}


def test_a_state_is_a_copy():
    weights = torch.zeros(3)
    state = pack({"w": weights})
    weights += 1
    unpack(state)["w"].add_(5)
    assert unpack(state)["w"].tolist() == [0, 0, 0]


def test_what_cannot_be_held_is_named():
    with pytest.raises(TypeError, match="state.f, a set"):
        pack({"f": {1}})


@pytest.mark.parametrize(
    "node",
    [
        {"tensor": "gone"},
        {"tensor": 3},
        {"dict": 5},
        {"dict": [[1]]},
        {"what": 1},
        {"float": "x"},
        {},
        {"a": 1, "b": 2},
    ],
)
def test_a_damaged_tree_is_one_clear_error(node):
    with pytest.raises(StoreError, match="damaged"):
        unpack(TrainingState({"state": node}, {}))
