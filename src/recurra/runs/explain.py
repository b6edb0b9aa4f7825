"""Which values of one sequence speak for its prediction, as an object or as pictures beside the run."""

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recurra.errors import UsageError
from recurra.estimators.loading import load_model
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.data.sources import check_data_options
from recurra.runs.folder.files import FIGURES
from recurra.runs.folder.opening import find_model
from recurra.store import write_text

DEFAULT_METHOD = "integrated_gradients"
SUFFIXES = (".png", ".svg", ".pdf", ".json")
CLOUD_SUFFIXES = (".png", ".svg", ".pdf")
# What answers of these tasks come from is shown elsewhere.
NOT_EXPLAINED = {
    "forecast": "forecasts series, which explain does not take apart; how good each step ahead is, beside the naive "
    "forecasts, is what this shows: recurra eval {run}",
    "anomaly": "gives every time step a score, which explain does not take apart; the scores themselves are what this "
    "shows: recurra predict {run} DATA",
    "generate": "writes text, which explain does not take apart; to see what it writes: recurra generate {run} "
    "--prompt TEXT",
}


def explain(
    run: Any,
    data: Any = None,
    *,
    index: int = 0,
    method: str = DEFAULT_METHOD,
    target: Any = None,
    step: int | None = None,
    **options: Any,
) -> Any:
    """Explain one prediction of the network of a run.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        The run's own test part by default.
    index : int, default=0
        Which sequence of what ``evaluate`` judges on, from 0.
    method : {"integrated_gradients", "occlusion", "gradient_times_input"}
        How it is found out.
    target : label or int, optional
        What to explain; the predicted class by default.
    step : int, optional
        With a label per time step: the step whose label is explained.
    **options
        How the data are read; by default as the training data were.

    Returns
    -------
    Explanation

    Raises
    ------
    UsageError
        If there is no such sequence or class.
    """
    chosen = _chosen(run, data, index, options)
    return _explained(chosen.estimator, chosen.record, method, target, step)


@dataclass(frozen=True)
class ExplanationFiles:
    """What `write_explanation` wrote.

    Parameters
    ----------
    explanation : Explanation
        Of one prediction.
    path : Path
        Its picture or its values.
    inside : Path or None
        The picture of gates and states, None for a network that has none to show.
    inside_summary : str
        What is to be seen there, in a sentence.
    others : int
        Sequences beside this one that could be explained as well.
    """

    explanation: Any
    path: Path
    inside: Path | None = None
    inside_summary: str = ""
    others: int = 0


def write_explanation(
    run: Any,
    data: Any = None,
    *,
    out: str | Path | None = None,
    index: int = 0,
    method: str = DEFAULT_METHOD,
    target: Any = None,
    step: int | None = None,
    **options: Any,
) -> ExplanationFiles:
    """Explain one prediction and write pictures of it; the other arguments are those of `explain`.

    Parameters
    ----------
    out : path, optional
        PNG, SVG, PDF or JSON file; ``figures/explain-N.svg`` in the run folder by default. A second picture beside it, its
        name ending in ``-inside.svg``, shows every gate and state over time.

    Raises
    ------
    UsageError
        If the file has another ending, or there is no such sequence or class.
    """
    path = Path(out) if out is not None else _usual_place(run, index)
    _check_suffix("the file", path, SUFFIXES)
    chosen = _chosen(run, data, index, options)
    found = _explained(chosen.estimator, chosen.record, method, target, step)
    if out is None:
        path.parent.mkdir(exist_ok=True)
    _write(found, path)
    inside, summary = _write_inside(chosen.estimator, chosen.record, chosen.name, path)
    return ExplanationFiles(found, path, inside, summary, chosen.n_sequences - 1)


def _usual_place(run: Any, index: int) -> Path:
    """Return where a picture is written if nobody says: in the run folder, or beside the model file."""
    folder, path, _ = find_model(run)
    if folder is None:
        return path.with_name(f"{path.stem}-explain-{index}.svg")
    return folder.to_write(f"{FIGURES}/explain-{index}.svg")


