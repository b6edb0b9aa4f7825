"""The embedded Reber grammar: which symbol may come next? The last but one depends on the second."""

from collections.abc import Iterator, Sequence

import numpy as np

from recurra.datasets.fetch import Source
from recurra.datasets.problems import one_hot

SOURCE = Source(
    name="reber-grammar",
    title="Generated: strings of the embedded Reber grammar, 7 channels, the next symbol at every step",
    folder="",
    files=(),
    page="https://doi.org/10.1162/neco.1997.9.8.1735",
    licence="generated, no rights",
    citation=(
        "A. S. Reber: Implicit learning of artificial grammars. Journal of Verbal Learning and Verbal Behavior 6 (6), "
        "855-863, 1967; embedded as in S. Hochreiter and J. Schmidhuber: Long Short-Term Memory. Neural Computation "
        "9 (8), 1735-1780, 1997 (experiment 1)."
    ),
)
LENGTH = 9
SHORTEST = 9
SYMBOLS = ("B", "T", "P", "S", "X", "V", "E")

# State of the inner grammar -> the two ways on, each a symbol and the next state; None: the grammar has ended.
_WAYS: tuple[tuple[tuple[str, int | None], ...], ...] = (
    (("T", 1), ("P", 2)),
    (("S", 1), ("X", 3)),
    (("T", 2), ("V", 4)),
    (("X", 2), ("S", None)),
    (("P", 3), ("V", None)),
)


def channels() -> list[str]:
    """Return the names of the channels: the symbols."""
    return list(SYMBOLS)


def generate(rng: np.random.Generator, *, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield values and labels of one string for each length.

    A string is B, then T or P, then a string of the Reber grammar in B and E, then the same T or P, then E.

    Parameters
    ----------
    lengths : ndarray of shape (n,)
        Only their number counts; the shortest string has 9 symbols, and each longer one comes as often as the
        grammar makes it.

    Yields
    ------
    values : ndarray of shape (symbols - 1, 7)
        float32 one-hot rows in the order of `SYMBOLS`, all but the last symbol.
    labels : ndarray of shape (symbols - 1,)
        The symbol that came next.
    """
    for _ in lengths:
        text = string(rng)
        yield encode(text[:-1]), np.array(list(text[1:]))


def string(rng: np.random.Generator) -> str:
    """Return one string of the embedded grammar; at a fork both ways are equally likely."""
    branch = "TP"[int(rng.integers(2))]
    inner, state = "B", 0
    at: int | None = state
    while at is not None:
        symbol, at = _WAYS[at][int(rng.integers(2))]
        inner += symbol
    return f"B{branch}{inner}E{branch}E"


def encode(text: str) -> np.ndarray:
    """Return the symbols of a string as one-hot rows, shape (symbols, 7)."""
    return one_hot(np.array([SYMBOLS.index(symbol) for symbol in text]), len(SYMBOLS))


def decode(values: np.ndarray) -> str:
    """Return the string of one-hot rows."""
    return "".join(SYMBOLS[k] for k in np.asarray(values).argmax(axis=1).tolist())


def allowed_next(text: str) -> list[str]:
    """Return, for every symbol of the beginning of a string, the symbols that may follow it, in order.

    Raises
    ------
    ValueError
        If the grammar makes no string with this beginning.
    """
    branch = text[1:2]
    place: tuple[str, int | None] = ("start", None)
    out = []
    for symbol in text:
        place = _follow(place, symbol, branch)
        out.append("".join(sorted(_choices(place, branch))))
    return out


def _choices(place: tuple[str, int | None], branch: str) -> Sequence[str]:
    """Return the symbols that may come at a place, which is a stage of the outer grammar and an inner state."""
    stage, state = place
    if stage == "inner" and state is not None:
        return [symbol for symbol, _ in _WAYS[state]]
    return {"start": "B", "branch": "TP", "B": "B", "E": "E", "again": branch, "last": "E", "end": ""}[stage]


def _follow(place: tuple[str, int | None], symbol: str, branch: str) -> tuple[str, int | None]:
    stage, state = place
    if symbol not in _choices(place, branch):
        raise ValueError(f"{symbol!r} cannot come here in the embedded Reber grammar.")
    if stage == "inner" and state is not None:
        after = dict(_WAYS[state])[symbol]
        return ("E", None) if after is None else ("inner", after)
    following = {
        "start": "branch",
        "branch": "B",
        "B": "inner",
        "E": "again",
        "again": "last",
        "last": "end",
    }[stage]
    return following, 0 if following == "inner" else None
