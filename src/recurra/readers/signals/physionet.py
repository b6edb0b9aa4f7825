"""PhysioNet records: a ``.hea`` header, signals in formats 16, 61, 80 or 212, and annotations.

Written from the specification of the WFDB formats [1]_; the tests compare it with the wfdb package.

References
----------
.. [1] G. B. Moody, "WFDB Applications Guide", header(5), signal(5) and annot(5).
   https://physionet.org/physiotools/wag/
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from recurra.checks import listing
from recurra.errors import DataError, MissingDataError
from recurra.readers.signals.recording import Event, Recording, cut_short, first_bytes, named_apart

SUFFIXES = (".hea",)
ANNOTATORS = (".atr", ".ecg", ".qrs", ".man", ".ari")

_RATE_HZ, _GAIN = 250.0, 200.0  # where the header does not say [1]
# Bits of a sample, and the value that means there is none.
_FORMATS: Mapping[int, tuple[int, int]] = {
    16: (16, -(1 << 15)),
    61: (16, -(1 << 15)),
    80: (8, -(1 << 7)),
    212: (12, -(1 << 11)),
}
_FIELD = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?\Z")
_GAINS = re.compile(r"([-+.\deE]+)(?:\((-?\d+)\))?(?:/(\S+))?\Z")

# Annotation codes [1] that stand for a beat or an event on the signal.
SYMBOLS: Mapping[int, str] = {
    1: "N", 2: "L", 3: "R", 4: "a", 5: "V", 6: "F", 7: "J", 8: "A", 9: "S", 10: "E", 11: "j", 12: "/", 13: "Q",
    14: "~", 16: "|", 18: "s", 19: "T", 20: "*", 21: "D", 22: '"', 23: "=", 24: "p", 25: "B", 26: "^", 27: "t",
    28: "+", 29: "u", 30: "?", 31: "!", 32: "[", 33: "]", 34: "e", 35: "n", 36: "@", 37: "x", 38: "f", 39: "(",
    40: ")", 41: "r",
}  # fmt: skip


@dataclass(frozen=True)
class Signal:
    """One signal of a header: its file, format, where its bytes begin, and what a unit is."""

    file: str
    format: int
    offset: int
    gain: float
    baseline: int
    name: str


@dataclass(frozen=True)
class Header:
    """A header: name, rate, samples of each signal (None: as many as there are), and the signals."""

    name: str
    rate_hz: float
    samples: int | None
    signals: Sequence[Signal]


@dataclass(frozen=True)
class Annotation:
    """One annotation: the sample it stands at, its symbol, and its text."""

    sample: int
    symbol: str
    text: str


def read_physionet(path: Path) -> Recording:
    """Read a record.

    Parameters
    ----------
    path : Path
        Its ``.hea`` file; the signals are beside it. Of annotations, the first of `ANNOTATORS` is read.

    Returns
    -------
    Recording
        Values in physical units, missing samples as NaN. Events are the changes of rhythm and other annotations with a
        text; see `read_annotations` for single beats.

    Raises
    ------
    MissingDataError
        If a file of signals is not there.
    DataError
        If the header makes no sense, or promises more than the files hold.
    """
    first_bytes(path, 1)
    header = read_header(path.read_bytes().decode("latin-1"), str(path))
    content = {}
    for signal in header.signals:
        file = path.parent / signal.file
        if signal.file not in content:
            if not file.is_file():
                raise MissingDataError(f"{path}: names the file {signal.file!r}, which is not beside it.")
            content[signal.file] = file.read_bytes()
    values = read_signals(header, content, str(path))
    names, notes = named_apart([signal.name for signal in header.signals], str(path))
    return Recording(values, header.rate_hz, names, _events(path, header.rate_hz), notes)


def read_header(text: str, who: str) -> Header:
    """Read the text of a header.

    Raises
    ------
    DataError
        If it makes no sense, or uses what is not read: several segments, several samples per frame, other formats.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    fields = lines[0].split() if lines else []
    if len(fields) < 2 or not re.fullmatch(r"\d+", fields[1]):
        raise DataError(
            f"{who}: does not begin like a PhysioNet header, with a name and the number of signals."
        )
    if "/" in fields[0]:
        raise DataError(
            f"{who}: is a record of several segments, which is not read. Read the segments one by one."
        )
    count = int(fields[1])
    try:
        rate = float(fields[2].split("/")[0].split("(")[0]) if len(fields) > 2 else _RATE_HZ
        samples = int(fields[3]) if len(fields) > 3 else 0
    except ValueError:
        raise DataError(
            f"{who}: has {' '.join(fields[2:4])!r} where the rate and the samples belong."
        ) from None
    if count < 1 or len(lines) <= count:
        raise DataError(
            f"{who}: promises {count} signals and describes {max(len(lines) - 1, 0)}. It may be cut."
        )
    if not 0 < rate < 1e9 or samples < 0:
        raise DataError(f"{who}: has {' '.join(fields[2:4])!r} where the rate and the samples belong.")
    return Header(fields[0], rate, samples or None, [_signal(line, who) for line in lines[1 : count + 1]])


