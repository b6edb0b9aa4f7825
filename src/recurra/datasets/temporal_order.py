"""Temporal order: two rare symbols lie far apart; in which order did they come?"""

from collections.abc import Iterator

import numpy as np

from recurra.datasets.fetch import Source
from recurra.datasets.problems import one_hot

SOURCE = Source(
    name="temporal-order",
    title="Generated: the order of two rare symbols among distracting ones, 8 channels, 4 classes",
    folder="",
    files=(),
    page="https://doi.org/10.1162/neco.1997.9.8.1735",
    licence="generated, no rights",
    citation=(
        "S. Hochreiter and J. Schmidhuber: Long Short-Term Memory. Neural Computation 9 (8), 1735-1780, 1997 "
        "(experiment 6a)."
    ),
)
LENGTH = (100, 110)
SHORTEST = 10
SYMBOLS = ("E", "a", "b", "c", "d", "X", "Y", "B")


def channels() -> list[str]:
    """Return the names of the channels: the symbols."""
    return list(SYMBOLS)


def generate(rng: np.random.Generator, *, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Yield values and label of one sequence for each length.

    E stands first and B last. An X or Y stands somewhere from 10 % to 20 % of the length, another from 50 % to
    60 %; the rest are drawn from a, b, c, d.

    Yields
    ------
    values : ndarray of shape (length, 8)
        float32 one-hot rows in the order of `SYMBOLS`.
    label : {"XX", "XY", "YX", "YY"}
        The two in their order.
    """
    for length in lengths.tolist():
        symbols = rng.integers(1, 5, size=length)
        symbols[0], symbols[-1] = 0, 7
        tenth = length // 10
        places = [int(rng.integers(tenth, 2 * tenth + 1)), int(rng.integers(5 * tenth, 6 * tenth + 1))]
        symbols[places] = rng.integers(5, 7, size=2)
        yield one_hot(symbols, 8), "".join(SYMBOLS[k] for k in symbols[places].tolist())
