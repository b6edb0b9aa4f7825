"""`VideoStream`: frames in one by one, an answer after each."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra.errors import ShapeError
from recurra.readers.clips.frame_shape import fitted
from recurra.serving.streams.answer import Answer
from recurra.serving.streams.latency import Latency
from recurra.serving.streams.look_ahead import LookAheadStream
from recurra.serving.streams.stream import Stream


class VideoStream:
    """Frames become features one by one, and features answers.

    Give frames at the rate the network was trained with (``rate_hz`` of the estimator, or the rate that ``frames`` over
    a clip come to). A network of one direction answers after each frame for all frames so far. A bidirectional one
    answers for the newest frames, as many as a training clip had.

    Parameters
    ----------
    inner : Stream or LookAheadStream
        What takes in the features.
    network : callable
        Frames of shape (1, size, size, 3) to features of shape (1, channels).
    size : int
        Pixels a side that the network reads.
    crop : {"centre", "letterbox", "stretch"}
        How a frame becomes a square.

    Attributes
    ----------
    latency : Latency
        How long each frame took, features included.
    """

    def __init__(
        self,
        inner: Stream | LookAheadStream,
        network: Callable[[np.ndarray], np.ndarray],
        *,
        size: int,
        crop: str,
    ) -> None:
        self._inner = inner
        self._network = network
        self._size, self._crop = size, crop
        self.latency = Latency()

    @property
    def steps(self) -> int:
        """Frames taken in so far."""
        return self._inner.steps

    @property
    def delay(self) -> dict[str, float]:
        """How late answers come: ``frames`` that must follow before a frame is answered, and the seconds one took.

        ``p50_seconds`` and ``p99_seconds`` are measured on the frames so far, NaN before the first.
        """
        figures = self.latency.summary()
        return {"frames": 0, "p50_seconds": figures["p50_seconds"], "p99_seconds": figures["p99_seconds"]}

    def step(self, frame: Any) -> Answer:
        """Take in one frame.

        Parameters
        ----------
        frame : array of uint8, shape (height, width, 3)
            Red, green, blue; any size.

        Returns
        -------
        Answer
            ``label``, ``probabilities`` and the rest, after this frame.

        Raises
        ------
        ShapeError
            If it is no such frame.
        """
        start = time.perf_counter()
        array = np.asarray(frame)
        if array.ndim != 3:
            raise ShapeError(
                f"stream: a frame must have shape (height, width, 3); got {array.shape}. Use push for several."
            )
        square = fitted(array[None], size=self._size, crop=self._crop, who="stream")
        answer = self._inner.step(self._network(square)[0])
        self.latency.record(time.perf_counter() - start)
        return answer

    def push(self, frames: Any) -> Answer:
        """Take in frames of shape (time, height, width, 3), one after the other; return the last answer."""
        array = np.asarray(frames)
        if array.ndim != 4 or not len(array):
            raise ShapeError(
                f"stream: push needs frames of shape (time, height, width, 3); got {array.shape}."
            )
        for frame in array:
            answer = self.step(frame)
        return answer

    @property
    def state(self) -> bytes:
        """Everything the stream remembers; see `Stream.state`."""
        return self._inner.state

    @state.setter
    def state(self, data: bytes) -> None:
        self._inner.state = data

    def reset(self) -> None:
        """Begin a new clip; the latencies stay."""
        self._inner.reset()
