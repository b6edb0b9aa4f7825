"""EDF and BDF files of clinical recordings, by the package edfio."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import check_sample_rate, counted, listing, missing_extra
from recurra.errors import DataError
from recurra.readers.signals.recording import Event, Recording, cut_short, first_bytes, named_apart, resample

SUFFIXES = (".edf", ".bdf")

_HEADER = 256  # bytes, before as many for each signal


def read_edf(
    path: Path, *, channels: Sequence[str] | None = None, resample_hz: float | None = None
) -> Recording:
    """Read an EDF, EDF+ or BDF file.

    Parameters
    ----------
    path : Path
        ``.edf`` or ``.bdf``.
    channels : sequence of str, optional
        Signals to take; by default all of them.
    resample_hz : float, optional
        Bring signals of different rates to this one.

    Returns
    -------
    Recording
        Values in physical units; annotations of EDF+ and BDF+ are its events.

    Raises
    ------
    MissingExtraError
        If edfio is not installed.
    DataError
        If the file is cut or no EDF file, or its signals have different rates.
    """
    _check_size(path)
    try:
        import edfio
    except ImportError:
        raise missing_extra("edfio", "edf", f"{path}: reading EDF") from None
    read = edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of labels that are no standard ones
            file = read(path, header_encoding="latin-1")
            signals, names, notes = _chosen(file, channels, path)
            columns = _columns(signals, names, resample_hz, path)
            events = [
                Event(
                    float(note.onset), None if note.duration is None else float(note.duration), str(note.text)
                )
                for note in file.annotations
            ]
            if not file.is_continuous:
                notes += (
                    f"{path}: the recording has gaps (EDF+D); its parts stand one after the other without them.",
                )
                events = _without_gaps(events, _record_starts(path), float(file.data_record_duration))
            elif _gaps_without_stamps(path):
                notes += (
                    f"{path}: its header says that the recording has gaps ({path.suffix[1:].upper()}+D), and nothing says "
                    "where; it is read as one.",
                )
    except DataError:
        raise
    except (ValueError, IndexError, KeyError, ArithmeticError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{path}: cannot be read as EDF: {reason}. It may be damaged.") from None
    rate = float(resample_hz or signals[0].sampling_frequency)
    return Recording(columns, rate, names, events, notes)


def _chosen(
    file: Any, channels: Sequence[str] | None, path: Path
) -> tuple[list[Any], list[str], tuple[str, ...]]:
    """Return the signals asked for, their names, and what is to be said of these."""
    signals = list(file.signals)
    if not signals:
        raise DataError(f"{path}: holds no signal, only annotations.")
    names, notes = named_apart([str(signal.label) for signal in signals], str(path))
    notes += _uncalibrated(signals, names, path)
    if not channels:
        return signals, names, notes
    absent = [name for name in channels if name not in names]
    if absent:
        raise DataError(f"{path}: has no channel {listing(absent)}; it has {listing(names)}.")
    return [signals[names.index(name)] for name in channels], list(channels), notes


def _uncalibrated(signals: list[Any], names: Sequence[str], path: Path) -> tuple[str, ...]:
    """Say which signals have no range to calibrate by, and refuse a range that is none."""
    without = []
    for signal, name in zip(signals, names, strict=True):
        lowest, highest = map(float, signal.physical_range)
        if not (np.isfinite(lowest) and np.isfinite(highest)):
            raise DataError(
                f"{path}: its header gives {name!r} a range of {lowest:g} to {highest:g}; both ends must be finite. "
                "It may be damaged."
            )
        if lowest == highest or signal.digital_min == signal.digital_max:
            without.append(name)
    if not without:
        return ()
    return (
        f"{path}: its header gives {listing(without)} a range of one value, so the numbers are those that were stored, in "
        "no unit.",
    )


def _columns(signals: list[Any], names: Sequence[str], resample_hz: float | None, path: Path) -> np.ndarray:
    """Return the signals side by side, (time, channels), at one rate."""
    rates = [float(signal.sampling_frequency) for signal in signals]
    for rate in rates:
        check_sample_rate(str(path), rate)
    if resample_hz is None and len(set(rates)) > 1:
        shown = ", ".join(
            f"{name!r} at {rate:g} Hz" for name, rate in list(zip(names, rates, strict=True))[:4]
        )
        raise DataError(
            f"{path}: its signals are sampled at different rates: {shown}. Choose some with channels=, or bring all "
            "to one rate with resample_hz=."
        )
    if resample_hz is None:
        out = np.empty((len(signals[0].data), len(signals)))
        for index, signal in enumerate(signals):
            out[:, index] = signal.data
        return out
    columns = [
        resample(np.asarray(signal.data)[:, None], rate, resample_hz)[:, 0]
        if rate != resample_hz
        else signal.data
        for signal, rate in zip(signals, rates, strict=True)
    ]
    steps = min(map(len, columns))
    return np.column_stack([column[:steps] for column in columns])


def _gaps_without_stamps(path: Path) -> bool:
    """Return whether the header tells of gaps, and no annotations say when a data record begins."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
        labels = stream.read(16 * int(head[252:256]))
    return head[192:197] in (b"EDF+D", b"BDF+D") and b"DF Annotations" not in labels


