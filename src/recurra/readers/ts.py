"""The ``.ts`` files of the time-series archives (timeseriesclassification.com) become records.

Format: lines of ``@word value``, then ``@data``, then one sequence per line: channels separated by ``:``,
steps by ``,``, missing values as ``?``, and behind the last ``:`` the class or the target. The channels of
one line are of equal length; lines may differ.
"""

from pathlib import Path

import numpy as np

from recurra.checks import did_you_mean
from recurra.errors import DataError
from recurra.readers.files.encodings import read_text
from recurra.records import Dataset, Record

SUFFIXES = (".ts",)


def read_ts(path: Path, *, encoding: str = "utf-8", part: str | None = None) -> Dataset:
    """Read a ``.ts`` file.

    Parameters
    ----------
    path : Path
        File.
    encoding : str, default="utf-8"
        Of the file.
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
    """
    lines = read_text(path, encoding=encoding).splitlines()
    header, first = _header(lines, path)
    if header.get("timestamps", "false").lower() == "true":
        raise DataError(
            f"{path}: has a time stamp at every value (@timeStamps true), which is not supported. "
            "Write it as a table with the columns id, time, label."
        )
    records: list[Record] = []
    for number in range(first, len(lines)):
        line = lines[number].strip()
        if line and line[0] not in "#%":
            records.append(
                _record(line, header, f"{path}: line {number + 1}", f"{path.stem} {len(records)}", part)
            )
    if not records:
        raise DataError(
            f"{path}: has a header but no sequence behind @data. Check that writing it was finished."
        )
    _check_channels(records, path)
    missing = sum(int(np.isnan(record.values).sum()) for record in records)
    notes = (
        (f"{path}: {missing} values are missing (kept as NaN); fit with missing='mask', or fill them.",)
        if missing
        else ()
    )
    return Dataset(records, source=str(path), notes=notes)


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


def _record(line: str, header: dict[str, str], place: str, name: str, part: str | None) -> Record:
    classes = header.get("classlabel", "false").split()
    labelled = classes[0].lower() == "true" if classes else False
    targeted = (
        header.get("targetlabel", "false").split()[:1] == ["true"]
        or header.get("targetlabel", "").lower() == "true"
    )
    channels = line.split(":")
    label: str | float | None = None
    if labelled or targeted:
        if len(channels) < 2:
            raise DataError(
                f"{place}: must end with ':' and its {'class' if labelled else 'target'}; got {line[-30:]!r}."
            )
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
                f"{path}: {record.name!r} has {record.values.shape[1]} channels, {records[0].name!r} has "
                f"{channels}. "
                "Give every sequence the same channels."
            )


def read_ts_pair(train: Path, test: Path, *, encoding: str = "utf-8") -> Dataset:
    """Read the two files of an official split as one data set."""
    first, second = (
        read_ts(train, encoding=encoding, part="train"),
        read_ts(test, encoding=encoding, part="test"),
    )
    records = [*first.records, *second.records]
    _check_channels(records, test)
    return Dataset(records, source=str(train.parent), notes=(*first.notes, *second.notes))
