"""Standard input, output and error of the command line where they are closed, full, or their reader has gone.

A command that was started without them (``<&-``, ``>&-``; services, cron) says so in a sentence if it needs them; whatever
is said on standard error is said for whoever is there, and never ends the work.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

from recurra.errors import UsageError

# What these write is in files; that nobody sees the summary does not matter.
_WRITE_FILES = ("train", "resume", "eval", "explain")


class _Said:
    """Standard error: what cannot be written is dropped."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError:  # the terminal was closed, the reader of the pipe has gone, the disk is full
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _ClosedOutput:
    """Standard output that was closed from the beginning."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("standard output takes text")
        raise OSError(errno.EBADF, "it is closed", "standard output")

    def flush(self) -> None:
        """Do nothing: there is nothing that waits."""

    def isatty(self) -> bool:
        return False


class _ClosedInput:
    """Standard input that was closed from the beginning."""

    @property
    def buffer(self) -> Any:
        raise UsageError("standard input is closed; give a file, or lead something into it with a pipe.")

    def isatty(self) -> bool:
        return False


def prepare(args: Sequence[str]) -> None:
    """Take the place of streams that are closed, and let standard error never fail.

    Parameters
    ----------
    args : sequence of str
        The command line.
    """
    for descriptor in (0, 1, 2):  # else the next file that is opened would be standard input, output or error
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = _ClosedInput()
    if sys.stdout is None:
        verb = next((arg for arg in args if not arg.startswith("-")), "")
        sys.stdout = _devnull() if verb in _WRITE_FILES else _ClosedOutput()
    sys.stderr = _devnull() if sys.stderr is None else _Said(sys.stderr)


def leave() -> None:
    """Flush standard output; what cannot be written was answered already, and Python shall not complain of it again."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _devnull() -> Any:
    return open(os.devnull, "w", encoding="utf-8")
