"""`Evaluation`: figures, tables and predictions of one model on one set of data, and the report made of
them.
"""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra.checks import check_choice
from recurra.errors import DataError, ShapeError
from recurra.evaluation.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.intervals import (
    MIN_CLUSTERS,
    MIN_CLUSTERS_OF_SQUARES,
    cluster_codes,
    error_interval,
    sum_by_cluster,
)
from recurra.evaluation.metrics import (
    accuracy_interval,
    classification_metrics,
    confusion_table,
    join,
    labeling_metrics,
    per_class_table,
    per_target_table,
    regression_metrics,
    reliability,
)
from recurra.evaluation.segments import segment_f1
from recurra.store import write_text

TASKS = ("classification", "regression", "labeling", "translation")

# What the network thought over time of the sequence at this position: (time, classes), row t after t + 1
# steps.
Trace = Callable[[int], np.ndarray] | Sequence[np.ndarray]


@dataclass(frozen=True)
class ReportContext:
    """What the report tells besides the figures; everything may be left out.

    Parameters
    ----------
    title : str
        Heading of the report.
    history : sequence of mapping
        One row per epoch: epoch, train_loss, valid_loss, valid_<score>, learning_rate, grad_norm_median,
        grad_norm_max, clipped_share, seconds, steps_per_second, padding_share; any may be absent.
    best_epoch : int, optional
        Epoch whose weights were kept.
    command : str
        The exact command or call that repeats the result.
    seed : int, optional
        The one seed.
    versions : mapping of str to str
        Of packages; those that decide figures are added where they are missing.
    data : mapping
        `Dataset.summary()` and whatever else describes the data (``source``, ``notes``).
    split : str
        How training and test part came to be, in words.
    licence, citation : str
        Terms of use of the data, and how to cite it.
    network : str
        The network in words.
    parameters : mapping
        Every setting of the estimator.
    train_lengths : sequence of int
        Time steps of the training sequences.
    train_counts : mapping
        Training items of each class.
    warnings : sequence of str
        What the user was warned of.
    leaks : sequence of str, optional
        What may be on both sides of the split; empty if that was checked and nothing found, None if not
        checked.
    trained_on : str
        How much of what was judged on was trained on; said before everything else.
    channel_names, target_names : sequence of str, optional
        Names for charts and tables.
    sample_rate_hz : float, optional
        Time steps per second; time axes are in seconds with it.
    inside : function of a sequence and its name, optional
        Returns the drawing of gates and states while the network reads it, and what they say in words.
    pictures : function without arguments, optional
        Returns more drawings to show, each an SVG element and its caption; asked when the report is made.
    frames : function of a position, optional
        Of clips: returns the frames that were judged, uint8 of shape (time, height, width, 3).
    """

    title: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    best_epoch: int | None = None
    command: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    licence: str = ""
    citation: str = ""
    network: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    train_lengths: Sequence[int] = ()
    train_counts: Mapping[Any, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    leaks: Sequence[str] | None = None
    trained_on: str = ""
    channel_names: Sequence[str] | None = None
    target_names: Sequence[str] | None = None
    sample_rate_hz: float | None = None
    inside: Callable[[np.ndarray, str], tuple[str, str]] | None = None
    pictures: Callable[[], Sequence[tuple[str, str]]] | None = None
    frames: Callable[[int], np.ndarray] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How good a model is on some data; made by `evaluate_classification` and its siblings.

    Parameters
    ----------
    task : {"classification", "regression", "labeling", "translation"}
        What was predicted: one label a sequence, numbers, one label per time step, or a text.
    metrics : dict of str to float or int
        Flat, the content of ``metrics.json``: figures that apply, ``<figure>_baseline`` of the naive answer,
        ``n_test`` (sequences), with one label a step ``n_test_steps``, and ``train_seconds`` where known.
    intervals : dict of str to (low, high)
        95 % intervals of some of the figures.
    tables : dict of str to list of dict
        ``per_class`` (or ``per_target``) and ``reliability``; each row a flat dict.
    predictions : list of dict
        A row per sequence: ``sequence`` (position), ``name``, ``length``, ``true``, ``predicted``,
        ``correct``,
        ``confidence``; numbers for regression; for labelling the share of steps that is right.
    y_true, y_pred, proba : list or ndarray
        As given; ``proba`` is None where there is none.
    classes : list
        Labels in the order of the columns of ``proba``, then labels of the test part the model does not know.
    unknown_classes : list
        Those labels.
    naive_class : label, optional
        What the naive answer always says.
    sequences : list of ndarray of shape (time, channels), optional
        The signals, for the worst mistakes.
    trace : callable or list, optional
        See `evaluate_classification`.
    attention : callable, optional
        Of a translation: gives the `AttentionMap` of the answer at a position.
    context : ReportContext
        What else the report tells.
    """

    task: str
    metrics: dict[str, Any]
    y_true: Any
    y_pred: Any
    proba: Any = None
    classes: list[Any] = field(default_factory=list)
    unknown_classes: list[Any] = field(default_factory=list)
    naive_class: Any = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    confusion: np.ndarray | None = None
    predictions: list[dict[str, Any]] = field(default_factory=list)
    sequences: Sequence[np.ndarray] | None = None
    trace: Trace | None = None
    attention: Callable[[int], Any] | None = None
    context: ReportContext = field(default_factory=ReportContext)

    def __post_init__(self) -> None:
        check_choice("Evaluation", "task", self.task, TASKS)

    def summary(self) -> str:
        """Say in one to three sentences how good, compared with what, and where it is weakest."""
        from recurra.evaluation.summary import headline, summary

        first = [self.context.trained_on] if self.context.trained_on else []
        return " ".join([*first, headline(self) + ".", *summary(self)])

    def to_json(self) -> str:
        """Return the metrics as one flat JSON object; figures that are not finite numbers are left out."""
        return json.dumps(finite(self.metrics), indent=2) + "\n"

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        from recurra.evaluation.report import report

        return report(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report, or with a name ending in ``.json`` the metrics, in one step.

        Raises
        ------
        OSError
            If the folder is not there, cannot be written, or the disk is full; an earlier file is then
            untouched.
        """
        target = Path(path)
        write_text(target, self.to_json() if target.suffix == ".json" else self.to_html())
        return target

    def __repr__(self) -> str:
        figures = ", ".join(f"{k}={v:.4g}" for k, v in self.metrics.items() if isinstance(v, float))
        return f"Evaluation({self.task}, n_test={self.metrics.get('n_test')}, {figures})"


def evaluate_classification(
    y_true: Any,
    proba: np.ndarray,
    *,
    classes: Any,
    y_pred: Any = None,
    baseline: ClassBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    trace: Trace | None = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> Evaluation:
    """Judge one label per sequence.

    Parameters
    ----------
    y_true : array of shape (items,)
        True labels. One that is not among ``classes`` counts as always wrong and is named in the report.
    proba : ndarray of shape (items, classes)
        Probabilities, rows summing to one.
    classes : sequence
        The label of each column of ``proba``.
    y_pred : array of shape (items,), optional
        Predicted labels; the most probable class if omitted.
    baseline : ClassBaseline, optional
        Naive answer of the training labels.
    names : sequence of str, optional
        Name of each sequence.
    sequences : list of ndarray of shape (time, channels), optional
        Signals, to draw the worst mistakes and the lengths.
    groups : array of shape (items,), optional
        Sequences of one group (a person, a machine) are not independent; intervals are then over groups.
    trace : callable or sequence, optional
        ``trace(i)`` or ``trace[i]``: what the network thought of sequence i over time, shape (time,
        classes), row t
        the probabilities after t + 1 steps. Asked only for the few sequences that are drawn.
    train_seconds : float, optional
        How long training took.
    context : ReportContext, optional
        What else the report should tell.

    Raises
    ------
    ShapeError, DataError
        If the arrays do not fit together, or there is nothing to judge.
    """
    known = np.asarray(classes).tolist()
    true = np.asarray(y_true).reshape(-1)
    proba = np.asarray(proba)
    _check_proba("evaluate_classification", proba, items=len(true), classes=len(known))
    everything, unknown = _with_unknown(true, known)
    pred = (
        np.asarray(everything, dtype=object)[proba.argmax(axis=1)]
        if y_pred is None
        else np.asarray(y_pred).reshape(-1)
    )
    wide = np.hstack([proba, np.zeros((len(true), len(unknown)))])
    true, pred, labels = as_objects(true.tolist()), as_objects(pred.tolist()), as_objects(everything)
    clusters = _clusters(groups)
    correct = true == pred
    confidence = proba.max(axis=1)
    bins, error = reliability(confidence, correct, clusters=clusters)
    interval = accuracy_interval(correct, clusters=clusters)
    metrics: dict[str, Any] = classification_metrics(true, pred, proba=wide, classes=labels)
    metrics |= {"calibration_error": error} | (baseline.metrics(true) if baseline else {})
    lengths = _lengths(sequences, len(true))
    rows = [
        {
            "sequence": i,
            "name": _name(names, i),
            "length": lengths[i],
            "true": true[i],
            "predicted": pred[i],
            "correct": bool(correct[i]),
            "confidence": float(confidence[i]),
            "true_probability": float(wide[i, everything.index(true[i])]),
        }
        for i in range(len(true))
    ]
    return Evaluation(
        task="classification",
        metrics=_closing(metrics, n_test=len(true), train_seconds=train_seconds),
        y_true=true,
        y_pred=pred,
        proba=proba,
        classes=everything,
        unknown_classes=unknown,
        naive_class=baseline.majority if baseline else None,
        intervals={"accuracy": interval} if interval else {},
        tables={
            "per_class": per_class_table(true, pred, classes=labels, clusters=clusters),
            "reliability": bins,
        },
        confusion=confusion_table(true, pred, classes=labels),
        predictions=rows,
        sequences=sequences,
        trace=trace,
        context=context or ReportContext(),
    )


def evaluate_labeling(
    y_true: Sequence[Any],
    proba: Sequence[np.ndarray],
    *,
    classes: Any,
    baseline: ClassBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> Evaluation:
    """Judge one label per time step.

    Parameters
    ----------
    y_true : list of arrays of shape (time,)
        True labels of each sequence.
    proba : list of ndarray of shape (time, classes)
        Probabilities of each sequence.

    Notes
    -----
    The other parameters are those of `evaluate_classification`. Steps of one sequence are not independent,
    so every interval is over sequences (or ``groups``), and is absent where they are too few.
    """
    known = np.asarray(classes).tolist()
    if len(y_true) != len(proba) or not len(y_true):
        raise ShapeError(
            f"evaluate_labeling: y_true and proba must have one entry per sequence, at least one; got "
            f"{len(y_true)} and "
            f"{len(proba)}."
        )
    lengths = [len(t) for t in y_true]
    flat_proba = np.concatenate([np.asarray(p) for p in proba])
    flat = join(y_true)
    _check_proba("evaluate_labeling", flat_proba, items=len(flat), classes=len(known))
    everything, unknown = _with_unknown(flat, known)
    true, labels = as_objects(flat.tolist()), as_objects(everything)
    pred = labels[flat_proba.argmax(axis=1)]
    cuts = np.cumsum(lengths)[:-1]
    of_sequence = np.repeat(np.arange(len(lengths)), lengths)
    clusters = of_sequence if groups is None else cluster_codes(groups)[of_sequence]
    correct = true == pred
    wide = np.hstack([flat_proba, np.zeros((len(true), len(unknown)))])
    metrics: dict[str, Any] = labeling_metrics(
        np.split(true, cuts), np.split(pred, cuts), proba=np.split(wide, cuts), classes=labels
    )
    bins, error = reliability(flat_proba.max(axis=1), correct, clusters=clusters)
    metrics |= {"calibration_error": error} | (baseline.metrics(true) if baseline else {})
    if baseline:
        always = [np.repeat(as_objects([baseline.majority]), length) for length in lengths]
        metrics["segment_f1_baseline"] = segment_f1(np.split(true, cuts), always)
    interval = accuracy_interval(correct, clusters=clusters)
    rows = [
        {
            "sequence": i,
            "name": _name(names, i),
            "length": lengths[i],
            "steps_wrong": int((~part).sum()),
            "share_correct": float(part.mean()) if len(part) else 1.0,
        }
        for i, part in enumerate(np.split(correct, cuts))
    ]
    return Evaluation(
        task="labeling",
        metrics=_closing(metrics, n_test=len(lengths), train_seconds=train_seconds, n_test_steps=len(true)),
        y_true=np.split(true, cuts),
        y_pred=np.split(pred, cuts),
        proba=list(proba),
        classes=everything,
        unknown_classes=unknown,
        naive_class=baseline.majority if baseline else None,
        intervals={"accuracy": interval} if interval else {},
        tables={
            "per_class": per_class_table(true, pred, classes=labels, clusters=clusters),
            "reliability": bins,
        },
        confusion=confusion_table(true, pred, classes=labels),
        predictions=rows,
        sequences=sequences,
        context=context or ReportContext(),
    )


def evaluate_regression(
    y_true: Any,
    y_pred: Any,
    *,
    baseline: NumberBaseline | None = None,
    names: Sequence[str] | None = None,
    sequences: Sequence[np.ndarray] | None = None,
    groups: Any = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> Evaluation:
    """Judge one or several numbers per sequence.

    Parameters
    ----------
    y_true, y_pred : array of shape (items,) or (items, targets)
        In the target's unit.

    Notes
    -----
    The other parameters are those of `evaluate_classification`. The intervals are those of
    `error_interval` over sequences or groups.
    """
    context = context or ReportContext()
    true, pred = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    if true.shape != pred.shape or true.ndim not in (1, 2) or not len(true):
        raise ShapeError(
            f"evaluate_regression: y_true and y_pred must have the same shape (items,) or (items, targets), "
            f"at least one "
            f"item; got {true.shape} and {pred.shape}."
        )
    both = np.concatenate([true.reshape(-1), pred.reshape(-1)])
    if not np.isfinite(both).all():
        raise DataError(
            f"evaluate_regression: y_true and y_pred must be finite; {int((~np.isfinite(both)).sum())} "
            f"values are not."
        )
    true, pred = true.reshape(len(true), -1), pred.reshape(len(true), -1)
    targets = list(
        context.target_names
        or ([f"target {j + 1}" for j in range(true.shape[1])] if true.shape[1] > 1 else ["target"])
    )
    metrics: dict[str, Any] = regression_metrics(true, pred) | (baseline.metrics(true) if baseline else {})
    lengths = _lengths(sequences, len(true))
    # Targets of different units are made comparable before the largest error is looked for.
    spread = np.maximum(true.std(axis=0), 1e-12)
    rows = [
        {
            "sequence": i,
            "name": _name(names, i),
            "length": lengths[i],
            "true": true[i].tolist() if true.shape[1] > 1 else float(true[i, 0]),
            "predicted": pred[i].tolist() if true.shape[1] > 1 else float(pred[i, 0]),
            "error": float(
                (np.abs(pred[i] - true[i]) / spread).max() if true.shape[1] > 1 else pred[i, 0] - true[i, 0]
            ),
        }
        for i in range(len(true))
    ]
    return Evaluation(
        task="regression",
        metrics=_closing(metrics, n_test=len(true), train_seconds=train_seconds),
        y_true=true,
        y_pred=pred,
        intervals=_error_intervals(true, pred, groups),
        tables={"per_target": per_target_table(true, pred, target_names=targets)},
        predictions=rows,
        sequences=sequences,
        context=context,
    )


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a figure, without importing them."""
    out = {"python": platform.python_version(), "recurra": recurra.__version__}
    for package in ("numpy", "scipy", "scikit-learn", "torch", "safetensors"):
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return out


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Plain Python numbers only: JSON knows neither NaN nor infinity."""
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in figures.items()}
    return {k: v for k, v in plain.items() if not isinstance(v, float) or np.isfinite(v)}


def as_objects(values: Sequence[Any]) -> np.ndarray:
    """Object array of shape (len(values),): labels keep their own types, long names are not cut."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _error_intervals(true: np.ndarray, pred: np.ndarray, groups: Any) -> dict[str, tuple[float, float]]:
    error = pred - true
    targets = true.shape[1]
    columns = np.hstack([error**2, np.abs(error), np.ones((len(true), 1))])
    sums = sum_by_cluster(columns, cluster_codes(np.arange(len(true)) if groups is None else groups))
    figures = {
        "rmse": (lambda t: np.sqrt(t[:, :targets] / t[:, -1:]).mean(axis=1), MIN_CLUSTERS_OF_SQUARES),
        "mae": (lambda t: (t[:, targets : 2 * targets] / t[:, -1:]).mean(axis=1), MIN_CLUSTERS),
    }
    found = {name: error_interval(sums, f, min_clusters=least) for name, (f, least) in figures.items()}
    return {name: interval for name, interval in found.items() if interval}


def _check_proba(who: str, proba: np.ndarray, *, items: int, classes: int) -> None:
    if items == 0:
        raise DataError(
            f"{who}: there is nothing to judge: y_true is empty. Give at least one labelled sequence."
        )
    if proba.shape != (items, classes):
        raise ShapeError(
            f"{who}: proba must have shape (items={items}, classes={classes}); got {proba.shape}."
        )
    if not np.isfinite(proba).all():
        first = int(np.argwhere(~np.isfinite(proba).all(axis=1))[0, 0])
        raise DataError(
            f"{who}: proba must be finite; row {first} is not. The network has diverged; train it again."
        )


def _with_unknown(true: np.ndarray, known: list[Any]) -> tuple[list[Any], list[Any]]:
    """The known classes and those of the test part that the model has never seen."""
    unknown = [label for label in dict.fromkeys(true.tolist()) if label not in set(known)]
    return [*known, *unknown], unknown


def _clusters(groups: Any) -> np.ndarray | None:
    """Groups as codes; None where each item is its own group, for which Wilson's interval is right."""
    if groups is None:
        return None
    codes = cluster_codes(groups)
    return None if codes.max(initial=0) + 1 == len(codes) else codes


def _closing(
    metrics: dict[str, Any], *, n_test: int, train_seconds: float | None, n_test_steps: int | None = None
) -> dict[str, Any]:
    metrics["n_test"] = n_test
    if n_test_steps is not None:
        metrics["n_test_steps"] = n_test_steps
    if train_seconds is not None:
        metrics["train_seconds"] = float(train_seconds)
    return metrics


def _lengths(sequences: Sequence[np.ndarray] | None, n: int) -> list[int | None]:
    return [None] * n if sequences is None else [len(s) for s in sequences]


def _name(names: Sequence[str] | None, index: int) -> str:
    return str(names[index]) if names is not None else str(index)
