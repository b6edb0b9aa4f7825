"""`Evaluation`: what the result of every task can say, show and write."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from recurra.evaluation.metrics.paired_tests import Totals
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.evaluation.report.notebook import notebook_view
from recurra.store import write_text

__all__ = ["Evaluation", "ReportContext", "finite", "installed_versions"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Evaluation(ABC):
    """How good a model is on some data. Each task has a class of its own, with its own figures and charts.

    Parameters
    ----------
    metrics : dict of str to float or int
        Flat, the content of ``metrics.json``: figures that apply, ``<figure>_baseline`` of the naive answer,
        ``n_test``, and ``train_seconds`` where known.
    context : ReportContext
        What else the report tells.
    """

    task: ClassVar[str]
    # Whether it was judged on sequences that `recurra explain` can take by their position.
    explainable: ClassVar[bool] = False

    metrics: dict[str, Any]
    context: ReportContext = field(default_factory=ReportContext)

    @abstractmethod
    def headline(self) -> str:
        """Return one line: the figure that matters, beside the naive one where it is short."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return what is said below the headline."""

    @abstractmethod
    def to_html(self) -> str:
        """Return the report as one self-contained page."""

    @abstractmethod
    def tiles(self) -> list[dict[str, str]]:
        """Return ``name``, ``value``, ``naive`` and ``interval`` of each figure, as text."""

    def figures(self) -> dict[str, str]:
        """Return the drawings that a run's folder keeps, SVG by name."""
        return {}

    def findings(self) -> list[str]:
        """Return reasons to read the figures with care, each one sentence; empty if none was found."""
        return [*(self.context.leaks or ()), *self.context.warnings]

    def worst_positions(self, n: int = 6) -> list[int]:
        """Return the positions of the sequences on which the model errs most; empty where none is known."""
        return []

    def figure_totals(self) -> Totals | None:
        """Return what each item adds to the figure by which searches judge trials; None where there is no such figure."""
        return None

    def summary(self) -> str:
        """Say in a few sentences how good, compared with what, and where it is weakest."""
        return " ".join([*self._trained_on(), *self.sentences()])

    def to_json(self) -> str:
        """Return the metrics as one flat JSON object; figures that are not finite numbers are left out."""
        return json.dumps(finite(self.metrics), indent=2) + "\n"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report, or with a name ending in ``.json`` the metrics, in one step.

        Raises
        ------
        OSError
            If the folder is not there, cannot be written, or the disk is full; an earlier file is then
            untouched.
        """
        target = Path(path)
        write_text(target, self.to_json() if target.suffix == ".json" else self.to_html())
        return target

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return notebook_view(
            headline=self.headline(),
            sentences=[*self._trained_on(), *self.sentences()],
            findings=self.findings(),
            tiles=self.tiles(),
            charts=list(self.figures().values()),
        )

    def _trained_on(self) -> list[str]:
        return [self.context.trained_on] if self.context.trained_on else []

    def _sizes(self) -> str:
        """What the representation says before the figures."""
        return f"n_test={self.metrics.get('n_test')}"

    def __repr__(self) -> str:
        figures = [f"{k}={v:.4g}" for k, v in self.metrics.items() if isinstance(v, float)]
        return f"{type(self).__name__}({', '.join([self._sizes(), *figures])})"


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Plain Python numbers only: JSON knows neither NaN nor infinity."""
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in figures.items()}
    return {k: v for k, v in plain.items() if not isinstance(v, float) or np.isfinite(v)}
