"""Sequences of a run and what the network thought of them: the worst mistakes first, answers over time, gates, states."""

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.errors import DataError, UsageError
from recurra.estimators.loading import load_model
from recurra.runs.data.alignment import labelled_for
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.folder.files import CONFIG, MODEL, RunFolder
from recurra.studio.files import Below
from recurra.studio.recordings import extremes_between, unnamed

MOST_KEPT = 4
MOST_CASES = 2000
MOST_POINTS = 3000  # of a signal on the page
MOST_COLUMNS = 1500  # of a heat map
PREFIXES = 48  # of a sequence, whose answers are shown over time
MOST_PREFIX_STEPS = 2_000_000  # in all prefixes together
MOST_FRAMES = 12


@dataclass(frozen=True)
class Judged:
    """A run with its test part, and how it was judged on it."""

    estimator: Any
    data: Any
    evaluation: Any

    @property
    def static_of(self) -> Callable[[Any], dict[str, Any]]:
        """Return a function that gives the static inputs of a record as an argument."""
        names = self.data.static_names
        if getattr(self.estimator.model_, "static", None) is None or names is None:
            return lambda record: {}
        return lambda record: {"static": dict(zip(names, record.static, strict=True))}


class Inside:
    """Runs that were looked into last; what is computed is computed one after the other.

    Parameters
    ----------
    below : Below
        The folder.
    """

    def __init__(self, below: Below) -> None:
        self._below = below
        self._kept: dict[tuple[Path, int], Judged] = {}
        self.lock = RLock()

    def judged(self, run: RunFolder) -> Judged:
        """Return a run judged on its test part.

        Raises
        ------
        DataError
            If its data or its model are outside of the folder.
        """
        model = self._below.file_of(run, MODEL)
        self._below.file_of(run, CONFIG)
        key = (run.path, model.stat().st_mtime_ns)
        with self.lock:
            if key not in self._kept:
                config = run.config()
                self._below.check_data(config)
                data, _ = judged_part(run, config, None, {}, who="studio")
                estimator = load_model(model)
                evaluation = estimator.evaluate(labelled_for(estimator, data))
                while len(self._kept) >= MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = Judged(estimator, data, evaluation)
            return self._kept[key]

    def model(self, run: RunFolder) -> Any:
        """Return the fitted estimator of a run."""
        return load_model(self._below.file_of(run, MODEL))


def cases(judged: Judged) -> dict[str, Any]:
    """Return the sequences of the test part with their answers, the worst mistakes first."""
    evaluation, data = judged.evaluation, judged.data
    worst = evaluation.worst_positions(MOST_CASES)
    known: dict[int, dict[str, Any]] = {}
    for row in getattr(evaluation, "predictions", []):
        known.setdefault(int(row["sequence"]), row)
    wrong = set(worst)
    order = [*worst, *(i for i in range(len(data)) if i not in wrong)][:MOST_CASES]
    rows = [
        {
            "index": i,
            "name": data[i].name or f"sequence {i}",
            "length": len(data[i].values) if data.kind not in ("video", "series") else None,
            "wrong": i in wrong,
            "true": _short(known.get(i, {}).get("true")),
            "predicted": _short(known.get(i, {}).get("predicted")),
            "confidence": known.get(i, {}).get("confidence"),
        }
        for i in order
    ]
    return {
        "kind": data.kind,
        "n": len(data),
        "headline": evaluation.headline(),
        "sentences": evaluation.sentences(),
        "findings": evaluation.findings(),
        "cases": rows,
    }


def same_sequence(first: Judged, index: int, judged: Judged) -> int:
    """Return the place in a run's test part of the sequence that another one has at ``index``.

    Raises
    ------
    DataError
        If it is not there.
    """
    record = _record(first, index)
    near = [index, *range(len(judged.data))] if index < len(judged.data) else range(len(judged.data))
    for place in near:
        other = judged.data[place]
        if other.name == record.name and (record.name or _alike(other.values, record.values)):
            return place
    raise DataError(
        f"studio: {record.name or f'sequence {index}'} is not in the part that this run was judged on."
    )


def _alike(one: Any, other: Any) -> bool:
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else bool(one == other)


def case(judged: Judged, index: int) -> dict[str, Any]:
    """Return one sequence: its signal, words or pairs, and what the network thought over time."""
    record, kind = _record(judged, index), judged.data.kind
    out: dict[str, Any] = {
        "kind": kind,
        "index": index,
        "name": record.name or f"sequence {index}",
        "rate": record.sample_rate_hz,
    }
    if str(judged.estimator.model_.task) == "generation":
        return out | {"why_not": "How well running text is foretold is in the report of the run."}
    if kind in ("text", "tokens", "pairs"):
        return out | {
            "text": _joined(record.values),
            **answer(judged, record),
            "true": _short(record.label),
        }
    if kind == "video":
        return out | {**answer(judged, record), "true": _short(record.label)}
    if kind != "sequence":
        return out | {"why_not": "A series is shown with its forecasts in the report of the run."}
    values = _two_axes(record.values)
    per_step = np.ndim(record.label) == 1 and len(record.label) == len(values)
    labels = np.asarray(record.label) if per_step else np.array([])
    truth = [] if labels.dtype.kind == "f" else stretches(labels)
    names = [str(name) for name in judged.data.channel_names or unnamed(values.shape[1])]
    return out | {
        "channels": names,
        "signal": signal(values),
        "truth": truth,
        "true": "" if per_step else _short(record.label),
        **answer(judged, record),
    }


