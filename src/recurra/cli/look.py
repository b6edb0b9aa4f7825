"""``recurra look``: what is in the data, what to watch out for, and settings to begin with."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, parts, screen
from recurra.cli.main import in_flags
from recurra.cli.reading import check_data_words
from recurra.errors import DataError


def look(data: Any, *, test: Any = None, by: str | None = None, **words: Any) -> Any:
    """Look at data before training on them.

    Parameters
    ----------
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        See `recurra.load`.
    test : path, data, or share in (0, 1), optional
        What `recurra.train` would judge on, to look for leaks between both sides.
    by : {"group", "time", "record"}, optional
        How a share would be held out.
    **words
        How the data are read (``id``, ``label``, ...).

    Returns
    -------
    Inspection
        ``summary``, ``channels``, ``problems``, ``leaks``, ``remarks``, ``settings``, ``next_command``; ``lines()``
        are sentences.

    Raises
    ------
    MissingDataError, DataError, UsageError
        If the data cannot be read.

    Examples
    --------
    >>> import recurra
    >>> recurra.look("japanese-vowels").summary["n_sequences"]
    640
    """
    from recurra.inspection.inspection import inspect

    check_data_words("look", words)
    parts.check_by("look", parts.test_of(test), by)
    dataset = parts.load(data, words)
    divided = _divided(dataset, parts.test_of(test), by, words)
    found = inspect(dataset) if divided is None else inspect(dataset, train=divided.train, test=divided.test)
    given = {
        word: value for word, value in (("test", test), ("by", by)) if isinstance(value, str | float | Path)
    }
    return replace(found, next_command=_next(data, dataset, {**words, **given}, found.settings))


def _divided(dataset: Any, test: Any, by: str | None, words: Mapping[str, Any]) -> parts.Parts | None:
    """Return the split that training would make where it can leak: one that is asked for, or one that mixes times."""
    timed = all(record.start is not None for record in dataset.records)
    official = len(dataset.part("test")) > 0
    if test is None and by is None and (official or not timed or len(dataset) < 2):
        return None
    try:
        divided = parts.divide(dataset, test=test, by=by, seed=0, words=words)
    except DataError:
        if test is not None or by is not None:
            raise
        return None
    return divided if divided.test is not None else None


def _next(data: Any, dataset: Any, words: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the command that trains with the suggested settings, on data read the same way.

    Without labels it is the one that names their column, or what is learned without; for data of a kind that this
    version does not train on, the list of others.
    """
    source = str(data) if isinstance(data, str | Path) else "DATA"
    name = Path(os.path.abspath(source)).stem or "first"
    if dataset.y is None and dataset.kind == "sequence" and _without_columns(dataset):
        train = ["recurra", "train", source, "-o", f"runs/{name}", "--task", "anomaly"]
        return shlex.join([*train, *flags.as_arguments(words)])
    if dataset.y is None and dataset.kind in ("sequence", "video"):
        return shlex.join(["recurra", "look", source, *flags.as_arguments(words), "--label", "COLUMN"])
    if (
        dataset.y is None
        or dataset.kind not in flags.TASKS["classify"]
        or (dataset.labels_per_step and not dataset.class_counts())
    ):
        return "recurra datasets"
    command = ["recurra", "train", source, "-o", f"runs/{name}", *flags.as_arguments(words)]
    return shlex.join(command + flags.as_arguments(settings))


def _without_columns(dataset: Any) -> bool:
    """Return whether these are recordings in files that name no column."""
    from recurra.readers import signal

    return all(Path(name or "").suffix.lower() in signal.SUFFIXES for name in dataset.names)


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra look recordings/", "recurra look steps.csv --id recording --label gesture"
    ),
)
@click.argument("data")
@click.option("--test", metavar="FILE|SHARE", help="What training would judge on, to look for leaks.")
@click.option("--by", type=click.Choice(["group", "time", "record"]), help="How a share would be held out.")
@click.option("--json", "as_json", is_flag=True, help="Write one flat JSON object.")
@flags.data_flags
def command(data: str, test: str | None, by: str | None, as_json: bool, **given: Any) -> None:
    """Show what is in DATA: counts, lengths, channels, classes, missing values, possible leaks, suggested settings."""
    found = look(data, test=test, by=by, **flags.given(given))
    if as_json:
        return click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    for line in found.lines()[:-1]:
        if line.startswith("Classes: "):
            screen.result("Classes:")
            screen.bars(found.class_counts)
        elif not line.startswith("Settings "):  # they are in the command
            screen.result(in_flags(line))
    return screen.next_command(*shlex.split(found.next_command))
