"""What a user passes as X, y, groups and weights becomes sequences; repeated ones are merged and put in order."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_array, validate_data

from recurra.array_summaries import HEAVIEST, LIGHTEST, Findings, check_weights, plain_weights
from recurra.batches.splits import content_keys
from recurra.checks import check_rate, counted, did_you_mean, listing, where
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.features.rows.missing import FILLING
from recurra.features.static import StaticInputs, as_table, cells_key
from recurra.options import SequenceLabelerOptions
from recurra.plain_arrays import (
    PADDING,
    as_sequence,
    as_sequences,
    check_columns,
    check_padding,
    check_same_channels,
    check_time_order,
    end_in_nan,
    plain,
)
from recurra.readers.tables import nested_cells
from recurra.records import Dataset, Record, RunData
from recurra.serving.inputs import Inputs, StaticRows

if TYPE_CHECKING:
    from recurra.inputs.request import Request
    from recurra.serving.models.fitted_model import FittedModel


@dataclass(frozen=True, kw_only=True)
class Given(Inputs):
    """Training data as read: what a model reads, and what it is to learn of each sequence.

    Parameters
    ----------
    y : array or list
        As given, not yet encoded.
    weights : ndarray of float64, shape (sequences,)
        Sample weights.
    groups : ndarray of object or None
        What a split must not cut.
    sample_rate_hz : float or None
        Time steps per second, where the data say so.
    """

    sequences: list[Any]
    y: Any
    weights: np.ndarray
    groups: np.ndarray | None = None
    sample_rate_hz: float | None = None

    def take(self, indices: np.ndarray) -> "Given":
        """Return these rows, in this order."""
        chosen = indices.tolist()
        return replace(
            self,
            sequences=[self.sequences[i] for i in chosen],
            y=self.y[indices] if isinstance(self.y, np.ndarray) else [self.y[i] for i in chosen],
            weights=self.weights[indices],
            groups=None if self.groups is None else self.groups[indices],
            names=None if self.names is None else [self.names[i] for i in chosen],
            static=None if self.static is None else [self.static[i] for i in chosen],
        )

    def contents(self) -> list[bytes]:
        """Return 16 bytes for each sequence, equal for equal content."""
        return content_keys(self.sequences, self.static, findings=self.findings)


def read_sequences(estimator: Any, X: Any, *, reset: bool) -> tuple[list[np.ndarray], list[str] | None]:
    """Return X as a list of (time, channels) arrays, and the names where it is a Dataset.

    A table (two-dimensional array or DataFrame) is one univariate sequence a row. Its number of columns and their
    names are learned in ``fit`` (``reset=True``) and must be the same afterwards, as in scikit-learn; sequences
    of other lengths are passed as a list. Of a Dataset, or a list of DataFrames with a column per channel, the names of
    the channels are learned, and afterwards channels are found by name, in whatever order they are. A frame of the archives'
    tools, with whole sequences as cells or the index levels instance and time, is a sequence a row or an instance.
    """
    if hasattr(X, "columns"):
        found = nested_cells.of_the_archives(X)
        X = X if found is None else found
    if reset:
        estimator.channel_names_in_ = _channel_names(X)
    if isinstance(X, Dataset):
        if not reset and hasattr(estimator, "model_"):
            fitted_hz = estimator.model_.manifest["sample_rate_hz"]
            check_rate(type(estimator).__name__, fitted_hz, X.sample_rate_hz)
        sequences = _of_dataset(estimator, X)
        if reset:
            check_same_channels(sequences, names=X.names)
            _tell_padding(estimator, sequences)
        return sequences, X.names
    if hasattr(X, "__array__") and not hasattr(X, "columns"):
        X = plain(X, "X:")
        check_padding(X, "X")
    if _are_frames(X):
        X = [_by_name(estimator, frame, i) for i, frame in enumerate(X)]
    if _is_table(X):
        # What fills wants to see NaN; infinity is refused either way.
        finite = "allow-nan" if estimator.missing in FILLING else True
        options = {"dtype": "numeric", "ensure_all_finite": finite}
        check_columns(X, "X")
        _check_no_texts(X)
        if reset or hasattr(estimator, "n_features_in_"):
            X = validate_data(estimator, X, reset=reset, **options)
        else:
            X = check_array(X, **options)
    elif reset:
        for learned in ("n_features_in_", "feature_names_in_"):
            vars(estimator).pop(learned, None)
    sequences = as_sequences(X)
    if reset:
        check_same_channels(sequences)
    return sequences, None


def read_unlabelled(estimator: Any, X: Any, *, reset: bool) -> tuple[list[np.ndarray], list[str] | None]:
    """Return sequences without labels as `read_sequences` does: channels by name, where they have names."""
    if reset:
        estimator.channel_names_in_ = _channel_names(X)
    if isinstance(X, Dataset):
        return _of_dataset(estimator, X), X.names
    return as_sequences([_by_name(estimator, x, i) for i, x in enumerate(X)] if _are_frames(X) else X), None


def _of_dataset(estimator: Any, data: Dataset) -> list[np.ndarray]:
    sequences = as_sequences(data.X, names=data.names)
    order = None if data.channel_names is None else _order(estimator, list(data.channel_names), "X")
    return sequences if order is None else [x[:, order] for x in sequences]


def _check_no_texts(X: Any) -> None:
    """Raise DataError naming the first text in a table of numbers; everything else is scikit-learn's to refuse."""
    cells = np.asarray(X)
    if cells.ndim != 2 or cells.dtype.kind not in "OUS":
        return
    for row, values in enumerate(cells.tolist()):
        for column, value in enumerate(values):
            if isinstance(value, str | bytes) and not _is_number(value):
                names = getattr(X, "columns", None)
                place = f"column {names[column]!r}" if names is not None else f"column {column}"
                raise DataError(
                    f"X: a table holds one sequence of numbers a row; row {row}, {place} is {value!r:.40}. Leave out columns"
                    " of text; lists of words are read by SequenceLabeler, texts by TextClassifier."
                )


