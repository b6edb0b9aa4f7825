"""Sums in one fixed order, so that a frame gives the same bits alone, in a block, and in a stream.

A matrix product of a library may add in another order for another number of rows. Here every output is summed term by
term in elementwise steps, which round the same wherever a value stands.
"""

import numpy as np


def product(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weights @ values: shapes (outputs, terms) and (terms, columns) give (outputs, columns)."""
    out = np.zeros((len(weights), values.shape[1]))
    for term in range(weights.shape[1]):
        chosen = np.flatnonzero(weights[:, term])
        if len(chosen):
            out[chosen] += weights[chosen, term, None] * values[term]
    return out


def row_sums(values: np.ndarray) -> np.ndarray:
    """Return the sum over the last axis, each row by itself."""
    # numpy adds a contiguous last axis pairwise, in an order that depends on its length only.
    return np.add.reduce(np.ascontiguousarray(values), axis=-1)


def convolve(signal: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return the causal filter's output where all its taps have a sample.

    Parameters
    ----------
    signal : ndarray of shape (time,)
        Float64.
    taps : ndarray of shape (taps,)
        The first weighs the newest sample.

    Returns
    -------
    ndarray of shape (time - taps + 1,)
    """
    count = len(signal) - len(taps) + 1
    out = np.zeros(max(count, 0))
    for index, tap in enumerate(taps.tolist()):
        start = len(taps) - 1 - index
        out += tap * signal[start : start + len(out)]
    return out
