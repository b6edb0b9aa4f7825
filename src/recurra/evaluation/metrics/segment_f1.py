"""How well stretches of one label are found: segments, not steps, are counted."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

# A predicted segment is right if it shares this much of the union of both with a true one of its label.
OVERLAP = 0.5


def segment_f1(y_true: Sequence[Any], y_pred: Sequence[Any], *, overlap: float = OVERLAP) -> float:
    """Return the F1 score over segments [1]_.

    A predicted segment is a hit if a true segment of the same label overlaps it by more than ``overlap`` of their union,
    and no other predicted segment has been matched with that one; the rest are false alarms, unmatched true ones misses.

    Parameters
    ----------
    y_true, y_pred : list of arrays of shape (time,)
        Labels per time step of each sequence.
    overlap : float
        In [0.5, 1), so that at most one segment can match.

    References
    ----------
    .. [1] C. Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection", CVPR 2017: F1@50.
    """
    hits = predicted = true = 0
    for own, answer in zip(y_true, y_pred, strict=True):
        there, said = _segments(own), _segments(answer)
        predicted, true = predicted + len(said), true + len(there)
        # By where they lie: few true segments can overlap a predicted one.
        starts = np.array([start for start, _, _ in there])
        for start, end, label in said:
            first = max(0, int(np.searchsorted(starts, start, side="right")) - 1)
            for begin, stop, name in there[first:]:
                if begin >= end:
                    break
                shared = min(end, stop) - max(start, begin)
                if name == label and shared > overlap * (max(end, stop) - min(start, begin)):
                    hits += 1
                    break
    return 2 * hits / (predicted + true) if predicted + true else 0.0


def _segments(labels: Any) -> list[tuple[int, int, Any]]:
    out, start = [], 0
    for label, steps in groupby(np.asarray(labels).tolist()):
        end = start + sum(1 for _ in steps)
        out.append((start, end, label))
        start = end
    return out
