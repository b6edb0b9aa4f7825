"""`LookAheadStream`: networks that read backward too, answered from a window of the newest rows."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.checks import counted
from recurra.errors import StoreError, UsageError
from recurra.features.static import one_row
from recurra.serving.inputs import Inputs
from recurra.serving.streams import stream_state
from recurra.serving.streams.answer import Answer
from recurra.serving.streams.latency import Latency
from recurra.serving.streams.stream import as_rows, check_look_ahead, plain_rows, static_wanted

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class LookAheadStream:
    """One sequence fed row by row, re-run on a window.

    With N = ``look_ahead`` and rows counted from 0:

    - With a label or number per step, row t is answered when row t + N has come, by ``predict`` of the rows t - N to
      t + N (from the first row on where there are fewer), at row t. `finish` answers the last N rows from what is there.
    - With one answer per sequence, the answer after row t is that of ``predict`` for the newest N + 1 rows.

    Every answer costs a run over the window; memory does not grow.

    Parameters
    ----------
    model : FittedModel
        Any network.
    look_ahead : int
        N, at least 0.
    static : sequence, optional
        The row of the static inputs, as `FittedModel.static_rows` returns it.

    Attributes
    ----------
    steps : int
        Rows taken in so far.
    latency : Latency
        How long the calls took; the wait for N more rows is not in it.
    """

    def __init__(self, model: "FittedModel", look_ahead: int, static: Any = None) -> None:
        check_look_ahead(look_ahead)
        self._model, self._static = model, static
        self._ahead = int(look_ahead)
        self._per_step = model.per_step
        self._room = 2 * self._ahead if self._per_step else self._ahead
        self.latency = Latency()
        self.steps = 0
        self._window = np.empty((0, model.features.n_channels))
        self._finished = False

    def step(self, row: Any) -> Answer:
        """Take in one row; see `Stream.step`."""
        start = time.perf_counter()
        answer = self._take(as_rows(self._model, plain_rows(row, self._model), self.steps, one=True))
        self.latency.record(time.perf_counter() - start)
        return answer

    def push(self, chunk: Any) -> Answer:
        """Take in rows; see `Stream.push`."""
        start = time.perf_counter()
        answer = self._take(as_rows(self._model, plain_rows(chunk, self._model, in_time=True), self.steps))
        self.latency.record(time.perf_counter() - start)
        return answer

    def _take(self, rows: np.ndarray) -> Answer:
        if self._finished:
            raise UsageError("stream: finish() has ended this sequence; begin a new one with reset().")
        if self._model.static_size and self._static is None:
            raise static_wanted(self._model, "stream(static=...) or reset(static=...)")
        known = np.concatenate([self._window, rows])
        first = self.steps - len(self._window)  # the row that known[0] is
        end = self.steps + len(rows)
        if self._per_step:
            outputs = self._run(
                known, first, range(max(0, self.steps - self._ahead), max(0, end - self._ahead))
            )
        elif end:
            newest = Inputs([known[-(self._ahead + 1) :]], static=self._static)
            outputs = self._model.outputs(newest)[0]
        else:
            outputs = None
        self._window, self.steps = known[max(0, len(known) - self._room) :], end
        return self._answer(outputs)

    def _run(self, known: np.ndarray, first: int, asked: range) -> np.ndarray:
        """Return the outputs at the rows asked for, each from its own window."""
        if not len(asked):
            return np.empty((0, self._model.manifest["network"]["output_size"]), np.float32)
        starts = [max(0, row - self._ahead) for row in asked]
        windows = [
            known[s - first : row + self._ahead + 1 - first] for s, row in zip(starts, asked, strict=True)
        ]
        ends = np.cumsum([len(window) for window in windows])
        places = ends - [len(window) for window in windows] + (np.array(asked) - starts)
        static = None if self._static is None else [*self._static] * len(windows)
        return self._model.outputs(Inputs(windows, static=static))[places]

    def _answer(self, outputs: np.ndarray | None) -> Answer:
        return Answer(self._model, outputs, self.steps, self._counted_state)

    def finish(self) -> Answer:
        """End the sequence: with an answer per step, answer the last N rows; else, answer as after the last row."""
        if not self._per_step:
            answer = self._take(np.empty((0, self._model.features.n_channels)))
            self._finished = True
            return answer
        first = self.steps - len(self._window)
        waiting = range(max(0, self.steps - self._ahead), self.steps)
        outputs = self._run(self._window, first, waiting if not self._finished else range(0))
        self._finished = True
        return self._answer(outputs)

    @property
    def state(self) -> bytes:
        """Everything the stream remembers; see `Stream.state`."""
        window = np.zeros((self._room, self._model.features.n_channels))
        window[: len(self._window)] = self._window
        facts: dict[str, Any] = {"steps": self.steps, "look_ahead": self._ahead, "finished": self._finished}
        facts |= {} if self._static is None else {"static": list(self._static[0])}
        return stream_state.to_bytes(self._model, "look-ahead stream", facts, {"window": window})

    @state.setter
    def state(self, data: bytes) -> None:
        manifest, arrays = stream_state.from_bytes(self._model, "look-ahead stream", data)
        found = stream_state.described(stream_state.LookAheadState, manifest)
        if found.look_ahead != self._ahead:
            raise StoreError(
                f"{stream_state.WHO}: has a look-ahead of {counted(found.look_ahead, 'row')}, this stream of {self._ahead}. "
                "Restore it in a stream with the same."
            )
        static = None
        if found.static is not None:
            static = self._model.static_rows(stream_state.WHO, [found.static], 1)
        window = arrays.get("window", np.empty(0))
        channels = self._model.features.n_channels
        fits = (
            window.shape == (self._room, channels)
            and window.dtype == np.float64
            and set(arrays) == {"window"}
        )
        if not fits:
            raise StoreError(
                f"{stream_state.WHO}: must hold a window of shape {(self._room, channels)} in float64; "
                f"got {window.dtype} of {window.shape}."
            )
        self._window = window[: min(found.steps, self._room)]
        self.steps, self._finished, self._static = found.steps, found.finished, static

    def _counted_state(self) -> tuple[int, bytes]:
        return self.steps, self.state

    def reset(self, *, static: Any = None) -> None:
        """Begin a new sequence; the latencies stay. See `Stream.reset`."""
        if static is not None:
            self._static = self._model.static_rows("stream", one_row(static), 1)
        self._window = np.empty((0, self._model.features.n_channels))
        self.steps = 0
        self._finished = False
