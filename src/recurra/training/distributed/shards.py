"""The plan alone: how a batch is cut into shards, which worker has which, in which order gradients are added.

All of it follows from lengths and counts alone, so that every worker knows it of every other without a message.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from recurra.errors import UsageError

# Shards where workers are asked for and no number is given; it must not depend on how many workers there are.
USUAL_SHARDS = 4

# A range of shards, from the first to the one after the last.
Node = tuple[int, int]
T = TypeVar("T")


def cut(lengths: np.ndarray, shards: int) -> list[np.ndarray]:
    """Cut a batch into shards of about equal numbers of time steps.

    The longest sequence not yet placed goes into the shard with the fewest steps so far [1]_.

    Parameters
    ----------
    lengths : ndarray of shape (batch,)
        Time steps of each sequence.
    shards : int
        How many, at least 1.

    Returns
    -------
    list of ndarray of shape (sequences,)
        int64 positions in the batch, rising; empty where a batch has fewer sequences than there are shards.

    References
    ----------
    .. [1] R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM Journal on Applied Mathematics 17(2), 1969.
    """
    steps, members = [0] * shards, [[] for _ in range(shards)]  # type: tuple[list[int], list[list[int]]]
    for position in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        least = steps.index(min(steps))
        steps[least] += int(lengths[position])
        members[least].append(position)
    return [np.array(sorted(own), dtype=np.int64) for own in members]


def range_of(worker: int, *, workers: int, shards: int) -> Node:
    """Return the shards of a worker; they stand side by side, so that most of the tree is added where they are."""
    return worker * shards // workers, (worker + 1) * shards // workers


def nodes_of(own: Node, shards: int) -> list[Node]:
    """Return the largest nodes of the tree whose shards a worker has, from left to right."""

    def within(node: Node) -> list[Node]:
        if own[0] <= node[0] and node[1] <= own[1]:
            return [node] if node[0] < node[1] else []
        if node[1] <= own[0] or own[1] <= node[0]:
            return []
        return [found for half in _halves(node) for found in within(half)]

    return within((0, shards))


def added(node: Node, value: Callable[[Node], T | None], add: Callable[[T, T], T]) -> T:
    """Return the sum over a node of the tree, of the values that are known.

    Parameters
    ----------
    node : Node
        The root.
    value : callable
        From a node to its sum where that is known, else None; it knows at least every single shard.
    add : callable
        Of the sums of the left and the right half.
    """
    known = value(node)
    if known is not None:
        return known
    left, right = (added(half, value, add) for half in _halves(node))
    return add(left, right)


def _halves(node: Node) -> tuple[Node, Node]:
    """Return both halves; the left one is a whole power of two, so that half of the shards are a node of their own."""
    first, last = node
    middle = first + (1 << (last - first - 1).bit_length() - 1)
    return (first, middle), (middle, last)


def check_workers(workers: int, shards: int) -> None:
    """Raise UsageError where some workers would have nothing to do."""
    if workers > shards:
        raise UsageError(
            f"train: workers={workers} is more than shards={shards}, and a worker without a shard has nothing to do. Give "
            "fewer workers, or train anew with more shards; how many there are is decided when a training begins, and "
            "decides its weights."
        )
