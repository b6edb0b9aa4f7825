"""The adding problem: remember two marked numbers among many, and add them."""

from collections.abc import Iterator

import numpy as np

from recurra.datasets.fetch import Source

SOURCE = Source(
    name="adding-problem",
    title="Generated: add the two marked numbers of a long sequence, 2 channels; a test of memory",
    folder="",
    files=(),
    page="https://doi.org/10.1162/neco.1997.9.8.1735",
    licence="generated, no rights",
    citation=(
        "S. Hochreiter and J. Schmidhuber: Long Short-Term Memory. Neural Computation 9 (8), 1735-1780, 1997 "
        "(experiment 4), with the marks of M. Arjovsky, A. Shah and Y. Bengio: Unitary Evolution Recurrent Neural "
        "Networks, 2016, arXiv:1511.06464."
    ),
)
LENGTH = 100
SHORTEST = 2


def channels() -> list[str]:
    """Return the names of the channels."""
    return ["number", "mark"]


def generate(rng: np.random.Generator, *, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield values and label of one sequence for each length.

    Yields
    ------
    values : ndarray of shape (length, 2)
        float32: numbers uniform in [0, 1), and marks that are 1 at one step of each half, else 0.
    label : float
        The sum of the two marked numbers. Always answering 1 has a mean squared error of 1/6.
    """
    for length in lengths.tolist():
        values = np.zeros((length, 2), np.float32)
        values[:, 0] = rng.random(length, dtype=np.float32)
        marked = [int(rng.integers(0, length // 2)), int(rng.integers(length // 2, length))]
        values[marked, 1] = 1
        yield values, float(values[marked, 0].sum())
