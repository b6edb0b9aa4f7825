"""Predictions of the network of a run, a row per sequence; needs neither torch nor scikit-learn, but for clips."""

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from recurra.checks import as_texts, as_token_lists, check_number
from recurra.errors import DataError, UsageError
from recurra.estimators.loading import SERIES, load_model
from recurra.plain_arrays import as_sequences
from recurra.runs.answers.long_form import by_share
from recurra.runs.answers.series import anomaly_rows, anomaly_segments, forecast_rows, label_segments
from recurra.runs.data.new_data import read_unlabelled, stamp_of, with_static
from recurra.runs.data.sources import check_data_options
from recurra.runs.folder.opening import find_model, model_file, open_model, task_of
from recurra.serving.inputs import Inputs
from recurra.serving.models.chunked import in_chunks
from recurra.serving.streams.stream import what_looks_ahead

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]

# Steps from which a causal network reads in chunks and says how far it is, and of a chunk.
LONG, CHUNK = 1_000_000, 100_000


def predict(
    run: Any,
    data: Any,
    *,
    proba: bool = False,
    segments: bool = False,
    min_duration_s: float = 0.0,
    chunk: int | None = None,
    horizon: int | None = None,
    beam_size: int | None = None,
    n_best: int = 1,
    progress: Progress | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Predict with the network of a run.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        Sequences, with or without labels. A tuple of paths is several files, each sequence named by its file.
    proba : bool, default=False
        Whether each row also has the probability of every class.
    segments : bool, default=False
        Whether labels per step, or anomalies, are given as segments, from when to when.
    min_duration_s : float, default=0.0
        Shorter segments become part of their longer neighbour; shorter anomalies are left out.
    chunk : int, optional
        Read every sequence in chunks of so many steps, as a stream would; the answers are the same. A causal network
        does so by itself with long recordings.
    horizon : int, optional
        Steps ahead, of a network that forecasts; by default those it was trained for.
    beam_size, n_best : int
        Of a translator: beginnings kept at every step, by default as trained, and answers to each source; with several a
        row for each answer, its place in ``rank``.
    progress : callable, optional
        Is given the steps of a long recording and gives a context, whose value takes the number of steps read since
        it was last called.
    **options
        How the data are read; by default as the training data were.

    Returns
    -------
    list of dict
        Of a forecast a row for each step ahead: ``name``, ``step``, ``time`` where there are time stamps, a column for
        each target and, with intervals, ``<target>_low`` and ``<target>_high``. Of anomalies a row for each time step:
        ``name``, ``step``, ``time``, ``prediction`` (-1 for an anomaly, else 1) and ``score``, the higher the more
        anomalous. Otherwise a row per sequence: ``name``, ``prediction`` (a label, a number, a list of numbers, or a list
        with one per step, beside which ``time`` or ``words`` are lists too), and with ``proba`` ``probabilities``, a
        dictionary (a list of them with a label per step), and of a network that gives quantiles ``quantiles``, a dictionary
        from each one's share, as text, to what ``prediction`` is of the median. With ``segments``, ``segments`` instead of a
        prediction: dictionaries with ``label``, ``start`` and ``end`` in steps, ``start_s`` and ``end_s``, the time stamps
        of their first and last step, and of anomalies ``peak``. Of a translator ``source``, ``prediction``, ``score`` and
        ``cut``, whether the answer had not come to its end. `recurra.runs.answers.long_form.long_form` makes one table of
        all.
    """
    return predicted(
        run,
        data,
        Wanted(proba, segments, min_duration_s, chunk, horizon, progress, beam_size, n_best),
        options,
    ).rows


@dataclass(frozen=True)
class Wanted:
    """What is asked for; see `predict`."""

    proba: bool = False
    segments: bool = False
    min_duration_s: float = 0.0
    chunk: int | None = None
    horizon: int | None = None
    progress: Progress | None = None
    beam_size: int | None = None
    n_best: int = 1


@dataclass(frozen=True)
class Predicted:
    """Rows of predictions, and whether the data have labels to judge them by."""

    rows: list[dict[str, Any]]
    labelled: bool


def predicted(run: Any, data: Any, wanted: Wanted, options: Mapping[str, Any]) -> Predicted:
    """Return what `predict` does, with what is known of the data."""
    check_data_options("predict", options)
    check_number("predict", "min_duration_s", wanted.min_duration_s, low=0)
    if wanted.min_duration_s and not wanted.segments:
        raise UsageError(
            "predict: min_duration_s= joins short segments; give segments=True too, or leave it out."
        )
    searched = {"beam_size": wanted.beam_size, "n_best": wanted.n_best}
    own = _open_series_estimator(run)
    if own is not None:
        _check_no_search(searched)
        return _of_series(*own, data, wanted, options)
    if wanted.horizon is not None:
        raise UsageError("predict: horizon is for a network that forecasts.")
    model, config = open_model(run)
    if model.task != "translation":
        _check_no_search(searched)
    if "video" in model.manifest:
        _check_steps_only(wanted, "reads clips")
        dataset = read_unlabelled(config, data, options)
        return Predicted(_of_clips(run, dataset, wanted.proba), dataset.y is not None)
    dataset = read_unlabelled(with_static(model, config), data, {**options, "keep_stamps": True})
    if model.task == "translation":
        if wanted.proba:
            raise UsageError("predict: proba needs classes; this network answers with texts.")
        _check_steps_only(wanted, "answers with texts")
        return Predicted(_answers(model, dataset, searched), dataset.y is not None)
    sequences: list[Any]
    if model.features.reads_numbers:
        sequences = as_sequences(dataset.X, names=dataset.names)
    elif model.task == "labeling":
        sequences, _ = as_token_lists(dataset)
    else:
        sequences, _ = as_texts(dataset)
    inputs = model.read("predict", sequences, dataset.names, None, dataset)
    with _reading(model, sequences, wanted.chunk, wanted.progress) as model:
        return Predicted(_rows(model, inputs, dataset, wanted), dataset.y is not None)


def _check_steps_only(wanted: Wanted, network: str, *, segments: bool = False) -> None:
    """Raise UsageError at options of networks that read recordings step by step."""
    given = {"segments": wanted.segments and not segments, "chunk": wanted.chunk is not None}
    for word, asked in given.items():
        if asked:
            raise UsageError(f"predict: {word}= does nothing for a network that {network}; leave it out.")


@contextlib.contextmanager
def _reading(model: Any, sequences: list[Any], chunk: int | None, progress: Progress | None) -> Iterator[Any]:
    """Give the model, or one that reads in chunks and says how far it is."""
    steps = sum(map(len, sequences))
    long = steps >= LONG and model.features.reads_numbers and what_looks_ahead(model) is None
    if chunk is None and not long:
        yield model
    elif not long or progress is None:
        yield in_chunks(model, CHUNK if chunk is None else chunk)
    else:
        with progress(2 * steps if model.quantiles else steps) as advance:
            yield in_chunks(model, CHUNK if chunk is None else chunk, advance)


def _rows(model: Any, inputs: Inputs, dataset: Any, wanted: Wanted) -> list[dict[str, Any]]:
    if wanted.segments:
        return label_segments(model, inputs, dataset, min_duration_s=wanted.min_duration_s)
    answers, per_step = model.predict(inputs), model.per_step
    rows: list[dict[str, Any]] = []
    for record, name, answer in zip(dataset.records, dataset.names, answers, strict=True):
        row: dict[str, Any] = {"name": name}
        if per_step and record.stamps is not None:
            row["time"] = [stamp_of(record, step) for step in range(record.length)]
        if dataset.kind == "tokens":
            row["words"] = list(record.values)
        if per_step and model.task == "regression":
            row["steps"] = record.length
        rows.append({**row, "prediction": _plain(answer)})
    if model.quantiles:
        for row, each in zip(rows, model.predict_quantiles(inputs), strict=True):
            row["quantiles"] = by_share(model.quantiles, each)
    if wanted.proba:
        if model.task == "regression":
            raise UsageError("predict: proba needs classes; this network predicts numbers.")
        classes = [str(label) for label in model.classes.tolist()]
        for row, shares in zip(rows, model.predict_proba(inputs), strict=True):
            row["probabilities"] = _shares(classes, shares)
    return rows


def _of_clips(run: Any, dataset: Any, proba: bool) -> list[dict[str, Any]]:
    """Predict with the estimator of a run, which needs onnxruntime or torch for its image network."""
    estimator = load_model(model_file(run))
    answers = zip(dataset.names, estimator.predict(dataset), strict=True)
    rows: list[dict[str, Any]] = [{"name": name, "prediction": _plain(answer)} for name, answer in answers]
    if proba:
        classes = [str(label) for label in estimator.classes_.tolist()]
        for row, shares in zip(rows, estimator.predict_proba(dataset), strict=True):
            row["probabilities"] = _shares(classes, shares)
    return rows


def _check_no_search(searched: Mapping[str, Any]) -> None:
    """Raise UsageError at options of a search for answers, which a translator alone makes."""
    for word, usual in (("beam_size", None), ("n_best", 1)):
        if searched[word] != usual:
            raise UsageError(
                f"predict: {word}= is for a translator; this network searches for nothing. Leave it out."
            )


def _answers(model: Any, dataset: Any, searched: Mapping[str, Any]) -> list[dict[str, Any]]:
    if dataset.kind not in ("pairs", "text"):
        raise DataError(
            f"predict: {dataset.source or 'the data'} holds {dataset.kind} records; this network reads texts. Name "
            "their column with source=."
        )
    how = model.searching(length_penalty=None, **searched)
    answers = model.translate(dataset.X, names=dataset.names, **how)
    several = searched["n_best"] > 1
    return [
        {
            "name": name,
            "source": source,
            **({"rank": rank} if several else {}),
            "prediction": one.text,
            "score": round(one.score, 6),
            "cut": one.cut,
        }
        for name, source, found in zip(dataset.names, dataset.X, answers, strict=True)
        for rank, one in enumerate(found, 1)
    ]


def _plain(answer: Any) -> Any:
    return answer.tolist() if hasattr(answer, "tolist") else answer


def _shares(classes: list[str], shares: Any) -> Any:
    if shares.ndim == 1:
        return dict(zip(classes, (round(float(share), 7) for share in shares), strict=True))
    return [_shares(classes, step) for step in shares]


def _open_series_estimator(run: Any) -> tuple[Any, dict[str, Any]] | None:
    """Return forecaster or detector of a run, and its configuration; None if the run is of another kind."""
    task = task_of(run)
    if task == "generate":
        raise UsageError(
            f"predict: {run} writes text and has no answer to data. "
            f"Use: recurra generate {shlex.quote(str(run))} --prompt TEXT"
        )
    if task not in ("forecast", "anomaly"):
        return None
    _, path, config = find_model(run)
    estimator = load_model(path)
    return (estimator, config) if type(estimator).__name__ in SERIES else None


def _of_series(
    estimator: Any, config: Mapping[str, Any], data: Any, wanted: Wanted, options: Mapping[str, Any]
) -> Predicted:
    """Return a row for each step ahead, or for each time step with its score."""
    if wanted.proba:
        raise UsageError("predict: proba needs classes; this network gives numbers or marks.")
    if type(estimator).__name__ == "Forecaster":
        _check_steps_only(wanted, "forecasts")
        dataset = read_unlabelled(config, data, options)
        return Predicted(forecast_rows(estimator, dataset, horizon=wanted.horizon), False)
    _check_steps_only(wanted, "marks single steps", segments=True)
    if wanted.horizon is not None:
        raise UsageError("predict: horizon is for a network that forecasts.")
    dataset = read_unlabelled(config, data, {**options, "keep_stamps": True})
    if wanted.segments:
        rows = anomaly_segments(estimator, dataset, min_duration_s=wanted.min_duration_s)
    else:
        rows = anomaly_rows(estimator, dataset)
    return Predicted(rows, True)
