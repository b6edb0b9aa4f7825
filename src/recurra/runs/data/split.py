"""Which records train and which are kept for judging: the official split, a file, or a share held out."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.array_summaries import check_finite
from recurra.batches.splits import split
from recurra.checks import counted
from recurra.errors import DataError, UsageError
from recurra.inspection.kinds import one_of, records
from recurra.plain_arrays import as_sequences
from recurra.readers.arrays import SUFFIXES as ARRAYS
from recurra.readers.signals.signal import SUFFIXES as SIGNALS
from recurra.records import Dataset, RunData, findings_of
from recurra.runs.data.alignment import aligned
from recurra.runs.data.sources import load_like

DEFAULT_SHARE = 0.2

# From so many records on, a class of its own for each is refused.
FEWEST_TO_ASK = 10


@dataclass(frozen=True)
class Split:
    """Both sides of a split.

    Parameters
    ----------
    train : Dataset
        What is learned from.
    test : Dataset or None
        What is judged on; None if nothing is held out.
    how : str
        How they came to be, in a sentence for people.
    """

    train: Dataset
    test: Dataset | None
    how: str


def test_of(value: Any) -> Any:
    """Return what ``test`` says: a share in (0, 1), 0 for none, or a source of data.

    Raises
    ------
    UsageError
        If it is a number that is no share.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 1:
            raise UsageError(
                f"train: test must be a file, a share of at least 0 and less than 1, or 0 for none; got {value:g}."
            )
        return float(value)
    return value


def check_by(who: str, test: Any, by: str | None) -> None:
    """Raise UsageError where ``by`` would do nothing: no share is held out."""
    if by is not None and test is not None and (test == 0 or not isinstance(test, float)):
        raise UsageError(
            f"{who}: by= says how a share is held out; with test={'0' if isinstance(test, float) else 'DATA'} none is. "
            "Leave one of them out."
        )


def divide(
    data: Dataset,
    *,
    test: Any,
    by: str | None,
    seed: int,
    options: Mapping[str, Any],
    keys: Sequence[bytes] | None = None,
) -> Split:
    """Split data as asked.

    Parameters
    ----------
    data : Dataset
        All of it.
    test : as returned by `test_of`, or None
        None takes the official split where there is one, else a fifth.
    by : {"group", "time", "record"} or None
        See `recurra.batches.splits.split`.
    seed : int
        Decides the split.
    options : mapping
        How a test file is read.
    keys : sequence of bytes, optional
        What a random split goes by, see `recurra.runs.data.identity.split_keys`.
    """
    many = records(len(data), data.kind)
    if test == 0:
        return Split(
            data,
            None,
            f"Nothing is held out: {f'the one {one_of(data.kind)} trains' if len(data) == 1 else f'all {many} train'}.",
        )
    if test is not None and not isinstance(test, float):
        other = aligned(load_like(test, options, {}, time_spelling=data.time_spelling), data.channel_names)
        found = findings_of(data)
        other = other if found is None else RunData.of(other, found)
        name = str(test) if isinstance(test, str | os.PathLike) else other.source or "given data"
        how = f"Test part from {name}: {records(len(other), other.kind)}; all {len(data)} of the data train."
        return Split(data, other, how)
    if by is None and data.kind == "series":
        by = "time"
    if test is None and (by is None or data.kind == "series"):
        train, official = data.part("train"), data.part("test")
        if len(train) and len(official):
            rest = len(data) - len(train) - len(official)
            left = (
                f"; {records(rest, data.kind)} of no part {'is' if rest == 1 else 'are'} in neither"
                if rest
                else ""
            )
            return Split(
                train, official, f"The data's own split: {len(train)} train, {len(official)} test{left}."
            )
    share = DEFAULT_SHARE if test is None else test
    if by is None and data.kind == "text" and data.y is None and len(data) > 1:
        return _end_held_out(data, share)
    if len(data) == 1 and data.kind != "series" and by is None:
        raise DataError(
            f"train: {data.source or 'the data'} holds one {one_of(data.kind)}, so that none can be held out. Give a test "
            f"set with test=, {_other_ways(data, options)}."
        )
    train, held = split(data, test=share, by=by, random_state=seed, keys=keys)
    if not len(train) or not len(held):
        raise DataError(
            f"train: {share:.0%} of {records(len(data), data.kind)} leaves nothing to train or to test on. Give a test "
            "file with test=, or 0 to hold nothing out."
        )
    return Split(train, held, f"{_reason(data, share, by)}: {len(train)} train, {len(held)} test.")