def _is_number(text: str | bytes) -> bool:
    """Whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tell_padding(estimator: Any, sequences: list[np.ndarray]) -> None:
    """Warn where sequences whose gaps are filled look padded: all that is missing is missing at their ends."""
    count = end_in_nan(sequences) if estimator.missing in FILLING else 0
    if count:
        warnings.warn(
            f"{type(estimator).__name__}: {count} of {counted(len(sequences), 'sequence')} "
            f"{'ends' if count == 1 else 'end'} in steps without any value, which are read as missing values. If they "
            f"are padding, load the data with lengths='{PADDING}', or cut them off.",
            RecurraWarning,
            stacklevel=3,
        )


def read_sequence(estimator: Any, x: Any, *, what: str) -> np.ndarray:
    """Return one sequence as an array of shape (time, channels); a DataFrame's channels are found by name.

    Parameters
    ----------
    x : array, DataFrame, Record, or a list, Dataset or array of shape (1, time, channels) that holds one sequence
    what : str
        Who asks, for messages: "explain" or "trace".

    Raises
    ------
    UsageError
        If it is several sequences.
    """
    x = only_one(x, f"{type(estimator).__name__}: {what} takes one sequence")
    return as_sequence(x if _names(x) is None else _by_name(estimator, x, 0), index=0)


def only_one(x: Any, who: str, *, rank: int = 2) -> Any:
    """Return the sequence, text or clip that a list, Dataset or Record holds; anything else as given.

    Parameters
    ----------
    who : str
        Beginning of the message.
    rank : int, default=2
        Dimensions of a single one: 2 of numbers over time, 1 of a list of words, 0 of a text.

    Raises
    ------
    UsageError
        If it holds several, or none.
    """
    if isinstance(x, Record):
        return x.values
    if not isinstance(x, Dataset) and not _holds_sequences(x, rank):
        return x
    if len(x) != 1:
        raise UsageError(f"{who}; got {len(x)}. Give one of them, such as X[0].")
    return x.X[0] if isinstance(x, Dataset) else x[0]


def _holds_sequences(x: Any, rank: int) -> bool:
    """Whether x has more dimensions than a single sequence; arrays and frames in a list have their own."""
    if not isinstance(x, list | tuple | np.ndarray):
        return False
    if isinstance(x, np.ndarray) and x.dtype != object:
        return x.ndim > rank
    deep = [_depth(own) for own in x]
    if max(deep, default=rank) + 1 > rank:
        return True
    # Rows of one sequence have as many values each.
    return len({len(own) for own, depth in zip(x, deep, strict=True) if depth}) > 1


def _depth(x: Any) -> int:
    """Return the number of dimensions, of nested lists as far as their first entries tell."""
    if isinstance(x, list | tuple):
        return 1 + (_depth(x[0]) if x else 0)
    return getattr(x, "ndim", 0)


def _are_frames(X: Any) -> bool:
    """Whether X is a list of DataFrames, one per sequence, their columns with names."""
    listed = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    return listed and len(X) > 0 and all(_names(x) is not None for x in X)


def _names(frame: Any) -> list[str] | None:
    """Return the names of a DataFrame's columns; None if it is none, or its columns are not told apart by name."""
    names = list(getattr(frame, "columns", []))
    named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return names if names and named else None


