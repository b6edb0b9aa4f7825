"""LSTM and GRU with something more: native against the reference, and the same bits whatever the batch."""

import numpy as np
import pytest

import recurra.kernels
from oracles import needs_native
from recurra.errors import ShapeError
from recurra.kernels import native_calls
from recurra.kernels.cell import CELLS, VARIANTS
from recurra.kernels.cells.cell_variants import variant_step
from recurra.kernels.networks.activations import stack_inside
from recurra.kernels.networks.stack import StackStep, stack_states


def case(cell, seed, dtype=np.float32, *, layers=2, bidirectional=False):
    """Return random weights by torch's names, rows and lengths."""
    rng = np.random.default_rng(seed)
    inputs, hidden, gates = int(rng.integers(1, 60)), int(rng.integers(1, 70)), CELLS[cell].blocks
    weights = {}
    for layer in range(layers):
        for end in ("", "_reverse") if bidirectional else ("",):
            below = inputs if layer == 0 else hidden * (1 + bidirectional)
            shapes = {"weight_ih": (gates * hidden, below), "weight_hh": (gates * hidden, hidden)}
            shapes |= {name: (gates * hidden,) for name in ("bias_ih", "bias_hh")}
            shapes |= {name: (size,) for name, size in VARIANTS[cell].extras(hidden).items()}
            for name, shape in shapes.items():
                scale = 1 / np.sqrt(shape[1]) if len(shape) == 2 else 0.5
                weights[f"{name}_l{layer}{end}"] = rng.normal(name.startswith("gain"), scale, shape).astype(
                    dtype
                )
    lengths = rng.integers(0, 12, int(rng.integers(1, 30)))
    lengths[-1] = 7
    x = rng.standard_normal((int(lengths.sum()), inputs)).astype(dtype)
    return weights, x, lengths, hidden


@needs_native
@pytest.mark.parametrize("cell", VARIANTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_native_and_reference_agree(cell, dtype):
    for seed in range(8):
        weights, x, lengths, hidden = case(cell, seed, dtype, bidirectional=bool(seed % 2))
        rng = np.random.default_rng(seed)
        states = rng.standard_normal((2, 2 * (1 + seed % 2), len(lengths), hidden)).astype(dtype)
        options = {
            "lengths": lengths,
            "cell": cell,
            "weights": weights,
            "num_layers": 2,
            "bidirectional": bool(seed % 2),
        }
        options |= {"h_0": states[0]} | ({"c_0": states[1]} if cell.startswith("lstm") else {})
        found = []
        for which in ("native", "reference"):
            with recurra.kernels.use(which):
                found.append(stack_states(x, **options))
        for native, reference in zip(*found, strict=True):
            if reference is not None:
                np.testing.assert_allclose(native, reference, atol=2e-5 if dtype is np.float32 else 1e-12)


@needs_native
@pytest.mark.parametrize("cell", VARIANTS)
def test_batch_mates_threads_and_streams_change_no_bit(cell):
    for seed in range(4):
        weights, x, lengths, _ = case(cell, seed)
        options = {"cell": cell, "weights": weights, "num_layers": 2}
        output, h_n, c_n = stack_states(x, lengths=lengths, **options)
        single = {name[:-3]: w for name, w in weights.items() if name.endswith("_l0")}
        first = [
            native_calls.forward(
                cell, x, lengths=lengths, directions=[single], states=[{}], threads=threads, mode=mode
            )[0]
            for threads, mode in ((1, 0), (2, 1), (2, 2), (3, 0))
        ]
        for other in first[1:]:
            np.testing.assert_array_equal(other, first[0])
        stream = StackStep(cell, weights, num_layers=2)
        for b in (len(lengths) - 1, 0):
            begin, end = int(lengths[:b].sum()), int(lengths[: b + 1].sum())
            alone, *_ = stack_states(x[begin:end], lengths=lengths[b : b + 1], **options)
            np.testing.assert_array_equal(alone, output[begin:end])
            stream.reset()
            for row in range(begin, end):
                np.testing.assert_array_equal(stream.step(x[row : row + 1])[0], output[row])
            np.testing.assert_array_equal(stream.h[:, 0], h_n[:, b])
            if c_n is not None:
                np.testing.assert_array_equal(stream.c[:, 0], c_n[:, b])
            cut = (begin + end) // 2
            half, h_half, c_half = stack_states(x[begin:cut], lengths=[cut - begin], **options)
            going_on = {"h_0": h_half} | ({} if c_half is None else {"c_0": c_half})
            rest, *_ = stack_states(x[cut:end], lengths=[end - cut], **options, **going_on)
            np.testing.assert_array_equal(np.concatenate([half, rest]), output[begin:end])


@needs_native
@pytest.mark.parametrize("cell", VARIANTS)
def test_what_is_inside_is_that_of_the_equations(cell):
    weights, x, lengths, _ = case(cell, 5, np.float64, layers=1)
    (direction,) = stack_inside(x, lengths=lengths, cell=cell, weights=weights)[0]
    saved, row = direction.saved, len(x) - 3
    names = ("h_prev", "c_prev") if cell.startswith("lstm") else ("h_prev",)
    before = tuple(getattr(saved, name)[row : row + 1] for name in names)
    gates, after = variant_step(VARIANTS[cell], x[row : row + 1], before, direction.weights)
    np.testing.assert_allclose(np.hstack([*direction.gates().values()])[row], gates[0], atol=1e-12)
    np.testing.assert_allclose(direction.output[row], after[0][0], atol=1e-12)
    direction.backward(np.ones_like(direction.output))
    np.testing.assert_allclose(np.hstack([*direction.gates().values()])[row], gates[0], atol=1e-12)


def test_a_missing_weight_is_named():
    weights, x, lengths, _ = case("lstm_norm", 0, layers=1)
    del weights["gain_c_l0"]
    with pytest.raises(
        ShapeError, match="stack_forward: the weight 'gain_c' of the cell 'lstm_norm' is missing"
    ):
        stack_states(x, lengths=lengths, cell="lstm_norm", weights=weights)
