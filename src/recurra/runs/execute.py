"""Training, judging and writing as planned, of a new run and of one that goes on."""

import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.batches.training_digests import TrainedOn
from recurra.checks import counted
from recurra.errors import RecurraWarning
from recurra.inspection.inspection import inspect
from recurra.interrupts import Interrupted
from recurra.runs.config import config_of
from recurra.runs.data.alignment import labelled_for
from recurra.runs.data.sources import target_names
from recurra.runs.folder.files import CHECKPOINTS, CONFIG, CONTROL, TRAINING, RunFolder
from recurra.runs.folder.history import HistoryFile
from recurra.runs.folder.json_files import plain
from recurra.runs.folder.ownership import continued_run, new_run, unfinished
from recurra.runs.folder.results import write_results
from recurra.runs.plan import Plan, Prepared
from recurra.runs.tasks import WITHOUT_LABELS
from recurra.training.callbacks.control import ControlFile

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """What ``train`` made.

    Parameters
    ----------
    path : Path
        The run folder.
    estimator : fitted estimator
        The trained network.
    metrics : dict
        The content of ``metrics.json``.
    evaluation : Evaluation or None
        On the test part; None if nothing was held out.
    command : str
        The command that repeats the run.
    """

    path: Path
    estimator: Any
    metrics: dict[str, Any]
    evaluation: Any
    command: str

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.evaluation.summary() if self.evaluation else 'not judged'})"


@dataclass
class _Problems:
    """What was found odd, for the report."""

    leaks: list[str]
    warnings: list[str]


def execute(prepared: Prepared, tell: Tell) -> Run:
    """Train, judge and write as planned, into a folder that is owned.

    Parameters
    ----------
    prepared : Prepared
        The plan with data and estimator.
    tell : callable
        Is given each line about what happens.
    """
    plan, split, estimator = prepared.plan, prepared.split, prepared.estimator
    problems = _tell_data(prepared, tell)
    begin = continued_run if prepared.goes_on else new_run
    with _resumable(plan), begin(plan.folder) as run:
        if not prepared.goes_on:
            run.write_json(CONFIG, config_of(prepared))
        with _warnings_noted(problems.warnings):
            _fit(estimator, split.train, run, resume=prepared.goes_on)
        if getattr(estimator, "recipe_", ""):
            tell(estimator.recipe_)
        estimator.trained_on_ = TrainedOn.of(split.train)
        evaluation, metrics = _judge(prepared, problems)
        write_results(run, estimator, evaluation, metrics)
    return Run(plan.folder, estimator, metrics, evaluation, plan.command)


def follow(prepared: Prepared) -> Run:
    """Train with the worker that leads, which alone judges and writes."""
    estimator = prepared.estimator
    estimator.set_params(callbacks=(), checkpoint_dir=None, verbose=0)
    estimator.fit(prepared.split.train)
    return Run(prepared.plan.folder, estimator, {}, None, prepared.plan.command)


def _tell_data(prepared: Prepared, tell: Tell) -> _Problems:
    """Say what is in the data, how it is split, and what is odd about it."""
    dataset, split = prepared.dataset, prepared.split
    # A series is on both sides of its own split by time.
    both = split.test and prepared.plan.task != "forecast"
    found = inspect(dataset, train=split.train, test=split.test) if both else inspect(dataset)
    tell(f"Data:   {dataset.source or 'given in Python'}: {_sizes(found.summary)}")
    for note in dataset.notes:
        tell(f"        {note}")
    tell(f"Split:  {split.how}")
    leaks = list(found.leaks)
    others = [problem for problem in found.problems if problem not in leaks]
    if prepared.plan.task in WITHOUT_LABELS:  # what to do to learn classes is beside the point
        others = [problem for problem in others if not problem.startswith("There are no labels")]
    for problem in [*leaks, *others]:
        tell(f"Warning: {problem}")
    if split.test is None:
        tell("Warning: without a test part no figure says how good the network is on new data.")
    return _Problems(leaks, others)


