"""Which trial of a search is trained again: the best one, where it is better than the default by more than chance."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import StoreError
from recurra.estimators.loading import load_model
from recurra.evaluation.metrics.paired_tests import ALPHA, Totals, chance_of_difference
from recurra.records import Dataset
from recurra.runs.data.alignment import labelled_for
from recurra.runs.folder.files import MODEL
from recurra.runs.search.study import CLAIMS, trial_folder
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
    than chance, where chance had as many tries as there were trials: with few sequences held out the best of many trials
    owes its place to luck.

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
    path = folder / CHOICE
    if not path.exists():
        found = _decided(folder, rows, best, part, task, figure)
        with in_turn(folder / CLAIMS):
            if not path.exists():
                write_text(path, json.dumps(vars(found), indent=1) + "\n")
    try:
        content = json.loads(path.read_text())
        choice = Choice(int(content["trial"]), str(content["why"]))
        rows[choice.trial]
    except (ValueError, KeyError, TypeError, IndexError):
        raise StoreError(f"{path}: is damaged. Remove it to decide again.") from None
    return choice


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
    if default is None or other is None:
        return Choice(
            0, f"No setting was better than the default by more than chance: {shown}, on too little to tell."
        )
    groups = None if task in WITHOUT_GROUPS else part.groups
    tries = sum(row["state"] == "complete" for row in rows[1:])
    p, how = chance_of_difference(default, other, groups=groups, tries=tries)
    sign = 1 if default.less_is_better else -1
    better = sign * other.value() < sign * default.value()
    if default.name != figure:
        shown += f", {default.name} {other.value():.4g} against {default.value():.4g}"
    told = f"{shown} ({how}; p = {p:.2g})"
    if p < ALPHA and better:
        return Choice(best, f"Trial {best + 1} was better than the default by more than chance: {told}.")
    return Choice(0, f"No setting was better than the default by more than chance: {told}.")


def _totals(folder: Path, number: int, part: Dataset) -> Totals | None:
    """Return what a trial's answers add to the figure that decides."""
    estimator = load_model(trial_folder(folder, number) / MODEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found: Totals | None = estimator.evaluate(labelled_for(estimator, part)).figure_totals()
    return found
