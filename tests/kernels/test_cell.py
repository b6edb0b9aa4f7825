"""What `recurra.kernels.cell` says of each cell is what options, functions, layers and the extension have."""

import numpy as np
import pytest
import torch

from recurra import options
from recurra.kernels import native_calls
from recurra.kernels.cell import CELLS, MODES, PLAIN
from recurra.kernels.cells.functions import FUNCTIONS
from recurra.kernels.dispatch import use
from recurra.nn.cells.layers_by_name import LAYERS
from recurra.nn.layers.reference import DIRECTIONS


def test_every_table_has_an_entry_for_every_cell():
    assert list(FUNCTIONS) == list(CELLS)
    assert list(LAYERS) == list(CELLS)
    assert list(DIRECTIONS) == list(PLAIN)
    # the plain network with ReLU is what initialization="identity" makes of "rnn"
    assert tuple(name for name in CELLS if name != "rnn_relu") == options.CELLS


@pytest.mark.parametrize("name", CELLS)
def test_layers_are_what_the_description_says(name):
    cell, layer = CELLS[name], LAYERS[name](3, 5)
    assert MODES[layer.mode].gates == cell.gates
    assert layer.weight_hh_l0.shape == (cell.blocks * 5, 5)
    _, states = layer(torch.randn(2, 1, 3))
    assert (len(states) if isinstance(states, tuple) else 1) == len(cell.states)
    if cell.in_torch:
        assert layer.mode in ("RNN_TANH", "RNN_RELU", "LSTM", "GRU")


@pytest.mark.parametrize("name", PLAIN)
def test_the_extension_saves_the_gates_that_are_named(name):
    rng, cell = np.random.default_rng(3), CELLS[name]
    weights = {
        "weight_ih": rng.normal(size=(cell.blocks * 5, 3)),
        "weight_hh": rng.normal(size=(cell.blocks * 5, 5)),
    }
    x, lengths = rng.normal(size=(7, 3)), np.array([4, 3])
    found = {}
    for kernels in ("native", "reference"):
        with use(kernels):
            output, *_, saved = FUNCTIONS[name].forward(x, lengths=lengths, save=True, **weights)
        assert isinstance(saved, native_calls.NativeSaved) == (kernels == "native")
        found[kernels] = [
            output,
            *([saved.gates] if cell.gates else []),
            *([saved.q] if cell.split_candidate else []),
        ]
    for ours, reference in zip(*found.values(), strict=True):
        np.testing.assert_allclose(ours, reference, atol=1e-12)


def test_the_gate_that_keeps_keeps():
    """With the bias of `keeping_gate` far up, the state a step ends with is the one it began with."""
    for name, cell in PLAIN.items():
        if cell.keeping_gate is None:
            continue
        layer = LAYERS[name](2, 4).double()
        with torch.no_grad():
            for weight in layer.parameters():
                weight.zero_()
            layer.bias_ih_l0[cell.gates.index(cell.keeping_gate) * 4 :][:4] = 40.0
            if cell.writing_gate is not None:
                layer.bias_ih_l0[cell.gates.index(cell.writing_gate) * 4 :][:4] = -40.0
        before = tuple(torch.randn(1, 1, 4, dtype=torch.float64) for _ in cell.states)
        _, after = layer(torch.randn(5, 1, 2, dtype=torch.float64), before if len(before) > 1 else before[0])
        kept = after[-1] if isinstance(after, tuple) else after
        torch.testing.assert_close(kept, before[-1])
