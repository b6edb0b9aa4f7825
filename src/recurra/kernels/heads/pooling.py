r"""What stands before and after the recurrent layers at prediction: scaling, pooling, linear head, softmax.

Every sum runs in one fixed order (bias first, then feature by feature or step by step), so that a result does
not depend, in any bit, on the other rows of the batch. Pooling over time is one running computation per
sequence: what a stream computes step by step is what the whole sequence gives.

Attention pooling, with the softmax over the steps of one sequence [1]_:

.. math:: s_t = v \cdot \tanh(W h_t + b), \qquad y = \sum_t \frac{e^{s_t}}{\sum_u e^{s_u}} h_t

References
----------
.. [1] Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate",
   2014, arXiv:1409.0473; the running form of the softmax: Milakov and Gimelshein, 2018, arXiv:1805.02867.
"""

from typing import Any

import numpy as np

from recurra.checks import check_choice
from recurra.errors import ShapeError
from recurra.kernels import native_calls
from recurra.kernels.dispatch import native_module
from recurra.kernels.step_order import Steps, as_lengths, check_shapes

POOLINGS = ("last", "mean", "max", "attention")


def split_pooling(pooling: str) -> tuple[str, ...]:
    """Return the single poolings of a name such as ``"mean+max"``, side by side in what the head sees.

    Raises
    ------
    ValueError
        If one is unknown or named twice.
    """
    names = tuple(pooling.split("+"))
    if len(set(names)) < len(names) or not set(names) <= set(POOLINGS):
        raise ValueError(f"pooling must name some of {', '.join(POOLINGS)} once each, joined by +")
    return names


