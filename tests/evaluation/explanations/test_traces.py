"""Traces: the layer's own numbers, the half-life of a known gate, the picture."""

import math

import numpy as np
import pytest

from recurra.errors import UsageError
from recurra.evaluation.explanations.traces import half_life, trace
from recurra.kernels.networks.stack import stack_forward
from recurra.nn import NetworkConfig, build, to_arrays


def made(cell="lstm", steps=12, **words):
    config = NetworkConfig(cell, 3, 6, 2, **words)
    arrays = to_arrays(build(config, seed=0))
    x = np.random.default_rng(0).normal(size=(steps, 3)).astype(np.float32)
    return config.to_dict(), arrays, x


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
def test_states_are_those_of_the_layer_bit_for_bit(cell):
    config, arrays, x = made(cell, num_layers=2, bidirectional=True)
    traced = trace(config, arrays, x)
    words = {"num_layers": 2, "bidirectional": True, "prefix": "recurrent."}
    output, _ = stack_forward(x, lengths=[len(x)], cell=cell, weights=arrays, **words)
    last = np.concatenate([traced.layers[2].state, traced.layers[3].state], axis=1)
    np.testing.assert_array_equal(last, output)
    assert last.dtype == np.float32
    assert [layer.name for layer in traced.layers] == [
        "layer 1, forward", "layer 1, backward", "layer 2, forward", "layer 2, backward",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "names"),
    [("rnn", ["h"]), ("lstm", ["i", "f", "g", "o", "c", "h"]), ("gru", ["r", "z", "n", "h"])],
)
def test_what_a_layer_shows(cell, names):
    layer = trace(*made(cell)).layer()
    assert list(layer.rows()) == names
    assert all(values.shape == (12, 6) for values in layer.rows().values())
    assert (layer.half_life is None) == (cell == "rnn")


def test_half_life_of_a_gate_that_keeps_a_known_share():
    kept = np.tile([0.5, 0.9, 0.5**0.1], (20, 1))
    np.testing.assert_allclose(half_life(kept), [1, math.log(2) / -math.log(0.9), 10], rtol=1e-9)
    mixed = np.array([[0.25], [1.0]])  # a quarter is left after two steps: half after one
    np.testing.assert_allclose(half_life(mixed), [1], rtol=1e-6)
    assert np.isfinite(half_life(np.array([[0.0, 1.0]]))).all()


def test_units_are_sorted_by_memory_span():
    config, arrays, x = made()
    bias = np.zeros(24, np.float32)
    bias[6:12] = [1, 5, 3, 0, 4, 2]  # forget gates
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
        arrays[f"recurrent.{name}"][...] = 0
    arrays["recurrent.bias_ih_l0"] = bias
    assert trace(config, arrays, x).layer().order.tolist() == [1, 4, 2, 5, 0, 3]


def test_summary_in_words():
    config, arrays, x = made()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        arrays[f"recurrent.{name}"][...] = 0
    assert trace(config, arrays, x).summary() == (
        "Layer 1: 6 units over 12 time steps; half of what a unit holds is gone after 1 step in the median, 1 at one "
        "unit in ten, 1 at the longest tenth."
    )
    assert "without gates nothing says how long" in trace(*made("rnn")).summary()


def test_picture_holds_every_gate_aligned_with_the_input():
    traced = trace(*made(steps=40), name="rec_07")
    drawing = traced.plot()
    for words in (
        "input gate i",
        "forget gate f",
        "candidate g",
        "output gate o",
        "cell state c",
        "state h",
        "Signal",
    ):
        assert words in drawing.svg
    assert drawing.svg.count("<image") == 6
    assert drawing.title == "Inside layer 1 on rec_07"
    assert "input gate i" in traced._repr_svg_()


def test_a_long_sequence_makes_no_larger_picture():
    short, long = (len(trace(*made(steps=n)).plot().svg) for n in (2000, 40_000))
    assert long < 1.5 * short


def test_messages():
    traced = trace(*made())
    assert traced.layer("layer 1") is traced.layers[0]
    with pytest.raises(UsageError, match=r"Trace\.layer: there are 1 layers and directions; got 1"):
        traced.layer(1)
    with pytest.raises(UsageError, match="Did you mean 'layer 1'"):
        traced.layer("layer1")