def signal(values: np.ndarray) -> dict[str, Any]:
    """Return a signal as the page draws it: values, or the extremes of so many points where it is longer."""
    steps = len(values)
    values = np.asarray(values, np.float64)
    if steps <= 2 * MOST_POINTS:
        return {"steps": steps, "values": values.T}
    low, high = extremes_between(values, np.linspace(0, steps, MOST_POINTS + 1).astype(np.int64))
    return {"steps": steps, "low": low.T, "high": high.T}


def answer(judged: Judged, record: Any) -> dict[str, Any]:
    """Return what the network says of a record, and what it said, or would have said, over time."""
    estimator, beside = judged.estimator, judged.static_of(record)
    task = str(estimator.model_.task)
    one: Any = [record.values] if judged.data.kind != "video" else replace(judged.data, records=[record])
    if task == "translation":
        return {"predicted": _short(estimator.predict([record.values])[0])}
    if task in ("anomaly", "forecasting", "generation"):
        return {"predicted": "", **_scores(estimator, task, record)}
    beside = {name: [value] for name, value in beside.items()}
    if not hasattr(estimator, "classes_"):
        number = estimator.predict(one, **beside)[0]
        over = np.asarray(number, float).reshape(len(number), -1) if estimator.model_.per_step else None
        said = _short(number) if over is None else ""
        return {
            "predicted": said,
            "over": _prefixes(judged, record) if over is None else _thin(over, ["answer"]),
        }
    shares = np.asarray(estimator.predict_proba(one, **beside)[0], float)
    classes = [str(label) for label in estimator.classes_.tolist()]
    if task == "labeling":
        predicted = np.asarray(estimator.predict(one, **beside)[0])
        return {"predicted": "", "answers": stretches(predicted), "over": _thin(shares, classes)}
    ranked = sorted(zip(classes, shares.tolist(), strict=True), key=lambda pair: -pair[1])[:12]
    return {"predicted": ranked[0][0], "shares": ranked, "over": _prefixes(judged, record)}


def _scores(estimator: Any, task: str, record: Any) -> dict[str, Any]:
    """Return the scores of an anomaly detector over time; nothing of the others, which answer no sequence."""
    if task != "anomaly":
        return {}
    scores = np.asarray(estimator.score_samples([record.values])[0], float)
    return {"over": _thin(scores[:, None], ["score"])}


