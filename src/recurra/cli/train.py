"""``recurra train``: data to a trained, judged and saved network in a run folder."""

import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import recurra
from recurra.batches.trained_on import TrainedOn
from recurra.cli import flags, parts, run_folder, screen
from recurra.cli.history import HistoryFile
from recurra.cli.main import Interrupted, in_flags
from recurra.cli.run_folder import RunFolder
from recurra.errors import DataError, UsageError

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


@dataclass(frozen=True)
class Plan:
    """Everything decided before the training starts; of a run that goes on, everything decided then."""

    source: Any
    folder: Path
    task: str
    seed: int
    data_words: Mapping[str, Any]
    words: Mapping[str, Any]
    test: Any
    by: str | None
    kind: str = "sequence"  # of the data, see `Dataset`
    begun_with: str = ""  # the command line of a run that goes on

    @property
    def command(self) -> str:
        """The command line that repeats the run."""
        if self.begun_with:
            return self.begun_with
        source = self.source if self.source is not None else "DATA"
        out = ["recurra", "train", source, "-o", str(self.folder), "--task", self.task]
        if self.test is not None:
            test = (
                f"{self.test:g}"
                if isinstance(self.test, float)
                else (parts.place(self.test) and str(self.test)) or "TEST"
            )
            out += ["--test", test]
        if self.by is not None:
            out += ["--by", self.by]
        given = {word: value for word, value in self.words.items() if word not in (flags.SEED, "verbose")}
        out += flags.as_arguments(self.data_words) + flags.as_arguments(given)
        return shlex.join([*out, "--seed", str(self.seed)])


def train(
    data: Any = None,
    task: str | None = None,
    *,
    out: Any = None,
    test: Any = None,
    by: str | None = None,
    force: bool = False,
    seed: int | None = None,
    resume: Any = None,
    tell: Tell | None = None,
    **words: Any,
) -> Run:
    """Train a network, judge it, and write the run folder.

    Parameters
    ----------
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        See `recurra.load`.
    task : {"classify", "regress", "label", "translate", "forecast", "anomaly"}, optional
        By default what the data say: "translate" for pairs of texts, "forecast" for series, "label" with a label per
        step, "regress" with numbers, else "classify". "anomaly" learns what is normal and needs no labels.
    out : path, optional
        Run folder; ``runs/`` and the name of the data by default.
    test : path, data, or share in (0, 1), or 0, optional
        What is judged on. By default the data's own split, else 20 % held out, no group on both sides; 0 holds nothing
        out.
    by : {"group", "time", "record"}, optional
        How a share is held out; see `Dataset.split`.
    force : bool, default=False
        Replace a run that is in ``out``; it stays untouched until the new one is whole.
    seed : int, optional
        Decides everything random; the same as the word ``random_state``. By default a new one, which is written down.
    resume : path, optional
        Folder of a run that was interrupted or killed: go on where it stood, to the very weights it would have ended
        with. Everything is taken from there; only data, a test part and words that were objects of Python must be
        given again.
    tell : callable, optional
        Is given each line about what happens; by default nothing is written.
    **words
        Words of `recurra.load` (``label``, ``group``, ...) and of the estimator (``hidden_size``, ...).

    Returns
    -------
    Run
        The folder, the figures, and the fitted estimator.

    Raises
    ------
    UsageError
        If a word is unknown or out of range, or a run is in ``out``, or another process trains into it.
    DataError, ShapeError, MissingDataError
        If the data cannot be used.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> run = recurra.train("japanese-vowels", out="runs/demo", bidirectional=True, seed=0)  # doctest: +SKIP
    >>> run.metrics["accuracy"]  # doctest: +SKIP
    """
    tell = tell or (lambda line: None)
    if resume is not None:
        from recurra.cli.resume import go_on

        own = {"task": task, "out": out, "by": by, "seed": seed, "force": force or None}
        return go_on(
            resume, data, test=test, tell=tell, **{k: v for k, v in own.items() if v is not None}, **words
        )
    if data is None:
        raise UsageError("train: give the data to train on, or a run to go on with as resume=.")
    data_words, model_words = flags.divide("train", words)
    folder = run_folder.check_place(_folder(data, out))
    with run_folder.owned(folder):
        run_folder.check_free(folder, force=force)
        return _anew(data, task, folder, data_words, model_words, test=test, by=by, seed=seed, tell=tell)


