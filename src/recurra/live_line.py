"""One line that is drawn over while something takes long: on a terminal, or as a bar in a notebook."""

import html
import sys
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

# Drawing takes about a millisecond.
SECONDS_BETWEEN_DRAWINGS = 0.25


class LiveLine(Protocol):
    """Where progress is drawn."""

    # Whether a bar stands before the words of its own accord, so that the words need none.
    draws_bar: bool

    def update(self, words: str, share: float | None = None) -> None:
        """Draw the words in place of the last ones, and how much is done, in [0, 1], where that is known."""

    def close(self) -> None:
        """Leave the last words standing."""


def can_be_seen() -> bool:
    """Return whether somebody sees what is drawn over: in a notebook, or on a terminal."""
    return in_notebook() or sys.stderr.isatty()


def open_live_line() -> LiveLine | None:
    """Return a line where somebody can see it; None elsewhere."""
    if in_notebook():
        return NotebookBar()
    return TerminalLine() if sys.stderr.isatty() else None


def in_notebook() -> bool:
    """Return whether this process answers a notebook: IPython is running, and as a kernel."""
    # Where IPython runs it is imported already; importing it here would cost half a second.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None  # type: ignore[union-attr]
    return getattr(shell, "kernel", None) is not None


class TerminalLine:
    """One line of a terminal.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; standard error if not given.
    """

    draws_bar = False

    def __init__(self, console: Console | None = None) -> None:
        self._live = Live(console=console or Console(stderr=True), auto_refresh=False)
        self._live.start()

    def update(self, words: str, share: float | None = None) -> None:
        """Draw the words."""
        self._live.update(Text(words, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        """End the line."""
        self._live.stop()


class NotebookBar:
    """A bar and words below the cell that is running, drawn over in place."""

    draws_bar = True

    def __init__(self) -> None:
        from IPython.display import display

        self._handle: Any = display({"text/plain": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def update(self, words: str, share: float | None = None) -> None:
        """Draw bar and words, in the page's own colours."""
        bar = (
            "" if share is None else f'<progress value="{share:.4f}" max="1" style="width:12em"></progress> '
        )
        text = f'<div style="font-variant-numeric:tabular-nums">{bar}{html.escape(words)}</div>'
        self._handle.update({"text/html": text, "text/plain": words}, raw=True)

    def close(self) -> None:
        """Leave the bar as it is."""
