"""Predictions of the network of a run, a row per sequence; needs neither torch nor scikit-learn, but for clips."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recurra import store
from recurra.checks import as_sequences, as_texts
from recurra.errors import DataError, RecurraError, UsageError
from recurra.estimators.loading import load_model
from recurra.readers.clips.clip_folders import is_clip
from recurra.records import Dataset, Record
from recurra.runs.data.new_data import read_unlabelled
from recurra.runs.data.sources import check_data_options
from recurra.runs.folder.files import MODEL
from recurra.runs.folder.opening import model_file, open_model, open_run
from recurra.serving.models.chunked import in_chunks

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
    progress: Progress | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Predict with the network of a run.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        Sequences, with or without labels.
    proba : bool, default=False
        Whether each row also has the probability of every class.
    segments : bool, default=False
        Whether labels per step are given as segments, from when to when.
    min_duration_s : float, default=0.0
        Shorter segments become part of their longer neighbour.
    chunk : int, optional
        Read every sequence in chunks of so many steps, as a stream would; the answers are the same. A causal network
        does so by itself with long recordings.
    horizon : int, optional
        Steps ahead, of a network that forecasts; by default those it was trained for.
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
        ``name``, ``step``, ``prediction`` (-1 for an anomaly, else 1) and ``score``, the higher the more anomalous.
        Otherwise a row per sequence: ``name``, ``prediction`` (a label, a number, a list of numbers, or a list with one
        per step), and with ``proba`` ``probabilities``, a dictionary (a list of them with a label per step). With
        ``segments``, ``segments`` instead of a prediction: dictionaries with ``label``, ``start_s`` and ``end_s``, and
        ``start`` and ``end`` in steps. Of a translator ``source``, ``prediction``, ``score`` and ``cut``, whether the
        answer had not come to its end.
    """
    check_data_options("predict", options)
    if min_duration_s and not segments:
        raise UsageError(
            "predict: min_duration_s= joins short segments; give segments=True too, or leave it out."
        )
    own = _open_series_estimator(run)
    if own is not None:
        if proba:
            raise UsageError("predict: proba needs classes; this network gives numbers or marks.")
        _check_steps_only(segments, chunk, "forecasts or marks single steps")
        return _series_rows(*own, data, options, horizon=horizon)
    if horizon is not None:
        raise UsageError("predict: horizon is for a network that forecasts.")
    model, config = open_model(run)
    if "video" in model.manifest:
        _check_steps_only(segments, chunk, "reads clips")
        return _of_clips(run, _one_clip(data) or read_unlabelled(config, data, options), proba)
    if model.task == "translation":
        config = {"task": "translate", **config}  # a model file alone
    dataset = read_unlabelled(config, data, options)
    if model.task == "translation":
        if proba:
            raise UsageError("predict: proba needs classes; this network answers with texts.")
        _check_steps_only(segments, chunk, "answers with texts")
        return _answers(model, dataset)
    sequences: list[Any]
    if model.features.reads_numbers:
        sequences = as_sequences(dataset.X, names=dataset.names)
    else:
        sequences, _ = as_texts(dataset)
    with _reading(model, sequences, chunk, progress) as model:
        return _rows(model, sequences, dataset.names, proba, segments, min_duration_s)


def _check_steps_only(segments: bool, chunk: int | None, network: str) -> None:
    """Raise UsageError at options of networks that read recordings step by step."""
    for word, given in (("segments", segments), ("chunk", chunk is not None)):
        if given:
            raise UsageError(f"predict: {word}= does nothing for a network that {network}; leave it out.")


@contextlib.contextmanager
def _reading(model: Any, sequences: list[Any], chunk: int | None, progress: Progress | None) -> Iterator[Any]:
    """Give the model, or one that reads in chunks and says how far it is."""
    steps = sum(map(len, sequences))
    network = model.manifest["network"]
    numbers = model.features.reads_numbers and network is not None and not network["bidirectional"]
    long = steps >= LONG and numbers
    if chunk is None and not long:
        yield model
    elif not long or progress is None:
        yield in_chunks(model, CHUNK if chunk is None else chunk)
    else:
        with progress(steps) as advance:
            yield in_chunks(model, CHUNK if chunk is None else chunk, advance)