def _anew(
    data: Any,
    task: str | None,
    folder: Path,
    data_words: dict[str, Any],
    model_words: dict[str, Any],
    *,
    test: Any,
    by: str | None,
    seed: int | None,
    tell: Tell,
) -> Run:
    """Train a new run in a folder that is owned."""
    seed = _seed(seed, model_words)
    test = parts.test_of(test)
    parts.check_by("train", test, by)
    _check_words(task, None, model_words)
    if task == "forecast" and parts.is_table(data):
        data_words.setdefault("kind", "series")
    dataset = parts.load(data, data_words)
    task = task or choose_task(dataset)
    _check_kind(dataset, task)
    _check_words(task, dataset.kind, model_words)
    _check_labelled(dataset, task)
    data_words, model_words = parts.absolute_paths(data_words), parts.absolute_paths(model_words)
    estimator = flags.estimator_class(task, dataset.kind)(**{**model_words, flags.SEED: seed})
    plan = Plan(_named(data), folder, task, seed, data_words, model_words, test, by, dataset.kind)
    return carry_out(plan, dataset, estimator, tell)


def carry_out(
    plan: Plan,
    dataset: Any,
    estimator: Any,
    tell: Tell,
    *,
    divided: parts.Parts | None = None,
) -> Run:
    """Train, judge and write as planned.

    Parameters
    ----------
    divided : Parts, optional
        Given for a run that goes on: both parts as they were then.
    """
    goes_on = divided is not None
    divided = divided or parts.divide(
        dataset, test=plan.test, by=plan.by, seed=plan.seed, words=plan.data_words
    )
    if plan.task == "classify":
        parts.check_classes_left(dataset, divided)
    if plan.kind == "sequence" and divided.test is not None:
        parts.check_values(divided.test, allow_nan=getattr(estimator, "missing", "error") == "mask")
    problems = _tell_data(dataset, divided, plan.task, tell)
    begin = run_folder.continued_run if goes_on else run_folder.new_run
    with _resumable(plan), begin(plan.folder) as run:
        if not goes_on:
            run.write_json(run_folder.CONFIG, _config(plan, dataset, divided, estimator))
        with screen.noted(problems.warnings):
            _fit(estimator, divided.train, run, resume=goes_on)
        if getattr(estimator, "recipe_", ""):
            tell(estimator.recipe_)
        estimator.trained_on_ = TrainedOn.of(divided.train)
        evaluation, metrics = _judge(estimator, plan, dataset, divided, problems)
        _write(run, estimator, evaluation, metrics)
    return Run(plan.folder, estimator, metrics, evaluation, plan.command)


def choose_task(dataset: Any) -> str:
    """Return the task the data say: for pairs of texts, for series, else by the labels."""
    if dataset.kind == "pairs":
        return "translate"
    if dataset.kind == "series":
        return "forecast"
    if dataset.labels_per_step:
        return "label" if dataset.class_counts() else "regress"
    return "regress" if dataset.y is not None and not dataset.class_counts() else "classify"


def _folder(data: Any, out: Any) -> Path:
    if out is not None:
        return Path(out)
    source = str(data) if isinstance(data, str | Path) else getattr(data, "source", "")
    # In full, so that "." has a name too.
    return Path("runs") / (Path(os.path.abspath(source)).stem if source else "run")


def _named(data: Any) -> str | None:
    """Return what names the data on a command line, None for objects of Python."""
    return str(data) if isinstance(data, str | Path) else None


def _seed(seed: int | None, words: dict[str, Any]) -> int:
    """Return the one seed; a new one where none is given."""
    given = words.pop(flags.SEED, None)
    if seed is not None and given is not None and seed != given:
        raise UsageError(f"train: seed and random_state are the same word; got {seed!r} and {given!r}.")
    value = seed if seed is not None else given
    if value is None:
        import numpy as np

        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"train: seed must be a whole number of at least 0; got {value!r}.")
    return value