def _other_ways(data: Dataset, options: Mapping[str, Any]) -> str:
    """Return what else makes one sequence fit to be trained and judged on, after a comma; only a table has columns."""
    if data.kind != "sequence":
        return "or hold nothing out with test=0"
    forecast = to_forecast(data, options.get("target"))
    if not forecast:
        return "put several recordings into one folder, or hold nothing out with test=0"
    return f"name the column that tells several sequences apart with id=, or, {forecast}"


def to_forecast(data: Dataset, target: Any = None) -> str:
    """Return how the next values of one table over time are forecast, empty of what has no columns or is several."""
    source = Path(data.source or "")
    no_table = data.source and (source.is_dir() or source.suffix.lower() in (*SIGNALS, *ARRAYS))
    if no_table or data.kind != "sequence" or len(data) != 1:
        return ""
    target = target or (data.channel_names or (None,))[0]
    named = f" target={target!r}" if isinstance(target, str) else ""
    return f"if its next values are to be forecast, pass task='forecast'{named}"


def _end_held_out(data: Dataset, share: float) -> Split:
    """Hold out the last of texts that follow each other, such as the paragraphs of a novel."""
    cut = len(data) - min(max(1, round(share * len(data))), len(data) - 1)
    train, held = data.take(range(cut)), data.take(range(cut, len(data)))
    how = f"The last {share:.0%} of the texts are held out: {len(train)} train, {len(held)} test."
    return Split(train, held, how)


def _reason(data: Dataset, share: float, by: str | None) -> str:
    groups = data.groups
    if by == "time":
        return f"The last {share:.0%} in time are held out"
    if by != "record" and groups is not None:
        return f"{share:.0%} are held out, none of the {len(set(groups.tolist()))} groups on both sides"
    return f"{share:.0%} are held out at random{', classes in balance' if data.class_counts() else ''}"


def check_classes_left(dataset: Dataset, divided: Split) -> None:
    """Raise DataError if only one of several classes is left to learn from."""
    there, left = dataset.class_counts(), divided.train.class_counts()
    judged = divided.test is not None and any(name in left for name in divided.test.class_counts())
    if len(there) == len(dataset) >= FEWEST_TO_ASK and not judged:
        raise DataError(
            f"train: each of the {records(len(dataset), dataset.kind)} has a label of its own, so that no class can be "
            "learned. Name another column with label=."
        )
    if len(left) == 1 < len(there):
        held = 0 if divided.test is None else len(divided.test)
        many = records(len(divided.train), dataset.kind)
        raise DataError(
            f"train: of the {len(there)} classes only {next(iter(left))!r} is in the training part of "
            f"{many}, after {held} were held out. Give more, or hold none out with test=0."
        )


def check_values(test: Dataset, *, allow_nan: bool) -> None:
    """Raise DataError where judging would, before the time for training is spent."""
    sequences = as_sequences(test.X, names=test.names)
    check_finite(sequences, names=test.names, allow_nan=allow_nan, findings=findings_of(test))


def check_steps_ahead(divided: Split, horizon: int) -> None:
    """Raise DataError if no series that is held out has as many steps as are forecast, which could not be judged."""
    if divided.test is None or (most := max(len(one.values) for one in divided.test.records)) >= horizon:
        return
    whole = most + max(len(one.values) for one in divided.train.records)
    share = math.ceil(100 * horizon / whole) / 100
    more = f"Hold out more with test={share:g}, nothing" if 2 * horizon < whole else "Hold nothing out"
    raise DataError(
        f"train: the part held out has {counted(most, 'step')} of a series at most, fewer than the horizon of {horizon}, so "
        f"that no forecast can be judged. {more} with test=0, or give a smaller horizon."
    )
