"""Front of texts with numpy; the twin of `recurra.nn.fronts.text`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.kernels.fronts.step_by_step import RunningFront
from recurra.kernels.networks.stack import stack_forward
from recurra.ragged import Ragged

Weights = Mapping[str, np.ndarray]
_GATES = 3  # of the GRU that reads letters


class TextFront:
    """See `recurra.nn.fronts.text.TextFront`."""

    def shapes(self, description: Mapping[str, Any], input_size: int) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every weight."""
        numbers = [description[word] for word in ("words", "size", "letters", "letter_size", "spelling")]
        numbers += [description.get(word, 0) for word in ("subwords", "subword_size")]
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("a text front needs whole numbers of at least 0")
        words, size, letters, letter_size, spelling, subwords, subword_size = numbers
        if subwords == 1:
            raise ValueError("the vectors of runs of letters need more than the row for nothing")
        shapes: dict[str, tuple[int, ...]] = {"words": (words, size)} if words else {}
        if subwords:
            shapes["subwords"] = (subwords, subword_size)
        if not letters:
            return shapes
        shapes["letters"] = (letters, letter_size)
        for suffix in ("l0", "l0_reverse"):
            shapes |= {
                f"spelling.weight_ih_{suffix}": (_GATES * spelling, letter_size),
                f"spelling.weight_hh_{suffix}": (_GATES * spelling, spelling),
                f"spelling.bias_ih_{suffix}": (_GATES * spelling,),
                f"spelling.bias_hh_{suffix}": (_GATES * spelling,),
            }
        return shapes

    def output_size(self, description: Mapping[str, Any], input_size: int) -> int:
        """Return the channels it gives."""
        size = int(description["size"]) + (2 * int(description["spelling"]) if description["letters"] else 0)
        return size + (int(description["subword_size"]) if description.get("subwords") else 0)

    def forward(self, description: Mapping[str, Any], weights: Weights, inputs: Ragged) -> Ragged:
        """Return one row for each token, float32."""
        rows = inputs.values
        parts = []
        first = 1 if description["words"] else int(description["size"])
        if description["words"]:
            parts.append(weights["words"][rows[:, 0].astype(np.int64)])
        elif first:
            parts.append(rows[:, :first])
        if description["letters"]:
            flat, lengths, back = distinct_spellings(rows[:, first:])
            _, states = stack_forward(
                weights["letters"][flat],
                lengths=lengths,
                cell="gru",
                weights=weights,
                prefix="spelling.",
                bidirectional=True,
            )
            parts.append(np.concatenate([states[0], states[1]], axis=1)[back])
        if description.get("subwords"):
            parts.append(_mean_of_runs(rows[:, first:], weights["subwords"]))
        return inputs.replace(np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32))

    def running(self, description: Mapping[str, Any], weights: Weights, batch: int) -> "_Running":
        """Return what is fed token by token."""
        return _Running(self, description, weights)


class _Running(RunningFront):
    """The front has no memory: a step is a sequence of one row."""

    def __init__(self, front: TextFront, description: Mapping[str, Any], weights: Weights) -> None:
        self._parts = (front, description, weights)

    def step(self, x: np.ndarray) -> np.ndarray:
        """Take in rows (batch, input_size); return rows (batch, output_size)."""
        front, description, weights = self._parts
        values: np.ndarray = front.forward(description, weights, Ragged(x, [1] * len(x))).values
        return values


# Spellings whose runs of letters are looked up at once: bounds the memory.
_SPELLINGS_AT_ONCE = 2048


def _mean_of_runs(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the mean vector of the runs of letters of each row; numpy adds them one after the other."""
    whole, back = _distinct(codes)
    found = []
    for at in range(0, len(whole), _SPELLINGS_AT_ONCE):
        runs, counts = runs_of_letters(whole[at : at + _SPELLINGS_AT_ONCE], len(table))
        found.append(table[runs].sum(axis=1) / counts[:, None].astype(np.float32))
    return np.concatenate(found)[back]


LONGEST_RUN = 5
MIX = np.uint32(0x9E3779B1)  # 2 ** 32 over the golden ratio, as Knuth's multiplicative hash takes it


def runs_of_letters(codes: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each spelling the table rows of its runs of 1 to 5 letters; different runs may share a row.

    Parameters
    ----------
    codes : ndarray of shape (spellings, width)
        Whole numbers, 0 after the last letter; the marks of beginning and end count as letters.
    rows : int
        Of the table, at least 2; row 0 is that of nothing.

    Returns
    -------
    runs : int64 array of shape (spellings, runs)
        0 where a spelling has fewer.
    counts : int64 array of shape (spellings,)
        Runs of each, at least 1.
    """
    letters = np.ascontiguousarray(codes).astype(np.uint32)
    width = letters.shape[1]
    there = letters > 0
    parts = []
    hashed = np.zeros_like(letters)
    for length in range(1, min(LONGEST_RUN, width) + 1):
        # that of one letter less, and the letter that follows
        places = width - length + 1
        hashed = (hashed[:, :places] ^ letters[:, length - 1 :]) * MIX
        hashed ^= hashed >> np.uint32(15)
        row = 1 + (hashed % np.uint32(rows - 1)).astype(np.int64)
        parts.append(np.where(there[:, length - 1 :], row, 0))
    runs = np.concatenate(parts, axis=1)
    return runs, np.maximum(np.count_nonzero(runs, axis=1), 1)


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different rows, and which of them each row is."""
    whole = np.ascontiguousarray(codes, dtype=np.int32)
    keys = whole.view(np.dtype((np.void, whole.shape[1] * whole.itemsize))).reshape(-1)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return whole[first], back.reshape(-1).astype(np.int64)


def distinct_spellings(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the letters of every different row.

    Parameters
    ----------
    codes : ndarray of shape (rows, width)
        Whole numbers, 0 after the last letter of a row.

    Returns
    -------
    flat : int64 array
        Codes of the letters, spelling after spelling.
    lengths : int64 array of shape (spellings,)
        Letters of each, at least 1.
    back : int64 array of shape (rows,)
        Which spelling each row is.
    """
    spellings, back = _distinct(codes)
    lengths = np.maximum(np.count_nonzero(spellings, axis=1), 1)
    inside = np.arange(spellings.shape[1]) < lengths[:, None]
    return spellings[inside].astype(np.int64), lengths.astype(np.int64), back
