"""What is decided before training starts, and the data and the estimator it leads to."""

import glob
import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.array_summaries import Findings
from recurra.checks import check_choice, check_none_idle, listing, python_numbers
from recurra.datasets import load_any
from recurra.errors import DataError, RecurraError, UsageError
from recurra.features.rows.missing import FILLING
from recurra.fitting.option_checks import check_params
from recurra.inspection.kinds import KINDS
from recurra.options import options_of
from recurra.records import Dataset, RunData
from recurra.runs.command_line import SEED, as_arguments
from recurra.runs.data import sources
from recurra.runs.data.split import (
    Split,
    check_by,
    check_classes_left,
    check_steps_ahead,
    check_values,
    divide,
    test_of,
    to_forecast,
)
from recurra.runs.folder.task_names import TASK_NAMES
from recurra.runs.tasks import TASKS, WITHOUT_LABELS, defaults, estimator_class


@dataclass(frozen=True)
class Plan:
    """Everything decided before the training starts; of a run that goes on, everything decided then.

    Parameters
    ----------
    source : object
        What was given as data; None for objects of Python, which no command line can name.
    folder : Path
        Where the run is to stand.
    task : str
        One of `recurra.runs.tasks.TASKS`.
    seed : int
        Decides everything random.
    data_options, options : mapping
        How the data are read; those of the estimator that were given.
    test, by
        What is held out, see `recurra.runs.data.split.divide`.
    kind : str
        Of the data, see `Dataset`.
    begun_with : str
        The command line of a run that goes on.
    """

    source: Any
    folder: Path
    task: str
    seed: int
    data_options: Mapping[str, Any]
    options: Mapping[str, Any]
    test: Any
    by: str | None
    kind: str = "sequence"
    begun_with: str = ""

    @property
    def command(self) -> str:
        """The command line that repeats the run."""
        if self.begun_with:
            return self.begun_with
        source = self.source if self.source is not None else "DATA"
        out = ["recurra", "train", source, "-o", str(self.folder), "--task", self.task]
        if self.test is not None:
            named = (sources.place(self.test) and str(self.test)) or "TEST"
            out += ["--test", f"{self.test:g}" if isinstance(self.test, float) else named]
        if self.by is not None:
            out += ["--by", self.by]
        given = {name: value for name, value in self.options.items() if name not in (SEED, "verbose")}
        out += as_arguments(self.data_options) + as_arguments(given)
        return shlex.join([*out, "--seed", str(self.seed)])


@dataclass(frozen=True)
class Prepared:
    """A plan with all that its training needs.

    Parameters
    ----------
    plan : Plan
        What was decided.
    dataset : Dataset
        All of the data.
    split : Split
        What trains and what is kept for judging.
    estimator : estimator
        What will be trained.
    goes_on : bool
        Whether the run was begun before.
    """

    plan: Plan
    dataset: Dataset
    split: Split
    estimator: Any
    goes_on: bool = False


def prepare(
    data: Any,
    task: str | None,
    folder: Path,
    data_options: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    test: Any,
    by: str | None,
    seed: int | None,
    searched: Collection[str] = (),
) -> Prepared:
    """Read options and data into what a new run trains; the arguments are those of `recurra.train`.

    Parameters
    ----------
    searched : collection of str
        Options of which `recurra.tune` will try other values.

    Raises
    ------
    UsageError
        If an option is out of range, or none of the task.
    DataError
        If the task cannot be learned from the data.
    """
    data_options, options = dict(data_options), dict(options)
    task = None if task is None else TASK_NAMES.get(task, task)
    seed = seed_of(seed, options.pop(SEED, None))
    test = test_of(test)
    check_by("train", test, by)
    _check_options(task, None, options)
    data_options = as_task_reads(task, data, data_options)
    if task == "translate" and sources.is_table(data) and not {"source", "target"} <= {*data_options}:
        raise UsageError(
            f"train: the task 'translate' reads pairs of texts; name the columns of {_of(data)} they stand in with source= "
            "and target=."
        )
    dataset: Dataset = RunData.of(load_any(data, **data_options), Findings())
    if task is None:
        _question_numbers(dataset)
        dataset = replace(dataset, notes=(*dataset.notes, *told_as_classes(dataset)))
    task = task or choose_task(dataset)
    _check_kind(dataset, task)
    _check_options(task, dataset.kind, options)
    _check_labelled(dataset, task)
    data_options, options = sources.absolute_paths(data_options), sources.absolute_paths(options)
    made = estimator_class(task, dataset.kind)
    options |= python_numbers(options, options_of(made))
    estimator = made(**{**options, SEED: seed})
    check_none_idle("train", estimator.get_params(deep=False), options_of(type(estimator)), searched)
    named = str(data) if isinstance(data, str | Path) else None
    plan = Plan(named, folder, task, seed, data_options, options, test, by, dataset.kind)
    split = divide(dataset, test=test, by=by, seed=seed, options=data_options)
    return checked(Prepared(plan, dataset, split, estimator))


