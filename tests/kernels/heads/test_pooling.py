"""Heads against plain numpy and torch; bit-identical whatever the batch, and a stream equal to the whole."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recurra.kernels.heads import pooling as heads

pytestmark = pytest.mark.usefixtures("kernels")

RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 0, 7, 1, 12])
VALUES = RNG.standard_normal((LENGTHS.sum(), 5)).astype(np.float32)
PARTS = np.split(VALUES, np.cumsum(LENGTHS)[:-1])
ATTENTION = {
    "weight": RNG.standard_normal((5, 5)).astype(np.float32),
    "bias": RNG.standard_normal(5).astype(np.float32),
    "context": 20 * RNG.standard_normal(5).astype(np.float32),
}


def pool(pooling, values, lengths):
    if pooling == "attention":
        return heads.pool_attention(values, lengths=lengths, **ATTENTION)
    return getattr(heads, f"pool_{pooling}")(values, lengths=lengths)


def expected_attention(h: np.ndarray) -> np.ndarray:
    h, w = torch.from_numpy(h).double(), {n: torch.from_numpy(a).double() for n, a in ATTENTION.items()}
    score = torch.tanh(h @ w["weight"].T + w["bias"]) @ w["context"]
    return (torch.softmax(score, 0)[:, None] * h).sum(0).numpy()


@pytest.mark.parametrize(
    ("pooling", "one"),
    [
        ("last", lambda h: h[-1]),
        ("mean", lambda h: h.mean(0)),
        ("max", lambda h: h.max(0)),
        ("attention", expected_attention),
    ],
)
def test_pooling(pooling, one):
    result = pool(pooling, VALUES, LENGTHS)
    for h, row in zip(PARTS, result, strict=True):
        assert_allclose(row, one(h) if len(h) else np.zeros(5), rtol=1e-5, atol=1e-6)


def test_pool_last_takes_the_first_step_of_the_backward_half():
    values = RNG.standard_normal((5, 4))
    result = heads.pool_last(values, lengths=[2, 3], bidirectional=True)
    assert_array_equal(result, [[*values[1, :2], *values[0, 2:]], [*values[4, :2], *values[2, 2:]]])


@pytest.mark.parametrize("pooling", heads.POOLINGS)
def test_pooling_is_the_same_alone_in_a_batch_and_streamed(pooling):
    together = pool(pooling, VALUES, LENGTHS)
    weights = ATTENTION if pooling == "attention" else {}
    for h, row in zip(PARTS, together, strict=True):
        assert_array_equal(pool(pooling, h, [len(h)])[0], row)
        running = heads.RunningPool(pooling, batch=1, features=5, **weights)
        for step in h:
            running.step(step[None])
        assert_array_equal(running.value()[0], row)
        running.reset()
        assert_array_equal(running.value(), np.zeros((1, 5)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_and_softmax_do_not_depend_on_the_batch(dtype):
    x, weight, bias = (RNG.standard_normal(s).astype(dtype) for s in ((33, 130), (17, 130), (17,)))
    logits = heads.linear(x, weight, bias)
    assert logits.dtype == dtype
    assert_allclose(logits, x @ weight.T + bias, rtol=1e-4, atol=1e-4)
    probabilities = heads.softmax(logits)
    assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    for b in range(33):
        alone = heads.linear(x[b : b + 1], weight, bias)
        assert_array_equal(alone[0], logits[b])
        assert_array_equal(heads.softmax(alone)[0], probabilities[b])
    assert_array_equal(heads.softmax(np.asfortranarray(logits)), probabilities)


def test_softmax_does_not_overflow():
    assert_allclose(heads.softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])


def test_scale():
    x = np.array([[1.0, 10.0], [3.0, 20.0]], np.float32)
    scaled = heads.scale(x, np.array([2.0, 10.0]), np.array([1.0, 5.0]))
    assert scaled.dtype == np.float32
    assert_array_equal(scaled, [[-1, 0], [1, 2]])


def test_messages():
    with pytest.raises(ValueError, match=r"linear: weight must have shape \(2, 3\); got \(2, 4\)"):
        heads.linear(np.zeros((1, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="attention needs weight, bias and context"):
        heads.RunningPool("attention", batch=1, features=2)
