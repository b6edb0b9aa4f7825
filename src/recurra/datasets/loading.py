"""`load_any`: a path of any kind, the name of a data set, a DataFrame, or arrays."""

import inspect
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.checks import check_choice, did_you_mean, did_you_mean_file, listing
from recurra.datasets import catalog
from recurra.datasets.fetch import cache_folder
from recurra.errors import MissingDataError, RecurraError, UsageError
from recurra.readers import archive, arff, arrays, ts
from recurra.readers.clips import clip_folders, video
from recurra.readers.files.encodings import check_no_device
from recurra.readers.folder import FILE_SUFFIXES, read_folder
from recurra.readers.large.many import ON_DISK, files_of, read_tables
from recurra.readers.large.tables import read_table
from recurra.readers.signals import signal
from recurra.readers.tables import table, tokens
from recurra.readers.tables.columns import is_frame
from recurra.readers.tables.table_options import KEPT, TableOptions, UnusedWordError, refuse
from recurra.records import Dataset, Record

_FILE_SUFFIXES = (
    *table.SUFFIXES,
    *tokens.SUFFIXES,
    *arrays.SUFFIXES,
    *ts.SUFFIXES,
    *arff.SUFFIXES,
    *signal.SUFFIXES,
    *archive.SUFFIXES,
    *video.IMAGE_SUFFIXES,
)


def load_any(source: Any, /, **words: Any) -> Dataset:
    """Load sequences from wherever they are.

    Parameters
    ----------
    source : path, str, DataFrame, list of arrays, ndarray or Dataset
        A table (``.csv``, ``.tsv``, ``.txt``, ``.parquet``), a pattern of tables such as ``data/*.parquet``, a folder of
        Parquet, sentences with a label for each word (``.conll``,
        ``.conllu``, ``.iob``, ``.bio``), an array file (``.npy``, ``.npz``), an archive's
        ``.ts`` or ``.arff`` file, a video file, an image (its rows are the steps), a signal file (``.wav``, ``.flac``,
        ``.ogg``, ``.edf``, ``.bdf``, ``.mat``, ``.hea``), a folder of files, clips or images, a zip file of one, the name of
        a public data set, a pandas or polars DataFrame, or arrays.
    **words
        For a pattern of tables and a folder of Parquet ``on_disk`` ("auto", "always", "never", "temporary"): whether
        values lie in a file of the user's cache, see `recurra.readers.large.many.read_tables`.
        For clips and images ``label`` and ``group``, columns of their table, and ``split_number``.
        For tables and folders those of `recurra.readers.tables.table_options.TableOptions` (``id``, ``time``, ``label``,
        ``group``, ``target``, ``text``, ...); for arrays those of `recurra.readers.arrays.from_arrays`
        (``labels``, ``groups``, ``names``, ``lengths``, ``channel_names``, ``sample_rate_hz``, ``parts``);
        for a named data set ``split``.

    Returns
    -------
    Dataset
        Records in order; ``notes`` tell what was decided and what is odd.

    Raises
    ------
    MissingDataError
        If there is neither such a file nor such a data set.
    UsageError
        If the kind of file is unknown, or a word does not apply.
    DataError
        If the data cannot be used as it is.

    Examples
    --------
    >>> import numpy as np
    >>> load_any([np.zeros((5, 2)), np.zeros((3, 2))], labels=["a", "b"])
    Dataset(2 sequences, length 3 to 5, 2 channels, 2 classes)
    """
    keep = {word: words.pop(word) for word in KEPT if word in words}
    on_disk = words.pop("on_disk", None)
    tables = files_of(source) if isinstance(source, str | os.PathLike) else None
    if tables is not None:
        if on_disk is not None:
            check_choice("load", "on_disk", on_disk, ON_DISK)
        told = TableOptions.from_dict({**words, **keep}, who=str(source))
        return read_tables(tables, told, who=str(source), on_disk=on_disk or "auto", cache=cache_folder())
    if on_disk is not None:
        what = str(source) if isinstance(source, str | os.PathLike) else type(source).__name__
        error = UnusedWordError(
            "load: on_disk= is for many tables, a pattern such as 'recordings/*.parquet' or a folder of Parquet files; got "
            f"{what}. Leave it out."
        )
        error.words = ("on_disk",)
        raise error
    if isinstance(source, Dataset):
        refuse(words, [], "a Dataset, which is read already")
        return source
    if is_frame(source):
        return read_table(source, TableOptions.from_dict({**words, **keep}, who="DataFrame"))
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.exists():
            return _load_path(path, words, keep)
        return _load_name(str(source), words)
    if isinstance(source, list | tuple) or hasattr(source, "__array__"):
        return _with_words(arrays.from_arrays, source, words, "arrays")
    raise UsageError(
        "load: source must be a path, the name of a data set, a DataFrame, or a list of arrays; got "
        f"{type(source).__name__}.{' Pass frame.collect().' if type(source).__name__ == 'LazyFrame' else ''}"
    )


