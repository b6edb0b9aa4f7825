"""Features fed chunk by chunk: what each feature's stream offers, and the chain of them.

A feature's stream holds the state of one or more sequences, one per slot, so that thousands of sensors go on side by
side. A feature that gives one row for each row it gets, and needs nothing but earlier rows, is `row_wise`: the rows
of many slots are then taken in one call. One that waits for more rows (a window, a hop) is fed slot by slot, and says
by `delay` how many rows its newest answer lies behind the newest row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from recurra.array_summaries import as_float32
from recurra.errors import StoreError


class FeatureStream(Protocol):
    """What the stream of every feature offers."""

    @property
    def row_wise(self) -> bool:
        """Whether every row gives one row at once."""
        ...

    @property
    def delay(self) -> int:
        """Rows by which the newest row given lies behind the newest taken in."""
        ...

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Take in rows (time, channels) of one sequence; return the rows that are ready, perhaps none."""
        ...

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Take in one row (n, channels) of each slot and return one each; row-wise features only."""
        ...

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return copies of what a slot remembers; always the same names and shapes."""
        ...

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`, whose names and shapes have been checked."""
        ...

    def reset(self, slot: int) -> None:
        """Forget every row of a slot."""
        ...

    def grow(self, slots: int) -> None:
        """Make room for more slots; those there keep their state."""
        ...


class Stateless:
    """Stream of a feature that turns every row into one, without looking at another.

    Parameters
    ----------
    feature : Feature
        Whose ``transform`` works row by row.
    """

    row_wise: ClassVar[bool] = True
    delay: ClassVar[int] = 0

    def __init__(self, feature: Any) -> None:
        self._feature = feature

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Return the transformed rows."""
        return np.asarray(self._feature.transform(chunk))

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return the transformed rows."""
        return np.asarray(self._feature.transform(rows))

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return nothing: there is nothing to remember."""
        return {}

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Nothing to do."""

    def reset(self, slot: int) -> None:
        """Nothing to do."""

    def grow(self, slots: int) -> None:
        """Nothing to do."""


class ChainStream:
    """The features of a model in order, fed chunk by chunk.

    Parameters
    ----------
    streams : sequence of FeatureStream
        In the order they are applied.

    Attributes
    ----------
    row_wise : bool
        Whether every row gives one row at once.
    delay : int
        Rows by which the newest answer lies behind the newest row.
    remembers : bool
        Whether any feature has a state.
    """

    def __init__(self, streams: Sequence[FeatureStream]) -> None:
        self._streams = list(streams)
        self.row_wise = all(stream.row_wise for stream in self._streams)
        self.delay = sum(stream.delay for stream in self._streams)
        self.remembers = any(stream.state(0) for stream in self._streams)

    def push(self, chunk: np.ndarray, slot: int = 0) -> np.ndarray:
        """Take in rows (time, channels) of one sequence; return float32 rows (ready, input_size)."""
        for stream in self._streams:
            chunk = stream.push(chunk, slot)
        return as_float32(chunk)

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Take in one row (n, channels) of each slot; return float32 rows (n, input_size)."""
        for stream in self._streams:
            rows = stream.step(rows, slots)
        return as_float32(rows)

    def state(self, slot: int = 0) -> dict[str, np.ndarray]:
        """Return copies of what a slot remembers, named ``<position>.<array>``."""
        return {
            f"{position}.{name}": array
            for position, stream in enumerate(self._streams)
            for name, array in stream.state(slot).items()
        }

    def set_state(self, arrays: Mapping[str, np.ndarray], slot: int = 0) -> None:
        """Continue from `state`.

        Raises
        ------
        StoreError
            If a name or a shape is another than this chain's.
        """
        check_state(arrays, self.state(slot), "stream state, features")
        for position, stream in enumerate(self._streams):
            prefix = f"{position}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            stream.set_state(slot, own)

    def reset(self, slot: int = 0) -> None:
        """Forget every row of a slot."""
        for stream in self._streams:
            stream.reset(slot)

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        for stream in self._streams:
            stream.grow(slots)


def check_state(found: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], who: str) -> None:
    """Raise StoreError unless names and shapes agree, kinds too, and no number is NaN or infinite.

    Poolings alone hold -inf, the greatest of no number yet.
    """
    if set(found) != set(own):
        odd = min(set(found) ^ set(own))
        raise StoreError(f"{who}: the array {odd!r} is {'missing' if odd in own else 'not known here'}.")
    for name, array in own.items():
        given = found[name]
        if given.shape != array.shape or given.dtype.kind != array.dtype.kind:
            raise StoreError(
                f"{who}: the array {name!r} must hold {array.dtype} of shape {array.shape}; "
                f"got {given.dtype} of {given.shape}."
            )
        if given.dtype.kind == "f" and np.isnan(given).any():
            raise StoreError(f"{who}: the array {name!r} holds NaN.")
        infinite = given[np.isinf(given)] if given.dtype.kind == "f" else np.empty(0)
        if infinite.size and not ("pool" in name and (infinite < 0).all()):
            raise StoreError(f"{who}: the array {name!r} holds infinity.")