def _signal(line: str, who: str) -> Signal:
    fields = line.split(maxsplit=8)
    form = _FIELD.match(fields[1]) if len(fields) > 1 else None
    if form is None:
        raise DataError(f"{who}: describes a signal as {line[:60]!r}; a file and a format come first.")
    file, kind = fields[0], int(form.group(1))
    if PurePosixPath(file).name != file or "\\" in file or file in ("..", "-", "~"):
        raise DataError(f"{who}: names the file {file!r}; a record's files must be beside its header.")
    if kind not in _FORMATS:
        raise DataError(
            f"{who}: {file} is in format {kind}; read are {listing(_FORMATS)}. Convert it with wfdb."
        )
    if int(form.group(2) or 1) != 1 or int(form.group(3) or 0) != 0:
        raise DataError(
            f"{who}: {file} has several samples per frame or a skew, which is not read. Convert it."
        )
    gain, baseline = _GAIN, None
    if len(fields) > 2:
        found = _GAINS.match(fields[2])
        if found is None:
            raise DataError(f"{who}: has the gain {fields[2]!r}; a number is needed.")
        try:
            gain = float(found.group(1)) or _GAIN
        except ValueError:
            raise DataError(f"{who}: has the gain {fields[2]!r}; a number is needed.") from None
        baseline = None if found.group(2) is None else int(found.group(2))
    if baseline is None:
        zero = fields[4] if len(fields) > 4 else "0"
        baseline = int(zero) if re.fullmatch(r"-?\d+", zero) else 0
    name = fields[8].strip() if len(fields) > 8 else ""
    return Signal(file, kind, int(form.group(4) or 0), gain, baseline, name or file)


def read_signals(header: Header, content: Mapping[str, bytes], who: str) -> np.ndarray:
    """Return the samples in physical units.

    Parameters
    ----------
    header : Header
        What the files hold.
    content : mapping of file name to bytes
        The files of signals.
    who : str
        Named in messages.

    Returns
    -------
    ndarray of shape (time, signals), float64

    Raises
    ------
    DataError
        If the header promises more samples than a file holds.
    """
    files = list(dict.fromkeys(signal.file for signal in header.signals))
    parts = [_samples(header, file, content[file], who) for file in files]
    steps = min(len(part) for part in parts)
    out = np.empty((steps, len(header.signals)))
    used = dict.fromkeys(files, 0)
    for column, signal in enumerate(header.signals):
        part = parts[files.index(signal.file)]
        digital = part[:steps, used[signal.file]]
        used[signal.file] += 1
        out[:, column] = (digital - float(signal.baseline)) / signal.gain
        out[digital == _FORMATS[signal.format][1], column] = np.nan
    return out