def _sizes(summary: Mapping[str, Any]) -> str:
    kind = summary["kind"]
    items = {
        "pairs": "pairs",
        "video": "clips",
        "text": "texts",
        "tokens": "sentences",
        "series": "series",
    }.get(kind, "sequences")
    unit = {"pairs": "characters", "text": "characters", "tokens": "words"}.get(kind, "steps")
    out = counted(summary["n_sequences"], "series" if kind == "series" else items[:-1], items)
    if "length_min" in summary:
        least, most = summary["length_min"], summary["length_max"]
        out += f" of {counted(least, unit[:-1])}" if least == most else f" of {least} to {most} {unit}"
    if "n_channels" in summary:
        out += f", {counted(summary['n_channels'], 'channel')}"
    if "n_classes" in summary:
        out += f", {counted(summary['n_classes'], 'class', 'classes')}"
    return out + (f", {counted(summary['n_groups'], 'group')}" if "n_groups" in summary else "")


@contextmanager
def _resumable(plan: Plan) -> Iterator[None]:
    """Say how to go on where training can."""
    command = ["recurra", "resume", str(plan.folder)]
    if (checkpoints := plan.options.get("checkpoint_dir")) is not None:
        command += ["--checkpoint-dir", str(checkpoints)]
    advice = f"Go on with: {shlex.join(command)}"
    try:
        yield
    except KeyboardInterrupt as error:
        if unfinished(plan.folder) is None:
            raise
        why = f"{error}; " if str(error) else ""
        raise Interrupted(f"{why}where training stood is kept. {advice}") from None
    except (MemoryError, OSError) as error:
        if unfinished(plan.folder) is not None:
            error.add_note(advice)
        raise


@contextmanager
def _warnings_noted(noted: list[str]) -> Iterator[None]:
    """Note our own warnings for the report, and show them as always."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Any, category: type[Warning], *args: Any, **kwargs: Any) -> None:
            if issubclass(category, RecurraWarning):
                noted.append(str(message))
            show(message, category, *args, **kwargs)

        warnings.showwarning = note
        yield


def _fit(estimator: Any, data: Any, run: RunFolder, *, resume: bool) -> None:
    """Fit, writing a line of history per epoch, and checkpoints."""
    given = {"callbacks": estimator.callbacks, "checkpoint_dir": estimator.checkpoint_dir}
    estimator.set_params(
        callbacks=[
            *estimator.callbacks,
            HistoryFile(run),
            ControlFile(run.to_write(CONTROL), run.to_write(TRAINING)),
        ],
        checkpoint_dir=estimator.checkpoint_dir or run.to_write(CHECKPOINTS),
    )
    try:
        estimator.fit(data, resume=resume)
    finally:
        estimator.set_params(**given)


def _judge(prepared: Prepared, problems: _Problems) -> tuple[Any, dict[str, Any]]:
    """Return the evaluation on the test part, if there is one, and the metrics."""
    plan, dataset, split, estimator = prepared.plan, prepared.dataset, prepared.split, prepared.estimator
    seconds = estimator.model_.manifest["training"]["seconds"]
    sizes = {"n_train": len(split.train), "seed": plan.seed, "epochs": len(estimator.history_)}
    if split.test is None:
        return None, {"n_test": 0, "train_seconds": seconds, **sizes}
    from recurra.evaluation.report.context import ReportContext

    context = ReportContext(
        title=f"{estimator.__class__.__name__} on {Path(dataset.source).name or 'data'}",
        command=plan.command,
        seed=plan.seed,
        data={**dataset.summary(), "source": dataset.source, "notes": list(dataset.notes)},
        split=split.how,
        licence=dataset.licence,
        citation=dataset.citation,
        warnings=problems.warnings,
        leaks=problems.leaks,
        target_names=target_names(plan.data_options),
    )
    evaluation = estimator.evaluate(labelled_for(estimator, split.test), context=context)
    return evaluation, {**plain(evaluation.metrics), **sizes}
