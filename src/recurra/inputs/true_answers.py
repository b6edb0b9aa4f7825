"""y that a fitted network is judged by, read as `fit` reads it: what cannot be learned cannot be judged by either."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning

from recurra.inputs.sequences import check_answers, check_labels_present, check_one_target
from recurra.inputs.targets import as_labels, check_can_be_saved, numbers_of
from recurra.options import SequenceLabelerOptions
from recurra.plain_arrays import plain


def true_answers(estimator: Any, what: str, y: Any, sequences: Any, names: Sequence[str] | None) -> Any:
    """Return y as an array, or with an answer per time step as a list of one for each sequence.

    Parameters
    ----------
    what : str
        What is asked of the estimator, such as "evaluate".
    sequences : sequence
        As many as there are answers; with an answer per time step of their lengths.

    Raises
    ------
    DataError, UsageError
        If y is not of the form that is learned, or has a value that is missing.
    """
    who = f"{type(estimator).__name__}: {what}"
    steps = isinstance(estimator, SequenceLabelerOptions)
    if y is not None:
        check_one_target(who, y, len(sequences), steps=steps)
    check_answers(estimator, what, y, sequences, names)
    per_step = estimator.model_.per_step
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # a column is told of in training
        if not hasattr(estimator, "predict_proba"):
            return [numbers_of(who, own) for own in y] if per_step else numbers_of(who, y)
    one_kind = what == "score"  # which sorts them
    if per_step:
        return [_labels(who, own, None, one_kind) for own in y]
    return _labels(who, y, names, one_kind)


def _labels(who: str, y: Any, names: Sequence[str] | None, one_kind: bool) -> np.ndarray:
    """Return labels; one that was not trained on may be of another kind than the others, unless all are to be of one."""
    y = plain(y, f"{who}: y")
    array = y if isinstance(y, np.ndarray) else as_labels(who, y)
    if array.dtype == object and any(isinstance(label, list | tuple) for label in array.reshape(-1)):
        array = np.asarray(list(y))  # of one label each
    if array.dtype == object or array.dtype.kind == "f":
        check_labels_present(who, array.reshape(-1).tolist(), names)
    if one_kind or array.dtype != object:
        check_can_be_saved(who, array, names)
    return array.reshape(-1)
