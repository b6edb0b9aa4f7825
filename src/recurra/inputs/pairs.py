"""Sources and targets as users give them, checked, and as what a translator's network trains on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.array_summaries import check_weights, plain_weights
from recurra.checks import counted, where
from recurra.errors import DataError
from recurra.features.texts.symbols import END, Symbols, Text, as_sides
from recurra.records import Dataset

SOURCE, TARGET = 0, 1


@dataclass(frozen=True)
class Pairs:
    """Sources with their targets: lists of equal length.

    Parameters
    ----------
    sources, targets : list of str, or of lists of str
    groups : ndarray of object or None
        What a split must not cut.
    weights : ndarray of float64, shape (pairs,)
        Sample weights.
    names : list of str or None
        For messages.
    """

    sources: list[Text]
    targets: list[Text]
    groups: np.ndarray | None
    weights: np.ndarray
    names: list[str] | None

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, indices: np.ndarray) -> "Pairs":
        """Return these pairs, in this order."""
        chosen = indices.tolist()
        return Pairs(
            [self.sources[i] for i in chosen],
            [self.targets[i] for i in chosen],
            None if self.groups is None else self.groups[indices],
            self.weights[indices],
            None if self.names is None else [self.names[i] for i in chosen],
        )

    def merged(self) -> "Pairs":
        """Merge identical pairs, drop those of weight 0, and order the rest by content.

        After this, a pair given twice and a pair of weight two are the same data, and so is the same data in another
        order.
        """
        rows: dict[tuple[str, ...], list[int]] = {}
        for index in np.flatnonzero(self.weights > 0).tolist():
            group = "" if self.groups is None else repr(self.groups[index])
            rows.setdefault((_key(self.sources[index]), _key(self.targets[index]), group), []).append(index)
        chosen = [rows[key] for key in sorted(rows)]
        out = self.take(np.array([same[0] for same in chosen]))
        weights = np.array([self.weights[same].sum() for same in chosen])
        return Pairs(out.sources, out.targets, out.groups, weights, out.names)

    def examples(self, source: Symbols, target: Symbols) -> Any:
        """Return what the network trains on: a pair as one sequence of symbols, each marked with its side.

        The target of an example is how many symbols there are to find, the end included.
        """
        from recurra.batches.examples import Examples

        inputs = []
        for one, other in zip(self.sources, self.targets, strict=True):
            read, written = source.encode(one), np.append(target.encode(other), END)
            symbols = np.concatenate([read, written])
            side = np.repeat(np.array([SOURCE, TARGET]), [len(read), len(written)])
            inputs.append(np.stack([symbols, side], axis=1))
        counts = np.array([int(pair[:, 1].sum()) for pair in inputs], dtype=np.float32)
        weights = None if (self.weights == 1).all() else self.weights.astype(np.float32)
        return Examples(inputs=inputs, targets=counts, weights=weights, names=self.names)


def as_text(text: Any) -> str:
    """Return a text as it is, and tokens with blanks between."""
    return text if isinstance(text, str) else " ".join(map(str, text))


def _key(text: Text) -> str:
    return repr(text if isinstance(text, str) else list(text))


def read_texts(X: Any) -> tuple[list[Text], list[str] | None]:
    """Return texts as a list of str or of lists of str, and the names where X is a Dataset.

    Raises
    ------
    DataError
        If X is a single text, or holds what is no text.
    """
    if isinstance(X, Dataset):
        return as_sides("X", X.X, X.names), X.names
    return as_sides("X", X, None), None


def read_pairs(who: str, X: Any, y: Any, groups: Any, sample_weight: Any) -> Pairs:
    """Return sources and targets checked for agreeing lengths and for empty ones.

    Raises
    ------
    DataError
        If y is missing or of another length than X, a source or target is empty, or no pair has a positive weight.
    """
    if isinstance(X, Dataset):
        y = X.y if y is None else y
        groups = X.groups if groups is None else groups
    sources, names = read_texts(X)
    if y is None:
        raise DataError(
            f"{who}: requires y to be passed, but the target y is None. Give one target per source."
        )
    targets = as_sides("y", y, names)
    for word, values in (("y", targets), ("groups", groups), ("sample_weight", sample_weight)):
        if values is not None and len(values) != len(sources):
            raise DataError(
                f"{who}: X and {word} must have one entry per pair; got {counted(len(sources), 'source')} in X and "
                f"{len(values)} entries in {word}. Give one entry per source."
            )
    for side, texts in (("source", sources), ("target", targets)):
        for index, text in enumerate(texts):
            if not (text.split() if isinstance(text, str) else text):
                raise DataError(
                    f"{who}: the {side} of {where(index, names)} is empty; a pair needs at least one symbol on each "
                    "side. Leave it out."
                )
    weights = (
        np.ones(len(sources))
        if sample_weight is None
        else np.asarray(plain_weights(who, sample_weight), dtype=np.float64)
    )
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not (weights > 0).any():
        raise DataError(
            f"{who}: sample_weight must hold numbers of at least 0, one of them positive; got {sample_weight!r:.60}."
        )
    check_weights(weights, who)
    kept = None
    if groups is not None:
        kept = np.empty(len(sources), dtype=object)
        kept[:] = list(groups)
    return Pairs(sources, targets, kept, weights, names)