def write_word_cloud(run: Any, data: Any, path: Path, **options: Any) -> int:
    """Draw the words of what the network is judged on, sized by how far they speak for their class.

    Parameters
    ----------
    run, data, **options
        As for `explain`.
    path : Path
        PNG, SVG or PDF file.

    Returns
    -------
    int
        Number of texts.

    Raises
    ------
    UsageError
        If the file has another ending, or the network does not read text.
    """
    _check_suffix("a word cloud", path, CLOUD_SUFFIXES)
    check_data_options("explain", options)
    folder, path_of_model, config = find_model(run)
    dataset, _ = judged_part(folder, config, data, options, who="explain", labelled=False, model=run)
    estimator = load_model(path_of_model)
    if not hasattr(estimator, "word_cloud"):
        raise UsageError(
            f"explain: {run} holds a {type(estimator).__name__}; word clouds are for networks that read text."
        )
    estimator.word_cloud(dataset).save(path)
    return len(dataset)


def _check_suffix(what: str, path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"explain: {what} must end in {', '.join(suffixes)}; got {path.name!r}.")


@dataclass(frozen=True)
class _Chosen:
    """The estimator of a run, one record, what to call it, and of how many it is one."""

    estimator: Any
    record: Any
    name: str
    n_sequences: int


def _chosen(run: Any, data: Any, index: int, options: dict[str, Any]) -> _Chosen:
    check_data_options("explain", options)
    folder, path, config = find_model(run)
    if folder is not None:
        config = folder.config()
    task, named = str(config.get("task")), shlex.quote(str(run))
    if task in NOT_EXPLAINED:
        raise UsageError(f"explain: {run} {NOT_EXPLAINED[task].format(run=named)}")
    dataset, _ = judged_part(folder, config, data, options, who="explain", labelled=False, model=run)
    if not 0 <= index < len(dataset):
        raise UsageError(f"explain: index must be in 0..{len(dataset) - 1}; got {index}.")
    record = dataset[index]
    return _Chosen(
        load_model(path), _by_name(dataset, record), record.name or f"sequence {index}", len(dataset)
    )


def _by_name(dataset: Any, record: Any) -> Any:
    """Return a record with its static inputs by their names, where they have some."""
    if record.static is None or dataset.static_names is None:
        return record
    return replace(record, static=dict(zip(dataset.static_names, record.static, strict=True)))


def _static_of(estimator: Any, record: Any) -> dict[str, Any]:
    """Return the static inputs of a record as an argument; none where the network has none."""
    return {} if getattr(estimator.model_, "static", None) is None else {"static": record.static}


def _explained(estimator: Any, record: Any, method: str, target: Any, step: int | None) -> Any:
    sequence = record.values
    if estimator.model_.task == "translation":
        how = "attention" if method == DEFAULT_METHOD else method
        return estimator.explain(sequence, method=how, target=target)
    known = (
        {str(label): label for label in estimator.classes_.tolist()} if hasattr(estimator, "classes_") else {}
    )
    return estimator.explain(
        sequence,
        method=method,
        target=known.get(str(target), target),
        step=step,
        **_static_of(estimator, record),
    )


def _write_inside(estimator: Any, record: Any, name: str, path: Path) -> tuple[Path | None, str]:
    """Write the gates and states beside the explanation; return file and summary, no file for a user's own network."""
    if estimator.model_.manifest["network"] is None or estimator.model_.task == "translation":
        return None, ""
    trace = estimator.trace(record.values, name=name, **_static_of(estimator, record))
    inside = path.with_name(f"{path.stem}-inside.svg")
    trace.plot().save(inside)
    return inside, trace.summary()


def _write(found: Any, path: Path) -> None:
    """Write the picture, or with a name ending in ``.json`` the values, in one step."""
    if path.suffix.lower() == ".json":
        write_text(path, json.dumps(found.to_dict(), default=str) + "\n")
    else:
        found.save(path)
