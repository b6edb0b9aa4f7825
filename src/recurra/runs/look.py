"""`recurra.look`: what is in the data, what to watch out for, and settings to begin with."""

import itertools
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.array_summaries import Findings
from recurra.checks import check_choice, counted
from recurra.datasets import load_any
from recurra.errors import DataError
from recurra.inspection.inspection import OF_PICTURES, inspect
from recurra.readers.clips.decodable import undecodable
from recurra.recipes.recipe import facts_of_part, foreseen
from recurra.records import RunData
from recurra.runs.command_line import as_arguments
from recurra.runs.data.sources import check_data_options
from recurra.runs.data.split import Split, check_by, divide, test_of
from recurra.runs.folder.task_names import TASK_NAMES
from recurra.runs.plan import as_task_reads, choose_task, name_of, told_as_classes, why_not
from recurra.runs.tasks import TASKS, WITHOUT_LABELS, defaults, options_class

# Clips that cannot be decoded are named, so many of them.
_MOST_NAMED = 5


def look(
    data: Any, *, task: str | None = None, test: Any = None, by: str | None = None, **options: Any
) -> Any:
    """Look at data before training on them.

    Parameters
    ----------
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        See `recurra.load`.
    task : str, optional
        What `recurra.train` would be told to learn; what the data say by default.
    test : path, data, or share in (0, 1), optional
        What `recurra.train` would judge on, to look for leaks between both sides.
    by : {"group", "time", "record"}, optional
        How a share would be held out.
    **options
        How the data are read (``id``, ``label``, ...).

    Returns
    -------
    Inspection
        ``summary``, ``channels``, ``problems``, ``leaks``, ``remarks``, ``settings``, ``next_command``; ``lines()``
        are sentences.

    Raises
    ------
    MissingDataError, DataError, UsageError
        If the data cannot be read.

    Examples
    --------
    >>> import recurra
    >>> recurra.look("japanese-vowels").summary["n_sequences"]
    640
    """
    check_data_options("look", options)
    check_by("look", test_of(test), by)
    task = None if task is None else TASK_NAMES.get(task, task)
    check_choice("look", "task", task, [*TASKS, None])
    options = as_task_reads(task, data, options)
    dataset = RunData.of(load_any(data, **options), Findings())
    if task is None:
        dataset, options = _with_label(data, dataset, options)
    divided = _divided(dataset, test_of(test), by, options)
    found = inspect(dataset) if divided is None else inspect(dataset, train=divided.train, test=divided.test)
    given = {
        name: value for name, value in (("test", test), ("by", by)) if isinstance(value, str | float | Path)
    }
    sentence = _recipe(dataset if divided is None else divided.train)
    remarks = [*found.remarks, *([] if task else told_as_classes(dataset)), *([sentence] if sentence else [])]
    asked, task = task, task or _task(dataset)
    hindrance = why_not(dataset, task, divided, test=test_of(test), by=by, options=options)
    known = defaults(task, dataset.kind) if dataset.kind in TASKS[task] else {}
    settings = {word: value for word, value in found.settings.items() if word in known}
    hindrance = hindrance.removeprefix("train: ")
    broken, opened = _broken_clips(dataset)
    if broken:
        settings["broken"] = "skip"
    blocked = bool(hindrance) or len(found.class_counts) == 1 or len(broken) == len(dataset)
    told = found.problems
    if asked in WITHOUT_LABELS:  # what to do to learn classes is beside the point
        told = [problem for problem in told if not problem.startswith("There are no labels")]
    own = [hindrance] if hindrance and not _told(hindrance, told) else []
    problems = [*_on_broken(broken, opened, len(dataset)), *told, *own]
    command = "" if blocked else _next(data, dataset, task, {**options, **given, **settings})
    suits = TASKS[task].get(dataset.kind, found.task)
    return replace(
        found, problems=problems, remarks=remarks, settings=settings, next_command=command, task=suits
    )


