"""`recurra.evaluate`: the network of a run judged on its test part, or on new data."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import DataError
from recurra.estimators.loading import load_model
from recurra.runs.command_line import as_arguments
from recurra.runs.data.alignment import labelled_for
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.data.sources import check_data_options, target_names
from recurra.runs.folder.json_files import plain
from recurra.runs.folder.opening import find_model
from recurra.runs.tasks import WITHOUT_LABELS


def evaluate(
    run: Any, data: Any = None, *, name: str | None = None, write: bool = True, **options: Any
) -> Any:
    """Judge the network of a run and write ``eval-NAME.html`` and ``eval-NAME.json`` into its folder.

    Parameters
    ----------
    run : path
        Run folder, or model file; beside a file the page is called after it.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        Labelled data; the run's own test part by default. Of data with an official split the test part is taken.
    name : str, optional
        Of the files; that of the data by default, ``test`` for the run's own test part.
    write : bool, default=True
        Whether files are written.
    **options
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
    from recurra.evaluation.report.context import ReportContext

    check_data_options("evaluate", options)
    folder, path, config = find_model(run)
    if folder is not None:
        config = folder.config()
    estimator = load_model(path)
    test, how = judged_part(folder, config, data, options, who="evaluate", model=run)
    if test.y is None and config.get("task") not in WITHOUT_LABELS:
        raise DataError(
            f"evaluate: {test.source or 'the data'} has no labels to judge by. Name their column with label= or "
            "target=, or use predict."
        )
    command = ["recurra", "eval", str(run), *([str(data)] if isinstance(data, str | Path) else [])]
    context = ReportContext(
        title=f"{config.get('estimator', 'Network')} of {Path(run).name} on {Path(test.source).name or 'data'}",
        command=shlex.join([*command, *as_arguments(options)]),
        data={**test.summary(), "source": test.source, "notes": list(test.notes)},
        split=how,
        licence=test.licence,
        citation=test.citation,
        target_names=target_names(config.get("data_words", {})),
    )
    evaluation = estimator.evaluate(labelled_for(estimator, test), context=context)
    if write:
        stem = page_name(data, name, source=test.source)
        evaluation.save(page_path(run, stem))
        store.write_text(
            page_path(run, stem, ".json"), json.dumps(plain(evaluation.metrics), indent=2) + "\n"
        )
    return evaluation


def page_path(run: Any, stem: str, suffix: str = ".html") -> Path:
    """Return where a page about a network is written: into its run folder, or beside its model file."""
    folder, path, _ = find_model(run)
    if folder is not None:
        return folder.to_write(f"{stem}{suffix}")
    return path.with_name(f"{path.stem}-{stem}{suffix}")


def page_name(data: Any, name: str | None = None, *, source: str = "") -> str:
    """Return what the page of an evaluation is called, without its ending.

    Parameters
    ----------
    data : path, name of a data set, or objects of Python, or None
        What is judged on, as `evaluate` takes it.
    name : str, optional
        As `evaluate` takes it.
    source : str, default=""
        Where objects of Python say that they come from.
    """
    if not name:
        name = (
            "test"
            if data is None
            else Path(str(data) if isinstance(data, str | os.PathLike) else source).stem
        )
    slug = re.sub(r"[^\w.-]+", "-", name or "data").strip("-.")  # a file name everywhere
    return f"eval-{slug or 'data'}"
