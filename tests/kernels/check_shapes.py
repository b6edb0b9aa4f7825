"""Native against reference over random shapes, values and gradients: ``python check_shapes.py COUNT [SEED]``.

Not a test module: test_native.py runs it once for every instruction set, sanitize.py with a sanitized build.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import recurra.kernels
from recurra.kernels import compiled, heads
from recurra.kernels.dispatch import native_module
from recurra.kernels.gru import gru_backward, gru_forward
from recurra.kernels.lstm import lstm_backward, lstm_forward
from recurra.kernels.rnn import rnn_backward, rnn_forward
from recurra.kernels.stack import StackStep
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
        two = compiled.forward(case.cell, case.x, threads=2, mode=mode, reverse=reverse, **options)[0]
        np.testing.assert_array_equal(two, native[0])
    rows = native[0]
    heads.softmax(heads.linear(rows, case.layer()["weight_ih"][:, :1] @ np.ones((1, rows.shape[1]), dtype)))
    heads.pool_mean(rows, lengths=case.lengths)
    heads.pool_max(rows, lengths=case.lengths)
    stream = StackStep(case.cell, case.weights, batch=3)
    for _ in range(3):
        stream.step(rng.standard_normal((3, case.x.shape[1])).astype(dtype))


def check_end(rng):
    """Head, cross entropy and their gradients, norm and Adam of random sizes, against their equations in numpy."""
    native, double = native_module(), bool(rng.integers(2))
    dtype = np.float64 if double else np.float32
    close = {"rtol": 0, "atol": 1e-12 if double else 2e-5}
    batch, directions, size, classes = (int(rng.integers(1, high)) for high in (40, 3, 70, 40))
    states, weight, bias = (
        rng.standard_normal(shape).astype(dtype) / 4
        for shape in ((directions, batch, size), (classes, directions * size), (classes,))
    )
    targets = rng.integers(0, classes, batch)
    weights = rng.uniform(size=batch).astype(dtype) if rng.integers(2) else None
    features, scores = np.empty((batch, directions * size), dtype), np.empty((batch, classes), dtype)
    native.head_scores(double, batch, directions, size, classes, states, weight, bias, features, scores)
    side_by_side = states.transpose(1, 0, 2).reshape(batch, -1)
    np.testing.assert_array_equal(features, side_by_side)
    np.testing.assert_allclose(scores, side_by_side @ weight.T + bias, **close)
    found = [np.full_like(array, np.nan) for array in (scores, weight, bias, states)]
    sizes = (double, batch, directions, size, classes)
    loss = native.head_in_one(*sizes, states, weight, bias, targets, weights, *found)
    share = (np.ones(batch) if weights is None else weights) / (batch if weights is None else weights.sum())
    exact = scores.astype(np.float64)
    log_p = exact - exact.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    np.testing.assert_allclose(loss, -(share * log_p[np.arange(batch), targets]).sum(), rtol=1e-5)
    np.testing.assert_array_equal(found.pop(0), scores)
    by_scores = (share[:, None] * (np.exp(log_p) - np.eye(classes)[targets])).astype(dtype)
    others = [array.copy() for array in found]
    assert native.head_in_one(*sizes, states, weight, bias, targets - classes, None, scores, *others) is None
    native.head_gradients(*sizes, by_scores, features, weight, *others)
    by_features = by_scores @ weight
    expected = (
        by_scores.T @ features,
        by_scores.sum(0),
        by_features.reshape(batch, directions, size).transpose(1, 0, 2),
    )
    for one, other, value in zip(found, others, expected, strict=True):
        np.testing.assert_allclose(one, value, **close)
        np.testing.assert_allclose(other, value, **close)
    check_update(rng, dtype)


def check_update(rng, dtype):
    """Norm and Adam: one thread against two, and against the equations."""
    native, double = native_module(), dtype == np.float64
    sizes = [int(n) for n in rng.integers(0, 30_000, rng.integers(1, 5))]
    weights, gradients, first, second = (
        [rng.standard_normal(n).astype(dtype) for n in sizes] for _ in range(4)
    )
    second = [np.abs(array) for array in second]
    steps = [np.array(rng.integers(0, 9), dtype) for _ in sizes]

    def at(arrays):
        return native.Arrays(
            double, [array.ctypes.data for array in arrays], [array.size for array in arrays]
        )

    norms = [native.norm(at(gradients), threads) for threads in (1, 2)]
    assert norms[0] == norms[1]
    exact = np.sqrt(sum((array.astype(np.float64) ** 2).sum() for array in gradients))
    np.testing.assert_allclose(norms[0], exact, rtol=1e-6)
    decay, decoupled, rate, beta1, beta2, eps = 0.1, bool(rng.integers(2)), 0.01, 0.8, 0.95, 1e-6
    results = []
    for threads in (1, 2):
        own = [[array.copy() for array in one] for one in (weights, first, second, steps)]
        moments = [array for of_one in zip(*own[1:], strict=True) for array in of_one]
        rule = (rate, beta1, beta2, eps, decay, decoupled, threads)
        assert native.adam(at(own[0]), at(gradients), at(moments), *rule)
        assert not native.adam(at(own[0]), at(gradients[:-1]), at(moments), *rule)
        assert not native.adam(at(own[0]), at(gradients), at(moments[:-1]), *rule)
        results.append(own)
    for one, other in zip(*results, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    for w, g, m, v, n, *own in zip(weights, gradients, first, second, steps, *results[0], strict=True):
        g_all = g if decoupled else g + decay * w
        m_new, v_new = beta1 * m + (1 - beta1) * g_all, beta2 * v + (1 - beta2) * g_all**2
        change = rate / (1 - beta1 ** (n + 1.0)) * m_new / (np.sqrt(v_new / (1 - beta2 ** (n + 1.0))) + eps)
        kept = w * (1 - rate * decay) if decoupled else w
        for a, b in zip(own, (kept - change, m_new, v_new, n + 1), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 if double else 1e-5)


def main(count, seed=0):
    rng = np.random.default_rng(seed)
    with recurra.kernels.use("native"):
        for _ in range(count):
            check(rng)
            check_end(rng)
    print(f"{recurra.kernels.describe()['isa']}: {count} cases")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
