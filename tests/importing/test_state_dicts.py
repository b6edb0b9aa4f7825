"""Weights alone: torch's state dicts in .pt, .safetensors and .npz become the same layers; what is refused."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import recurra
from recurra.errors import DataError, MissingDataError, UsageError

LAYERS = [
    nn.LSTM(3, 5, num_layers=2, bidirectional=True),
    nn.LSTM(3, 6, proj_size=4),
    nn.GRU(2, 3, bias=False, num_layers=3),
    nn.RNN(4, 4, bidirectional=True),
]


def write(form, state, path):
    if form == "pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in state.items()}}, path)
    elif form == "safetensors":
        save_file(dict(state), path)
    else:
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch's own
@pytest.mark.parametrize("form", ["pt", "safetensors", "npz"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_one_layer_is_itself(tmp_path, layer, form):
    path = tmp_path / f"w.{form}"
    write(form, layer.state_dict(), path)
    found = recurra.import_weights(path)
    assert type(found) is getattr(recurra.nn, type(layer).__name__)
    x = torch.randn(6, 2, layer.input_size)
    with torch.no_grad():
        assert torch.allclose(found(x)[0], layer(x)[0], atol=1e-6)


def test_several_layers_are_given_by_name(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(9, 4)
            self.cell = nn.GRUCell(4, 5)
            self.norm = nn.BatchNorm1d(5)
            self.fc = nn.Linear(5, 2)
            self.conv = nn.Conv1d(2, 3, 3)

    net = Net().eval()
    net.norm.running_mean += torch.randn(5)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    found = recurra.import_weights(tmp_path / "net.pt")
    assert sorted(found) == ["cell", "embedding", "fc", "norm"]
    assert "linear layers and embeddings are taken" in found.left["conv"]
    token = torch.tensor([3])
    with torch.no_grad():
        right = net.fc(net.norm(net.cell(net.embedding(token))))
        _, state = found["cell"](found["embedding"](token)[None])
        assert torch.allclose(found["fc"](found["norm"](state[0])), right, atol=1e-6)
    assert sorted(recurra.import_weights(net.state_dict())) == sorted(found)
    with pytest.raises(UsageError, match="not how they are joined"):
        recurra.import_weights(tmp_path / "net.pt", to="estimator")


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit(3)",)


def test_nothing_is_executed(tmp_path):
    torch.save({"a": Evil()}, tmp_path / "x.pt")
    with pytest.raises(DataError, match="opening it could run code"):
        recurra.import_weights(tmp_path / "x.pt")
    (tmp_path / "y.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match="is a pickle, which could run anything"):
        recurra.import_weights(tmp_path / "y.pt")
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "z.pt")
    with pytest.raises(UsageError, match="is TorchScript, which is a program"):
        recurra.import_weights(tmp_path / "z.pt")


def test_a_tensor_of_any_size_out_of_one_number(tmp_path):
    torch.save({"weight_ih_l0": torch.zeros(1).expand(2**34, 1)}, tmp_path / "x.pt")
    with pytest.raises(DataError, match="unfolds"):
        recurra.import_weights(tmp_path / "x.pt")


SMALL = {"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 2))}


def norm(shape):
    return {f"n.{name}": np.ones(shape) for name in ("weight", "bias", "running_mean", "running_var")}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"fc.weight": np.ones((2, 3))}, "holds no recurrent layer"),
        ({"l.weight_ih_l0": np.ones((8, 3))}, "l: lacks weight_ih_l0 or weight_hh_l0"),
        ({"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 3))}, "of shape (8, 3) is that of no cell"),
        ({"weight_ih_l0": np.ones((9, 3)), "weight_hh_l0": np.ones((8, 2))}, "weight_ih_l0 has shape (9, 3)"),
        (
            {"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 2)), "weight_ih_l1": np.ones((8, 2))},
            "lacks 'weight_hh_l1'",
        ),
        ({"x": "text"}, "holds 0 arrays"),
        ({**SMALL, "weight_hr_l0": np.ones(())}, "weight_hr_l0 must be a matrix; got the shape ()"),
        ({**SMALL, **norm(())}, "n: weight of its batch normalization has shape (); the others ask for (1,)"),
        ({**SMALL, **norm((2, 3))}, "n: weight of its batch normalization has shape (2, 3); the others ask for (6,)"),
        ({**SMALL, "fc.weight": np.ones((2, 4)), "fc.bias": np.ones(3)}, "fc: its weight has the shape (2, 4)"),
        ({**SMALL, "module.weight_ih_l0": np.zeros((8, 3))}, "holds weight_ih_l0 twice"),
        ({**SMALL, "w_ih": np.zeros((8, 3))}, "w_ih is a second name of a weight"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(state, message):
    with pytest.raises(DataError) as caught:
        recurra.import_weights(state)
    assert message in str(caught.value)


def test_what_is_no_network(tmp_path):
    with pytest.raises(MissingDataError, match="there is no such file"):
        recurra.import_weights(tmp_path / "absent.pt")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(DataError, match="is no file of a network that is known"):
        recurra.import_weights(tmp_path / "a.txt")
    (tmp_path / "cut.pt").write_bytes(b"")
    with pytest.raises(DataError, match=r"cut.pt: is empty. Get it again."):
        recurra.import_weights(tmp_path / "cut.pt")
    with pytest.raises(UsageError, match="source must be a path or a state dict; got int"):
        recurra.import_weights(3)
