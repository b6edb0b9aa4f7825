"""Runs side by side, and whether their difference is more than noise."""

from pathlib import Path
from typing import Any

from recurra.errors import UsageError
from recurra.runs.evaluate import evaluate


def compare(*runs: Any, data: Any = None, **options: Any) -> Any:
    """Compare two or more runs on the same test sequences.

    Parameters
    ----------
    *runs : path
        Run folders, at least two.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        Labelled data to judge all of them on; by default each run's test part, which must be the same.
    **options
        How the data are read.

    Returns
    -------
    Comparison
        ``runs``, a row each, the best first; ``pairs``, every two with the test; ``str()`` says it in words.
    """
    from recurra.evaluation.results.comparison import compare as compare_evaluations

    if len(runs) < 2:
        raise UsageError(f"compare: needs at least two runs; got {len(runs)}.")
    alone = next((run for run in runs if Path(run).is_file()), None)
    if alone is not None and data is None:
        raise UsageError(
            f"compare: {alone} is a model file, which knows no test part; give the data to judge all of them on with data=."
        )
    names = _names([Path(run) for run in runs])
    judged = {
        name: evaluate(run, data, write=False, **options) for name, run in zip(names, runs, strict=True)
    }
    return compare_evaluations(judged)


def _names(paths: list[Path]) -> list[str]:
    """Return the last part of each path, or the whole path where these are not all different."""
    short = [path.resolve().name for path in paths]
    names = short if len(set(short)) == len(short) else [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise UsageError("compare: a run is given twice; give different runs.")
    return names
