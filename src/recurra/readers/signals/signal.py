"""Signal files become records: sound, EDF, MATLAB and PhysioNet, one recording each; MATLAB's cells, one each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recurra.checks import check_number, counted, listing
from recurra.errors import DataError
from recurra.readers.signals import audio, edf, matlab, physionet
from recurra.readers.signals.recording import Recording, chosen_channels, resampled
from recurra.readers.tables.table_options import TableOptions
from recurra.records import Dataset, Record

SUFFIXES = (*audio.SUFFIXES, *edf.SUFFIXES, *matlab.SUFFIXES, *physionet.SUFFIXES)

# Files that belong to a PhysioNet header of the same name, and are no recordings of their own.
COMPANIONS = (".dat", *physionet.ANNOTATORS)

# What ``label=`` says to label every step by the annotations in the file.
ANNOTATIONS = "annotations"


def read_signal(path: Path, words: TableOptions | None = None) -> Dataset:
    """Read a signal file.

    Parameters
    ----------
    path : Path
        ``.wav``, ``.flac``, ``.ogg``; ``.edf``, ``.bdf``; ``.mat``; ``.hea``.
    words : TableOptions, optional
        Of them ``channels`` (which, in this order), ``sample_rate_hz`` (where the file does not say), ``resample_hz``,
        ``channels_first`` (of ``.mat``) and ``label``: the variable of a ``.mat`` file with the labels, or
        "annotations" for a label per time step from the annotations of EDF+ and PhysioNet files.

    Returns
    -------
    Dataset
        One record, or one for each cell of a MATLAB cell array.

    Raises
    ------
    DataError
        If the file cannot be read, or its rate is another than ``sample_rate_hz``.
    """
    words = words or TableOptions()
    words.check_given(options_for(path), f"{path}, a signal file")
    if words.resample_hz is not None:
        check_number("load", "resample_hz", words.resample_hz, low=0, low_open=True)
    if path.suffix.lower() in matlab.SUFFIXES:
        return _from_mat(path, words)
    recording = _one(path, words)
    who = str(path)
    if not len(recording.values):
        raise DataError(f"{who}: has no sample. Remove the file or its label.")
    recording = _with_rate(recording, words, who)
    per_step = words.label == ANNOTATIONS
    label = recording.labels(who) if per_step else None
    if words.label and not per_step:
        raise DataError(
            f"{who}: has no column {words.label!r}; a label per time step from its annotations is "
            f"label={ANNOTATIONS!r}, a label per file stands in labels.csv."
        )
    record = Record(recording.values, label=label, name=path.stem, sample_rate_hz=recording.sample_rate_hz)
    return Dataset(
        [record],
        channel_names=list(recording.channel_names) if recording.channel_names else None,
        source=who,
        notes=(*recording.notes, *_offered(recording, words, who)),
    )


def _offered(recording: Recording, words: TableOptions, who: str) -> list[str]:
    """Say that the annotations of a file can be labels, where no label is asked for."""
    kinds = list(dict.fromkeys(event.text for event in recording.events))
    if words.label is not None or not kinds:
        return []
    shown = f"{counted(len(recording.events), 'annotation')} ({listing(kinds, 4)})"
    if recording.sample_rate_hz is None:
        return [
            f"{who}: holds {shown}; give sample_rate_hz=, and label={ANNOTATIONS!r} labels every step with them."
        ]
    return [f"{who}: holds {shown}; label={ANNOTATIONS!r} labels every step with them."]


def options_for(path: Path) -> tuple[str, ...]:
    """Return the words that act on a signal file, by the ending of its name."""
    if path.suffix.lower() in matlab.SUFFIXES:
        return ("label", "sample_rate_hz", "resample_hz", "channels_first")
    return ("channels", "label", "sample_rate_hz", "resample_hz")


def _one(path: Path, words: TableOptions) -> Recording:
    suffix = path.suffix.lower()
    if suffix in edf.SUFFIXES:
        return edf.read_edf(path, channels=words.channels, resample_hz=words.resample_hz)
    recording = audio.read_audio(path) if suffix in audio.SUFFIXES else physionet.read_physionet(path)
    return chosen_channels(recording, words.channels, str(path))


def _with_rate(recording: Recording, words: TableOptions, who: str) -> Recording:
    own, given = recording.sample_rate_hz, words.sample_rate_hz
    if own is not None and given is not None and abs(own - given) > 1e-6 * own:
        raise DataError(
            f"{who}: is sampled at {own:g} Hz, not at the {given:g} Hz of sample_rate_hz=. Leave it out; in "
            f"training, resample_hz={given:g} brings recordings there."
        )
    recording = replace(recording, sample_rate_hz=own if own is not None else given)
    if words.resample_hz is None or recording.sample_rate_hz == words.resample_hz:
        return recording
    if words.label == ANNOTATIONS:
        return replace(resampled(recording, words.resample_hz, who), events=recording.events)
    return resampled(recording, words.resample_hz, who)


def _from_mat(path: Path, words: TableOptions) -> Dataset:
    who = str(path)
    content = matlab.read_mat(path, label=words.label, channels_first=words.channels_first)
    found = [_with_rate(one, words, who) for one in content.recordings]
    widths = {one.values.shape[1] for one in found}
    if len(widths) > 1:
        hint = (
            "" if words.channels_first else " If channels come first in the file, give channels_first=True."
        )
        raise DataError(
            f"{who}: its sequences have {sorted(widths)} channels; all need the same number.{hint}"
        )
    labels = content.labels or [None] * len(found)
    single = len(found) == 1
    records = [
        Record(one.values, label=label, name=path.stem if single else name, sample_rate_hz=one.sample_rate_hz)
        for one, label, name in zip(found, labels, content.names, strict=True)
    ]
    notes = [note for one in found for note in one.notes]
    if content.label_name:
        notes.append(
            f"{who}: labels are read from the variable {content.label_name!r}; label='' leaves it alone."
        )
    return Dataset(records, source=who, notes=tuple(dict.fromkeys(notes)))


def recordings_of(files: Sequence[Path]) -> list[Path]:
    """Return the files that are recordings: without those that belong to a PhysioNet header beside them."""
    headers = {file.with_suffix("") for file in files if file.suffix.lower() in physionet.SUFFIXES}
    owned = (*COMPANIONS, *matlab.SUFFIXES)
    return [file for file in files if not (file.suffix.lower() in owned and file.with_suffix("") in headers)]