def _with_label(data: Any, dataset: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return texts with the labels that stand plainly beside them, and the words that read them so."""
    for label in dataset.label_columns[:1]:
        named = {**options, "label": label}
        try:
            labelled = load_any(data, **named)
        except DataError as error:  # such as a label that is missing
            return replace(dataset, notes=(*dataset.notes, str(error))), dict(options)
        writing = "Without a label, task='generate' learns to write such texts."
        about = [note for note in dataset.notes if note not in labelled.notes]
        labelled = replace(labelled, notes=(*labelled.notes, *about, writing))
        return RunData.of(labelled, Findings()), named
    return dataset, dict(options)


def _told(hindrance: str, problems: Sequence[str]) -> bool:
    """Return whether what keeps training from beginning is among the problems already, in other words."""
    unlabelled = " has no labels." in hindrance or " holds one sequence, " in hindrance
    if unlabelled and any(problem.startswith(OF_PICTURES) for problem in problems):
        return True
    return any(problem in hindrance or hindrance in problem for problem in problems)


def _broken_clips(dataset: Any) -> tuple[dict[str, str], int]:
    """Return the clips that cannot be decoded, with what is wrong, and how many were opened."""
    paths = [str(record.values) for record in dataset.records if isinstance(record.values, str | Path)]
    if dataset.kind != "video" or not paths:
        return {}, 0
    return undecodable(paths)


def _on_broken(broken: Mapping[str, str], opened: int, clips: int) -> list[str]:
    """Return a sentence on the clips that cannot be decoded, none where there is none."""
    if not broken:
        return []
    them = "them" if len(broken) > 1 else "it"
    shown = " ".join(list(broken.values())[:_MOST_NAMED])
    more = f" And {len(broken) - _MOST_NAMED} more." if len(broken) > _MOST_NAMED else ""
    those = "" if opened == clips else f" that were opened, of {clips},"
    return [
        f"{len(broken)} of {counted(opened, 'clip')}{those} cannot be decoded: {shown}{more} "
        f"Replace {them}, or leave {them} out with broken='skip'."
    ]


def _recipe(dataset: Any) -> str:
    """Return what training without a parameter would decide on a network, empty where that is not known beforehand."""
    train = dataset.part("train") if len(dataset.part("train")) else dataset
    if train.y is None or dataset.kind not in ("sequence", "text"):
        return ""
    classes = bool(train.class_counts())
    kind = "label" if train.labels_per_step and classes else "classify" if classes else "regress"
    if dataset.kind not in TASKS[kind]:
        return ""
    task = {"label": "labeling", "classify": "classification", "regress": "regression"}[kind]
    return foreseen(options_class(kind, dataset.kind)(), facts_of_part(train, task))


def _divided(dataset: Any, test: Any, by: str | None, options: Mapping[str, Any]) -> Split | None:
    """Return the split that training would make where it can leak: one that is asked for, or one that mixes times."""
    timed = all(record.start is not None for record in dataset.records)
    official = len(dataset.part("test")) > 0
    if test is None and by is None and (official or not timed or len(dataset) < 2):
        return None
    try:
        divided = divide(dataset, test=test, by=by, seed=0, options=options)
    except DataError:
        if test is not None or by is not None:
            raise
        return None
    return divided if divided.test is not None else None


def _next(source: Any, dataset: Any, task: str, options: Mapping[str, Any]) -> str:
    """Return the command that trains on the data, read the same way, with the suggested settings among the options."""
    named = str(source) if isinstance(source, str | Path) else "DATA"
    command = ["recurra", "train", named, "-o", _free_place(name_of(named) or "first")]
    if task != choose_task(dataset):
        command += ["--task", task]
    return shlex.join(command + as_arguments(options))


def _free_place(name: str) -> str:
    """Return where a new run may be written as the command is typed: a folder that is there is not written over."""
    places = (f"runs/{name}{'' if number == 1 else f'-{number}'}" for number in itertools.count(1))
    return next(place for place in places if not os.path.lexists(place))


def _task(dataset: Any) -> str:
    """Return what training would learn of the data; without labels what is learned without."""
    if dataset.y is None and dataset.kind == "text":
        return "generate"
    if dataset.y is None and dataset.kind == "sequence":
        return "anomaly"
    if dataset.kind == "text" and dataset.many_numbers():
        return "regress"
    return choose_task(dataset)