def _check_words(task: str | None, kind: str | None, words: Mapping[str, Any]) -> None:
    """Raise UsageError at a value out of range, or a word that no estimator of the task, for data of that kind, takes."""
    from recurra.checks import check_choice, listing
    from recurra.estimators.parameters import check_params

    check_choice("train", "task", task, [*flags.TASKS, None])
    check_params("train", words)
    if task is None:
        return
    kinds = flags.TASKS[task] if kind is None else [kind]
    known = {word for each in kinds for word in flags.defaults(task, each)}
    foreign = [word for word in words if word not in known]
    if foreign:
        raise UsageError(f"train: the task {task!r} takes no {listing(foreign)}.")


def _check_kind(dataset: Any, task: str) -> None:
    from recurra.checks import listing

    if dataset.kind in flags.TASKS[task]:
        return
    others = [other for other, kinds in flags.TASKS.items() if dataset.kind in kinds]
    advice = f"with task={listing(others)}" if others else f"on {listing(flags.TASKS[task])} data only"
    raise DataError(
        f"train: {dataset.source or 'the data'} holds {dataset.kind} records, on which the task {task!r} cannot be "
        f"trained; this version trains {advice}."
    )


def _check_labelled(dataset: Any, task: str) -> None:
    import numpy as np

    if task in flags.WITHOUT_LABELS:
        return
    if dataset.y is None:
        raise DataError(
            f"train: {dataset.source or 'the data'} has no labels. Name their column with label= or target=, "
            "sort the files into one folder per class, or add a labels.csv."
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


@dataclass
class _Problems:
    """What was found odd, for the report."""

    leaks: list[str]
    warnings: list[str]


def _tell_data(dataset: Any, divided: parts.Parts, task: str, tell: Tell) -> _Problems:
    """Say what is in the data, how it is split, and what is odd about it."""
    from recurra.inspection.inspection import inspect

    both = divided.test and task != "forecast"  # a series is on both sides of its own split by time
    found = inspect(dataset, train=divided.train, test=divided.test) if both else inspect(dataset)
    summary = found.summary
    tell(f"Data:   {dataset.source or 'given in Python'}: {_sizes(summary)}")
    for note in dataset.notes:
        tell(f"        {note}")
    tell(f"Split:  {divided.how}")
    leaks = list(found.leaks)
    others = [problem for problem in found.problems if problem not in leaks]
    for problem in [*leaks, *others]:
        tell(f"Warning: {problem}")
    if divided.test is None:
        tell("Warning: without a test part no figure says how good the network is on new data.")
    return _Problems(leaks, others)


def _sizes(summary: Mapping[str, Any]) -> str:
    things = {"pairs": "pairs", "video": "clips"}.get(summary["kind"], "sequences")
    out = f"{summary['n_sequences']} {things}"
    if "length_min" in summary:
        out += f" of {summary['length_min']} to {summary['length_max']} {'characters' if things == 'pairs' else 'steps'}"
    if "n_channels" in summary:
        out += f", {summary['n_channels']} channel{'s' if summary['n_channels'] != 1 else ''}"
    if "n_classes" in summary:
        out += f", {summary['n_classes']} classes"
    return out + (f", {summary['n_groups']} groups" if "n_groups" in summary else "")


@contextmanager
def _resumable(plan: Plan) -> Iterator[None]:
    """Say how to go on where training can."""
    folder = plan.folder
    command = ["recurra", "resume", str(folder)]
    if (checkpoints := plan.words.get("checkpoint_dir")) is not None:
        command += ["--checkpoint-dir", str(checkpoints)]
    advice = f"Go on with: {shlex.join(command)}"
    try:
        yield
    except KeyboardInterrupt:
        if run_folder.unfinished(folder) is None:
            raise
        raise Interrupted(f"where training stood is kept. {advice}") from None
    except (MemoryError, OSError) as error:
        if run_folder.unfinished(folder) is not None:
            error.add_note(advice)
        raise


def _fit(estimator: Any, data: Any, run: RunFolder, *, resume: bool) -> None:
    """Fit, writing a line of history per epoch, and checkpoints."""
    given = {"callbacks": estimator.callbacks, "checkpoint_dir": estimator.checkpoint_dir}
    estimator.set_params(
        callbacks=[*estimator.callbacks, HistoryFile(run)],
        checkpoint_dir=estimator.checkpoint_dir or run.to_write(run_folder.CHECKPOINTS),
    )
    try:
        estimator.fit(data, resume=resume)
    finally:
        estimator.set_params(**given)


def _judge(
    estimator: Any, plan: Plan, dataset: Any, divided: parts.Parts, problems: _Problems
) -> tuple[Any, dict[str, Any]]:
    """Return the evaluation on the test part, if there is one, and the metrics."""
    seconds = estimator.model_.manifest["training"]["seconds"]
    sizes = {"n_train": len(divided.train), "seed": plan.seed, "epochs": len(estimator.history_)}
    if divided.test is None:
        return None, {"n_test": 0, "train_seconds": seconds, **sizes}
    from recurra.evaluation.evaluation import ReportContext

    context = ReportContext(
        title=f"{estimator.__class__.__name__} on {Path(dataset.source).name or 'data'}",
        command=plan.command,
        seed=plan.seed,
        data={**dataset.summary(), "source": dataset.source, "notes": list(dataset.notes)},
        split=divided.how,
        licence=dataset.licence,
        citation=dataset.citation,
        warnings=problems.warnings,
        leaks=problems.leaks,
        target_names=_target_names(plan.data_words),
    )
    test = known_labels(estimator, divided.test)
    evaluation = estimator.evaluate(test, context=context)
    return evaluation, {**screen.plain(evaluation.metrics), **sizes}


def known_labels(estimator: Any, data: Any) -> Any:
    """Return the data with labels written as the estimator's classes are."""
    return parts.with_known_labels(data, estimator.classes_) if hasattr(estimator, "classes_") else data


def _target_names(words: Mapping[str, Any]) -> list[str] | None:
    target = words.get("target")
    return [target] if isinstance(target, str) else target


def _config(plan: Plan, dataset: Any, divided: parts.Parts, estimator: Any) -> dict[str, Any]:
    from recurra.evaluation.evaluation import installed_versions

    test = plan.test
    config = {
        "recurra": recurra.__version__,
        "command": plan.command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": parts.place(plan.source),
        "data_kind": parts.kind(plan.source),
        "data_words": dict(plan.data_words),
        "data_summary": {**dataset.summary(), "source": dataset.source},
        "test": test if test is None or isinstance(test, float) else parts.place(test) or "given in Python",
        "by": plan.by,
        "split": divided.how,
        "n_train": len(divided.train),
        "n_test": 0 if divided.test is None else len(divided.test),
        "identity": "content",  # what records are told apart by; in runs without it clips were by path
        "data_digest": parts.fingerprint(divided),
        "test_digest": None if divided.test is None else parts.digest(divided.test),
        "task": plan.task,
        "kind": plan.kind,
        "estimator": type(estimator).__name__,
        "seed": plan.seed,
        "words": {word: value for word, value in plan.words.items() if flags.can_be_written(word, value)},
        "python_words": [w for w, value in plan.words.items() if not flags.can_be_written(w, value)],
        "params": {k: v for k, v in estimator.get_params(deep=False).items() if flags.can_be_written(k, v)},
        "channel_names": None if dataset.channel_names is None else list(dataset.channel_names),
        "licence": dataset.licence,
        "citation": dataset.citation,
        "versions": installed_versions(),
    }
    return {**config, "beside": parts.beside(plan.folder, config)}


def _write(run: RunFolder, estimator: Any, evaluation: Any, metrics: Mapping[str, Any]) -> None:
    """Write the results; the model file comes last and says that the run is whole."""
    if evaluation is not None:
        evaluation.save(run.to_write(run_folder.REPORT))
        write_figures(run, evaluation, estimator)
    run.write_json(run_folder.METRICS, metrics)
    estimator.trained_on_.save(run.to_write(run_folder.TRAINED_ON))
    run.settle_history()
    estimator.save(run.to_write(run_folder.MODEL))


def write_figures(run: RunFolder, evaluation: Any, estimator: Any) -> None:
    """Write learning curves and the chart of the mistakes as SVG."""
    from recurra.evaluation import charts
    from recurra.store import write_text

    run.to_write(run_folder.FIGURES).mkdir(exist_ok=True)

    def figure(name: str) -> Path:
        return run.to_write(f"{run_folder.FIGURES}/{name}.svg")

    if estimator.history_:
        score = charts.find_score(estimator.history_)
        svg = charts.learning_curves(estimator.history_, best_epoch=estimator.best_epoch_, score=score)
        write_text(figure("learning-curves"), svg)
    for name, svg in evaluation.figures().items():
        write_text(figure(name), svg)


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra train japanese-vowels -o runs/demo --bidirectional --seed 0",
        "recurra train recordings/ -o runs/first",
        "recurra train pairs.csv --task translate --source decimal --target roman",
        "recurra train load.csv --task forecast --target MW --time date --horizon 24",
        "recurra train steps.csv --id recording --label gesture --group person --test new.csv",
    ),
)
@click.argument("data")
@click.option("-o", "--output", "--out", "out", help="Run folder.  [default: runs/ and the name of the data]")
@click.option(
    "--task", type=click.Choice(list(flags.TASKS)), help="What to learn.  [default: what the labels say]"
)
@click.option(
    "--test",
    metavar="FILE|SHARE|0",
    help="What to judge on.  [default: the data's own split, else 0.2 with no group on both sides]",
)
@click.option("--by", type=click.Choice(["group", "time", "record"]), help="How a share is held out.")
@click.option("--force", is_flag=True, help="Replace the run in the folder once the new one is whole.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write metrics.json, flat, as the only line on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary of the data.")
@flags.data_flags
@flags.word_flags
def command(data: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """Train a network on DATA, judge it and save it in a run folder.

    DATA is a folder with one sub-folder per class, a folder with labels.csv, a table with a row per time step or per
    sequence, a .ts, .npy or .npz file, or the name of a data set (recurra datasets).
    """
    own = {word: given.pop(word) for word in ("out", "task", "test", "by", "force")}
    words = flags.given(given)
    if quiet:
        words.setdefault("verbose", 0)
    else:
        screen.how_to_stop()
    if int(words.get("verbose", 1)) > 1:
        screen.log_to_stderr()
    run = train(data, tell=None if quiet else tell_on_screen, **own, **words)
    if as_json:
        return screen.flat_json(run.metrics)
    return show(run, quiet)


def tell_on_screen(line: str) -> None:
    """Show a line about what happens, on standard error."""
    head, _, rest = line.partition(": ")
    screen.warn(in_flags(rest)) if head == "Warning" else screen.say(in_flags(line))


def show(run: Run, quiet: bool) -> None:
    """Show what came of a run, and what to do next."""
    training = run.estimator.model_.manifest["training"]
    if not quiet:
        screen.say(
            f"Trained {training['epochs']} epochs in {training['seconds']:.1f} s, seed {run.metrics['seed']}."
        )
    if run.evaluation is None:
        screen.result("Trained on everything; nothing was held out to judge it on.")
        screen.result(f"Model:  {run.path / run_folder.MODEL}")
        return screen.next_command("recurra", "predict", str(run.path), "NEW_DATA")
    screen.result(run.evaluation.summary())
    if run.evaluation.explainable:
        context = run.evaluation.context
        told = set() if quiet else {*(context.leaks or ()), *context.warnings}
        for finding in run.evaluation.findings():
            if finding not in told:
                screen.warn(finding)
    screen.result(f"Report: {run.path / run_folder.REPORT}")
    if not run.evaluation.explainable:
        return screen.next_command("recurra", "predict", str(run.path), "NEW_DATA")
    worst = next(iter(run.evaluation.worst_positions()), 0)
    return screen.next_command("recurra", "explain", str(run.path), "--index", str(worst))
