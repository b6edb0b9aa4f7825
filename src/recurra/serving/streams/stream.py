"""`Stream`: one endless sequence, answered step by step with the numbers of the whole."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.checks import check_number, did_you_mean, listing
from recurra.errors import DataError, ShapeError, UsageError
from recurra.features.rows.missing import FILLING
from recurra.features.static import one_row
from recurra.plain_arrays import check_time_order, plain
from recurra.serving.streams import stream_state
from recurra.serving.streams.answer import Answer
from recurra.serving.streams.ensemble import running
from recurra.serving.streams.latency import Latency

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class Stream:
    """One sequence fed row by row or chunk by chunk.

    After any rows, in any chunks, the answer is that of ``predict`` and ``predict_proba`` for all rows so far, bit
    for bit with the native kernels. Memory does not grow.

    Parameters
    ----------
    model : FittedModel
        Of one direction.
    static : sequence, optional
        The row of the static inputs, as `FittedModel.static_rows` returns it; where the network has some, `reset` gives
        them before the first row.

    Attributes
    ----------
    steps : int
        Rows taken in so far.
    latency : Latency
        How long the calls took.

    Raises
    ------
    UsageError
        If the network is bidirectional or the user's own.
    """

    def __init__(self, model: "FittedModel", static: Any = None) -> None:
        check_causal(model)
        self._model = model
        self._static = None if static is None else code_of(model, static)
        self._features = model.features.stream()
        self._network = running(model)
        self._per_step = model.task == "labeling"
        self._fused = self._fuse()
        size = model.manifest["network"]["output_size"]
        self._shape = (1, size) if self._per_step else (size,)
        self.steps = 0
        self._rows = 0  # that the network has read; fewer than steps where a feature waits
        self.latency = Latency()

    def _fuse(self) -> Any:
        scaling = self._model.features.only_scaling
        if scaling is None:
            return None
        numbers, beside = None, self._model.static_size
        if scaling.kind != "none":  # static inputs are scaled already
            numbers = (
                np.append(scaling.center, np.zeros(beside)),
                np.append(scaling.spread, np.ones(beside)),
            )
        return self._network.fused(numbers, scaling.n_channels + beside)

    def step(self, row: Any) -> Answer:
        """Take in one row.

        Parameters
        ----------
        row : array-like of shape (channels,), or a number where there is one channel

        Returns
        -------
        Answer
            After this row.

        Raises
        ------
        ShapeError, DataError
            If the row cannot be used; the stream is then as it was before.
        """
        start = time.perf_counter()
        row = plain_rows(row, self._model)
        answer = self._take_fused(row) if self._fused is not None else None
        if answer is None:
            answer = self._take(as_rows(self._model, row, self.steps, one=True))
        self.latency.record(time.perf_counter() - start)
        return answer

    def _take_fused(self, row: np.ndarray) -> Answer | None:
        """Take in a row in one native call; None, with nothing changed, where that cannot be."""
        if self._model.static_size:
            if (
                self._static is None
                or row.shape != (self._model.features.n_channels,)
                or row.dtype.kind != "f"
            ):
                return None
            row = np.concatenate([row, self._static])
        outputs = np.empty(self._shape, np.float32)
        probabilities = None if self._model.task == "regression" else np.empty(self._shape, np.float32)
        if not self._fused.step(row, outputs, probabilities):
            return None
        self.steps += 1
        self._rows += 1
        return Answer(self._model, outputs, self.steps, self._counted_state, probabilities)

    def push(self, chunk: Any) -> Answer:
        """Take in rows.

        Parameters
        ----------
        chunk : array-like of shape (time, channels), or (time,) where there is one channel
            Any number of rows, also none.

        Returns
        -------
        Answer
            After the last of them.

        Raises
        ------
        ShapeError, DataError
            If a row cannot be used; the stream is then as it was before.
        """
        start = time.perf_counter()
        answer = self._take(as_rows(self._model, plain_rows(chunk, self._model, in_time=True), self.steps))
        self.latency.record(time.perf_counter() - start)
        return answer

    def _take(self, rows: np.ndarray) -> Answer:
        if self._model.static_size and self._static is None:
            raise static_wanted(self._model, "stream(static=...) or reset(static=...)")
        before = self._features.state() if self._features.remembers else None
        inputs = self._features.push(rows)
        if not all_finite(inputs):
            if before is not None:
                self._features.set_state(before)
            raise too_large(inputs, self.steps)
        self.steps += len(rows)
        self._rows += len(inputs)
        if self._static is not None:
            inputs = np.concatenate([inputs, np.tile(self._static, (len(inputs), 1))], axis=1)
        if self._per_step:
            states = np.empty((len(inputs), self._network.state_size), np.float32)
            for index in range(len(inputs)):
                states[index] = self._network.advance(inputs[index : index + 1])
            return self._answer(self._at_steps(self._network.head(states)))
        for index in range(len(inputs)):
            self._network.advance(inputs[index : index + 1])
        return self._answer(self._network.outputs()[0] if self._rows else None)

    def _at_steps(self, outputs: np.ndarray) -> np.ndarray:
        """Return the outputs of the newest rows for each step they stand for."""
        return at_steps(self._model, outputs, self._rows)

    def _answer(self, outputs: np.ndarray | None) -> Answer:
        return Answer(self._model, outputs, self.steps, self._counted_state)

    def finish(self) -> Answer:
        """Return the answer after the last row; with a label per step, those of the steps that are still open.

        Open are only steps after the middle of the last window of features; the last window stands for them.
        """
        alignment = self._model.features.alignment
        if not self._per_step or self._model.features.keeps_steps or alignment is None or not self._rows:
            return self._take(np.empty((0, self._model.features.n_channels)))
        left = self.steps - min(alignment.answered(self._rows), self.steps)
        return self._answer(np.repeat(self._network.outputs(), left, axis=0))

    @property
    def state(self) -> bytes:
        """Everything the stream remembers; assign it to a stream of the same model, in any process, to go on there.

        Raises
        ------
        StoreError
            On assignment, if the bytes are damaged or belong to another model; the stream is then as it was before.
        """
        facts = {"steps": self.steps, "rows": self._rows}
        static = {} if self._static is None else {"code": self._static}
        parts = {"features": self._features.state(), "network": self._network.state(), "static": static}
        return stream_state.to_bytes(self._model, "stream", facts, stream_state.joined(**parts))

    @state.setter
    def state(self, data: bytes) -> None:
        manifest, arrays = stream_state.from_bytes(self._model, "stream", data)
        stream_state.check_parts(arrays, "features", "network", "static")
        static = stream_state.static_code(self._model, arrays)
        counts = stream_state.described(stream_state.StreamState, manifest)
        before = self._features.state()
        self._features.set_state(stream_state.part(arrays, "features."))
        try:
            self._network.set_state(stream_state.part(arrays, "network."))
        except ValueError:
            self._features.set_state(before)
            raise
        self.steps, self._rows, self._static = counts.steps, counts.rows, static

    def _counted_state(self) -> tuple[int, bytes]:
        return self.steps, self.state

    def reset(self, *, static: Any = None) -> None:
        """Begin a new sequence; the latencies stay.

        Parameters
        ----------
        static : sequence or dictionary, optional
            Its static inputs; those of the sequence before by default.
        """
        if static is not None:
            self._static = code_of(self._model, self._model.static_rows("stream", one_row(static), 1))
        self._features.reset()
        self._network.reset()
        self.steps = self._rows = 0


def code_of(model: "FittedModel", static: Any) -> np.ndarray | None:
    """Return what the network reads of the row of static inputs: float32 of shape (static_size,); None without any."""
    codes = model.static_codes(static)
    return None if codes is None else codes[0]


def static_wanted(model: "FittedModel", call: str) -> DataError:
    """Return the error for rows of a sequence whose static inputs are not known."""
    names = [] if model.static is None else model.static.names
    return DataError(
        f"stream: the network was trained with the static inputs {listing(names)}; give those of the sequence before its "
        f"first row, with {call}."
    )


def at_steps(model: "FittedModel", outputs: np.ndarray, rows: int) -> np.ndarray:
    """Return outputs (new rows, outputs) of the newest of so many rows for each step they stand for."""
    alignment = model.features.alignment
    if model.features.keeps_steps or alignment is None:
        return outputs
    first = rows - len(outputs)
    known = [alignment.answered(count) for count in range(first, rows + 1)]
    return np.repeat(outputs, np.diff(known), axis=0)


def check_no_chain(model: "FittedModel") -> None:
    """Raise UsageError if the labels of a sequence are chosen together."""
    if (model.manifest["network"] or {}).get("crf"):
        check_causal(model)


WINDOW = "stream(look_ahead=N)"


def check_causal(model: "FittedModel") -> None:
    """Raise UsageError unless the network reads in one direction and its state is known."""
    network = model.manifest["network"]
    found = what_looks_ahead(model)
    if found is None:
        return
    reason, options = found
    if network is None:
        way = f"{options}, or re-run it on a window with {WINDOW}"
    elif network.get("crf") or model.wide is not None:
        way = f"{options} to stream"
    else:
        way = f"{options}, or wait for N more rows with {WINDOW}"
    raise UsageError(f"stream: {reason}; {way}.")


def what_looks_ahead(model: "FittedModel") -> tuple[str, str] | None:
    """Return why a model cannot answer row by row, and how to train one that can; None where it can."""
    network = model.manifest["network"]
    if network is None:
        return (
            "this network is your own, so what it remembers between steps is not known",
            "train one with cell=",
        )
    if network.get("crf"):
        return (
            "crf=True chooses the labels of a sequence together, when all of it is there",
            "train with crf=False",
        )
    if model.wide is not None:
        return (
            "the linear part of this model reads whole sequences",
            "train with wide=False and bidirectional=False",
        )
    if not (network.get("front") or {}).get("causal", True):
        return "the convolutions of this network look ahead", "train with causal=True"
    if network["bidirectional"]:
        return (
            "this network is bidirectional: its backward direction starts at the end of the sequence, which a stream has "
            "not reached",
            "train with bidirectional=False",
        )
    return None


def plain_rows(given: Any, model: "FittedModel", *, in_time: bool = False) -> np.ndarray:
    """Return rows of any kind of array as a plain one, masked values as NaN; what is plain already is not looked at.

    Of a labelled row, such as one of a DataFrame, and of a DataFrame the numbers are taken by the names of the channels.

    Parameters
    ----------
    in_time : bool, default=False
        They are rows that follow each other.

    Raises
    ------
    DataError
        If the network was trained on channels with names and one of them is not there, or the dates beside rows that follow
        each other fall.
    """
    if type(given) in (np.ndarray, list, tuple, float, int):
        return np.asarray(given)
    if in_time:
        check_time_order(given, "stream: the rows")
    labels = getattr(given, "columns", None) if np.ndim(given) == 2 else getattr(given, "index", None)
    if labels is not None and not callable(labels):
        given = _by_name(given, list(labels), model.manifest.get("channel_names"))
    return np.asarray(plain(given, "stream: the row"))


def _by_name(given: Any, there: list[Any], wanted: Sequence[str] | None) -> Any:
    """Return the numbers of a labelled row or table in the order of the channels that the network was trained on."""
    if not wanted or there == list(wanted) or not there or not all(isinstance(name, str) for name in there):
        return given
    absent = [name for name in wanted if name not in there]
    if absent:
        raise DataError(
            f"stream: the row has no channel {listing(absent)}; the network is trained on {listing(wanted)}, here are "
            f"{listing(there)}.{did_you_mean(absent[0], there)} Rename its labels, or give its numbers alone."
        )
    if hasattr(given, "columns"):
        return given[list(wanted)]
    order = [there.index(name) for name in wanted]
    return np.asarray(plain(given, "stream: the row"))[..., order]


def as_rows(model: "FittedModel", given: np.ndarray, steps: int, *, one: bool = False) -> np.ndarray:
    """Return checked rows: float array of shape (time, channels).

    Parameters
    ----------
    given : ndarray
        As the user gave it.
    steps : int
        Rows before these, for the message.
    one : bool
        One row, of shape (channels,).
    """
    channels = model.features.n_channels
    rows = given
    if one:
        rows = given[None] if given.ndim == 1 else given.reshape(1, 1) if given.ndim == 0 else given
    elif given.ndim == 1 and channels == 1:
        rows = given[:, None]
    if rows.ndim != 2 or rows.shape[1] != channels or (one and (given.ndim > 1 or len(rows) != 1)):
        wanted = f"a row must have shape ({channels},)" if one else f"rows must have shape (time, {channels})"
        raise ShapeError(
            f"stream: {wanted}, one number per channel the network was fitted on; got shape {given.shape}."
        )
    if rows.dtype.kind != "f":
        rows = _as_float(rows)
    if not all_finite(rows):
        _check_values(rows, steps, allow_nan=model.manifest["params"].get("missing") in FILLING)
    return rows


def _as_float(rows: np.ndarray) -> np.ndarray:
    if rows.dtype.kind in "iub":
        return rows.astype(np.float64)
    try:
        if rows.dtype.kind == "O":
            return rows.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise DataError(
        f"stream: rows must hold real numbers; got {rows.dtype} such as {str(rows.reshape(-1)[0])[:40]!r}. "
        "Convert them first."
    )


def all_finite(rows: np.ndarray) -> bool:
    """Return whether no number is NaN or infinite."""
    return bool(np.isfinite(rows).all())


def _check_values(rows: np.ndarray, steps: int, *, allow_nan: bool) -> None:
    bad = np.isinf(rows) if allow_nan else ~np.isfinite(rows)
    if bad.any():
        step, channel = np.argwhere(bad)[0].tolist()
        infinite = bool(np.isinf(rows[step, channel]))
        raise DataError(
            f"stream: step {steps + step} contains {'infinity' if infinite else 'NaN'} in channel {channel}. "
            + ("Leave the row out." if infinite else "Leave the row out, or train with missing='mask'.")
        )


def too_large(inputs: np.ndarray, steps: int) -> DataError:
    """Return the error for numbers that do not fit 32 bits after the features."""
    row, channel = np.argwhere(~np.isfinite(inputs))[0].tolist()
    return DataError(
        f"stream: step {steps + row} is too large for 32-bit numbers in input {channel} of the network. "
        "Leave the row out."
    )


def check_look_ahead(look_ahead: Any) -> None:
    """Raise UsageError unless it is a whole number of at least 0."""
    check_number("stream", "look_ahead", look_ahead, integer=True, low=0)
