"""`recurra.train`: data to a trained, judged and saved network in a run folder."""

from pathlib import Path
from typing import Any

from recurra.errors import UsageError
from recurra.runs.command_line import SEED
from recurra.runs.data.sources import divide_options
from recurra.runs.execute import Run, Tell, execute, follow
from recurra.runs.folder.opening import check_free, check_place
from recurra.runs.folder.ownership import owned
from recurra.runs.plan import default_folder, prepare, seed_of
from recurra.runs.resume import resume_run
from recurra.runs.workers.team import team


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
    **options: Any,
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
        Decides everything random; the same as ``random_state``. By default a new one, which is written down.
    resume : path, optional
        Folder of a run that was interrupted or killed: go on where it stood, to the very weights it would have ended
        with. Everything is taken from there; only data, a test part and options that were objects of Python must be
        given again.
    tell : callable, optional
        Is given each line about what happens; by default nothing is written.
    **options
        Options of `recurra.load` (``label``, ``group``, ...) and of the estimator (``hidden_size``, ...).

    Returns
    -------
    Run
        The folder, the figures, and the fitted estimator. Of several workers that train together (torchrun) the first
        one judges and writes; the others have no figures.

    Raises
    ------
    UsageError
        If an option is unknown or out of range, or a run is in ``out``, or another process trains into it.
    DataError, ShapeError, MissingDataError
        If the data cannot be used.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> run = recurra.train("japanese-vowels", out="runs/demo", seed=0)  # doctest: +SKIP
    >>> run.metrics["accuracy"]  # doctest: +SKIP
    """
    tell = tell or (lambda line: None)
    if resume is not None:
        given = {"task": task, "out": out, "by": by, "seed": seed, "force": force or None}
        decided = {name: value for name, value in given.items() if value is not None}
        return resume_run(resume, data, test=test, tell=tell, **decided, **options)
    if data is None:
        raise UsageError("train: give the data to train on, or a run to go on with as resume=.")
    data_options, model_options = divide_options("train", options)
    folder = check_place(default_folder(data) if out is None else Path(out))
    workers = team(model_options)
    if workers is not None:
        seed = workers.shared(seed_of(seed, model_options.pop(SEED, None)))
        if not workers.leads:
            prepared = prepare(data, task, folder, data_options, model_options, test=test, by=by, seed=seed)
            return follow(prepared)
    with owned(folder):
        check_free(folder, force=force)
        prepared = prepare(data, task, folder, data_options, model_options, test=test, by=by, seed=seed)
        return execute(prepared, tell)
