"""The ``.ts`` files of the time-series archives (timeseriesclassification.com) become records.

Format: lines of ``@word value``, then ``@data``, then one sequence per line: channels separated by ``:``,
steps by ``,``, missing values as ``?``, and behind the last ``:`` the class or the target. The channels of
one line are of equal length; lines may differ. With ``@timeStamps true`` each step is ``(stamp,value)``: such a file is
read as the long table with the same rows would be.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, did_you_mean
from recurra.errors import DataError, UsageError
from recurra.readers.files.encodings import read_text
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.table import from_columns
from recurra.readers.tables.table_options import TableOptions
from recurra.records import Dataset, Record

SUFFIXES = (".ts",)


# A step of a file with time stamps, and the colons between its channels: stamps have colons of their own.
_STEP = re.compile(r"\(([^()]*),([^(),]*)\)")
_BETWEEN_CHANNELS = re.compile(r":(?![^(]*\))")


def read_ts(
    path: Path,
    *,
    encoding: str = "utf-8",
    time_unit: str | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    sort: bool = False,
    part: str | None = None,
) -> Dataset:
    """Read a ``.ts`` file.

    Parameters
    ----------
    path : Path
        File.
    encoding : str, default="utf-8"
        Of the file.
    time_unit, time_format, time_zone : str, optional
        How its time stamps are to be read, as of tables; see `recurra.readers.tables.time_columns.read_clock`.
    sort : bool, default=False
        Put the steps of each sequence in order of their time stamps first.
    part : {"train", "test"}, optional
        Side of the official split the file is.

    Returns
    -------
    Dataset
        Values float64 of shape (time, channels), missing values NaN; classes as text, targets as numbers.

    Raises
    ------
    DataError
        If a line disagrees with the header or with the format; names line and channel.
    UsageError
        If something is said about time stamps and there are none.
    """
    lines = read_text(path, encoding=encoding).splitlines()
    header, first = _header(lines, path)
    stamped = header.get("timestamps", "false").lower() == "true"
    given = {"time_unit": time_unit, "time_format": time_format, "time_zone": time_zone, "sort": sort or None}
    times = {word: value for word, value in given.items() if value is not None}
    if times and not stamped:
        raise UsageError(
            f"{path}: has no time stamps, on which {next(iter(times))}= would act. Leave it out."
        )
    records: list[Record] = []
    stamps: list[list[str]] = []
    numbers: list[int] = []
    for number in range(first, len(lines)):
        line = lines[number].strip()
        if not line or line[0] in "#%":
            continue
        place, name = f"{path}: line {number + 1}", f"{path.stem} {len(records)}"
        if stamped:
            line, own = _without_stamps(line, header, place)
            stamps.append(own)
        records.append(_record(line, header, place, name, part))
        numbers.append(number + 1)
    if not records:
        raise DataError(
            f"{path}: has a header but no sequence behind @data. Check that writing it was finished."
        )
    _check_channels(records, path)
    if stamped:
        return _with_times(records, stamps, numbers, path, times)
    missing = sum(int(np.isnan(record.values).sum()) for record in records)
    notes = (
        (
            f"{path}: {counted(missing, 'value is', 'values are')} missing (kept as NaN); fit with missing='mask', or "
            "fill them.",
        )
        if missing
        else ()
    )
    return Dataset(records, source=str(path), notes=notes)


def _without_stamps(line: str, header: dict[str, str], place: str) -> tuple[str, list[str]]:
    """Return a line as it would stand in a file without time stamps, and the stamps of its steps."""
    parts, last = _BETWEEN_CHANNELS.split(line), []
    if _has_last(header):
        _check_has_last(parts, line, header, place)
        last = [parts.pop()]
    channels, stamps = [], []
    for index, text in enumerate(parts):
        steps = _STEP.findall(text)
        if _STEP.sub("", text).replace(",", "").strip():
            raise DataError(
                f"{place}: channel {index} must be steps like (stamp,value), as @timeStamps true says; it begins with "
                f"{text.strip()[:40]!r}. Correct it, or write @timeStamps false if there are none."
            )
        channels.append(",".join(value.strip() for _, value in steps))
        stamps.append([stamp.strip() for stamp, _ in steps])
        if stamps[index] != stamps[0]:
            odd = next(
                (pair for pair in zip(stamps[index], stamps[0], strict=False) if pair[0] != pair[1]), None
            )
            told = f"{odd[0]!r} for {odd[1]!r}" if odd else f"{len(stamps[index])} for {len(stamps[0])}"
            raise DataError(
                f"{place}: channel {index} has other time stamps than channel 0 ({told}). Write the file as a table with "
                "the columns id, time and label and one for each channel, empty where it has no value, and load it with "
                "id='id', time='time', label='label'."
            )
    return ":".join([*channels, *last]), stamps[0]


def _with_times(
    records: list[Record], stamps: list[list[str]], numbers: list[int], path: Path, times: dict[str, Any]
) -> Dataset:
    """Return records with their rate and start, read as a long table of all their steps."""
    steps = [len(record.values) for record in records]
    values = np.concatenate([record.values for record in records])
    channels = [f"channel {index}" for index in range(values.shape[1])]
    columns = Columns(
        str(path),
        ["id", "time stamp", *channels],
        [
            np.repeat(np.array([record.name for record in records], dtype=object), steps),
            np.array([stamp for own in stamps for stamp in own], dtype=object),
            *values.T,
        ],
        lines=np.repeat(numbers, steps),
    )
    words = TableOptions(
        id="id", time="time stamp", layout="long", label="", group="", target="", text="", **times
    )
    found = from_columns(columns, words)
    made = [
        replace(record, values=read.values, sample_rate_hz=read.sample_rate_hz, start=read.start)
        for record, read in zip(records, found.records, strict=True)
    ]
    return Dataset(made, source=str(path), notes=found.notes)


def _header(lines: list[str], path: Path) -> tuple[dict[str, str], int]:
    """Return the words of the header in lower case, and the number of the first line of data."""
    header: dict[str, str] = {}
    for number, raw in enumerate(lines):
        line = raw.strip()
        if not line or line[0] in "#%":
            continue
        if line[0] != "@":
            raise DataError(
                f"{path}: line {number + 1} must be a header line starting with @, or @data before it; got "
                f"{line[:40]!r}."
            )
        word, _, value = line[1:].partition(" ")
        if word.lower() == "data":
            return header, number + 1
        header[word.lower()] = value.strip()
    raise DataError(
        f"{path}: has no line @data, behind which the sequences stand. Check that it is a .ts file."
    )


def _words_of(header: dict[str, str], word: str) -> list[str]:
    return header.get(word, "false").split() or ["false"]


def _has_last(header: dict[str, str]) -> bool:
    """Return whether a class or a target stands behind the last colon."""
    return "true" in (_words_of(header, word)[0].lower() for word in ("classlabel", "targetlabel"))


def _check_has_last(parts: list[str], line: str, header: dict[str, str], place: str) -> None:
    """Raise DataError where a line has a channel and nothing behind it."""
    if len(parts) < 2:
        what = "class" if _words_of(header, "classlabel")[0].lower() == "true" else "target"
        raise DataError(f"{place}: must end with ':' and its {what}; got {line[-30:]!r}.")


def _record(line: str, header: dict[str, str], place: str, name: str, part: str | None) -> Record:
    classes = _words_of(header, "classlabel")
    labelled = classes[0].lower() == "true"
    channels = line.split(":")
    label: str | float | None = None
    if _has_last(header):
        _check_has_last(channels, line, header, place)
        given = channels.pop().strip()
        label = _class(given, classes[1:], place) if labelled else _target(given, place)
    values = [_channel(text, place, index) for index, text in enumerate(channels)]
    lengths = {len(channel) for channel in values}
    if len(lengths) > 1:
        odd = next(i for i, channel in enumerate(values) if len(channel) != len(values[0]))
        raise DataError(
            f"{place}: all channels of a sequence must be equally long; channel 0 has {len(values[0])} "
            "steps, "
            f"channel {odd} has {len(values[odd])}."
        )
    declared = header.get("dimensions", header.get("dimension"))
    if declared and declared.isdigit() and int(declared) != len(values):
        raise DataError(f"{place}: must have the {declared} channels the header declares; got {len(values)}.")
    return Record(np.column_stack(values), label=label, name=name, part=part)


def _channel(text: str, place: str, index: int) -> np.ndarray:
    if not text.strip():
        raise DataError(
            f"{place}: channel {index} has no value; a sequence needs at least one time step. Remove the "
            "line."
        )
    cells = text.split(",")
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        pass
    out = np.full(len(cells), np.nan)
    for step, cell in enumerate(cells):
        if cell.strip().lower() not in ("?", "nan"):
            try:
                out[step] = float(cell)
            except ValueError:
                raise DataError(
                    f"{place}: channel {index} must hold numbers or '?'; step {step} is "
                    f"{cell.strip()[:40]!r}."
                ) from None
    return out


def _class(given: str, known: list[str], place: str) -> str:
    if given in ("", "?"):
        raise DataError(f"{place}: the class is missing. Give it, or remove the line.")
    if known and given not in known:
        raise DataError(
            f"{place}: class {given!r} is not among those of @classLabel.{did_you_mean(given, known)} "
            "Correct one of them."
        )
    return given


def _target(given: str, place: str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{place}: the target must be a number; got {given[:40]!r}. Correct it, or remove the line."
        )
    return value


def _check_channels(records: list[Record], path: Path) -> None:
    channels = records[0].values.shape[1]
    for record in records:
        if record.values.shape[1] != channels:
            raise DataError(
                f"{path}: {record.name!r} has {counted(record.values.shape[1], 'channel')}, {records[0].name!r} has "
                f"{channels}. "
                "Give every sequence the same channels."
            )


def read_ts_pair(train: Path, test: Path, **words: Any) -> Dataset:
    """Read the two files of an official split as one data set; ``words`` are those of `read_ts`."""
    first, second = read_ts(train, part="train", **words), read_ts(test, part="test", **words)
    records = [*first.records, *second.records]
    _check_channels(records, test)
    return Dataset(records, source=str(train.parent), notes=(*first.notes, *second.notes))