def scale(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return ``(x - mean) / scale`` in the dtype of x.

    Parameters
    ----------
    x : array of shape (rows, channels)
    mean, scale : array of shape (channels,)
        ``scale`` without zeros.
    """
    check_shapes("scale", mean=(mean, x.shape[-1:]), scale=(scale, x.shape[-1:]))
    return (x - mean.astype(x.dtype)) / scale.astype(x.dtype)


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Return ``x @ weight.T + bias``, summed bias first, then feature by feature.

    Parameters
    ----------
    x : array of shape (rows, features)
    weight : array of shape (outputs, features)
    bias : array of shape (outputs,), optional
    """
    check_shapes("linear", weight=(weight, (weight.shape[0], x.shape[-1])), bias=(bias, (weight.shape[0],)))
    result = np.zeros((x.shape[0], weight.shape[0]), x.dtype)
    if native_calls.runs_native(x.dtype):
        native_calls.linear(weight, bias, x.dtype).apply(np.ascontiguousarray(x), len(x), result)
        return result
    if bias is not None:
        result += bias
    columns = np.ascontiguousarray(weight.T, x.dtype)
    for k in range(x.shape[1]):
        result += x[:, k, None] * columns[k]
    return result


class Linear:
    """`linear` with its weights laid out once, for a head that is asked many times.

    Parameters
    ----------
    weight : array of shape (outputs, features)
    bias : array of shape (outputs,), optional
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
        self._weight, self._bias = weight, bias
        self._native = (
            native_calls.linear(weight, bias, weight.dtype)
            if native_calls.runs_native(weight.dtype)
            else None
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return x of shape (rows, features), in the dtype of the weights, as (rows, outputs)."""
        if self._native is None:
            return linear(x, self._weight, self._bias)
        result = np.empty((len(x), len(self._weight)), x.dtype)
        self._native.apply(np.ascontiguousarray(x), len(x), result)
        return result


def softmax(x: np.ndarray) -> np.ndarray:
    """Return exp(x) of shape (rows, classes) divided by its row sums, without overflow."""
    if native_calls.runs_native(x.dtype):
        result = np.array(x, order="C")
        rows = result.size // max(x.shape[-1], 1)
        native_module().softmax(x.dtype == np.float64, result, rows, x.shape[-1])
        return result
    e = np.exp(np.ascontiguousarray(x - x.max(axis=-1, keepdims=True, initial=-np.inf)))
    # accumulate adds one by one; sum would choose its order by shape and layout
    return e / np.add.accumulate(e, axis=-1)[..., -1:]


class RunningPool:
    """Pooling over the steps of sequences, one step at a time.

    Parameters
    ----------
    pooling : {"last", "mean", "max", "attention"}
    batch, features : int
        Sequences side by side and features of a step.
    dtype : numpy float dtype
    weight, bias, context : arrays of shape (A, features), (A,) and (A,), for attention only

    Attributes
    ----------
    count : int64 array of shape (batch,)
        Steps seen so far.
    total : array of shape (batch, features)
        The last step, the sum, the maximum or the weighted sum so far.
    top, mass : array of shape (batch,)
        For attention: the greatest score so far and the sum of exp(score - top).
    """

    def __init__(
        self,
        pooling: str,
        *,
        batch: int,
        features: int,
        dtype: Any = np.float32,
        weight: np.ndarray | None = None,
        bias: np.ndarray | None = None,
        context: np.ndarray | None = None,
    ) -> None:
        check_choice("RunningPool", "pooling", pooling, POOLINGS)
        self.pooling = pooling
        self._attention: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        if pooling == "attention":
            if weight is None or bias is None or context is None:
                raise ShapeError(
                    "RunningPool: attention needs weight, bias and context; at least one is missing."
                )
            size = weight.shape[0]
            check_shapes(
                "RunningPool",
                weight=(weight, (size, features)),
                bias=(bias, (size,)),
                context=(context, (size,)),
            )
            self._attention = (weight, bias, context)
        self._heads: tuple[Any, Any] | None = None
        if native_calls.runs_native(dtype):
            self._heads = (None, None)
            if weight is not None and bias is not None and context is not None and pooling == "attention":
                score = native_calls.linear(weight, bias, dtype)
                self._heads = (score, native_calls.linear(context[None, :], None, dtype))
        self.count = np.zeros(batch, np.int64)
        self.total = np.zeros((batch, features), dtype)
        self.top = np.full(batch, -np.inf, dtype)
        self.mass = np.zeros(batch, dtype)

    def step(self, values: np.ndarray) -> None:
        """Take in one step, of shape (n, features), of each of the first n sequences."""
        n = values.shape[0]
        if self._heads is not None:
            self._take(values, np.ones(n, np.int64))
            return
        self.count[:n] += 1
        if self.pooling == "last":
            self.total[:n] = values
        elif self.pooling == "mean":
            self.total[:n] += values
        elif self.pooling == "max":
            first = self.count[:n, None] == 1
            self.total[:n] = np.where(first, values, np.maximum(self.total[:n], values))
        else:
            self._attend(values)

    def _take(self, values: np.ndarray, lengths: np.ndarray) -> None:
        """Take in ``lengths[b]`` rows of each of the first sequences, natively."""
        assert self._heads is not None
        native_module().pool(
            kind=POOLINGS.index(self.pooling),
            is_double=self.total.dtype == np.float64,
            score=self._heads[0],
            context=self._heads[1],
            values=np.ascontiguousarray(values, self.total.dtype),
            lengths=lengths,
            batch=len(lengths),
            features=self.total.shape[1],
            total=self.total,
            top=self.top,
            mass=self.mass,
            count=self.count,
        )

    def _attend(self, values: np.ndarray) -> None:
        assert self._attention is not None
        n, (weight, bias, context) = values.shape[0], self._attention
        score = linear(np.tanh(linear(values, weight, bias)), context[None, :])[:, 0]
        top = np.maximum(self.top[:n], score)
        keep, new = np.exp(self.top[:n] - top), np.exp(score - top)
        self.mass[:n] = self.mass[:n] * keep + new
        self.total[:n] = self.total[:n] * keep[:, None] + new[:, None] * values
        self.top[:n] = top

    def value(self) -> np.ndarray:
        """Return what the steps so far give, shape (batch, features); zeros before the first step."""
        if self.pooling in ("last", "max"):
            return self.total.copy()
        parts = self.count.astype(self.total.dtype) if self.pooling == "mean" else self.mass
        return self.total / np.where(self.count == 0, np.ones_like(parts), parts)[:, None]

    def reset(self) -> None:
        """Forget every step."""
        self.count[:], self.total[:], self.top[:], self.mass[:] = 0, 0, -np.inf, 0


def _pool(pooling: str, values: np.ndarray, lengths: Any, **attention: Any) -> np.ndarray:
    lengths = as_lengths(f"pool_{pooling}", lengths, total_steps=values.shape[0])
    running = RunningPool(
        pooling, batch=len(lengths), features=values.shape[1], dtype=values.dtype, **attention
    )
    if running._heads is not None:
        running._take(values, lengths)
        return running.value()
    steps = Steps(lengths, reverse=False)
    for rows in steps:
        running.step(values[rows])
    return steps.unsort(running.value())


def pool_last(values: np.ndarray, *, lengths: Any, bidirectional: bool = False) -> np.ndarray:
    """Return the state after each direction's last computed step; zeros for a sequence of length 0.

    Parameters
    ----------
    values : array of shape (total_steps, features)
        Output of the last layer; with ``bidirectional``, the second half of the features ran backward:
        its last computed step is the first of the sequence.
    lengths : int array of shape (batch,)
    bidirectional : bool, default=False
    """
    lengths = as_lengths("pool_last", lengths, total_steps=values.shape[0])
    result = np.zeros((len(lengths), values.shape[1]), values.dtype)
    some = lengths > 0
    end = np.cumsum(lengths)
    result[some] = values[end[some] - 1]
    if bidirectional:
        half = values.shape[1] // 2
        result[some, half:] = values[(end - lengths)[some], half:]
    return result


def pool_mean(values: np.ndarray, *, lengths: Any) -> np.ndarray:
    """Return the mean over each sequence's steps of values (total_steps, features); zeros for length 0."""
    return _pool("mean", values, lengths)


def pool_max(values: np.ndarray, *, lengths: Any) -> np.ndarray:
    """Return the maximum over each sequence's steps of values (total_steps, features); zeros for length 0."""
    return _pool("max", values, lengths)


def pool_attention(
    values: np.ndarray, *, lengths: Any, weight: np.ndarray, bias: np.ndarray, context: np.ndarray
) -> np.ndarray:
    """Return the attention-weighted sum over each sequence's steps; zeros for length 0.

    Parameters
    ----------
    values : array of shape (total_steps, features)
    lengths : int array of shape (batch,)
    weight, bias, context : array of shape (A, features), (A,) and (A,)
        W, b and v of the score.
    """
    return _pool("attention", values, lengths, weight=weight, bias=bias, context=context)
