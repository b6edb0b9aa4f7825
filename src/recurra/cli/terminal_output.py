"""What the commands write: results on standard output, everything else on standard error.

Plain text through click, so that it reads the same in a terminal, a log and a light install without rich.
"""

import json
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from recurra.inspection.control_characters import printable, printable_json
from recurra.interrupts import is_ignored
from recurra.runs.folder.json_files import plain


def say(text: str = "", *, bold: bool = False) -> None:
    """Write a line for the person watching, on standard error."""
    shown = printable(text)
    click.echo(click.style(shown, bold=True) if bold else shown, err=True)


def warn(text: str) -> None:
    """Write a warning on standard error."""
    click.echo(click.style("Warning: ", fg="yellow", bold=True) + printable(text), err=True)


def result(text: str = "") -> None:
    """Write a line of the result, on standard output."""
    click.echo(printable(text))


def facts(rows: Mapping[str, Any] | Sequence[tuple[str, Any]], *, err: bool = True) -> None:
    """Write names and values in two columns; values that are None are left out."""
    pairs = [
        (printable(name, lines=False), printable(str(value), lines=False))
        for name, value in (rows.items() if isinstance(rows, Mapping) else rows)
        if value is not None
    ]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(f"  {name:<{width}}  {value}", err=err)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, err: bool = False) -> None:
    """Write rows in columns as wide as their content, the last one as it is."""
    cells = [[printable(str(cell), lines=False) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip(), err=err)


def bars(counts: Mapping[str, int], *, err: bool = False, width: int = 24, limit: int = 12) -> None:
    """Write counts with a bar each; of many, the largest and how many more there are."""
    counts = {printable(name, lines=False): count for name, count in counts.items()}
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    shown = dict(ordered[:limit])
    names = max((len(name) for name in shown), default=0)
    for name, count in counts.items():
        if name in shown:
            bar = "#" * max(1, round(width * count / max(counts.values()))) if count else ""
            click.echo(f"  {name:<{names}}  {count:>7}  {100 * count / total:5.1f} %  {bar}", err=err)
    if len(ordered) > limit:
        click.echo(f"  ... and {len(ordered) - limit} smaller classes", err=err)


def flat_json(figures: Mapping[str, Any]) -> None:
    """Write one flat JSON object on standard output; what JSON cannot hold is left out."""
    click.echo(printable_json(json.dumps(plain(figures), ensure_ascii=False)))


def next_command(*words: str) -> None:
    """Write the next command to run as the last line, so that it can be copied; nothing if there is none."""
    if not words:
        return
    click.echo("Next:")
    click.echo(" ".join(map(_quoted, words)))


def _quoted(word: str) -> str:
    r"""Return a word as a shell takes it; with control characters as bash and zsh write them, ``$'\x1b'``."""
    if printable(word, lines=False) == word:
        return shlex.quote(word)
    escaped = word.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{printable(escaped, lines=False)}'"


def data(text: str) -> None:
    """Write data on standard output: as they are into a file or a pipe, fit for the screen on a terminal."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def how_to_stop() -> None:
    """Say how to stop where Ctrl-C does nothing, as under nohup, in cron, or with & in a script."""
    if not is_ignored(signal.SIGINT):
        return
    text = f"Ctrl-C is ignored here. To stop, and keep where training stands: kill {os.getpid()}"
    if is_ignored(signal.SIGTERM):
        text = f"Ctrl-C is ignored here, and so is SIGTERM. To stop at the last checkpoint: kill -9 {os.getpid()}"
    say(text)


class _Printable(logging.Formatter):
    """Formats log lines fit for a screen."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


def log_to_stderr() -> None:
    """Show the log line of each epoch."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(message)s"))
    logger = logging.getLogger("recurra")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


@contextmanager
def progress(steps: int, what: str = "steps") -> Iterator[Callable[[int], None]]:
    """Show how far a long recording is read, or many files; the value takes the steps read since last."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{steps:,} {what}", total=steps)
        yield lambda done: bar.advance(task, done)