def _channel_names(X: Any) -> list[str] | None:
    if isinstance(X, Dataset):
        return None if X.channel_names is None else list(X.channel_names)
    return _names(X[0]) if _are_frames(X) else None


def _by_name(estimator: Any, frame: Any, index: int) -> np.ndarray:
    """Return a DataFrame's values, its columns in the order of the training."""
    check_time_order(frame, f"X: {where(index)}")
    there = list(frame.columns)
    order = _order(estimator, there, f"X: {where(index)}")
    frame = frame if order is None else frame[[there[place] for place in order]]
    check_columns(frame, f"X: {where(index)}")
    return np.asarray(plain(frame, f"X: {where(index)}"))


def _order(estimator: Any, there: list[str], who: str) -> list[int] | None:
    """Return where the channels of the training are among these; None if they are as they were, or had no names.

    Raises
    ------
    DataError
        If one of them is not there by name.
    """
    model = getattr(estimator, "model_", None)
    learned = None if model is None else model.manifest.get("channel_names")
    expected = getattr(estimator, "channel_names_in_", learned)
    if not expected or list(expected) == there:
        return None
    absent = [name for name in expected if name not in there]
    if absent:
        raise DataError(
            f"{who} has no channel {listing(absent)}; the network is trained on {listing(expected)}, here are "
            f"{listing(there)}.{did_you_mean(absent[0], there)} Rename the columns."
        )
    return [there.index(name) for name in expected]


def _is_table(X: Any) -> bool:
    if hasattr(X, "columns") or hasattr(X, "tocsr"):
        # DataFrame; a sparse matrix is refused by scikit-learn's check
        return True
    if isinstance(X, list | tuple):  # nested lists of numbers; a list of arrays is a list of sequences
        rows = all(isinstance(row, list | tuple) and len(row) == len(X[0]) for row in X)
        return bool(X) and rows and all(np.ndim(value) == 0 for row in X for value in row)
    return hasattr(X, "__array__") and np.asarray(X).ndim in (0, 2)


def read_training(
    read: Callable[..., Any], estimator: Any, request: "Request", model: "FittedModel | None"
) -> tuple[Given, StaticInputs | None]:
    """Return the training data checked for agreeing lengths, and how static inputs are read, where there are some.

    Parameters
    ----------
    read : callable (estimator, X, reset) -> (sequences, names)
        Of the task.
    model : FittedModel or None
        The one that goes on, whose static inputs they must have.

    Raises
    ------
    DataError
        If y is missing, of another length than X, or no sequence has a positive weight.
    DataError, ShapeError, UsageError
        If what is given as static inputs is none, or has not those of the model.
    """
    who, X, y, groups = type(estimator).__name__, request.X, request.y, request.groups
    if isinstance(X, Dataset):
        y = X.y if y is None else y
        groups = X.groups if groups is None else groups
    sequences, names = read(estimator, X, reset=True)
    if y is None:
        raise DataError(
            f"{who}: requires y to be passed, but the target y is None. Give one label per sequence."
        )
    y, groups = plain(y, f"{who}: y"), plain(groups, f"{who}: groups")
    check_one_target(who, y, len(sequences), steps=isinstance(estimator, SequenceLabelerOptions))
    check_collection(f"{who}: y", y, len(sequences))
    y = np.asarray(y) if hasattr(y, "__array__") else y
    groups = np.asarray(groups) if hasattr(groups, "__array__") else groups
    for word, values in (("y", y), ("groups", groups)):
        if values is not None and len(values) != len(sequences):
            raise DataError(
                f"{who}: X and {word} must have one entry per sequence, found inconsistent numbers of samples: "
                f"{counted(len(sequences), 'sequence')} in X, {counted(len(values), 'entry', 'entries')} in {word}. Give "
                "one entry per sequence."
            )
    weights = sequence_weights(who, request.sample_weight, len(sequences))
    static, rows = _read_static(who, request, len(sequences), names, model)
    given = Given(
        sequences=sequences,
        names=names,
        static=rows,
        y=y,
        weights=weights,
        groups=None if groups is None else np.fromiter(groups, dtype=object, count=len(sequences)),
        sample_rate_hz=X.sample_rate_hz if isinstance(X, Dataset) else None,
        findings=X.findings if isinstance(X, RunData) else Findings(),
    )
    return given, static