def _load_path(path: Path, words: dict[str, Any], keep: dict[str, Any]) -> Dataset:
    if path.is_dir():
        media = clip_folders.media_in(path)
        if media is not None:
            function = clip_folders.read_clips if media == "clips" else clip_folders.read_images
            return _with_words(function, path, words, f"{path}, a folder of {media}")
        return read_folder(path, TableOptions.from_dict({**words, **keep}, who=str(path)))
    check_no_device(path)
    suffix = path.suffix.lower()
    if suffix in video.SUFFIXES:
        refuse(words, [], f"{path}, a video file")
        return Dataset([Record(str(path), name=path.name)], kind="video", source=str(path))
    if suffix in video.IMAGE_SUFFIXES:
        return _with_words(clip_folders.read_image, path, words, f"{path}, an image")
    if suffix in (".csv", ".tsv") and clip_folders.names_clips(path):
        return _with_words(clip_folders.read_table_of_clips, path, words, f"{path}, a table of clips")
    if suffix in table.SUFFIXES:
        return read_table(path, TableOptions.from_dict({**words, **keep}, who=str(path)))
    if suffix in tokens.SUFFIXES:
        return tokens.read_columns(path, TableOptions.from_dict(words, who=str(path)))
    if suffix in arrays.SUFFIXES:
        known = _keywords(arrays.from_arrays)
        if isinstance(words.get("labels"), str | os.PathLike):  # of texts, one a line
            known.remove("labels")
        refuse(words, known, f"{path}, a file of arrays")
        return arrays.read_arrays(path, **words)
    if suffix in signal.SUFFIXES:
        return signal.read_signal(path, TableOptions.from_dict(words, who=str(path)))
    if suffix in archive.SUFFIXES:
        return _from_archive(path, TableOptions.from_dict(words, who=str(path)))
    if suffix in ts.SUFFIXES:
        return _with_words(ts.read_ts, path, words, f"{path}, a file of an archive")
    if suffix in arff.SUFFIXES:
        return arff.read_arff(path, TableOptions.from_dict(words, who=str(path)))
    raise UsageError(
        f"load: {path}: files ending in {suffix or 'nothing'!r} are not read; known are "
        f"{', '.join(_FILE_SUFFIXES)}, and folders of such."
    )


def _from_archive(path: Path, words: TableOptions) -> Dataset:
    with archive.unpacked(path, (*FILE_SUFFIXES, *ts.SUFFIXES, *arff.SUFFIXES, *signal.COMPANIONS)) as folder:
        try:
            dataset = read_folder(folder, words)
        except RecurraError as error:
            error.args = (str(error).replace(str(folder), str(path)),)
            raise error from None
    notes = tuple(note.replace(str(folder), str(path)) for note in dataset.notes)
    return replace(dataset, source=str(path), notes=notes)


def load_named(name: str, words: Mapping[str, Any]) -> Dataset:
    """Load a named data set, also where a file or folder is called so."""
    return _with_words(catalog.load, name, dict(words), f"the data set {name!r}")


def _load_name(name: str, words: dict[str, Any]) -> Dataset:
    if name in catalog.names():
        return load_named(name, words)
    if "://" in name:
        raise UsageError(f"load: {name!r} is an address; download the file first and give its path.")
    looks_like_path = os.sep in name or "/" in name or Path(name).suffix.lower() in _FILE_SUFFIXES
    if looks_like_path:
        raise MissingDataError(
            f"load: there is no file or folder {name!r}.{did_you_mean_file(Path(name).name, _beside(Path(name)))}"
        )
    if len(name.split()) > 1:
        raise MissingDataError(
            f"load: there is no file, folder or data set {name!r}. If these words are the data, put them into a file, or "
            f"hand them on: echo {shlex.quote(name)} | recurra predict RUN -"
        )
    raise MissingDataError(
        f"load: there is neither a file or folder nor a data set called {name!r}; data sets are "
        f"{listing(catalog.names())}."
        f"{did_you_mean(name, catalog.names()) or did_you_mean_file(name, _beside(Path(name)))}"
    )


def _beside(path: Path) -> list[str]:
    """Return the names in the folder where a file was looked for."""
    return sorted(child.name for child in path.parent.iterdir()) if path.parent.is_dir() else []


def _keywords(function: Callable[..., Any]) -> list[str]:
    return [word for word in list(inspect.signature(function).parameters)[1:] if word != "who"]


def _with_words(function: Callable[..., Dataset], source: Any, words: dict[str, Any], who: str) -> Dataset:
    refuse(words, _keywords(function), who)
    return function(source, **words)
