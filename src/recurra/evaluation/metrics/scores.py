"""Figures that say how good predictions are: for classes, for numbers, and for one label per time step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    r2_score,
    recall_score,
    root_mean_squared_error,
)

from recurra.checks import listing, where
from recurra.errors import DataError, ShapeError
from recurra.evaluation.metrics.intervals import (
    MIN_CLUSTERS,
    cluster_codes,
    count_interval,
    share_interval,
    sum_by_cluster,
)
from recurra.evaluation.metrics.segment_f1 import segment_f1

N_BINS = 10


def encode(labels: Any, classes: Any) -> np.ndarray:
    """Return the position of each label in ``classes``, int64 of shape (items,).

    Raises
    ------
    DataError
        If a label is not among the classes.
    """
    known = {label: code for code, label in enumerate(np.asarray(classes).tolist())}
    wanted = np.asarray(labels).reshape(-1).tolist()
    unknown = [label for label in dict.fromkeys(wanted) if label not in known]
    if unknown:
        raise DataError(f"labels must be among the classes {listing(known)}; got {listing(unknown)}.")
    return np.array([known[label] for label in wanted], dtype=np.int64)


def classification_metrics(
    y_true: Any, y_pred: Any, *, proba: np.ndarray | None = None, classes: Any = None
) -> dict[str, float]:
    """Return accuracy, balanced accuracy, macro F1 and, where probabilities are given, the log loss.

    Parameters
    ----------
    y_true, y_pred : array of shape (items,)
        Labels of any type.
    proba : ndarray of shape (items, classes), optional
        Probability of each class, rows summing to one.
    classes : sequence of length classes, optional
        The label of each column of ``proba``; needed with it.

    Returns
    -------
    dict of str to float
        ``accuracy``, ``balanced_accuracy`` (mean recall over the classes that occur in ``y_true``),
        ``macro_f1`` (mean over the classes that occur in either), and ``log_loss`` in nats, probabilities
        clipped at 2.2e-16 as scikit-learn does.
    """
    true, pred = np.asarray(y_true).reshape(-1), np.asarray(y_pred).reshape(-1)
    if true.shape != pred.shape:
        raise ShapeError(
            f"metrics: y_true and y_pred must have one entry per item; got {true.shape} and {pred.shape}."
        )
    present = sorted(set(true.tolist()), key=lambda label: (str(type(label)), label))
    names = np.array(sorted({str(label) for label in [*true.tolist(), *pred.tolist()]}))
    if true.dtype.kind == "O" or pred.dtype.kind != true.dtype.kind:
        # scikit-learn refuses labels of mixed types; their text is as good a name.
        true, pred = true.astype(str), pred.astype(str)
        present = [str(label) for label in present]
    out = {
        "accuracy": float(accuracy_score(true, pred)),
        # recall over the classes present, not balanced_accuracy_score: that warns when others are predicted.
        "balanced_accuracy": float(
            recall_score(true, pred, labels=present, average="macro", zero_division=0.0)
        ),
        "macro_f1": float(f1_score(true, pred, average="macro", zero_division=0.0)) if len(names) else 0.0,
    }
    if proba is not None:
        out["log_loss"] = log_loss(encode(y_true, classes), proba)
    return out


def log_loss(codes: np.ndarray, proba: np.ndarray) -> float:
    """Mean of -log(probability given to the true class), in nats; codes (items,), proba (items, classes)."""
    given = np.asarray(proba, dtype=np.float64)[np.arange(len(codes)), codes]
    return float(-np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)).mean())


def confusion_table(y_true: Any, y_pred: Any, *, classes: Any) -> np.ndarray:
    """Counts of shape (classes, classes): row the true class, column the predicted one."""
    size = len(classes)
    return np.asarray(
        confusion_matrix(encode(y_true, classes), encode(y_pred, classes), labels=np.arange(size))
    )


def per_class_table(
    y_true: Any, y_pred: Any, *, classes: Any, clusters: Any = None, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """One row per class: how often it occurs, is found, and is right when claimed, with intervals.

    Parameters
    ----------
    y_true, y_pred : array of shape (items,)
        Labels among ``classes``.
    clusters : array of shape (items,), optional
        Items of the same cluster are not independent (steps of one sequence): the intervals are then
        those of `share_interval`, else of `count_interval`; None from fewer than `MIN_CLUSTERS`.

    Returns
    -------
    list of dict
        ``class``, ``support`` (items truly of it), ``predicted`` (items said to be of it), ``hits``,
        ``recall``,
        ``precision``, ``f1``, and ``recall_low``, ``recall_high``, ``precision_low``, ``precision_high``. A
        share without a case to judge it by is None, and so are its limits.
    """
    true, pred = encode(y_true, classes), encode(y_pred, classes)
    codes = np.zeros(len(true), dtype=np.int64) if clusters is None else cluster_codes(clusters)
    # Of each cluster and class: items truly of it, said to be of it, both.
    sums = np.zeros((int(codes.max(initial=0)) + 1, 3, len(classes)))
    hit = true == pred
    for which, (cluster, code) in enumerate([(codes, true), (codes, pred), (codes[hit], true[hit])]):
        np.add.at(sums[:, which], (cluster, code), 1)
    rows = []
    for code, label in enumerate(np.asarray(classes).tolist()):
        support, predicted, hits = (int(n) for n in sums[:, :, code].sum(axis=0))
        row: dict[str, Any] = {"class": label, "support": support, "predicted": predicted, "hits": hits}
        for word, column, n in (("recall", 0, support), ("precision", 1, predicted)):
            interval = None
            if n >= MIN_CLUSTERS and clusters is None:
                interval = count_interval(hits, n, confidence=confidence)
            elif n and clusters is not None:
                interval = share_interval(sums[:, 2, code], sums[:, column, code], confidence=confidence)
            row[word] = hits / n if n else None
            row[f"{word}_low"], row[f"{word}_high"] = interval or (None, None)
        row["f1"] = 2 * hits / (support + predicted) if support + predicted else None
        rows.append(row)
    return rows


def accuracy_interval(
    correct: np.ndarray, *, clusters: Any = None, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the share that is right: that of `count_interval`, or with ``clusters`` that of `share_interval`.

    ``correct`` is a bool array of shape (items,); None if there are fewer than `MIN_CLUSTERS` clusters, or items.
    """
    if clusters is None:
        if len(correct) < MIN_CLUSTERS:
            return None
        return count_interval(int(correct.sum()), len(correct), confidence=confidence)
    both = np.stack([np.asarray(correct, dtype=float), np.ones(len(correct))], axis=1)
    hits, counts = sum_by_cluster(both, cluster_codes(clusters)).T
    return share_interval(hits, counts, confidence=confidence)