def sequence_weights(who: str, sample_weight: Any, count: int) -> np.ndarray:
    """Return sample weights, checked, as float64 of shape (count,); ones where None are given."""
    weights: np.ndarray = _check_sample_weight(
        plain_weights(who, sample_weight), np.empty(count), dtype=np.float64, ensure_non_negative=True
    )
    if not (weights > 0).any():
        raise DataError(
            f"{who}: sample_weight must be positive for at least one sequence; all {len(weights)} are 0."
        )
    if not LIGHTEST <= weights.max() <= HEAVIEST:
        check_weights(weights, who)
    return weights


def check_one_target(who: str, y: Any, count: int, *, steps: bool) -> None:
    """Raise UsageError at several targets of different kinds: columns by name, a list of columns, or mixed rows.

    Parameters
    ----------
    steps : bool
        Whether there is a label per time step, so that a list is those of one sequence.
    """
    found = ""
    if isinstance(y, Mapping):
        found = f"a dictionary of {listing(y)}"
    elif isinstance(y, list | tuple):
        columns = 1 < len(y) != count and all(hasattr(own, "__len__") and len(own) == count for own in y)
        if columns and not any(isinstance(own, str) for own in y):
            found = f"{len(y)} targets of {count} entries"
        for index, own in enumerate(y):
            if isinstance(own, Mapping):
                found = f"a dictionary of {listing(own)} for {where(index)}"
            elif steps:
                pass  # a list is the labels of its steps, and what they are is looked at there
            elif isinstance(own, list | tuple) and 0 < sum(isinstance(cell, str) for cell in own) < len(own):
                found = f"text beside numbers for {where(index)}"
            if found:
                break
    if found:
        raise UsageError(
            f"{who}: y must be one target; got {found}. Several targets of different kinds are not offered; train an "
            "estimator for each."
        )


def _read_static(
    who: str, request: "Request", count: int, sequences: list[str] | None, model: "FittedModel | None"
) -> tuple[StaticInputs | None, StaticRows | None]:
    """Return which static inputs there are, those of the network that goes on, and their values."""
    if model is not None:
        rows = model.static_rows(who, request.static, count, names=sequences, data=request.X)
        return model.static, rows
    static, names = request.static, None
    if static is None and isinstance(request.X, Dataset):
        static, names = request.X.static, request.X.static_names
    if static is None:
        return None, None
    table = as_table(who, static, count, sequences=sequences, names=names)
    columns = StaticInputs.of(who, table)
    return columns, columns.of_table(who, table, sequences)


def validation_pair(who: str, validation: Any) -> tuple[Any, Any]:
    """Return what ``validation=`` gives as X and y; y is None where X is a Dataset, which has its own."""
    if isinstance(validation, Dataset):
        return validation, None
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise UsageError(
            f"{who}: validation must be a pair (X, y) or a Dataset; got {validation!r:.60}. "
            "To hold out a share of X, use validation_fraction."
        )
    return validation[0], validation[1]


def validation_parts(who: str, validation: Any) -> tuple[Any, Any, Any]:
    """Return what ``validation=`` gives as X, y and static inputs, None for what is not given."""
    if isinstance(validation, tuple | list) and len(validation) == 3:
        return validation[0], validation[1], validation[2]
    return (*validation_pair(who, validation), None)


def merged(given: Given, encoded: np.ndarray | list[np.ndarray]) -> Given:
    """Merge identical rows, drop those of weight 0, and order the rest by content.

    After this, a sequence given twice and a sequence of weight two are the same data, and so is the same data in
    another order: everything drawn at random later depends on the content only.

    Parameters
    ----------
    given : Given
        As read.
    encoded : ndarray or list of ndarray
        One encoded target per sequence; becomes ``y`` of the result.
    """
    rows: dict[bytes, list[int]] = {}
    for index in np.flatnonzero(given.weights > 0).tolist():
        group = None if given.groups is None else given.groups[index]
        key = _digest(given.sequences[index], encoded[index], group)
        if given.static is not None:
            key = hashlib.blake2b(key + cells_key(given.static[index]), digest_size=16).digest()
        rows.setdefault(key, []).append(index)
    chosen = [rows[key] for key in sorted(rows)]
    first = np.array([same[0] for same in chosen])
    out = replace(given, y=encoded).take(first)
    return replace(out, weights=np.array([given.weights[same].sum() for same in chosen]))


