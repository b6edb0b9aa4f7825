"""Which records train and which test: never a group, nor a sequence that was given twice, on both sides."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.array_summaries import Findings
from recurra.checks import check_choice, check_number
from recurra.errors import DataError, UsageError
from recurra.features.frames.cache import contents
from recurra.features.static import cells_key
from recurra.readers.times.calendar import step_after
from recurra.records import Dataset, Record, findings_of

# Random tries among which the split nearest to the fraction and to the balance of classes is taken.
_TRIES = 64
# Fewer held-out records, or groups in all, are too weak a witness to stop training on; everything is then trained on.
FEWEST_HELD_OUT = 25


def split(
    dataset: Dataset,
    *,
    test: float = 0.2,
    by: str | None = None,
    stratify: bool = True,
    random_state: int | None = 0,
    keys: Sequence[bytes] | None = None,
) -> tuple[Dataset, Dataset]:
    """Split a data set into a training and a test part.

    Parameters
    ----------
    dataset : Dataset
        At least two records.
    test : float or int, default=0.2
        Share of the records in (0, 1), or their number; met as nearly as groups allow. Of series split by time, the
        share or number of the last steps of each.
    by : {"group", "time", "record"} or None, default=None
        "group" keeps each group on one side. "time" puts what came last into the test part: the last records
        by ``start`` where all have one, else by order; of a single record, or of each series, its last steps.
        "record" ignores groups. None means "group" where there are groups, else "record". Except by time,
        identical sequences stay on one side.
    stratify : bool, default=True
        Keep the share of each class alike on both sides, as nearly as groups allow. Numbers to predict are
        not stratified.
    random_state : int or None, default=0
        Decides the split; it does not depend on the order of the records, nor on where their files are. None differs
        at every call.
    keys : sequence of bytes, optional
        What tells the records apart, 16 bytes each; by default their content, see `record_keys`.

    Returns
    -------
    train, test : Dataset
        In the order of the data set.

    Raises
    ------
    UsageError
        If ``test`` or ``by`` is not one of these, or groups are asked for and there are none.
    DataError
        If there is only one group, or one distinct sequence, or nothing would be left to train on.
    """
    check_choice("split", "by", by, [None, "group", "time", "record"])
    if len(dataset) < 2 and by != "time":
        raise DataError(
            f"split: needs at least 2 records; there are {len(dataset)}. Give a test set of its own."
        )
    if by == "time" and dataset.kind == "series":
        halves = [_cut(record, _fraction(test, record.length)) for record in dataset.records]
        train, last = ([half[side] for half in halves] for side in (0, 1))
        return replace(dataset, records=train), replace(dataset, records=last)
    fraction = _fraction(test, len(dataset))
    groups = dataset.groups
    if by == "group" and groups is None:
        raise UsageError(
            "split: by='group' needs groups, and no record has one. Load them with group=, or leave by out."
        )
    if by == "time":
        return _by_time(dataset, fraction)
    if by == "record":
        groups = None
    keys = record_keys(dataset) if keys is None else keys
    labels = _labels_of(dataset) if stratify else None
    units = _units(keys, groups)
    if units.max() < 1:
        same = "belong to one group" if groups is not None else "are the same sequence"
        raise DataError(
            f"split: all {len(dataset)} records {same}, so they cannot be split. "
            "Give a test set of its own, or split by='time'."
        )
    chosen = _choose(units, labels, fraction, keys, random_state)
    return dataset.take(np.flatnonzero(~chosen)), dataset.take(np.flatnonzero(chosen))


def _fraction(test: float, count: int) -> float:
    if isinstance(test, int | np.integer) and not isinstance(test, bool):
        check_number("split", "test", test, integer=True, low=1, high=max(count - 1, 1))
        return int(test) / max(count, 1)
    check_number("split", "test", test, low=0, high=1, low_open=True, high_open=True)
    return float(test)


def _labels_of(dataset: Dataset) -> Sequence[Any] | None:
    """Labels if they are classes, else None."""
    return [record.label for record in dataset.records] if dataset.class_counts() else None


def holdout(
    labels: int | Sequence[Any] | np.ndarray,
    *,
    groups: Sequence[Any] | np.ndarray | None = None,
    fraction: float = 0.1,
    random_state: int | np.random.Generator | None = 0,
    keys: Sequence[bytes] | None = None,
    stratify: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Set records aside, for instance to stop training early.

    Parameters
    ----------
    labels : int, or sequence of shape (records,)
        Classes, which are kept in balance; or numbers to predict, or only how many records there are.
    groups : sequence of shape (records,), optional
        Records of one group stay on one side; None is a group of its own.
    fraction : float, default=0.1
        Share of the records set aside, in [0, 1).
    random_state : int, Generator or None, default=0
        Decides the split.
    keys : sequence of bytes, optional
        Content of each record (`content_keys`). Equal ones stay on one side, and the split does not depend
        on the order of the records. Without keys the order counts.
    stratify : bool, default=True
        Keep classes in balance.

    Returns
    -------
    train, valid : int64 arrays
        Positions in rising order. ``valid`` is empty where nothing can be set aside: fraction 0, or a single
        group or distinct sequence.
    """
    check_number("holdout", "fraction", fraction, low=0, high=1, high_open=True)
    count = int(labels) if isinstance(labels, int | np.integer) else len(labels)
    everything = np.arange(count, dtype=np.int64)
    order_keys = list(keys) if keys is not None else [index.to_bytes(8, "big") for index in range(count)]
    units = _units(order_keys, groups)
    if fraction == 0 or count == 0 or units.max() < 1:
        return everything, everything[:0]
    classes = (
        None if isinstance(labels, int | np.integer) or not stratify or not _are_classes(labels) else labels
    )
    chosen = _choose(units, classes, fraction, order_keys, random_state)
    return everything[~chosen], everything[chosen]


