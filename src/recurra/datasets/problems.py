"""What the generated problems share: seeds, lengths, and parts from random streams of their own.

A problem is a module with `SOURCE`, `LENGTH` (its default), ``channels(options)`` and ``generate``. The sequences
of "train" and "test" come from two streams of random numbers that no seed makes meet.
"""

import inspect
import math
from types import ModuleType
from typing import Any

import numpy as np

from recurra.checks import check_number, did_you_mean, listing
from recurra.errors import UsageError
from recurra.records import Dataset, Record

Length = int | tuple[int, int]

# Share of n that the test part has where both parts are asked for.
TEST_SHARE = 0.2
STREAMS = {"train": 0, "test": 1}


def draw(
    module: ModuleType,
    split: str,
    *,
    n: int = 1000,
    length: Length | None = None,
    random_state: int = 0,
    **options: Any,
) -> Dataset:
    """Generate a problem.

    Parameters
    ----------
    module : module
        The problem.
    split : {"all", "train", "test"}
        ``n`` sequences of one part, or ``n`` in all, a fifth of them from the test stream.
    n : int, default=1000
        Sequences to draw, at least 1 (2 with "all").
    length : int or (int, int), optional
        What the problem calls its length, for all sequences or drawn for each between two bounds, both
        included, so that every factor between lengths is equally likely; the problem's own by default.
    random_state : int, default=0
        Equal numbers give equal sequences.
    **options
        The problem's own, such as ``symbols``.

    Raises
    ------
    UsageError
        If a value is out of its range or an option unknown.
    """
    who = f"datasets.load {module.SOURCE.name!r}"
    check_number(who, "n", n, integer=True, low=2 if split == "all" else 1)
    check_number(who, "random_state", random_state, integer=True, low=0)
    known = [word for word in inspect.signature(module.generate).parameters if word not in ("rng", "lengths")]
    for word in options:
        if word not in known:
            words = [*known, "n", "length", "random_state"]
            raise UsageError(
                f"{who}: has no option {word!r}; known are {listing(words)}.{did_you_mean(word, words)}"
            )
    bounds = _bounds(who, module.LENGTH if length is None else length, module.SHORTEST)
    n_test = max(1, round(TEST_SHARE * n))
    sizes = {"train": n - n_test, "test": n_test} if split == "all" else {split: n}
    records: list[Record] = []
    for part, size in sizes.items():
        rng = np.random.default_rng([random_state, STREAMS[part]])
        drawn = module.generate(rng, lengths=_lengths(rng, size, bounds), **options)
        records += [
            Record(values, label=label, name=f"{part} {i}", part=part)
            for i, (values, label) in enumerate(drawn)
        ]
    return Dataset(records, channel_names=module.channels(**options))


def one_hot(symbols: np.ndarray, size: int) -> np.ndarray:
    """Return indices of shape (time,) as float32 rows of shape (time, size) with a single 1 each."""
    rows = np.zeros((len(symbols), size), np.float32)
    rows[np.arange(len(symbols)), symbols] = 1
    return rows


def _bounds(who: str, length: Any, shortest: int) -> tuple[int, int]:
    pair = length if isinstance(length, tuple | list) else (length, length)
    if len(pair) != 2:
        raise UsageError(f"{who}: length must be a whole number or a pair of them; got {length!r}.")
    check_number(who, "length", pair[0], integer=True, low=shortest)
    check_number(who, "length", pair[1], integer=True, low=pair[0])
    return int(pair[0]), int(pair[1])


def _lengths(rng: np.random.Generator, n: int, bounds: tuple[int, int]) -> np.ndarray:
    """Return int64 lengths of shape (n,), uniform on a logarithmic scale."""
    low, high = bounds
    if low == high:
        return np.full(n, low, dtype=np.int64)
    drawn = np.exp(rng.uniform(math.log(low), math.log(high + 1), size=n))
    return np.clip(drawn.astype(np.int64), low, high)