def _prefixes(judged: Judged, record: Any) -> dict[str, Any] | None:
    """Return what the network would have answered had the sequence ended earlier; None where that is not known."""
    if judged.data.kind != "sequence":
        return None
    values, estimator = _two_axes(record.values), judged.estimator
    count = min(PREFIXES, len(values), max(2, 2 * MOST_PREFIX_STEPS // len(values)))
    ends = np.unique(np.linspace(1, len(values), count).round().astype(int))
    beside = {name: [value] * len(ends) for name, value in judged.static_of(record).items()}
    parts = [values[:end] for end in ends]
    try:
        if hasattr(estimator, "classes_"):
            said = np.asarray(estimator.predict_proba(parts, **beside), float)
            names = [str(label) for label in estimator.classes_.tolist()]
        else:
            said = np.asarray(estimator.predict(parts, **beside), float).reshape(len(ends), -1)
            names = [f"answer {i + 1}" if said.shape[1] > 1 else "answer" for i in range(said.shape[1])]
    except (DataError, ValueError):  # features that need a longest piece
        return None
    return {"steps": ends - 1, "names": names, "values": said.T, "prefixes": True}


def _thin(rows: np.ndarray, names: list[str]) -> dict[str, Any]:
    every = math.ceil(len(rows) / MOST_COLUMNS)
    if rows.shape[1] != len(names):
        names = [f"{names[0]} {i + 1}" for i in range(rows.shape[1])]
    return {"steps": np.arange(0, len(rows), every), "names": names, "values": rows[::every].T}


def stretches(labels: np.ndarray, most: int = 5000) -> list[dict[str, Any]]:
    """Return the stretches of equal labels, from each start to before each stop."""
    if not len(labels):
        return []
    texts = np.asarray(labels).astype(str)
    edges = np.flatnonzero(texts[1:] != texts[:-1]) + 1
    starts = [0, *edges.tolist()][:most]
    stops = [*edges.tolist(), len(texts)][:most]
    return [{"start": a, "stop": b, "label": str(texts[a])} for a, b in zip(starts, stops, strict=True)]


def explanation(judged: Judged, index: int, method: str) -> dict[str, Any]:
    """Return how much each step, channel or word speaks for the answer; of a translator where it looks."""
    record, estimator = _record(judged, index), judged.estimator
    if estimator.model_.task == "translation":
        found = estimator.explain(record.values)
        return {
            "kind": "attention",
            "source": list(found.source),
            "target": list(found.target),
            "weights": found.weights,
        }
    found = estimator.explain(record.values, method=method, **judged.static_of(record))
    out = {"kind": found.kind, "summary": found.summary(), "target": str(found.target)}
    if found.kind == "text":
        return out | {"words": [str(word) for word in found.input], "values": found.per_step}
    values = np.asarray(found.values, float).reshape(len(found.values), -1)
    if found.kind == "video":
        return out | {"values": found.per_step, "frames": pictures(found.input)}
    return out | {
        "heat": heat(values, around_zero=True),
        "channels": list(found.channel_names or unnamed(values.shape[1])),
    }


def pictures(frames: np.ndarray) -> list[dict[str, Any]]:
    """Return a few frames of a clip as PNG images in text form, with their places."""
    from PIL import Image

    places = np.unique(np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).round().astype(int))
    out = []
    for place in places.tolist():
        file = io.BytesIO()
        Image.fromarray(np.asarray(frames[place], np.uint8)).resize((96, 96)).save(file, "PNG")
        out.append(
            {"step": place, "png": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()}
        )
    return out


def trace(judged: Judged, index: int) -> dict[str, Any]:
    """Return every gate and state of every layer while the network reads a sequence, as heat maps."""
    record = _record(judged, index)
    found = judged.estimator.trace(record.values, name=record.name or "", **judged.static_of(record))
    layers = []
    for layer in found.layers:
        rows = {
            symbol: heat(values[:, layer.order], around_zero=symbol not in ("i", "f", "o", "r", "z"))
            for symbol, values in layer.rows().items()
        }
        layers.append({"name": layer.name, "summary": found.summary(layer.name), "rows": rows})
    return {"layers": layers, "words": [str(word) for word in found.words]}


def heat(values: np.ndarray, *, around_zero: bool) -> dict[str, Any]:
    """Return numbers of shape (time, rows) as bytes of a picture, row after row, and what 0 and 255 stand for."""
    every = math.ceil(len(values) / MOST_COLUMNS)
    whole = len(values) // every * every
    thin = values[:whole].reshape(-1, every, values.shape[1]).mean(axis=1)
    top = float(np.nanmax(np.abs(thin), initial=0.0)) or 1.0
    low, high = (-top, top) if around_zero else (0.0, 1.0)
    scaled = np.nan_to_num((thin - low) / (high - low)) * 255
    content = np.clip(scaled.round(), 0, 255).astype(np.uint8).T
    return {
        "rows": content.shape[0],
        "columns": content.shape[1],
        "low": low,
        "high": high,
        "bytes": base64.b64encode(np.ascontiguousarray(content).tobytes()).decode(),
    }


def what_if(judged: Judged, index: int, *, text: str | None, changes: list[Any]) -> dict[str, Any]:
    """Return the answer to a sequence with some values changed, or to another text.

    Parameters
    ----------
    changes : list of [channel, first step, last step, value]
        Each sets a stretch of a channel to a value, or adds to it.
    """
    record = _record(judged, index)
    if text is not None:
        tokens = text.split() if judged.data.kind == "tokens" else text
        return answer(judged, replace(record, values=tokens, label=None))
    values = np.array(_two_axes(record.values), np.float64)
    for change in changes:
        if not (isinstance(change, list) and len(change) == 4 and all(_is_number(n) for n in change)):
            raise UsageError("studio: a change must be [channel, first step, last step, how much is added].")
        channel, first, last, added = (int(change[0]), int(change[1]), int(change[2]), float(change[3]))
        if not (0 <= channel < values.shape[1] and 0 <= first <= last < len(values)):
            raise UsageError("studio: a change must lie inside the sequence.")
        values[first : last + 1, channel] += added
    shaped = values if np.ndim(record.values) == 2 else values[:, 0]
    return {**answer(judged, replace(record, values=shaped)), "signal": signal(values)}


def diagram(inside: Inside, run: RunFolder, which: str) -> str:
    """Return a diagram of the network of a run as SVG."""
    from recurra.evaluation import diagrams

    with inside.lock:
        estimator = inside.model(run)
        drawn = diagrams.network(estimator) if which == "network" else diagrams.unrolled(estimator)
        return drawn.svg


def _record(judged: Judged, index: int) -> Any:
    if not 0 <= index < len(judged.data):
        raise UsageError(f"studio: index must be in 0..{len(judged.data) - 1}; got {index}.")
    return judged.data[index]


def _two_axes(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array[:, None] if array.ndim == 1 else array


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _joined(values: Any) -> str:
    return values if isinstance(values, str) else " ".join(map(str, values))


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, list | tuple | np.ndarray):
        if len(value) > 8:
            return counted(len(value), "label")
        return ", ".join(_short(entry) for entry in value)
    return str(value)[:200]
