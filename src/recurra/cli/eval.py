"""``recurra eval``: judge a trained network on its test part, or on new data."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, run_folder, screen
from recurra.cli.reading import check_data_words, judged_part
from recurra.errors import DataError


def evaluate(run: Any, data: Any = None, *, name: str | None = None, write: bool = True, **words: Any) -> Any:
    """Judge the network of a run and write ``eval-NAME.html`` and ``eval-NAME.json`` into its folder.

    Parameters
    ----------
    run : path
        Run folder.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        Labelled data; the run's own test part by default. Of data with an official split the test part is taken.
    name : str, optional
        Of the files; that of the data by default, ``test`` for the run's own test part.
    write : bool, default=True
        Whether files are written.
    **words
        How the data are read (``label``, ``id``, ...); by default as the training data were.

    Returns
    -------
    Evaluation
        Figures beside the naive answer; the report is written into the run's folder.

    Raises
    ------
    MissingDataError
        If there is no such run or data.
    DataError, ShapeError
        If the data do not fit the network, or the run's own test part is no longer what it was.
    UsageError
        If the run has no test part and no data are given.

    Examples
    --------
    >>> recurra.evaluate("runs/demo").metrics["accuracy"]  # doctest: +SKIP
    """
    from recurra.cli.train import known_labels
    from recurra.estimators.loading import load_model
    from recurra.evaluation.evaluation import ReportContext

    check_data_words("evaluate", words)
    folder = run_folder.open_run(run)
    config = folder.config()
    estimator = load_model(folder / run_folder.MODEL)
    test, how = judged_part(folder, config, data, words, who="evaluate")
    if test.y is None and config.get("task") not in flags.WITHOUT_LABELS:
        raise DataError(
            f"evaluate: {test.source or 'the data'} has no labels to judge by. Name their column with label= or "
            "target=, or use predict."
        )
    command = ["recurra", "eval", str(folder.path), *([str(data)] if isinstance(data, str | Path) else [])]
    context = ReportContext(
        title=f"{config.get('estimator', 'Network')} of {folder.path.name} on {Path(test.source).name or 'data'}",
        command=shlex.join([*command, *flags.as_arguments(words)]),
        data={**test.summary(), "source": test.source, "notes": list(test.notes)},
        split=how,
        licence=test.licence,
        citation=test.citation,
        target_names=_targets(config),
    )
    evaluation = estimator.evaluate(known_labels(estimator, test), context=context)
    if write:
        stem = f"eval-{_slug(name or ('test' if data is None else _name_of(data, test)))}"
        evaluation.save(folder.to_write(f"{stem}.html"))
        folder.write_json(f"{stem}.json", screen.plain(evaluation.metrics))
    return evaluation


def _targets(config: Mapping[str, Any]) -> list[str] | None:
    target = config.get("data_words", {}).get("target")
    return [target] if isinstance(target, str) else target


def _name_of(data: Any, dataset: Any) -> str:
    source = str(data) if isinstance(data, str | os.PathLike) else dataset.source
    return Path(source).stem or "data"


def _slug(name: str) -> str:
    """Return a name that is a file name everywhere."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "data"


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples("recurra eval runs/demo", "recurra eval runs/gestures new.csv --name march"),
)
@click.argument("run")
@click.argument("data", required=False)
@click.option("--name", help="Of the files eval-NAME.html and eval-NAME.json.  [default: that of the data]")
@click.option("--json", "as_json", is_flag=True, help="Write the figures as one flat JSON object.")
@flags.data_flags
def command(run: str, data: str | None, name: str | None, as_json: bool, **given: Any) -> None:
    """Judge the network of RUN on its test part, or on labelled DATA, and add a page to the run folder."""
    evaluation = evaluate(run, data, name=name, **flags.given(given))
    if as_json:
        if evaluation.context.trained_on:
            screen.warn(evaluation.context.trained_on)
        return screen.flat_json(evaluation.metrics)
    screen.say(f"Judged on: {evaluation.context.split}")
    screen.result(evaluation.summary())
    if evaluation.explainable:
        for finding in evaluation.findings():
            screen.warn(finding)
    stem = _slug(name or ("test" if data is None else _name_of(data, None)))
    screen.result(f"Report: {run_folder.open_run(run) / f'eval-{stem}.html'}")
    if not evaluation.explainable:
        return screen.next_command("recurra", "predict", run, "NEW_DATA")
    worst = str(next(iter(evaluation.worst_positions()), 0))
    return screen.next_command("recurra", "explain", run, *([data] if data else []), "--index", worst)