def as_task_reads(task: str | None, data: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return how data are read where the task says so: texts by paragraphs to be written, a table as series."""
    said = {}
    if task == "generate" and isinstance(data, str | Path) and Path(data).suffix.lower() == ".txt":
        said = {"layout": "paragraphs"}
    if task == "forecast" and sources.is_table(data):
        said = {"kind": "series"}
    return {**said, **options}


def _of(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else "the table"


def checked(prepared: Prepared) -> Prepared:
    """Return what is prepared, if its parts can be trained and judged on; DataError if not, before time is spent."""
    plan, split = prepared.plan, prepared.split
    if plan.task == "classify":
        check_classes_left(prepared.dataset, split)
    if plan.task == "forecast":
        check_steps_ahead(split, prepared.estimator.horizon)
    if plan.kind == "sequence" and split.test is not None:
        check_values(split.test, allow_nan=getattr(prepared.estimator, "missing", "error") in FILLING)
    return prepared


def why_not(
    dataset: Dataset,
    task: str,
    divided: Split | None,
    *,
    test: Any,
    by: str | None,
    options: Mapping[str, Any],
) -> str:
    """Return why a task cannot be learned from data as they are, in a sentence; empty if it can.

    Parameters
    ----------
    divided : Split or None
        How the data would be held out; found here where it is None.
    test, by, options
        As for `recurra.runs.data.split.divide`.
    """
    try:
        _check_kind(dataset, task)
        _check_labelled(dataset, task)
        divided = divided or divide(dataset, test=test, by=by, seed=0, options=options)
        if task == "classify":
            check_classes_left(dataset, divided)
        if dataset.kind == "sequence":  # what is missing can be filled; what is infinite cannot be used
            check_values(dataset, allow_nan=True)
    except RecurraError as error:
        return str(error)
    return ""


def choose_task(dataset: Dataset) -> str:
    """Return the task the data say: for pairs of texts, for series, else by the labels."""
    if dataset.kind == "pairs":
        return "translate"
    if dataset.kind == "series":
        return "forecast"
    if dataset.labels_per_step:
        return "label" if dataset.class_counts() else "regress"
    return "regress" if dataset.y is not None and not dataset.class_counts() else "classify"


def _question_numbers(dataset: Dataset) -> None:
    """Raise DataError at labels that are many whole numbers, which may be meant as numbers or as classes."""
    count = dataset.many_numbers()
    if count:
        raise DataError(
            f"train: {dataset.source or 'the data'} has {count} different whole numbers as labels of {len(dataset)} "
            "sequences. Pass task='regress' if they are numbers to predict, task='classify' if each is a class of its own."
        )


def told_as_classes(dataset: Dataset) -> list[str]:
    """Return a sentence where labels that may be scores are taken as classes, and how they become numbers."""
    count = dataset.few_numbers()
    if not count:
        return []
    return [
        f"The labels are {count} different whole numbers, taken as classes; task='regress' learns them as numbers, "
        "task='classify' says that they are classes."
    ]


def default_folder(data: Any) -> Path:
    """Return the folder of a run for which none is given: ``runs/`` and the name of the data."""
    source = str(data) if isinstance(data, str | Path) else getattr(data, "source", "")
    return Path("runs") / (name_of(source) if source else "run")


def name_of(source: str) -> str:
    """Return what data are called by their path: of a pattern the last folder that holds no sign of one."""
    path = Path(os.path.abspath(source))  # in full, so that "." has a name too
    if not path.exists():
        while glob.has_magic(path.name):
            path = path.parent
    return path.stem


def seed_of(seed: int | None, random_state: int | None) -> int:
    """Return the one seed, which has two names; a new one where none is given.

    Raises
    ------
    UsageError
        If both are given and differ, or it is no whole number of at least 0.
    """
    if seed is not None and random_state is not None and seed != random_state:
        raise UsageError(
            f"train: seed and random_state are the same word; got {seed!r} and {random_state!r}."
        )
    value = seed if seed is not None else random_state
    if value is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise UsageError(f"train: seed must be a whole number of at least 0; got {value!r}.")
    return int(value)


def _check_options(task: str | None, kind: str | None, options: Mapping[str, Any]) -> None:
    """Raise UsageError at a value out of range, or an option that no estimator of the task, for data of that kind, takes."""
    check_choice("train", "task", task, [*TASKS, None])
    check_params("train", options)
    if task is None:
        return
    kinds = TASKS[task] if kind is None else [kind]
    known = {name for each in kinds for name in defaults(task, each)}
    foreign = [name for name in options if name not in known]
    if foreign:
        elsewhere = any(name in defaults(task, each) for name in foreign for each in TASKS[task])
        data = f" with {_named(kind)}" if kind is not None and elsewhere else ""
        instead = (
            " Give bidirectional=False instead."
            if {"causal"} == {*foreign} and "bidirectional" in known
            else ""
        )
        takers = [
            other
            for other in TASKS
            if all(any(name in defaults(other, each) for each in TASKS[other]) for name in foreign)
        ]
        if not instead and not data and takers:
            instead = f" Leave {'it' if len(foreign) == 1 else 'them'} out, or train with task={takers[0]!r}."
        raise UsageError(f"train: the task {task!r} takes no {listing(foreign)}{data}.{instead}")


def _named(kind: str) -> str:
    """Return what records of a kind are called."""
    return KINDS.get(kind, "series" if kind == "series" else "sequences of numbers")


def _check_kind(dataset: Dataset, task: str) -> None:
    """Raise DataError if no estimator learns the task on data of this kind."""
    if task == "anomaly" and dataset.static is not None:
        raise UsageError(
            "train: static= is for the tasks 'classify', 'regress' and 'label', and for series; an anomaly detector reads "
            "none. Leave it out."
        )
    if dataset.kind in TASKS[task]:
        return
    others = [other for other, kinds in TASKS.items() if dataset.kind in kinds]
    told = " or ".join(f"task={other!r}" for other in others)
    raise DataError(
        f"train: {dataset.source or 'the data'} holds {_named(dataset.kind)}, on which the task {task!r} cannot be trained. "
        f"Give {told}."
    )


def _check_labelled(dataset: Dataset, task: str) -> None:
    """Raise DataError if the labels are none, or not of the kind, that the task needs."""
    if (
        task == "anomaly"
        and dataset.kind == "sequence"
        and dataset.y is not None
        and not dataset.labels_per_step
    ):
        raise DataError(
            "train: the task 'anomaly' learns from normal sequences, and its labels say which time steps are not; the data "
            f"have one label per sequence, such as {dataset[0].label!r}. Keep the normal sequences only, and leave "
            "the labels out with label=''."
        )
    if task in WITHOUT_LABELS:
        return
    if dataset.y is None:
        writes = (
            " Texts without labels can be learned to be written: task='generate'."
            if dataset.kind == "text"
            else ""
        )
        forecast = to_forecast(dataset)
        raise DataError(
            f"train: {dataset.source or 'the data'} has no labels.{writes} Name their column with label= or target=, "
            f"sort the files into one folder per class, or add a labels.csv{f'; or, {forecast}' if forecast else ''}."
        )
    if task == "label" and not dataset.labels_per_step:
        raise DataError(
            "train: the task 'label' needs one label per time step; the data have one per sequence."
        )
    if task == "label" and not dataset.class_counts():
        raise DataError(
            "train: the task 'label' needs classes; for a number per time step use task='regress'."
        )
    if task == "classify" and dataset.labels_per_step:
        raise DataError(
            f"train: the task {task!r} needs one label per sequence; the data have one per time step."
        )
    per_step = dataset.labels_per_step and dataset.y.dtype == object
    kinds = {np.asarray(label).dtype.kind for label in dataset.y} if per_step else {dataset.y.dtype.kind}
    if task == "regress" and not kinds <= set("iufb"):
        raise DataError(f"train: the task 'regress' needs numbers; the first label is {dataset[0].label!r}.")
    if task == "classify" and not dataset.class_counts():
        raise DataError(
            "train: the task 'classify' needs classes; the labels are numbers. Use task='regress'."
        )
