"""What the network learns to answer, per task: classes, numbers, or a class per time step, with the loss that teaches it.

Each target encodes y for training and knows what the model file must keep to turn outputs back. A `SequenceTask` is put
together from the functions below: one that learns a target, and one that gives its loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Protocol, Self

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from recurra.array_summaries import LARGEST, check_not_tiny, check_range, check_weights
from recurra.batches.examples import Examples
from recurra.checks import check_number, counted, listing, where
from recurra.errors import DataError, ShapeError, UsageError
from recurra.features.chain import Chain
from recurra.inputs.sequences import Given, check_labels_present, check_step_labels
from recurra.options import ClassWeights, ForecasterOptions, SequenceLabelerOptions, SequenceLoss
from recurra.plain_arrays import check_exact, check_time_order, plain
from recurra.serving.models.fitted_model import classes_from_manifest, classes_to_manifest, middle


class Target(Protocol):
    """What every kind of target offers."""

    @property
    def task(self) -> str:
        """One of "classification", "regression", "labeling"."""
        ...

    @property
    def per_step(self) -> bool:
        """Whether there is an answer for every time step."""
        ...

    @property
    def score_name(self) -> str:
        """Name of the figure that `score` gives."""
        ...

    @property
    def output_size(self) -> int:
        """Outputs of the network."""
        ...

    def encode(self, y: Any, names: Sequence[str] | None = None) -> Any:
        """Return y as class indices, or as float64 columns in its own units."""
        ...

    def fitted_on(self, encoded: Any, weights: np.ndarray) -> "Target":
        """Return the target with what it learns from the training part only."""
        ...

    def scaled(self, encoded: Any) -> Any:
        """Return encoded labels as the loss reads them."""
        ...

    def score(self, outputs: np.ndarray, targets: Any, weights: np.ndarray | None) -> float:
        """Return the figure shown while training; targets as the loss reads them."""
        ...

    def to_manifest(self) -> dict[str, Any]:
        """Return what the model file keeps."""
        ...


# A target and y encoded by it.
Fitted = tuple[Target, Any]


@dataclass(frozen=True)
class KnownClasses:
    """What targets share that are classes, of sequences or of steps."""

    classes: np.ndarray

    @property
    def output_size(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def fitted_on(self, encoded: Any, weights: np.ndarray) -> Self:
        """Return itself: classes are known from all labels."""
        return self

    def scaled(self, encoded: Any) -> Any:
        """Return the class indices as they are."""
        return encoded

    def to_manifest(self) -> dict[str, Any]:
        """Return the classes."""
        return classes_to_manifest(self.classes)


@dataclass(frozen=True)
class ClassTarget(KnownClasses):
    """One class per sequence."""

    task: str = "classification"
    score_name: str = "accuracy"
    per_step: bool = False

    @classmethod
    def fit(cls, who: str, y: Any, names: Sequence[str] | None) -> tuple[Self, np.ndarray]:
        """Learn the classes; return the target and y encoded by it.

        Raises
        ------
        DataError
            If a label is missing or there is one class only.
        """
        labels = _labels(who, y, names)
        classes = _two_or_more(who, np.unique(labels))
        return cls(classes), _indices("y", labels, classes)

    def encode(self, y: Any, names: Sequence[str] | None = None) -> np.ndarray:
        """Return class indices: int64 array of shape (sequences,)."""
        return _indices("y", _labels("y", _plain("y", y), names), self.classes)

    def score(self, outputs: np.ndarray, targets: Any, weights: np.ndarray | None) -> float:
        """Return the accuracy."""
        return float(accuracy_score(targets, outputs.argmax(axis=1), sample_weight=weights))


@dataclass(frozen=True)
class StepTarget(KnownClasses):
    """One class per time step."""

    task: str = "labeling"
    score_name: str = "accuracy"
    per_step: bool = True

    @classmethod
    def fit(cls, who: str, y: Any, names: Sequence[str] | None) -> tuple[Self, list[np.ndarray]]:
        """Learn the classes over all time steps; return the target and y encoded by it."""
        check_step_labels(who, y, names)
        steps = [_labels(who, _plain(who, labels), None) for labels in y]
        target = cls(_two_or_more(who, np.unique(np.concatenate(steps))))
        return target, target.encode(y, names)

    def encode(self, y: Any, names: Sequence[str] | None = None) -> list[np.ndarray]:
        """Return a list of int64 arrays of shape (time,)."""
        check_step_labels("SequenceLabeler", y, names)
        return [
            _indices(f"y: {where(i, names)}", np.ravel(labels), self.classes) for i, labels in enumerate(y)
        ]

    def score(self, outputs: np.ndarray, targets: Any, weights: np.ndarray | None) -> float:
        """Return the accuracy over all steps."""
        flat, each = _flat(targets, weights)
        return float(accuracy_score(flat, outputs.argmax(axis=1), sample_weight=each))


@dataclass(frozen=True)
class ChainTarget(StepTarget):
    """One class per time step, which depends on the one before."""

    def scaled(self, encoded: Any) -> Any:
        """Return for each step the class before, that of a first step itself, and the class: arrays (time, 2)."""
        return [np.stack([np.concatenate([own[:1], own[:-1]]), own], axis=1) for own in encoded]

    def score(self, outputs: np.ndarray, targets: Any, weights: np.ndarray | None) -> float:
        """Return the accuracy of the likeliest label given the true one before, which stands in for that of the path."""
        flat, each = _flat(targets, weights)
        tables = outputs.reshape(len(outputs), self.output_size, self.output_size)
        found = tables[np.arange(len(flat)), flat[:, 0]].argmax(axis=1)
        return float(accuracy_score(flat[:, 1], found, sample_weight=each))

    def to_manifest(self) -> dict[str, Any]:
        """Return the classes, and that they are a chain."""
        return super().to_manifest() | {"chain": True}


@dataclass(frozen=True)
class NumberTarget:
    """One or several numbers per sequence or per time step, scaled to mean 0 and deviation 1 while training.

    Parameters
    ----------
    center, spread : ndarray of shape (targets,)
    single : bool
        y has no axis for targets.
    per_step : bool
        Numbers belong to time steps.
    quantiles : tuple of float
        Numbers the network gives for each target; empty for one.
    """

    center: np.ndarray
    spread: np.ndarray
    single: bool
    per_step: bool = False
    quantiles: tuple[float, ...] = ()
    task: str = "regression"
    score_name: str = "rmse"

    @classmethod
    def fit(
        cls,
        who: str,
        y: Any,
        names: Sequence[str] | None,
        lengths: Sequence[int] | None = None,
        *,
        quantiles: Sequence[float] = (),
    ) -> tuple[Self, Any]:
        """Learn how many numbers there are; return the target and y encoded. Their scaling is learned by `fitted_on`.

        Parameters
        ----------
        lengths : sequence of int, optional
            Steps of each sequence; an array for each, of as many entries, is a number per step.
        """
        per_step = lengths is not None and _is_per_step(y, lengths)
        numbers = numbers_of(who, y[0] if per_step else y)
        check_not_tiny([numbers_of(who, own) for own in y] if per_step else [numbers], f"{who}: y")
        size = 1 if numbers.ndim == 1 else numbers.shape[1]
        target = cls(np.zeros(size), np.ones(size), numbers.ndim == 1, per_step, tuple(quantiles))
        return target, target.encode(y, names)

    @property
    def output_size(self) -> int:
        """Outputs of the network: targets, times the quantiles of each."""
        return len(self.center) * max(1, len(self.quantiles))

    def encode(self, y: Any, names: Sequence[str] | None = None) -> Any:
        """Return numbers in their own units: float64 of shape (sequences, targets), or a list of (time, targets)."""
        if self.per_step:
            for i, own in enumerate(y):
                check_time_order(own, f"y: {where(i, names)}")
            return [self._columns(f"y: {where(i, names)}", own) for i, own in enumerate(y)]
        return self._columns("y", y)

    def _columns(self, who: str, y: Any) -> np.ndarray:
        numbers = numbers_of(who, y)
        columns = numbers.reshape(len(numbers), -1)
        if columns.shape[1] != len(self.center):
            what = "time step" if self.per_step else "sequence"
            raise ShapeError(
                f"{who}: must have {counted(len(self.center), 'number')} per {what}; got {columns.shape[1]}."
            )
        return columns

    def flat(self, encoded: Any, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return all numbers row by row with the weight of each row."""
        return _flat(encoded, weights) if self.per_step else (encoded, weights)

    def fitted_on(self, encoded: Any, weights: np.ndarray) -> "NumberTarget":
        """Learn mean and deviation of every target."""
        rows, each = self.flat(encoded, weights)
        center = np.average(rows, axis=0, weights=each)
        spread = np.sqrt(np.average((rows - center) ** 2, axis=0, weights=each))
        return replace(self, center=center, spread=np.where(spread > 1e-12 * np.abs(center), spread, 1.0))

    def scaled(self, encoded: Any) -> Any:
        """Return numbers of mean 0 and deviation 1, float32, in the shape of ``encoded``."""
        if self.per_step:
            return [((e - self.center) / self.spread).astype(np.float32) for e in encoded]
        return ((encoded - self.center) / self.spread).astype(np.float32)

    def score(self, outputs: np.ndarray, targets: Any, weights: np.ndarray | None) -> float:
        """Return the root mean squared error in the units of y."""
        rows, each = self.flat(targets, weights)
        squared = ((middle(outputs, self.quantiles) - rows) * self.spread) ** 2
        return float(np.sqrt(np.average(squared.mean(axis=1), weights=each)))

    def to_manifest(self) -> dict[str, Any]:
        """Return the scaling."""
        out: dict[str, Any] = {
            "center": self.center.tolist(),
            "spread": self.spread.tolist(),
            "single": self.single,
        }
        if self.per_step:
            out["per_step"] = True
        return out | ({"quantiles": list(self.quantiles)} if self.quantiles else {})


