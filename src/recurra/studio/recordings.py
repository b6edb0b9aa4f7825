"""Long recordings: what is drawn is the least and the greatest value of each point on the screen, found once in blocks."""

import math
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from recurra.datasets import load_any
from recurra.errors import DataError

BLOCK = 256  # samples of the finest level that is kept
MOST_PIXELS = 4000
MOST_KEPT = 3  # recordings in memory
CHUNK = 2**20  # samples a pass


@dataclass(frozen=True)
class Recording:
    """A recording with its extremes.

    Parameters
    ----------
    values : ndarray of shape (time, channels)
        As the reader gives them; of a ``.npy`` file mapped, not read.
    channel_names : list of str
        One per channel.
    sample_rate_hz : float or None
        Samples per second.
    extremes : ndarray of shape (2, blocks, channels), float32
        Least and greatest value of every `BLOCK` samples; NaN where all are missing.
    """

    values: np.ndarray
    channel_names: list[str]
    sample_rate_hz: float | None
    extremes: np.ndarray

    def view(self, start: int, stop: int, pixels: int) -> dict[str, Any]:
        """Return what a stretch looks like on so many points: samples themselves where they are few enough."""
        start, stop = max(0, start), min(stop, len(self.values))
        if stop <= start:
            raise DataError(f"studio: the recording has {len(self.values)} samples; got {start} to {stop}.")
        shown = {"start": start, "stop": stop}
        if stop - start <= 2 * pixels:
            values = np.asarray(self.values[start:stop], np.float32)
            return {**shown, "values": [_numbers(channel) for channel in values.T]}
        edges = np.linspace(start, stop, pixels + 1).astype(np.int64)
        if (stop - start) // pixels < 2 * BLOCK:
            low, high = extremes_between(np.asarray(self.values[start:stop], np.float32), edges - start)
        else:
            blocks = np.unique(edges // BLOCK)
            blocks[-1] = max(blocks[-1], min(math.ceil(stop / BLOCK), self.extremes.shape[1]))
            part = self.extremes[:, blocks[0] : blocks[-1]]
            low = extremes_between(part[0], blocks - blocks[0])[0]
            high = extremes_between(part[1], blocks - blocks[0])[1]
        return {**shown, "low": [_numbers(c) for c in low.T], "high": [_numbers(c) for c in high.T]}


class Recordings:
    """The recordings that were looked at last."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, int], Recording] = {}
        self._lock = Lock()

    def open(self, path: Path) -> Recording:
        """Return a recording, read once.

        Raises
        ------
        DataError
            If the file holds several sequences, or none of numbers.
        """
        key = (path, path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._kept:
                while len(self._kept) >= MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = _read(path)
            return self._kept[key]


def _read(path: Path) -> Recording:
    if path.suffix.lower() == ".npy":
        values, names, rate = _mapped(path), None, None
    else:
        data = load_any(path)
        if len(data) != 1 or data.kind not in ("sequence", "series"):
            raise DataError(
                f"studio: {path.name} holds {len(data)} {data.kind}s; what is labelled is a file with one recording: a "
                "sound file, an EDF, PhysioNet or .mat file, a .npy array, or a table with a row per time step."
            )
        values, names, rate = np.asarray(data[0].values), data.channel_names, data[0].sample_rate_hz
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.size:
        raise DataError(
            f"studio: {path.name} must hold numbers of shape (time, channels); got {values.shape}."
        )
    channels = [str(name)[:80] for name in names or unnamed(values.shape[1])]
    return Recording(values, channels, rate, block_extremes(values))


def unnamed(n_channels: int) -> list[str]:
    """Return what channels without names are called, as `look` and the figures call them."""
    return [f"channel {number}" for number in range(n_channels)]


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"studio: {path.name} cannot be read as an array: {str(error)[:100]}.") from None


def block_extremes(values: np.ndarray) -> np.ndarray:
    """Return the least and greatest of every `BLOCK` rows, shape (2, blocks, channels), read in chunks."""
    blocks = math.ceil(len(values) / BLOCK)
    out = np.empty((2, blocks, values.shape[1]), np.float32)
    for first in range(0, len(values), CHUNK):
        part = np.asarray(values[first : first + CHUNK], np.float32)
        whole = len(part) // BLOCK
        place = first // BLOCK
        if whole:
            cut = part[: whole * BLOCK].reshape(whole, BLOCK, -1)
            # fmin and fmax leave missing values out, and are as fast as min and max
            np.fmin.reduce(cut, axis=1, out=out[0, place : place + whole])
            np.fmax.reduce(cut, axis=1, out=out[1, place : place + whole])
        if len(part) > whole * BLOCK:
            rest = part[whole * BLOCK :]
            out[0, place + whole], out[1, place + whole] = np.fmin.reduce(rest), np.fmax.reduce(rest)
    return out


def extremes_between(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and greatest of the rows from each edge to the next, each of shape (edges - 1, channels)."""
    inside = values[: edges[-1]]
    return np.fmin.reduceat(inside, edges[:-1]), np.fmax.reduceat(inside, edges[:-1])


def _numbers(channel: np.ndarray) -> list[float | None]:
    """Return float32 as the shortest text that stands for it, missing ones as None."""
    rounded = [float(f"{value:.6g}") for value in channel.tolist()]
    return [value if math.isfinite(value) else None for value in rounded]
