"""Which trial of a search is trained again: the best one, where it is better than the default by more than chance."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.errors import StoreError
from recurra.estimators.loading import load_model
from recurra.evaluation.metrics.paired_tests import ALPHA, Totals, chance_of_difference
from recurra.records import Dataset
from recurra.runs.data.alignment import labelled_for
from recurra.runs.folder.files import MODEL
from recurra.runs.search.study import BEST, CLAIMS, trial_folder
from recurra.runs.workers.work_locks import in_turn
from recurra.store import write_text

CHOICE = "choice.json"
# Tasks whose cases are no sequences, so that groups of sequences say nothing about them.
WITHOUT_GROUPS = ("forecast", "generate")


@dataclass(frozen=True)
class Choice:
    """What a search came to.

    Parameters
    ----------
    trial : int
        That is trained again; 0 is the default.
    why : str
        In a sentence.
    """

    trial: int
    why: str


def choose(
    folder: Path, rows: Sequence[Mapping[str, Any]], best: int, *, part: Dataset, task: str, figure: str
) -> Choice:
    """Return which trial is trained again, decided once for all processes of a search.

    The default is given up only for a trial whose answers on what is held out inside the training part are better by more
    than chance, where chance had as many tries as there were trials. Where so few cases are held out that no difference
    could be told from chance after so many tries, the figure decides, and it is said. A search that goes on decides anew,
    until the training of its choice has begun.

    Parameters
    ----------
    folder : Path
        Of the search.
    rows : sequence of mapping
        Its trials; the first has no options of its own.
    best : int
        That of them with the best figure.
    part : Dataset
        What trials are judged on.
    task, figure : str
        What is learned, and what decides.

    Raises
    ------
    StoreError
        If what was decided before cannot be read.
    """
    path, ended = folder / CHOICE, _ended(rows)
    begun = (folder / BEST).exists()
    if not path.exists() or (not begun and _read(path, rows)[1] < ended):
        found = _decided(folder, rows, best, part, task, figure)
        with in_turn(folder / CLAIMS):
            if not path.exists() or _read(path, rows)[1] < ended:
                write_text(path, json.dumps({**vars(found), "ended": ended}, indent=1) + "\n")
    choice, known = _read(path, rows)
    if known >= ended:
        return choice
    later = counted(ended - known, "later trial")
    return replace(choice, why=f"{choice.why} {later} came when this one was trained already.")


def _ended(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(row["state"] == "complete" for row in rows)


def _read(path: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Choice, int]:
    """Return what was decided, and how many trials had come to their end then."""
    try:
        content = json.loads(path.read_text())
        choice = Choice(int(content["trial"]), str(content["why"]))
        if choice.trial < 0:
            raise ValueError
        rows[choice.trial]
        return choice, int(content.get("ended", _ended(rows)))
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        raise StoreError(f"{path}: is damaged. Remove it to decide again.") from None


def _decided(
    folder: Path, rows: Sequence[Mapping[str, Any]], best: int, part: Dataset, task: str, figure: str
) -> Choice:
    """Compare the best trial with the default on the same sequences."""
    values = {number: rows[number]["value"] for number in (0, best)}
    if rows[0]["state"] != "complete":
        return Choice(best, "The default came to no figure; the best of the other trials is trained again.")
    if best == 0:
        return Choice(0, f"No setting was better than the default: {figure} {values[0]:.4g}.")
    default, other = (_totals(folder, number, part) for number in (0, best))
    shown = f"{figure} {values[best]:.4g} of trial {best + 1} against {values[0]:.4g}"
    by_figure = Choice(
        best, f"Trial {best + 1} has the best figure, which may be chance: {shown}, on too little to tell."
    )
    if default is None or other is None:
        return by_figure
    kept = "No setting was better than the default by more than chance"
    if not np.array_equal(default.cases, other.cases):
        return Choice(0, f"{kept}: {shown}, judged on other items, so that they cannot be compared.")
    groups = None if task in WITHOUT_GROUPS else part.groups
    tries = _ended(rows[1:])
    independent = len(np.unique(default.cases if groups is None else np.asarray(groups)[default.cases]))
    if tries * 2.0 ** (1 - independent) >= ALPHA:  # even where every case is better
        return by_figure
    p, how = chance_of_difference(default, other, groups=groups, tries=tries)
    sign = 1 if default.less_is_better else -1
    better = sign * other.value() < sign * default.value()
    if default.name != figure:
        shown += f", {default.name} {other.value():.4g} against {default.value():.4g}"
    told = f"{shown} ({how}; p = {p:.2g})"
    if p < ALPHA and better:
        return Choice(best, f"Trial {best + 1} was better than the default by more than chance: {told}.")
    return Choice(0, f"{kept}: {told}.")


def _totals(folder: Path, number: int, part: Dataset) -> Totals | None:
    """Return what a trial's answers add to the figure that decides."""
    estimator = load_model(trial_folder(folder, number) / MODEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found: Totals | None = estimator.evaluate(labelled_for(estimator, part)).figure_totals()
    return found