def _flat(each: Any, weights: np.ndarray | None) -> tuple[Any, np.ndarray | None]:
    """Return what belongs to the steps of each sequence as one array, with the weight of each step."""
    repeated = None if weights is None else np.repeat(weights, [len(own) for own in each])
    return np.concatenate(each), repeated


def _is_per_step(y: Any, lengths: Sequence[int]) -> bool:
    """Whether y is one array per sequence with an entry for each of its steps; a table is numbers per sequence."""
    if isinstance(y, np.ndarray) and y.dtype != object:
        return False
    return len(y) == len(lengths) and all(
        np.ndim(own) > 0 and len(own) == steps for own, steps in zip(y, lengths, strict=True)
    )


def as_examples(given: Given, target: Target, rows: Sequence[np.ndarray], features: Chain) -> Examples:
    """Return the training examples: rows that ``features`` made of each sequence, with its target or one for each row.

    Of labels per step, a row has that in its middle.
    """
    targets, alignment = target.scaled(given.y), features.alignment if target.per_step else None
    if alignment is not None and not features.keeps_steps:
        targets = [own[alignment.middles(len(read))] for own, read in zip(targets, rows, strict=True)]
    weights = None if (given.weights == 1).all() else given.weights.astype(np.float32)
    return Examples(inputs=rows, targets=targets, weights=weights, names=given.names)


