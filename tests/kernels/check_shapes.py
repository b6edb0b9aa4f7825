"""Native against reference over random shapes, values and gradients: ``python check_shapes.py COUNT [SEED]``.

Not a test module: test_native.py runs it once for every instruction set, sanitize.py with a sanitized build.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import recurra.kernels
from recurra.kernels import native_calls
from recurra.kernels.cell import CELLS, VARIANTS
from recurra.kernels.cells.cell_variants import variant_forward
from recurra.kernels.cells.gru import gru_backward, gru_forward
from recurra.kernels.cells.lstm import lstm_backward, lstm_forward
from recurra.kernels.cells.rnn import rnn_backward, rnn_forward
from recurra.kernels.dispatch import native_module
from recurra.kernels.heads import pooling
from recurra.kernels.networks.stack import StackStep
from strategies import make_case

FORWARD = {"rnn": rnn_forward, "lstm": lstm_forward, "gru": gru_forward}
BACKWARD = {"rnn": rnn_backward, "lstm": lstm_backward, "gru": gru_backward}


def both(case, reverse):
    """Values and gradients of one case in the version of the kernels in use."""
    cell = case.cell.split("_")[0]
    options = {"nonlinearity": "relu"} if case.cell == "rnn_relu" else {}
    *values, saved = FORWARD[cell](
        case.x, lengths=case.lengths, reverse=reverse, save=True, **case.layer(), **case.states(), **options
    )
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(v.shape).astype(case.x.dtype) for v in values]
    final = {"grad_h_n": grads[1]} | ({"grad_c_n": grads[2]} if cell == "lstm" else {})
    found = BACKWARD[cell](grads[0], saved=saved, **final)
    return dict(enumerate(values)) | found


def check(rng):
    """One random case: native against reference, one thread against two, heads, a few steps."""
    cell = str(rng.choice(["rnn", "rnn_relu", "lstm", "gru"]))
    hidden_size, dtype = int(rng.integers(1, 150)), rng.choice([np.float32, np.float64])
    case = make_case(
        cell,
        batch_lengths=rng.integers(0, 20, rng.integers(1, 40)).tolist(),
        input_size=int(rng.integers(1, 120)),
        hidden_size=hidden_size,
        seed=int(rng.integers(1 << 30)),
        dtype=dtype,
        bias=bool(rng.integers(2)),
        proj_size=int(rng.integers(1, hidden_size))
        if cell == "lstm" and hidden_size > 1 and rng.integers(2)
        else 0,
    )
    reverse = bool(rng.integers(2))
    native = both(case, reverse)
    with recurra.kernels.use("reference"):
        reference = both(case, reverse)
    for name, value in reference.items():
        scale = max(1.0, float(np.abs(value).max(initial=0)))
        np.testing.assert_allclose(
            native[name],
            value,
            rtol=0,
            atol=scale * (2e-4 if dtype == np.float32 else 1e-9),
            err_msg=f"{case} {name}",
        )
    options = {"lengths": case.lengths, "directions": [case.layer()], "states": [case.states()]}
    for mode in (1, 2):
        two = native_calls.forward(case.cell, case.x, threads=2, mode=mode, reverse=reverse, **options)[0]
        np.testing.assert_array_equal(two, native[0])
    rows = native[0]
    pooling.softmax(
        pooling.linear(rows, case.layer()["weight_ih"][:, :1] @ np.ones((1, rows.shape[1]), dtype))
    )
    pooling.pool_mean(rows, lengths=case.lengths)
    pooling.pool_max(rows, lengths=case.lengths)
    stream = StackStep(case.cell, case.weights, batch=3)
    for _ in range(3):
        stream.step(rng.standard_normal((3, case.x.shape[1])).astype(dtype))


def check_variant(rng):
    """One random case of a variant: native against reference, threads, gradients that are finite, a few steps."""
    cell, dtype = str(rng.choice(list(VARIANTS))), rng.choice([np.float32, np.float64])
    inputs, hidden, gates = int(rng.integers(1, 120)), int(rng.integers(1, 150)), CELLS[cell].blocks
    shapes = {
        "weight_ih": (gates * hidden, inputs),
        "weight_hh": (gates * hidden, hidden),
        "bias_ih": (gates * hidden,),
    }
    shapes |= {name: (size,) for name, size in VARIANTS[cell].extras(hidden).items()}
    weights = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(dtype)
        for name, shape in shapes.items()
    }
    lengths, reverse = rng.integers(0, 20, rng.integers(1, 40)), bool(rng.integers(2))
    x = rng.standard_normal((int(lengths.sum()), inputs)).astype(dtype)
    options = {"lengths": lengths, "directions": [weights], "states": [{}], "reverse": reverse}
    *values, saved = native_calls.forward(cell, x, save=True, **options)
    expected = variant_forward(
        VARIANTS[cell], x, lengths=lengths, weights=weights, states={}, reverse=reverse
    )
    np.testing.assert_allclose(values[0], expected[0], atol=5e-4 if dtype == np.float32 else 1e-9)
    for threads in (1, 2):
        np.testing.assert_array_equal(native_calls.forward(cell, x, threads=threads, **options)[0], values[0])
    gradients = native_calls.backward(np.ones_like(values[0]), grad_h_n=None, saved=saved)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    stream = StackStep(cell, {f"{name}_l0": weight for name, weight in weights.items()}, batch=3)
    for _ in range(3):
        stream.step(rng.standard_normal((3, inputs)).astype(dtype))


def check_head(rng):
    """One random case of a linear head with its cross entropy, and of a norm: against numpy."""
    dtype, module = rng.choice([np.float32, np.float64]), native_module()
    parts, rows, size, classes = (int(rng.integers(1, most)) for most in (4, 40, 150, 60))
    seen = rng.standard_normal((parts, rows, size)).astype(dtype)
    weight = (rng.standard_normal((classes, parts * size)) / np.sqrt(size)).astype(dtype)
    bias, targets = rng.standard_normal(classes).astype(dtype), rng.integers(0, classes, rows)
    by_row = rng.uniform(0.1, 2, rows).astype(dtype) if rng.integers(2) else None
    logits, slopes = np.empty((rows, classes), dtype), np.empty((rows, classes), dtype)
    given = (seen, weight, bias, targets, by_row, logits, slopes)
    sizes, at = [parts, rows, size, classes], [0 if a is None else a.ctypes.data for a in given]
    loss = module.linear_cross_entropy(dtype == np.float64, sizes, at)
    flat = seen.transpose(1, 0, 2).reshape(rows, -1).astype(np.float64)
    scores = flat @ weight.T.astype(np.float64) + bias
    shares = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    weights = np.ones(rows) if by_row is None else by_row.astype(np.float64)
    close = {"rtol": 0, "atol": 1e-3 if dtype == np.float32 else 1e-9}
    np.testing.assert_allclose(logits, scores, **close)
    expected = -(weights * np.log(shares[np.arange(rows), targets])).sum() / weights.sum()
    np.testing.assert_allclose(loss, expected, **close)
    slope = (shares - np.eye(classes)[targets]) * weights[:, None] / weights.sum()
    by = [np.empty_like(one) for one in (seen, weight, bias)]
    module.linear_gradients(dtype == np.float64, sizes, at, 3.0, *[one.ctypes.data for one in by])
    by_seen = (3 * slope @ weight).reshape(rows, parts, size).transpose(1, 0, 2)
    for found, wanted in zip(by, (by_seen, 3 * slope.T @ flat, 3 * slope.sum(0)), strict=True):
        np.testing.assert_allclose(found, wanted, **close)
    arrays = [a.ctypes.data for a in by]
    norms = {module.norm(dtype == np.float64, arrays, [a.size for a in by], n) for n in (1, 2)}
    assert len(norms) == 1
    np.testing.assert_allclose(norms.pop(), np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in by)))


def main(count, seed=0):
    rng = np.random.default_rng(seed)
    with recurra.kernels.use("native"):
        for _ in range(count):
            check(rng)
            check_variant(rng)
            check_head(rng)
    print(f"{recurra.kernels.describe()['isa']}: {count} cases")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