def _digest(sequence: Any, target: Any, group: Any) -> bytes:
    if isinstance(sequence, np.ndarray) and sequence.dtype.kind in "fiub":
        values = np.ascontiguousarray(sequence, dtype=np.float64)
        digest = hashlib.blake2b(values.tobytes(), digest_size=16)
        digest.update(f"{sequence.shape}{group!r}".encode())
    else:  # a text, or words in order
        plain = sequence if isinstance(sequence, str) else list(sequence)
        digest = hashlib.blake2b(f"{plain!r}{group!r}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(target).tobytes())
    return digest.digest()


def check_labels_present(who: str, labels: Sequence[Any], names: Sequence[str] | None) -> None:
    """Raise DataError naming the first sequence without a label (None or NaN)."""
    for index, label in enumerate(labels):
        missing = label is None or type(label).__name__ in ("NAType", "NaTType")
        if missing or (isinstance(label, float | np.floating) and np.isnan(label)):
            raise DataError(
                f"{who}: Input y contains NaN: {where(index, names)} has no label (missing values are {label!r}). "
                "Give it one or leave the sequence out."
            )


def check_answers(estimator: Any, what: str, y: Any, sequences: Any, names: Sequence[str] | None) -> None:
    """Check y as one answer per sequence: a label or number each, of a `SequenceLabeler` one per time step.

    Parameters
    ----------
    what : str
        What is asked of the estimator, such as "evaluate".

    Raises
    ------
    DataError
        If there is none, another number of them, or an entry that is no answer of that kind.
    """
    who = f"{type(estimator).__name__}: {what}"
    if y is not None:
        check_collection(f"{who}: y", y, len(sequences))
    if y is None or len(y) != len(sequences):
        raise DataError(
            f"{who} needs one label per sequence; got {counted(len(sequences), 'sequence')} and "
            f"{'no labels' if y is None else counted(len(y), 'label')}."
        )
    if isinstance(estimator, SequenceLabelerOptions):
        check_step_labels(who, y, names)
        check_steps(who, sequences, list(y), names)
    elif hasattr(estimator, "predict_proba"):
        for index, own in enumerate(y):
            if not isinstance(own, str) and np.size(own) != 1:
                raise DataError(
                    f"{who}: y must hold one label per sequence; {where(index, names)} has {np.size(own)}. For a label per "
                    "time step use SequenceLabeler."
                )


def check_collection(who: str, y: Any, count: int) -> None:
    """Raise DataError if y is a single value, where there should be one for each of ``count`` sequences."""
    axes = y.ndim if hasattr(y, "ndim") else 1 if hasattr(y, "__len__") else np.asarray(y).ndim
    if isinstance(y, str | bytes) or axes == 0:
        raise DataError(
            f"{who} must have one entry per sequence; got the single value {y!r:.60} for {counted(count, 'sequence')}. Give "
            f"a list of {count}."
        )


def check_step_labels(who: str, labels: Iterable[Any], names: Sequence[str] | None) -> None:
    """Raise DataError naming the first sequence with a single label in place of one per time step."""
    for index, own in enumerate(labels):
        if isinstance(own, str | bytes) or not hasattr(own, "__len__") or getattr(own, "ndim", 1) == 0:
            raise DataError(
                f"{who}: y: {where(index, names)} must have one label per time step; got {own!r:.60} for the whole of it. "
                "Give a list with a label for each of its steps, or train a SequenceClassifier, which learns one label per "
                "sequence."
            )
        check_time_order(own, f"{who}: y: {where(index, names)}")


def check_steps(
    who: str, sequences: Sequence[np.ndarray], labels: Sequence[Any], names: Sequence[str] | None
) -> None:
    """Raise DataError naming the first sequence whose labels are not one per time step."""
    for index, (sequence, own) in enumerate(zip(sequences, labels, strict=True)):
        if len(own) != len(sequence):
            raise DataError(
                f"{who}: y: {where(index, names)} must have one label per time step; got {counted(len(own), 'label')} for "
                f"{counted(len(sequence), 'step')}."
            )