def _record_starts(path: Path) -> np.ndarray:
    """Return when each data record begins, in seconds after the first, from the first annotation that each must have."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
        signals = int(head[252:256])
        fields = stream.read(_HEADER * signals)
        labels = [fields[16 * i : 16 * (i + 1)].strip() for i in range(signals)]
        counts = [int(fields[216 * signals + 8 * i : 216 * signals + 8 * (i + 1)]) for i in range(signals)]
        width = 3 if path.suffix.lower() == ".bdf" else 2
        place = next(i for i, label in enumerate(labels) if label in (b"EDF Annotations", b"BDF Annotations"))
        begin, own = width * sum(counts[:place]), width * counts[place]
        starts = []
        for record in range(int(head[236:244])):
            stream.seek(_HEADER * (1 + signals) + record * width * sum(counts) + begin)
            starts.append(float(stream.read(own).partition(b"\x14")[0]))
    found: np.ndarray = np.maximum.accumulate(np.array(starts)) - starts[0]
    return found


def _without_gaps(events: Sequence[Event], starts: np.ndarray, record_s: float) -> list[Event]:
    """Return events in seconds of the parts one after the other; what lies in a gap alone covers nothing."""

    def joined(at: float) -> float:
        record = max(int(np.searchsorted(starts, at, side="right")) - 1, 0)
        return record * record_s + min(at - float(starts[record]), record_s)

    found = []
    for event in events:
        begin = joined(event.start_s)
        end = None if event.duration_s is None else joined(event.start_s + event.duration_s) - begin
        found.append(Event(begin, end, event.text))
    return found


def _check_size(path: Path) -> None:
    """Compare what the header promises with the bytes there are, before anything is read."""
    head = first_bytes(path, _HEADER)
    try:
        signals, records, told = int(head[252:256]), int(head[236:244]), int(head[184:192])
        seconds = float(head[244:252])
        with path.open("rb") as stream:
            stream.seek(_HEADER + 216 * signals)
            counts = [int(stream.read(8)) for _ in range(signals)]
    except ValueError:
        raise DataError(
            f"{path}: does not begin like an EDF file. It may be cut or of another kind."
        ) from None
    if signals < 1 or any(count < 1 for count in counts):
        raise DataError(
            f"{path}: its header names {signals} signals with {listing(counts)} samples each record."
        )
    width = 3 if path.suffix.lower() == ".bdf" else 2
    size, header = path.stat().st_size, _HEADER * (1 + signals)
    promised = header + max(records, 0) * width * sum(counts)
    if not seconds > 0:
        raise DataError(
            f"{path}: its header says that a data record lasts {seconds:g} seconds. It may be damaged."
        )
    if told != header:
        raise DataError(
            f"{path}: its header says that it has {told:,} bytes; with {counted(signals, 'signal')} it takes {header:,}. "
            "It may be damaged."
        )
    if size < promised:
        raise cut_short(path, promised, size, "bytes")
    if records < 1 and size < header + width * sum(counts):
        raise DataError(f"{path}: holds a header and no data record. Its recording was not finished.")
