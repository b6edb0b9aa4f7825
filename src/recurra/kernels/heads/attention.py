"""Attention at prediction: the queries of many hypotheses over the memories of many sequences.

The kinds of score are those of `recurra.nn.heads.attention`. Every sum runs in one fixed order, channel by channel and step
by step, and a step beyond a sequence's end weighs exactly zero: what a sequence sees does not depend, in any bit, on
the others of the batch.
"""

from dataclasses import dataclass

import numpy as np

from recurra.checks import check_choice
from recurra.kernels.heads.pooling import linear

KINDS = ("dot", "general", "additive")


@dataclass(frozen=True)
class Memory:
    """What is looked at, time first.

    Parameters
    ----------
    values : array of shape (memory_time, batch, memory_size)
        Zero beyond a sequence's end.
    keys : array of shape (memory_time, batch, key_size)
    lengths : int64 array of shape (batch,)
        Steps of each sequence, at least 1.
    """

    values: np.ndarray
    keys: np.ndarray
    lengths: np.ndarray

    @classmethod
    def lay_out(
        cls, values: np.ndarray, *, lengths: np.ndarray, kind: str, size: int, weight: np.ndarray | None
    ) -> "Memory":
        """Lay out encoder states.

        Parameters
        ----------
        values : array of shape (total_steps, memory_size)
            Sequence after sequence.
        lengths : int64 array of shape (batch,)
        kind : {"dot", "general", "additive"}
        size : int
            Channels of a query.
        weight : array of shape (size, memory_size), optional
            W; not for "dot".
        """
        check_choice("Memory", "kind", kind, KINDS)
        keys = values[:, :size] if weight is None else linear(values, weight)
        for first in range(size, values.shape[1] if weight is None else 0, size):
            keys = keys + values[:, first : first + size]
        if kind != "additive":
            keys = keys / values.dtype.type(size**0.5)
        sequence = np.repeat(np.arange(len(lengths)), lengths)
        time = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)

        def laid_out(rows: np.ndarray) -> np.ndarray:
            grid = np.zeros((int(lengths.max()), len(lengths), rows.shape[1]), values.dtype)
            grid[time, sequence] = rows
            return grid

        return cls(laid_out(values), laid_out(keys), lengths)

    def take(self, kept: np.ndarray) -> "Memory":
        """Return the memories of these sequences, cut to the longest of them."""
        lengths = self.lengths[kept]
        time = int(lengths.max())
        return Memory(self.values[:time, kept], self.keys[:time, kept], lengths)


def attend(
    query: np.ndarray, memory: Memory, *, kind: str, score: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Look.

    Parameters
    ----------
    query : array of shape (batch, hypotheses, key_size)
        For "additive" already multiplied with U.
    memory : Memory
        Of as many sequences.
    kind : {"dot", "general", "additive"}
    score : array of shape (key_size,), optional
        v, for "additive".

    Returns
    -------
    context : array of shape (batch, hypotheses, memory_size)
    weights : array of shape (memory_time, batch, hypotheses)
    """
    if kind == "additive":
        assert score is not None
        both = np.tanh(memory.keys[:, :, None] + query[None])
        scores = np.einsum("tbhk,k->tbh", both, score)
    else:
        scores = np.einsum("tbk,bhk->tbh", memory.keys, query)
    absent = np.arange(len(scores))[:, None] >= memory.lengths
    scores[absent] = -np.inf
    weights = np.exp(scores - scores.max(axis=0))
    total = weights[0].copy()
    for step in weights[1:]:
        total += step
    weights /= total
    context = weights[0][..., None] * memory.values[0][:, None]
    for step, values in zip(weights[1:], memory.values[1:], strict=True):
        context += step[..., None] * values[:, None]
    return context, weights
