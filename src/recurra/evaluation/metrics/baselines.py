"""Naive answers, learned from the training labels alone: what a figure must beat to mean anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.evaluation.metrics.scores import (
    as_objects,
    classification_metrics,
    encode,
    join,
    regression_metrics,
)


@dataclass(frozen=True)
class ClassBaseline:
    """Always answer with the commonest training class, and give each class its training share as probability.

    Parameters
    ----------
    classes : tuple
        Labels in the model's order.
    counts : tuple of float
        How often each occurred in the training part (time steps, with one label a step).
    """

    classes: tuple[Any, ...]
    counts: tuple[float, ...]

    @classmethod
    def fit(cls, y: Any, *, classes: Any) -> "ClassBaseline":
        """Count training labels of shape (items,), or of each step for a list of label arrays."""
        ragged = len(y) > 0 and np.ndim(y[0]) > 0
        codes = encode(join(y) if ragged else y, classes)
        counts = np.bincount(codes, minlength=len(classes))
        return cls(tuple(np.asarray(classes).tolist()), tuple(float(n) for n in counts))

    @property
    def majority(self) -> Any:
        """The commonest class, the first of several."""
        return self.classes[int(np.argmax(self.counts))]

    @property
    def prior(self) -> np.ndarray:
        """Training share of each class, float64 of shape (classes,); equal shares if nothing was counted."""
        counts = np.asarray(self.counts)
        return counts / counts.sum() if counts.sum() else np.full(len(counts), 1 / len(counts))

    def metrics(self, y_true: Any, *, with_proba: bool = True) -> dict[str, float]:
        """Figures of the naive answer on labels of shape (items,), each key ending in ``_baseline``.

        A label the training part did not have gets probability 0.
        """
        classes = [
            *self.classes,
            *(c for c in dict.fromkeys(np.asarray(y_true).tolist()) if c not in self.classes),
        ]
        proba = np.zeros((len(y_true), len(classes)))
        proba[:, : len(self.classes)] = self.prior
        pred = np.asarray([self.majority] * len(y_true))
        figures = classification_metrics(
            y_true, pred, proba=proba if with_proba else None, classes=as_objects(classes)
        )
        return {f"{name}_baseline": value for name, value in figures.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return what a model file keeps."""
        return {"classes": list(self.classes), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "ClassBaseline":
        """Rebuild from `to_dict`."""
        return cls(tuple(stored["classes"]), tuple(stored["counts"]))


@dataclass(frozen=True)
class NumberBaseline:
    """Always answer with the training mean (best for squared errors) or median (best for absolute ones).

    Parameters
    ----------
    mean, median : tuple of float
        One number per target, in the target's unit.
    """

    mean: tuple[float, ...]
    median: tuple[float, ...]

    @classmethod
    def fit(cls, y: Any) -> "NumberBaseline":
        """Learn from training targets of shape (items,) or (items, targets)."""
        array = np.asarray(y, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        return cls(tuple(array.mean(axis=0).tolist()), tuple(np.median(array, axis=0).tolist()))

    def metrics(self, y_true: Any) -> dict[str, float]:
        """``rmse_baseline`` and ``r2_baseline`` of the mean, ``mae_baseline`` of the median."""
        true = np.asarray(y_true, dtype=np.float64)
        true = true[:, None] if true.ndim == 1 else true
        by_mean = regression_metrics(true, np.tile(self.mean, (len(true), 1)))
        by_median = regression_metrics(true, np.tile(self.median, (len(true), 1)))
        figures = {**by_mean, "mae": by_median["mae"]}
        return {f"{name}_baseline": value for name, value in figures.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return what a model file keeps."""
        return {"mean": list(self.mean), "median": list(self.median)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "NumberBaseline":
        """Rebuild from `to_dict`."""
        return cls(tuple(stored["mean"]), tuple(stored["median"]))