def reliability(
    confidence: np.ndarray, correct: np.ndarray, *, clusters: np.ndarray | None = None, n_bins: int = N_BINS
) -> tuple[list[dict[str, Any]], float]:
    r"""Reliability curve and expected calibration error: is 80 % sure right 80 % of the time?

    .. math:: ECE = \sum_b \frac{n_b}{n} \left| acc_b - conf_b \right|

    Parameters
    ----------
    confidence : ndarray of shape (items,)
        Probability of the predicted class, in [0, 1].
    correct : bool ndarray of shape (items,)
        Whether the prediction was right.
    clusters : array of shape (items,), optional
        As in `per_class_table`.
    n_bins : int, default=10
        Bins of equal width; the upper edge belongs to the bin.

    Returns
    -------
    bins : list of dict
        ``low``, ``high``, ``n``, ``confidence`` (mean), ``accuracy``, ``accuracy_low``, ``accuracy_high`` of
        each bin that is not empty; from too few items or clusters the last two are None.
    error : float
        Expected calibration error in [0, 1]; 0 without items.

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
    """
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    which = np.searchsorted(edges[1:-1], confidence)
    bins: list[dict[str, Any]] = []
    error = 0.0
    for b in range(n_bins):
        inside = which == b
        n = int(inside.sum())
        if not n:
            continue
        mean, right = float(np.mean(confidence[inside])), int(np.sum(correct[inside]))
        inner = None if clusters is None else clusters[inside]
        low, high = accuracy_interval(correct[inside], clusters=inner) or (None, None)
        error += n / len(confidence) * abs(right / n - mean)
        bins.append(
            {
                "low": float(edges[b]),
                "high": float(edges[b + 1]),
                "n": n,
                "confidence": mean,
                "accuracy": right / n,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return bins, error


def regression_metrics(y_true: Any, y_pred: Any) -> dict[str, float]:
    """Return ``rmse``, ``mae`` (in the target's unit) and ``r2``; with several targets the mean over them.

    ``y_true`` and ``y_pred`` have shape (items,) or (items, targets). ``r2`` is absent with a single item.
    """
    true, pred = _columns(y_true), _columns(y_pred)
    if true.shape != pred.shape:
        raise ShapeError(
            f"metrics: y_true and y_pred must have the same shape; got {true.shape} and {pred.shape}."
        )
    out = {"rmse": float(root_mean_squared_error(true, pred)), "mae": float(mean_absolute_error(true, pred))}
    if len(true) > 1:
        out["r2"] = float(r2_score(true, pred))
    return out


def per_target_table(y_true: Any, y_pred: Any, *, target_names: Sequence[str]) -> list[dict[str, Any]]:
    """One row per target: ``target``, ``rmse``, ``mae``, ``r2``, ``bias`` (mean of predicted minus true)."""
    true, pred = _columns(y_true), _columns(y_pred)
    return [
        {
            "target": name,
            **regression_metrics(true[:, j], pred[:, j]),
            "bias": float((pred[:, j] - true[:, j]).mean()),
        }
        for j, name in enumerate(target_names)
    ]


def labeling_metrics(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    proba: Sequence[np.ndarray] | None = None,
    classes: Any = None,
) -> dict[str, float]:
    """Figures of `classification_metrics` over all time steps of all sequences, and `segment_f1`; each list has one
    entry a sequence.
    """
    for index, (t, p) in enumerate(zip(y_true, y_pred, strict=True)):
        if len(t) != len(p):
            raise ShapeError(
                f"metrics: {where(index)} has {len(t)} true labels and {len(p)} predicted ones; give one "
                f"per time step."
            )
    flat = None if proba is None else np.concatenate(list(proba))
    found = classification_metrics(join(y_true), join(y_pred), proba=flat, classes=classes)
    return found | {"segment_f1": segment_f1(y_true, y_pred)}


def as_objects(values: Sequence[Any]) -> np.ndarray:
    """Object array of shape (len(values),): labels keep their own types, long names are not cut."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def join(sequences: Sequence[Any]) -> np.ndarray:
    """Concatenate the per-step labels of all sequences."""
    return np.concatenate([np.asarray(s).reshape(-1) for s in sequences])


def _columns(y: Any) -> np.ndarray:
    array = np.asarray(y, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array
