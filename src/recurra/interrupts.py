"""Signals that ask for an end, held back until what is under way is whole.

Ctrl-C (SIGINT), SIGTERM (``kill``, systemd, containers, batch systems) and SIGHUP (a terminal that closes) mean the same
here: a KeyboardInterrupt. Python gives SIGINT that meaning by itself; `end_on_signals`, which the command line calls, gives
it to the other two. In a program of one's own ``signal.signal(signal.SIGTERM, signal.default_int_handler)`` does.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

# One event comes as several signals (a service manager sends SIGTERM and SIGHUP, a closing terminal SIGHUP twice).
SECONDS_OF_ONE_EVENT = 1.0
SECONDS_TO_LEAVE_A_CALLBACK = 0.01


class Interrupted(KeyboardInterrupt):
    """An end that was asked for (Ctrl-C, SIGTERM, SIGHUP), after which there is something to go on from."""


def _deaf(number: int, frame: FrameType | None) -> None:
    """Do nothing: the process ends already. Not SIG_IGN, of which Python complains where a signal is on its way."""


def _end(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt once; of what else follows while the process ends nothing is heard."""
    for each in SIGNALS:
        if each != signal.SIGINT and signal.getsignal(each) is _end:
            signal.signal(each, _deaf)
    error = KeyboardInterrupt()
    error.number = number  # type: ignore[attr-defined]
    raise error


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does; where they are ignored, as by ``nohup``, they stay so."""
    for number in SIGNALS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    sys.unraisablehook = _ask_again


def _ask_again(unraisable: Any) -> None:
    """Send a signal anew whose KeyboardInterrupt was raised where Python drops errors: in a ``__del__`` or a callback."""
    error = unraisable.exc_value
    if not isinstance(error, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    main = threading.main_thread().ident or 0

    def send() -> None:
        while _is_asking(main):  # an error raised in there would be dropped as well
            time.sleep(SECONDS_TO_LEAVE_A_CALLBACK)
        if hasattr(signal, "pthread_kill"):  # so that it wakes whatever the main thread waits for
            signal.pthread_kill(main, number_of(error))
        else:
            signal.raise_signal(number_of(error))

    threading.Thread(target=send, daemon=True).start()
    for each in SIGNALS:
        if signal.getsignal(each) is _deaf:
            signal.signal(each, _end)


def _is_asking(thread: int) -> bool:
    """Whether a thread is inside `_ask_again`."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code is _ask_again.__code__:
            return True
        frame = frame.f_back
    return False


def end_at_once(code: int) -> None:
    """From here on leave the process with this exit code, without a word, when a signal asks for its end.

    For when all is written and said, and Python only takes itself down: an error raised then is printed by whoever met it.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, _end):
            signal.signal(number, lambda *_: os._exit(code))


def is_ignored(number: int) -> bool:
    """Whether a signal does nothing to this process."""
    return signal.getsignal(number) is signal.SIG_IGN


def number_of(error: BaseException) -> int:
    """Return the signal that a KeyboardInterrupt came from."""
    return int(getattr(error, "number", signal.SIGINT))


class Interrupt:
    """Whether an end was asked for.

    Parameters
    ----------
    patient : bool
        Whether only a second Ctrl-C ends what is under way; else every signal does that comes later than
        `SECONDS_OF_ONE_EVENT` after the first.

    Attributes
    ----------
    pending : int or None
        The signal held back.
    at_once : bool
        While true nothing is held back: there is nothing under way that could be cut.
    """

    def __init__(self, *, patient: bool = True) -> None:
        self._patient = patient
        self.pending: int | None = None
        self.at_once = False
        self._since = 0.0

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was held back; called where everything is whole."""
        if self.pending is not None:
            self._raise(self.pending)

    def hold(self, number: int, frame: FrameType | None) -> None:
        """Take in a signal: it raises here, or at the next check."""
        now = time.monotonic()
        late = self.pending is not None and now - self._since > SECONDS_OF_ONE_EVENT and not self._patient
        again = self.pending == number == signal.SIGINT
        if self.pending is None:
            self.pending, self._since = number, now
        if self.at_once or again or late:
            self._raise(number)

    @staticmethod
    def _raise(number: int) -> None:
        error = KeyboardInterrupt()
        error.number = number  # type: ignore[attr-defined]
        raise error


@contextlib.contextmanager
def held_back_interrupt(*, patient: bool = True) -> Iterator[Interrupt]:
    """Hold signals that would raise KeyboardInterrupt back until `Interrupt.check`.

    So they never land inside an optimizer's step. A second Ctrl-C comes through at once; ``patient`` says whether other
    late signals do not. Does nothing outside the main thread, and leaves alone a signal for which someone else has set a
    handler.
    """
    interrupt = Interrupt(patient=patient)
    before: dict[int, Callable[..., Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is signal.default_int_handler or handler is _end:
                before[number] = handler
    try:
        for number in before:
            signal.signal(number, interrupt.hold)
        yield interrupt
    finally:
        for number, handler in before.items():
            ending = handler is _end and interrupt.pending is not None
            signal.signal(number, _deaf if ending else handler)