def class_target(options: Any, who: str, given: Given) -> Fitted:
    """Learn the classes of sequences."""
    return ClassTarget.fit(who, given.y, given.names)


def class_loss(options: Any, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return the cross entropy."""
    from recurra.training import losses

    return losses.cross_entropy(weight_of_class)


def step_target(options: SequenceLabelerOptions, who: str, given: Given) -> Fitted:
    """Learn the classes of steps, which with ``crf`` depend on those before."""
    if options.crf and options.network is not None:
        raise UsageError(f"{who}: crf=True stands on this class's own network; leave out network=.")
    if options.crf and options.members > 1:
        raise UsageError(
            f"{who}: crf=True chooses the labels of a sequence with one network; got members={options.members}. Leave one "
            "of them out."
        )
    return (ChainTarget if options.crf else StepTarget).fit(who, given.y, given.names)


def step_loss(options: SequenceLabelerOptions, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return the cross entropy of steps, or of the chain."""
    from recurra.training import losses

    return (losses.chain_cross_entropy if options.crf else losses.cross_entropy)(weight_of_class)


def rising_quantiles(options: SequenceLoss | ForecasterOptions, who: str) -> list[float]:
    """Return the quantiles that the network gives; none unless ``loss`` asks for them."""
    if options.loss != "quantile":
        return []
    quantiles = [float(q) for q in options.quantiles]
    if not quantiles or quantiles != sorted(set(quantiles)):
        raise UsageError(f"{who}: quantiles must rise; got {quantiles}.")
    return quantiles


def number_target(options: SequenceLoss, who: str, given: Given) -> Fitted:
    """Learn how many numbers there are, for a sequence or for each of its steps; a text has no steps of its own."""
    quantiles = rising_quantiles(options, who)
    texts = isinstance(given.sequences[0], str)
    lengths = None if texts else [len(sequence) for sequence in given.sequences]
    return NumberTarget.fit(who, given.y, given.names, lengths, quantiles=quantiles)


def number_loss(options: SequenceLoss, target: Target, weight_of_class: np.ndarray | None) -> Any:
    """Return what ``loss`` says."""
    from recurra.training import losses

    if options.loss == "mse":
        return losses.mean_squared_error
    return losses.observed(options.loss, getattr(target, "quantiles", ()))


def target_from_manifest(task: str, manifest: Mapping[str, Any]) -> Target:
    """Rebuild a target from what the model file keeps."""
    if task == "regression":
        return NumberTarget(
            np.array(manifest["center"]),
            np.array(manifest["spread"]),
            bool(manifest["single"]),
            bool(manifest.get("per_step", False)),
            tuple(manifest.get("quantiles", ())),
        )
    if task == "classification":
        return ClassTarget(classes_from_manifest(manifest))
    return (ChainTarget if manifest.get("chain") else StepTarget)(classes_from_manifest(manifest))


def class_weights(who: str, options: Any, target: Target, given: Given) -> np.ndarray | None:
    """Return one loss weight per class, float32, or None where all have the same.

    Parameters
    ----------
    options : estimator
        Classes that a dictionary as ``class_weight`` leaves out weigh 1.
    given : Given
        The training part, its labels encoded by ``target``.
    """
    asked = options.class_weight if isinstance(options, ClassWeights) else None
    if asked is None or not isinstance(target, KnownClasses):
        return None
    encoded, weights = given.y, given.weights
    flat, each = (encoded, weights) if isinstance(target, ClassTarget) else _flat(encoded, weights)
    if isinstance(asked, str):
        present = np.unique(flat)
        out = np.ones(target.output_size)
        out[present] = compute_class_weight("balanced", classes=present, y=flat, sample_weight=each)
        return out.astype(np.float32)
    known = target.classes.tolist()
    unknown = [label for label in asked if label not in known]
    if unknown:
        raise UsageError(f"{who}: class_weight names {listing(unknown)}, the classes are {listing(known)}.")
    for label, weight in asked.items():
        check_number(who, f"class_weight of {listing([label])}", weight, low=0)
    out = np.array([float(asked.get(label, 1.0)) for label in known])
    check_weights(out[flat] * each, who, "class_weight (times sample_weight)")
    return out.astype(np.float32)


def _plain(who: str, y: Any) -> Any:
    return y if type(y) is np.ndarray else plain(y, f"{who}: y")


def _labels(who: str, y: Any, names: Sequence[str] | None) -> np.ndarray:
    array = y if isinstance(y, np.ndarray) else as_labels(who, y)
    if array.dtype == object or array.dtype.kind == "f":
        check_labels_present(who, array.reshape(-1).tolist(), names)
    check_can_be_saved(who, array, names)
    if array.ndim > 1 and array.shape[1] > 1:
        raise DataError(
            f"{who}: y must hold one label each; got rows of {array.shape[1]} such as {array[0].tolist()!r:.60}. Several "
            "labels at once are not offered; join them into one text, or train a network for each."
        )
    labels = column_or_1d(array if array.dtype == object else y, warn=True)
    check_classification_targets(labels)
    return labels


def as_labels(who: str, y: Any) -> np.ndarray:
    """Return labels as an array; such of several types stay what they are, where numpy would make them all text."""
    try:
        array = np.asarray(y)
    except ValueError:  # tuples of several lengths
        array = None
    if array is None or (array.dtype.kind in "USc" and not hasattr(y, "dtype")):
        cells = list(y)
        if array is None or any(
            not isinstance(cell, str | np.ndarray) or (isinstance(cell, str) and cell.endswith("\0"))
            for cell in cells
        ):
            array = np.empty(len(cells), dtype=object)
            array[:] = cells
    return array


def check_can_be_saved(who: str, labels: np.ndarray, names: Sequence[str] | None) -> None:
    """Refuse labels a model file cannot hold: they are found before training, not when it is saved.

    A file holds text, numbers, and true and false; all of a kind, so that they come back as what they were.
    """
    rule = "labels must be text, whole numbers, numbers, or True and False, all of one kind"
    if labels.dtype.kind in "mMScV":
        value = labels.reshape(-1)[0]
        raise DataError(
            f"{who}: y: {rule}; got {value!r:.60} of type {type(value).__name__}. Turn them into text first, such as "
            f"{str(value)[:30]!r}."
        )
    if labels.dtype != object:
        return
    for index, label in enumerate(labels.reshape(-1).tolist()):
        if isinstance(label, str) and label.endswith("\0"):
            raise DataError(
                f"{who}: y: {where(index, names)} has {label!r:.60}, which ends with the character NUL; an array of texts "
                "loses it, and would take the label for another. Strip it: label.rstrip('\\0')."
            )
    kinds: dict[str, int] = {}
    for index, label in enumerate(labels.reshape(-1).tolist()):
        kind = _kind(label)
        if isinstance(label, list | set | frozenset):
            raise DataError(
                f"{who}: y must hold one label each; {where(index, names)} has {label!r:.60}. Several labels at once are "
                "not offered; join them into one text, or train a network for each."
            )
        if kind is None:
            raise DataError(
                f"{who}: y: {rule}; {where(index, names)} has {label!r:.60} of type {type(label).__name__}. Turn the labels "
                "into text first."
            )
        kinds.setdefault(kind, index)
    if len(kinds) > 1:
        (one, first), (other, second) = sorted(kinds.items(), key=lambda item: item[1])[:2]
        raise DataError(
            f"{who}: y: {rule}; {where(first, names)} has {one}, {where(second, names)} {other}. Turn them all into text: "
            "[str(label) for label in y]."
        )


def _kind(label: Any) -> str | None:
    """Return what kind of label this is in words, None if a model file cannot hold it."""
    if isinstance(label, bool | np.bool_):
        return "True or False"
    if isinstance(label, int | float | np.integer | np.floating):
        return "a number" if -(2**63) <= label < 2**63 else None
    return "text" if isinstance(label, str) else None


def _two_or_more(who: str, classes: np.ndarray) -> np.ndarray:
    if len(classes) < 2:
        raise DataError(
            f"{who}: y must hold at least two classes; all labels are {classes.tolist()[0]!r}. "
            "A classifier can't train when only one class is present."
        )
    return classes


def _indices(who: str, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    lookup = {label: index for index, label in enumerate(classes.tolist())}
    found = [lookup.get(label, -1) for label in labels.tolist()]
    if -1 in found:
        unknown = labels.tolist()[found.index(-1)]
        raise DataError(
            f"{who}: the label {unknown!r} is none of the fitted classes {listing(classes.tolist())}."
        )
    return np.array(found, dtype=np.int64)


def _check_finite(who: str, y: Any, one: str) -> None:
    """Raise DataError at the first number that is missing or infinite; what is no number is told elsewhere."""
    try:
        numbers = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        return
    if numbers.ndim == 0 or not numbers.size:
        return
    for what, said, odd in (
        ("NaN", "no number", np.isnan(numbers)),
        ("infinity", "an infinite number", np.isinf(numbers)),
    ):
        where = np.argwhere(odd)
        if len(where):
            more = f" ({len(where)} such values in all)" if len(where) > 1 else ""
            raise DataError(
                f"{who}: Input y contains {what}: {one} {where[0][0]} has {said}{more}. Give it one, or leave the {one} out."
            )


def _check_whole_numbers(who: str, y: Any, one: str) -> None:
    """Raise DataError at a whole number that a float64 does not hold."""
    try:
        array = np.asarray(y)
    except ValueError:  # of unequal lengths, told elsewhere
        return
    if array.dtype.kind in "iu":
        check_exact(array, f"{who}: y")
    for index, row in enumerate(array if array.dtype == object and array.ndim else ()):
        if any(isinstance(value, int) and abs(value) > LARGEST for value in np.ravel(row)):
            raise DataError(
                f"{who}: y: {one} {index} has a whole number beyond {LARGEST:g}; values must be below it in magnitude. Give "
                "them in a larger unit."
            )


def numbers_of(who: str, y: Any) -> np.ndarray:
    """Return numbers to learn, checked, as float64 of shape (sequences,) or (sequences, targets)."""
    sizes = {np.size(own) for own in y} if isinstance(y, list | tuple) else set()
    if len(sizes) > 1:
        raise DataError(
            f"{who}: y must hold a number for each sequence, as many for all of them, or one for each time step; some have "
            f"{min(sizes)}, others {max(sizes)}."
        )
    one, classifier = (
        ("text", "TextClassifier") if who.startswith("Text") else ("sequence", "SequenceClassifier")
    )
    for index, value in enumerate(y if np.ndim(y) == 1 else ()):
        if isinstance(value, str | set | frozenset | date | timedelta):
            raise DataError(
                f"{who}: y must hold numbers; {one} {index} has {value!r}. For classes use {classifier}."
            )
    y = plain(y, f"{who}: y")
    kind = getattr(getattr(y, "dtype", None), "kind", "")
    if kind in ("c", "m", "M"):
        what, advice = (
            ("complex ones", "real and imaginary part as two targets")
            if kind == "c"
            else ("times", "seconds")
        )
        raise DataError(f"{who}: y must hold real numbers; got {what}. Give {advice}.")
    _check_whole_numbers(who, y, one)
    _check_finite(who, y, one)
    numbers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=who)
    check_range(numbers, f"{who}: y")
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = column_or_1d(numbers, warn=True)
    if numbers.ndim > 2:
        raise ShapeError(
            f"{who}: y must have shape (sequences,) or (sequences, targets); got {numbers.shape}."
        )
    return numbers