def k_folds(
    dataset: Dataset,
    *,
    n_splits: int = 5,
    by: str | None = None,
    stratify: bool = True,
    random_state: int | None = 0,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return positions (train, test) of each fold, with groups and identical sequences on one side.

    Parameters
    ----------
    dataset : Dataset
        Data.
    n_splits : int, default=5
        Number of folds, at least 2.
    by : {"group", "record"} or None, default=None
        As in `split`.
    stratify : bool, default=True
        As in `split`.
    random_state : int or None, default=0
        Decides the folds.

    Raises
    ------
    DataError
        If there are fewer groups (or distinct sequences) than folds.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    check_choice("k_folds", "by", by, [None, "group", "record"])
    check_number("k_folds", "n_splits", n_splits, integer=True, low=2)
    keys = record_keys(dataset)
    units = _units(keys, None if by == "record" else dataset.groups)
    if units.max() + 1 < n_splits:
        raise DataError(
            f"k_folds: {n_splits} folds need as many groups or distinct sequences; there are "
            f"{units.max() + 1}. "
            "Take fewer folds."
        )
    order = sorted(range(len(dataset)), key=lambda i: keys[i])  # the order of the records must not count
    labels = _labels_of(dataset) if stratify else None
    if labels is None:
        folds = GroupKFold(n_splits, shuffle=True, random_state=random_state).split(
            order, groups=units[order]
        )
    else:
        majority = _counts(labels).argmax(axis=1)
        folder = StratifiedGroupKFold(n_splits, shuffle=True, random_state=random_state)
        with warnings.catch_warnings():
            # A class smaller than the number of folds is absent from some; `look` names tiny classes.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            try:
                return _in_order(list(folder.split(order, majority[order], units[order])), order)
            except ValueError:  # every class is smaller than the number of folds
                plain = GroupKFold(n_splits, shuffle=True, random_state=random_state)
                folds = plain.split(order, groups=units[order])
    return _in_order(list(folds), order)


def _in_order(folds: list[Any], order: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    positions = np.asarray(order)
    return [(np.sort(positions[train]), np.sort(positions[test])) for train, test in folds]


def held_out(
    y: Any,
    keys: Callable[[], Sequence[Any]],
    groups: np.ndarray | None,
    *,
    fraction: float,
    fewest_groups: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which records to learn from and which decide early stopping; None where those are too few.

    Parameters
    ----------
    y : ndarray or int
        Classes of the records, or their number.
    keys : callable
        Gives what is equal for records that must stay on one side; not asked where there are too few in any case.
    """
    if fraction * (y if isinstance(y, int) else len(y)) < FEWEST_HELD_OUT:
        return None
    if groups is not None and len(set(groups.tolist())) < fewest_groups:
        return None
    alike = keys()
    if fraction * len(set(alike)) < FEWEST_HELD_OUT:
        return None
    train, judges = holdout(y, groups=groups, fraction=fraction, random_state=seed, keys=alike)
    return (train, judges) if len(judges) else None


def record_keys(dataset: Dataset) -> list[bytes]:
    """Return 16 bytes for each record, equal for equal content; of a clip that of its file, wherever it is.

    Two sequences with other static inputs are not equal.
    """
    static = dataset.static if dataset.kind == "sequence" else None
    return content_keys(contents(dataset), static, findings=findings_of(dataset))


def content_keys(
    values: Iterable[Any], static: Sequence[Any] | None = None, *, findings: Findings | None = None
) -> list[bytes]:
    """Return 16 bytes for each sequence or text, equal for equal content.

    Parameters
    ----------
    values : iterable
        Sequences or texts.
    static : sequence, optional
        Static inputs of each, which are content too.
    findings : Findings, optional
        Where keys of arrays are kept.
    """
    if static is not None:
        return [
            key if row is None else hashlib.blake2b(key + cells_key(row), digest_size=16).digest()
            for key, row in zip(content_keys(values, findings=findings), static, strict=True)
        ]
    values = list(values)
    if findings is None or not all(isinstance(value, np.ndarray) for value in values):
        return [_content_key(value) for value in values]
    return findings.of("content key", values, content_keys)


def _content_key(value: Any) -> bytes:
    if isinstance(value, str):
        return hashlib.blake2b(b"text" + value.encode(), digest_size=16).digest()
    if isinstance(value, list) and value and isinstance(value[0], str):
        return hashlib.blake2b(b"tokens" + repr(value).encode(), digest_size=16).digest()
    array = np.ascontiguousarray(value)
    key = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    # objects are told apart by address, as ever
    key.update(
        array.tobytes() if array.dtype.hasobject or not array.size else array.reshape(-1).view(np.uint8).data
    )
    return key.digest()


def _units(keys: Sequence[bytes], groups: Sequence[Any] | np.ndarray | None) -> np.ndarray:
    """Number what must stay together: records of one group, of equal content, and chains of both.

    Units are numbered in order of their smallest key, so that the number does not depend on the order of the
    records.
    """
    parent = list(range(len(keys)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[Any, int] = {}
    for index, key in enumerate(keys):
        marks: list[Any] = [("content", key)]
        if groups is not None and groups[index] is not None:
            marks.append(("group", groups[index]))
        for mark in marks:
            parent[root(index)] = root(first.setdefault(mark, index))
    roots = [root(index) for index in range(len(keys))]
    smallest: dict[int, bytes] = {}
    for index, its in enumerate(roots):
        smallest[its] = min(smallest.get(its, keys[index]), keys[index])
    number = {its: n for n, its in enumerate(sorted(smallest, key=lambda i: smallest[i]))}
    return np.array([number[its] for its in roots], dtype=np.int64)


def _are_classes(labels: Sequence[Any] | np.ndarray) -> bool:
    """Whether labels are classes: text, whole numbers or booleans, one each or one per time step."""
    for label in labels:
        array = np.asarray(label)
        if array.dtype.kind == "O":
            array = np.asarray(array.reshape(-1).tolist())
        if array.dtype.kind not in "USiub":
            return False
    return True


def _counts(labels: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Count classes: shape (records, classes), one per record, or the steps of each class."""
    if all(type(label) is str for label in labels):  # the most usual case, without a Counter for each
        places = {name: place for place, name in enumerate(sorted(set(labels)))}
        counts = np.zeros((len(labels), max(len(places), 1)))
        counts[np.arange(len(labels)), [places[label] for label in labels]] = 1
        return counts
    index: dict[Any, int] = {}
    counted = [Counter(np.asarray(label).reshape(-1).tolist()) for label in labels]
    for name in sorted({name for counter in counted for name in counter}, key=lambda n: (str(type(n)), n)):
        index[name] = len(index)
    counts = np.zeros((len(counted), max(len(index), 1)))
    for row, counter in enumerate(counted):
        for name, number in counter.items():
            counts[row, index[name]] = number
    return counts


def _choose(
    units: np.ndarray,
    labels: Sequence[Any] | np.ndarray | None,
    fraction: float,
    keys: Sequence[bytes],
    random_state: int | np.random.Generator | None,
) -> np.ndarray:
    """Return a mask of shape (records,): the units to set aside."""
    rng = np.random.default_rng(random_state)
    n_units = int(units.max()) + 1
    sizes = np.bincount(units, minlength=n_units).astype(np.float64)
    counts = np.ones((len(units), 1)) if labels is None else _counts(labels)
    per_unit = np.zeros((n_units, counts.shape[1]))
    np.add.at(per_unit, units, counts)
    single = bool((sizes == 1).all()) and bool((np.count_nonzero(per_unit, axis=1) <= 1).all())
    strata = per_unit.argmax(axis=1)
    tries = 1 if single else _TRIES
    best, best_score = None, np.inf
    for attempt in range(tries):
        # Every other try ignores the classes: with few groups, each of several classes, that can come nearer.
        layers = strata if attempt % 2 == 0 else np.zeros_like(strata)
        chosen = _draw(layers, sizes, fraction, rng)
        score = _score(chosen, per_unit, sizes, fraction)
        if score < best_score:
            best, best_score = chosen, score
    assert best is not None
    return best[units]


def _draw(layers: np.ndarray, sizes: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Take about ``fraction`` of every layer: mask of shape (units,), neither empty nor full."""
    chosen = np.zeros(len(layers), dtype=bool)
    order = rng.permutation(len(layers))
    names, totals = np.unique(layers), np.bincount(layers, weights=sizes)
    wanted = dict(
        zip(names.tolist(), _round_to(totals[names] * fraction, sizes.sum() * fraction), strict=True)
    )
    for name in names.tolist():
        mine = order[layers[order] == name]
        reached = np.cumsum(sizes[mine])
        # As many as come nearest to the wanted size; one of every class must be left to train on.
        take = int(np.argmin(np.abs(np.concatenate([[0.0], reached]) - wanted[name])))
        chosen[mine[: min(take, len(mine) - 1)]] = True
    if not chosen.any():
        several = np.bincount(layers) > 1
        big = [unit for unit in order if several[layers[unit]]] or list(order)
        smallest = min(sizes[unit] for unit in big)
        chosen[next(unit for unit in big if sizes[unit] == smallest)] = True
    return chosen


def _round_to(shares: np.ndarray, total: float) -> np.ndarray:
    """Round shares down or up so that they sum to the rounded total: largest remainders first."""
    down = np.floor(shares + 1e-9)
    rest = int(np.clip(round(total + 1e-9) - down.sum(), 0, len(shares)))
    up = np.argsort(-(shares - down), kind="stable")[:rest]
    down[up] += 1
    return down


def _score(chosen: np.ndarray, per_unit: np.ndarray, sizes: np.ndarray, fraction: float) -> float:
    """Distance from the fraction, in size and by class; a class with nothing left to train on costs most."""
    totals = per_unit.sum(axis=0)
    shares = per_unit[chosen].sum(axis=0) / np.maximum(totals, 1)
    size = sizes[chosen].sum() / sizes.sum()
    lost = np.count_nonzero((shares >= 1) & (totals > 0))
    untested = np.count_nonzero((shares == 0) & (totals > 0))
    balance = float(np.mean((shares - fraction) ** 2))
    return 4 * (size - fraction) ** 2 + balance + 10.0 * lost + 0.01 * untested


def _by_time(dataset: Dataset, fraction: float) -> tuple[Dataset, Dataset]:
    if len(dataset) == 1:
        halves = [_cut(record, fraction) for record in dataset.records]
        return replace(dataset, records=[a for a, _ in halves]), replace(
            dataset, records=[b for _, b in halves]
        )
    starts = [record.start for record in dataset.records]
    order = np.arange(len(dataset))
    if all(start is not None for start in starts):
        order = np.argsort(np.array(starts, dtype=np.float64), kind="stable")
    n_test = int(np.clip(round(fraction * len(dataset)), 1, len(dataset) - 1))
    return dataset.take(order[:-n_test]), dataset.take(order[-n_test:])


def _cut(record: Record, fraction: float) -> tuple[Record, Record]:
    """Cut one record in time; a label per step is cut along."""
    n_test = max(round(fraction * record.length), 1)
    at = record.length - n_test
    if isinstance(record.values, str) or at < 1:
        raise DataError(
            f"split: by='time' cannot cut record {record.name!r}: it needs at least two time steps; "
            f"got {'text' if isinstance(record.values, str) else record.length}."
        )
    per_step = np.ndim(record.label) == 1 and len(record.label) == record.length
    labels = (record.label[:at], record.label[at:]) if per_step else (record.label, record.label)
    later = None
    if record.start is not None and record.sample_rate_hz:
        later = record.start + at / record.sample_rate_hz
    if record.start is not None and record.freq:
        later = step_after(record.start, record.freq, at, record.zone)
    # What is known in advance of the last steps is known to the first part as well.
    ahead = None if record.known is None else record.known[at:]
    return (
        replace(record, values=record.values[:at], label=labels[0]),
        replace(record, values=record.values[at:], label=labels[1], start=later, known=ahead),
    )
