"""Which examples go into which batch: similar lengths together, random enough, and repeatable."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

# Sequences are sorted by length within pools of this many batches, so that with much data a batch still draws
# its members from a random part of it.
POOL_BATCHES = 50

# Lengths are multiplied by a random factor of up to this much before sorting. Without it a small data set,
# which is one pool, would be cut into the same batches in every epoch.
JITTER = 0.2


def plan(
    lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int, shuffle: bool = True, bucket: bool = True
) -> list[np.ndarray]:
    """Return the batches of one epoch.

    The same arguments give the same batches, on every machine: resuming needs no generator state. Batches are
    as equal in size as can be, since a last batch of two or three sequences would weigh them far above the
    others. How many there are depends on neither seed nor epoch.

    Parameters
    ----------
    lengths : ndarray of shape (n,)
        Time steps of each example.
    batch_size : int
        Most examples a batch may have, at least 1.
    seed, epoch : int
        At least 0; they decide everything random.
    shuffle : bool, default=True
        Without it, examples come in order (of length, with ``bucket``).
    bucket : bool, default=True
        Whether batches are made of similar lengths.

    Returns
    -------
    list of ndarray of shape (batch,)
        int64 indices; every example is in exactly one batch.
    """
    n = len(lengths)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(n) if shuffle else np.arange(n)
    n_batches = -(-n // batch_size)
    if not bucket:
        return _cut(order, n_batches)
    if not shuffle:
        return _cut(np.argsort(lengths, kind="stable"), n_batches)
    keys = np.asarray(lengths) * (1 + JITTER * rng.uniform(-1, 1, size=n))
    batches = []
    ends = _ends(n, n_batches)
    for first in range(0, n_batches, POOL_BATCHES):
        last = min(first + POOL_BATCHES, n_batches)
        pool = order[ends[first] : ends[last]]
        batches += _cut(pool[np.argsort(keys[pool], kind="stable")], last - first)
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]


def _ends(n: int, parts: int) -> list[int]:
    """Return where each of so many parts of n begins, and the end; the first ones are longer by one where it must be."""
    size, longer = divmod(n, max(parts, 1))
    return [part * size + min(part, longer) for part in range(parts + 1)]


def _cut(order: np.ndarray, parts: int) -> list[np.ndarray]:
    # numpy's array_split does the same in four times the time, at every epoch
    return [order[first:last] for first, last in pairwise(_ends(len(order), parts))]


def padding_share(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """Return the share of steps, in [0, 1), that padding each batch to its longest sequence would waste.

    The main path pads nothing; the figure says what these batches would cost elsewhere.
    """
    sizes = np.array([len(batch) for batch in batches if len(batch)], dtype=np.int64)
    if not len(sizes):
        return 0.0
    ordered = np.asarray(lengths)[np.concatenate(batches)]
    padded = int((np.maximum.reduceat(ordered, np.cumsum(sizes) - sizes) * sizes).sum())
    return 1 - int(ordered.sum()) / padded if padded else 0.0
