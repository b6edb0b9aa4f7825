"""Where data come from, and reading them: a path, the name of a data set, or objects of Python."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.checks import did_you_mean
from recurra.datasets import load_any
from recurra.datasets.loading import load_named
from recurra.errors import DataError, UsageError
from recurra.options import OPTIONS
from recurra.readers.large.many import files_of
from recurra.readers.tables import table
from recurra.readers.tables.columns import is_frame
from recurra.readers.tables.table_options import UnusedWordError
from recurra.records import Dataset
from recurra.runs.data.options import DATA_OPTIONS


def check_data_options(who: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError at an option that does not say how data are read."""
    for name in options:
        if name not in DATA_OPTIONS:
            raise UsageError(f"{who}: there is no word {name!r}.{did_you_mean(name, DATA_OPTIONS)}")


def divide_options(who: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return options of the data and options of the estimators.

    Raises
    ------
    UsageError
        If one is neither.
    """
    for name in options:
        if name not in DATA_OPTIONS and name not in OPTIONS:
            raise UsageError(
                f"{who}: there is no word {name!r}.{did_you_mean(name, [*DATA_OPTIONS, *OPTIONS])}"
            )
    return (
        {name: value for name, value in options.items() if name in DATA_OPTIONS},
        {name: value for name, value in options.items() if name in OPTIONS},
    )


def load_again(config: Mapping[str, Any]) -> Dataset:
    """Load the data of a run: a named data set by its name, whatever is called so where the user stands."""
    options = config.get("data_words", {})
    if config.get("data_kind") == "name":
        return load_named(config["data"], options)
    return load_like(config["data"], options, {})  # an earlier version let options pass that did nothing


def load_like(
    source: Any, stored: Mapping[str, Any], options: Mapping[str, Any], *, time_spelling: str = ""
) -> Dataset:
    """Load data with the options that other data were read with, and those given for these.

    Of the former those that do not apply to this kind of data are left out: a folder has no id column.

    Parameters
    ----------
    time_spelling : str
        What the numbers of the time column of the other data spell, see `recurra.records.Dataset`: a few rows of one month
        would not show it. Dates in text, and numbers that spell something else, are read as ever.

    Raises
    ------
    UnusedWordError
        If one of the latter does not apply.
    """
    kept = dict(stored)
    told = {"time_spelling": time_spelling} if time_spelling and not isinstance(source, Dataset) else {}
    while True:
        try:
            return load_any(source, **{**kept, **options}, **told)
        except DataError as error:
            raise _of_the_run(error, [word for word in kept if word not in options]) from None
        except UnusedWordError as error:
            idle = [word for word in error.words if word in kept and word not in options]
            if not idle:
                raise
            for word in idle:
                del kept[word]


def _of_the_run(error: DataError, words: Sequence[str]) -> DataError:
    """Return an error in which columns that the run names, and the user did not, are told so."""
    message = str(error)
    for word in words:
        if f"(given as {word})" in message:
            message = message.replace(f"(given as {word})", f"(the {word} of the training)")
            # A network reads, and answers, by the names it was trained on.
            by_name = word in ("channels", "target", "known", "static")
            advice = (
                "Rename the column of these data."
                if by_name
                else f"Name the column of these data with {word}=."
            )
            return DataError(f"{message} {advice}")
    return error


def is_table(source: Any) -> bool:
    """Return whether a source is a table file or a DataFrame, which may hold series."""
    if isinstance(source, str | os.PathLike):
        return Path(source).suffix.lower() in table.SUFFIXES
    return is_frame(source)


def place(source: Any) -> str | None:
    """Return the absolute path of a source on disk, the name of a data set, or None for objects of Python."""
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(source)
    if files_of(source) and not path.exists():  # a pattern
        return os.path.abspath(source)
    return str(path.resolve()) if path.exists() else str(source)


def kind(source: Any) -> str:
    """Return what a source is: "folder", "file", "name" of a data set, or "python" for objects."""
    if not isinstance(source, str | os.PathLike):
        return "python"
    path = Path(source)
    tables = files_of(source)  # which are read as one table
    return "file" if tables else "folder" if path.is_dir() else "file" if path.exists() else "name"


def absolute_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their paths in full, so that they name the same file wherever the user stands."""
    out = dict(options)
    for name in ("labels", "vectors", "backbone"):  # vectors and image networks may also be named
        if isinstance(out.get(name), str | os.PathLike) and Path(out[name]).exists():
            out[name] = str(Path(out[name]).resolve())
    for name in ("cache_dir", "checkpoint_dir"):
        if out.get(name) is not None:
            out[name] = os.path.abspath(out[name])
    return out


def beside(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the absolute paths of a configuration, each with its path from the run folder, should both move."""
    values = [config["data"], config["test"], *config["data_words"].values(), *config["words"].values()]
    paths = {value for value in values if isinstance(value, str) and os.path.isabs(value)}
    start = folder.resolve()
    return {path: os.path.relpath(path, start) for path in sorted(paths) if Path(path).anchor == start.anchor}


def target_names(data_options: Mapping[str, Any]) -> list[str] | None:
    """Return the names of the numbers to predict, None where no column named them."""
    target = data_options.get("target") or data_options.get("label") or None
    return [target] if isinstance(target, str) else target
