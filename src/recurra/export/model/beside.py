"""What an exported file reads beside the rows of a sequence: static inputs, and the n-grams of a text; drawn to check on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.export.model.boundary import Exported
from recurra.features.static import Cell, StaticColumn, StaticInputs
from recurra.features.texts.ngrams import Counted, NGrams

# N-grams of a text that is drawn.
MOST_DRAWN = 60


@dataclass(frozen=True)
class Beside:
    """What stands beside the rows of a batch.

    Parameters
    ----------
    static : list of tuple, optional
        A row of cells for each sequence.
    grams : list of Counted, optional
        The n-grams of each.
    """

    static: Sequence[tuple[Cell, ...]] | None = None
    grams: Sequence[Counted] | None = None

    def inputs(self, exported: Exported) -> Mapping[str, np.ndarray]:
        """Return the inputs of a graph."""
        found: dict[str, np.ndarray] = {}
        if self.static is not None:
            assert exported.model.static is not None
            found["static"] = encoded(exported.model.static, self.static)
        if self.grams is not None:
            width = max([1, *(len(one.ids) for one in self.grams)])
            found |= {name: np.zeros((len(self.grams), width), np.int64) for name in ("ngrams", "counts")}
            for row, one in enumerate(self.grams):
                found["ngrams"][row, : len(one.ids)] = one.ids
                found["counts"][row, : len(one.ids)] = one.counts
        return found


def encoded(static: StaticInputs, rows: Sequence[tuple[Cell, ...]]) -> np.ndarray:
    """Return rows as the input ``static`` of a graph: numbers as they are, categories as places, -1 for an unknown one."""
    out = np.full((len(rows), len(static.columns)), np.nan)
    for index, row in enumerate(rows):
        for at, (cell, column) in enumerate(zip(row, static.columns, strict=True)):
            if column.categories is not None:
                known = cell in column.categories
                out[index, at] = column.categories.index(str(cell)) if known else -1
            elif cell is not None:
                out[index, at] = float(cell)
    return out


def drawn_beside(exported: Exported, count: int, rng: np.random.Generator) -> Beside:
    """Return what a model reads beside the rows of so many sequences; nothing for most models."""
    model = exported.model
    static = None
    if model.static is not None:
        static = [tuple(_cell(column, rng) for column in model.static.columns) for _ in range(count)]
    grams = None
    if model.wide is not None and isinstance(model.wide.features, NGrams):
        grams = [_grams(model.wide.features, rng) for _ in range(count)]
    return Beside(static, grams)


def _cell(column: StaticColumn, rng: np.random.Generator) -> Cell:
    if column.categories is not None:
        return str(rng.choice(column.categories)) if column.categories else None
    missing = column.marks_missing and rng.random() < 0.2
    return None if missing else float(column.center + column.spread * rng.normal())


def _grams(features: NGrams, rng: np.random.Generator) -> Counted:
    known = rng.choice(features.ids, min(features.size, MOST_DRAWN), replace=False)
    strange = rng.integers(0, 2**32, int(rng.integers(0, 9))).astype(np.uint32)
    ids = np.unique(np.concatenate([known[: rng.integers(0, len(known) + 1)], strange]))
    return Counted(ids, rng.integers(1, 9, len(ids)))