def _rows(
    model: Any, sequences: list[Any], names: list[str], proba: bool, segments: bool, min_duration_s: float
) -> list[dict[str, Any]]:
    if segments:
        found = model.segments(sequences, names, min_duration_s=min_duration_s)
        return [
            {"name": name, "segments": [asdict(one) for one in own]}
            for name, own in zip(names, found, strict=True)
        ]
    predicted = model.predict(sequences, names)
    rows: list[dict[str, Any]] = [
        {"name": name, "prediction": _plain(answer)} for name, answer in zip(names, predicted, strict=True)
    ]
    if proba:
        if model.task == "regression":
            raise UsageError("predict: proba needs classes; this network predicts numbers.")
        classes = [str(label) for label in model.classes.tolist()]
        for row, shares in zip(rows, model.predict_proba(sequences, names), strict=True):
            row["probabilities"] = _shares(classes, shares)
    return rows


def _one_clip(data: Any) -> Any:
    """Return a folder of images as the one clip it is to a network that reads clips; None for anything else."""
    if not isinstance(data, str | Path) or not Path(data).is_dir() or not is_clip(Path(data)):
        return None
    return Dataset([Record(str(data), name=Path(data).resolve().name)], kind="video", source=str(data))


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


def _answers(model: Any, dataset: Any) -> list[dict[str, Any]]:
    if dataset.kind not in ("pairs", "text"):
        raise DataError(
            f"predict: {dataset.source or 'the data'} holds {dataset.kind} records; this network reads texts. Name "
            "their column with source=."
        )
    params = model.manifest["params"]
    how = {name: params[name] for name in ("beam_size", "length_penalty")}
    answers = model.translate(dataset.X, names=dataset.names, **how)
    return [
        {
            "name": name,
            "source": source,
            "prediction": best.text,
            "score": round(best.score, 6),
            "cut": best.cut,
        }
        for name, source, (best,) in zip(dataset.names, dataset.X, answers, strict=True)
    ]


def _plain(answer: Any) -> Any:
    return answer.tolist() if hasattr(answer, "tolist") else answer


def _shares(classes: list[str], shares: Any) -> Any:
    if shares.ndim == 1:
        return dict(zip(classes, (round(float(share), 7) for share in shares), strict=True))
    return [_shares(classes, step) for step in shares]


def _open_series_estimator(run: Any) -> tuple[Any, dict[str, Any]] | None:
    """Return forecaster or detector of a run, and its configuration; None if the run is of another kind."""
    path, config = Path(run), dict[str, Any]()
    if not path.is_file():
        folder = open_run(path)
        path = folder / MODEL
        with contextlib.suppress(RecurraError):
            config = folder.config()
    if config and config.get("task") not in ("forecast", "anomaly"):
        return None  # without reading the file twice
    manifest, _ = store.load(path)
    if manifest.get("task") not in ("forecasting", "anomaly"):
        return None
    return load_model(path), config


def _series_rows(
    estimator: Any, config: Mapping[str, Any], data: Any, options: Mapping[str, Any], *, horizon: int | None
) -> list[dict[str, Any]]:
    """Return a row for each step ahead, or for each time step with its score."""
    if type(estimator).__name__ == "Forecaster":
        dataset = read_unlabelled(config, data, {"kind": "series", **options} if not config else options)
        made = estimator.forecast(dataset, horizon=horizon)
        forecasts = made if isinstance(made, list) else [made]
        return [row for forecast in forecasts for row in _ahead(forecast)]
    dataset = read_unlabelled(config, data, options)
    scores = -estimator.score_samples(dataset)
    marks = estimator.predict(dataset)
    return [
        {"name": name, "step": step, "prediction": int(mark), "score": float(score)}
        for name, own, theirs in zip(dataset.names, marks, scores, strict=True)
        for step, (mark, score) in enumerate(zip(own, theirs, strict=True))
    ]


def _ahead(forecast: Any) -> list[dict[str, Any]]:
    n = forecast.point.shape[1]
    targets = list(
        forecast.target_names or (["prediction"] if n == 1 else [f"target_{i + 1}" for i in range(n)])
    )
    out, times = [], forecast.stamps()
    for step, point in enumerate(forecast.point):
        row: dict[str, Any] = {"name": forecast.name, "step": step + 1}
        if times is not None:
            row["time"] = times[step]
        for column, target in enumerate(targets):
            row[target] = float(point[column])
            if forecast.low is not None:
                row[f"{target}_low"] = float(forecast.low[step, column])
                row[f"{target}_high"] = float(forecast.high[step, column])
        out.append(row)
    return out
