"""Explanations of what the network reads, given back to the values of the sequence it was made from."""

import numpy as np

from recurra.errors import UsageError
from recurra.features.chain import Chain
from recurra.features.rows.deltas import Deltas
from recurra.features.rows.missing import MissingMask
from recurra.features.windows.heartbeats import BeatIntervals
from recurra.features.windows.sliding import Windows
from recurra.features.windows.statistics import Samples


def folded(chain: Chain, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return contributions of a raw sequence's values, which add up to those of the network's inputs.

    A sample's share in a row is exact where the row holds the samples; other numbers of a window are shared evenly by
    all its samples, and a slope or a mask counts for the channel it belongs to.

    Parameters
    ----------
    chain : Chain
        The features.
    values : ndarray of shape (rows, input_size)
        Contributions of what the network reads.
    shape : (time, channels)
        Of the raw sequence.

    Raises
    ------
    UsageError
        If rows are heartbeats, which belong to no stretch of samples.
    """
    sizes = [shape]
    for step in chain.steps:
        steps, channels = sizes[-1]
        own = getattr(step, "alignment", None)
        sizes.append((own.rows(steps) if own is not None else steps, step.output_size(channels)))
    for step, (steps, channels) in zip(reversed(chain.steps), reversed(sizes[:-1]), strict=True):
        if isinstance(step, BeatIntervals):
            raise UsageError(
                "explain: rows are heartbeats, which cannot be shown on the samples; give the beats as X."
            )
        if isinstance(step, Windows):
            values = _unwindowed(step, values, steps, channels)
        elif isinstance(step, MissingMask | Deltas):
            values = values.reshape(len(values), -1, channels).sum(axis=1)
    return values


def _unwindowed(windows: Windows, values: np.ndarray, steps: int, channels: int) -> np.ndarray:
    out = np.zeros((steps, channels), values.dtype)
    exact = len(windows.parts) == 1 and isinstance(windows.parts[0], Samples)
    for row, own in enumerate(values):
        place = slice(row * windows.hop, row * windows.hop + windows.window)
        out[place] += own.reshape(channels, -1).T if exact else own.sum() / (windows.window * channels)
    return out
