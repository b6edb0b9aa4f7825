"""`Inputs`: what a fitted model reads, raw sequences with what belongs to each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from recurra.array_summaries import Findings
from recurra.features.static import Cell

# Static inputs of several sequences, in the columns and kinds of the training.
StaticRows = Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Inputs:
    """Raw sequences as a model reads them, and what belongs to each.

    Parameters
    ----------
    sequences : sequence of ndarray of shape (time, channels), or of text
        As `FittedModel.features` reads them.
    names : sequence of str, optional
        For messages.
    static : sequence, optional
        Static inputs of each, as `FittedModel.static_rows` returns them.
    findings : Findings, optional
        What is known of the values.
    """

    sequences: Sequence[Any]
    names: Sequence[str] | None = None
    static: StaticRows | None = None
    findings: Findings | None = None

    @classmethod
    def of(cls, X: "Readable") -> "Inputs":
        """Return inputs as they are, sequences alone as inputs without names."""
        return X if isinstance(X, Inputs) else cls(X)

    def first(self, count: int) -> "Inputs":
        """Return the first of them."""
        static = None if self.static is None else self.static[:count]
        return replace(self, sequences=self.sequences[:count], static=static)


# What predicts takes sequences alone, too.
Readable = Inputs | Sequence[Any]