def _samples(header: Header, file: str, content: bytes, who: str) -> np.ndarray:
    """Return the integers of one file: shape (time, its signals)."""
    own = [signal for signal in header.signals if signal.file == file]
    if len({(signal.format, signal.offset) for signal in own}) > 1:
        raise DataError(f"{who}: describes {file} in different formats.")
    bits = _FORMATS[own[0].format][0]
    data = content[own[0].offset :]
    held = len(data) * 8 // bits // len(own)
    if header.samples is not None and held < header.samples:
        raise cut_short(f"{who}: {file}", header.samples, held, "samples of each signal")
    steps = held if header.samples is None else header.samples
    if steps == 0:
        raise DataError(f"{who}: {file} holds no sample.")
    return _decoded(own[0].format, data, steps * len(own)).reshape(steps, len(own))


def _decoded(kind: int, data: bytes, count: int) -> np.ndarray:
    """Return the first ``count`` integers of a file."""
    if kind in (16, 61):
        return np.frombuffer(data, "<i2" if kind == 16 else ">i2", count)
    if kind == 80:
        return np.frombuffer(data, np.uint8, count).astype(np.int16) - 128
    # 212: two 12-bit numbers in three bytes; the middle byte has the high bits of both [1].
    triples = -(-count // 2)
    raw = np.zeros(3 * triples, np.uint8)
    given = np.frombuffer(data[: 3 * triples], np.uint8)
    raw[: len(given)] = given
    low, middle, high = raw.reshape(-1, 3).astype(np.int32).T
    both = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8], axis=1).reshape(-1)[:count]
    return both - ((both & 2048) << 1)


def read_annotations(path: Path) -> list[Annotation]:
    """Read a file of annotations, such as ``100.atr``.

    Raises
    ------
    DataError
        If it ends in the middle of an annotation.
    """
    data = first_bytes(path, path.stat().st_size if path.is_file() else 0)
    found: list[Annotation] = []
    place = sample = 0
    pending: tuple[int, str] | None = None

    def close(text: str = "") -> None:
        nonlocal pending
        # A note at the beginning tells the file's own time resolution; one without a text tells nothing.
        aside = pending is not None and pending[1] == SYMBOLS[22] and (not text or text.startswith("## "))
        if pending is not None and not aside:
            found.append(Annotation(*pending, text))
        pending = None

    while place + 2 <= len(data):
        word = data[place] | data[place + 1] << 8
        code, value = word >> 10, word & 1023
        place += 2
        if code == 0 and value == 0:
            break
        if code == 59:  # SKIP: the next four bytes are a long interval, high half first
            high, low = np.frombuffer(_bytes(path, data, place, 4), "<i2").tolist()
            sample += (high << 16) | (low & 0xFFFF)
            place += 4
        elif code == 63:  # AUX: a text of that many bytes, padded to an even number
            text = _bytes(path, data, place, value).split(b"\0")[0].decode("latin-1")
            place += value + value % 2
            close(text)
        elif code not in (60, 61, 62):  # NUM, SUB and CHN say nothing that is used
            close()
            sample += value
            pending = (sample, SYMBOLS.get(code, "?")) if code else None  # 0 moves the time and says nothing
    close()
    return found


def _bytes(path: Path, data: bytes, start: int, count: int) -> bytes:
    if start + count > len(data):
        raise cut_short(path, start + count, len(data), "bytes of annotations")
    return data[start : start + count]


def _events(path: Path, rate_hz: float) -> list[Event]:
    """Return the annotations with a text as events; ``(AFIB`` begins the rhythm AFIB."""
    file = next((f for f in (path.with_suffix(s) for s in ANNOTATORS) if f.is_file()), None)
    if file is None:
        return []
    return [
        Event(note.sample / rate_hz, None, note.text.lstrip("("))
        for note in read_annotations(file)
        if note.text.strip()
    ]
