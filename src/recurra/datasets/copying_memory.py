"""Copying memory: ten symbols, a long wait, then all ten again, in order."""

from collections.abc import Iterator

import numpy as np

from recurra.datasets.fetch import Source
from recurra.datasets.problems import one_hot

SOURCE = Source(
    name="copying-memory",
    title="Generated: repeat ten symbols after a long wait, 10 channels, a class for every step",
    folder="",
    files=(),
    page="https://doi.org/10.1162/neco.1997.9.8.1735",
    licence="generated, no rights",
    citation=(
        "S. Hochreiter and J. Schmidhuber: Long Short-Term Memory. Neural Computation 9 (8), 1735-1780, 1997, in the "
        "form of M. Arjovsky, A. Shah and Y. Bengio: Unitary Evolution Recurrent Neural Networks, 2016, "
        "arXiv:1511.06464."
    ),
)
LENGTH = 100
SHORTEST = 1
SYMBOLS = 8  # that can have to be remembered; 0 is the blank, 9 the signal to begin
COPIED = 10  # symbols to remember


def channels() -> list[str]:
    """Return the names of the channels: blank, the symbols, the signal."""
    return ["blank", *(f"symbol {k}" for k in range(1, SYMBOLS + 1)), "signal"]


def generate(rng: np.random.Generator, *, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield values and labels of one sequence for each length; the length is that of the wait.

    Yields
    ------
    values : ndarray of shape (length + 20, 10)
        float32 one-hot rows: ten symbols, blanks with the signal at the end of the wait, ten blanks.
    labels : ndarray of shape (length + 20,)
        int64: 0 until the signal, then the ten symbols, 1 to 8. Without memory no cross-entropy below
        10 ln(8) / (length + 20) can be had.
    """
    for wait in lengths.tolist():
        copied = rng.integers(1, SYMBOLS + 1, size=COPIED)
        symbols = np.zeros(wait + 2 * COPIED, np.int64)
        symbols[:COPIED] = copied
        symbols[COPIED + wait - 1] = SYMBOLS + 1
        labels = np.zeros(wait + 2 * COPIED, np.int64)
        labels[-COPIED:] = copied
        yield one_hot(symbols, SYMBOLS + 2), labels
