"""What the samples of a window say without a spectrum: statistics, motion in the frame of gravity, the samples."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from recurra.checks import check_choice, counted
from recurra.errors import UsageError
from recurra.features.rows.deterministic_sums import row_sums
from recurra.features.windows.block import Block

STATISTICS = ("mean", "std", "min", "max", "roughness")


def _statistics(samples: np.ndarray, which: Sequence[str]) -> np.ndarray:
    """Return statistics of each window: (windows, channels * statistics)."""
    samples = np.ascontiguousarray(samples)
    count = samples.shape[-1]
    mean = row_sums(samples) / count
    found = []
    for name in which:
        if name == "mean":
            found.append(mean)
        elif name == "std":
            away = samples - mean[..., None]
            found.append(np.sqrt(row_sums(away * away) / count))
        elif name == "min":
            found.append(samples.min(axis=-1))
        elif name == "max":
            found.append(samples.max(axis=-1))
        else:
            found.append(row_sums(np.abs(samples[..., 1:] - samples[..., :-1])) / max(count - 1, 1))
    return np.concatenate(found, axis=1)


class _Plain:
    name: ClassVar[str]

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Nothing is asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the options, with the name."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload] # every part is a dataclass


@dataclass(frozen=True)
class Statistics(_Plain):
    """Mean, standard deviation, smallest, largest, and mean absolute difference of neighbours, channel by channel."""

    statistics: Sequence[str] = STATISTICS

    name: ClassVar[str] = "statistics"

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError at an unknown statistic."""
        for one in self.statistics:
            check_choice("features", "statistics", one, STATISTICS)

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Statistics of each channel."""
        return channels * len(self.statistics)

    def columns(self, block: Block) -> np.ndarray:
        """Return statistics: (windows, channels * statistics)."""
        return _statistics(block.samples, self.statistics)


@dataclass(frozen=True)
class Motion(_Plain):
    """Motion seen from the ground, however the sensor is worn: the mean acceleration of a window shows down.

    Of an accelerometer (the first three channels), and a gyroscope (the next three) where there is one: `STATISTICS` of
    the acceleration along gravity, across it, and as a whole; of the rotation about the vertical with and without its
    sign, about the horizontal, and as a whole. With ``direction``, the mean direction of gravity in the axes of the sensor
    as well, which tells how it is worn.
    """

    direction: bool = False

    name: ClassVar[str] = "motion"

    def check(self, channels: int, window: int, rate_hz: float) -> None:
        """Raise UsageError unless there are three or six channels."""
        if channels not in (3, 6):
            raise UsageError(
                f"features: motion needs the three channels of an accelerometer, and the three of a gyroscope where there "
                f"is one, in this order; got {counted(channels, 'channel')}. Choose them with channels=."
            )

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Numbers of a row: 15 of an accelerometer, 20 more with a gyroscope, 3 of the direction."""
        return len(STATISTICS) * (3 if channels == 3 else 7) + (3 if self.direction else 0)

    def columns(self, block: Block) -> np.ndarray:
        """Return an array of shape (windows, output_size)."""
        gravity = block.mean[:, :3]
        length = np.sqrt(_dot(gravity[..., None], gravity[..., None]))
        down = gravity / np.where(length > 0, length, 1.0)
        seen = _seen(block.samples[:, :3], down)
        if block.samples.shape[1] == 6:
            rotation = _seen(block.samples[:, 3:], down)
            seen = [*seen, rotation[0], np.abs(rotation[0]), *rotation[1:]]
        found = _statistics(np.stack(seen, axis=1), STATISTICS)
        return np.concatenate([found, down], axis=1) if self.direction else found


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product over the three axes, added in this order: (windows, samples)."""
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def _seen(samples: np.ndarray, down: np.ndarray) -> list[np.ndarray]:
    """Return the part along a direction, across it, and the whole: three arrays of shape (windows, samples)."""
    along = _dot(samples, down[..., None])
    squared = _dot(samples, samples)
    return [along, np.sqrt(np.maximum(squared - along * along, 0.0)), np.sqrt(squared)]


@dataclass(frozen=True)
class Samples(_Plain):
    """The samples themselves, channel after channel."""

    name: ClassVar[str] = "samples"

    def output_size(self, channels: int, window: int, rate_hz: float) -> int:
        """Every sample of the window."""
        return channels * window

    def columns(self, block: Block) -> np.ndarray:
        """Return the samples: (windows, channels * window)."""
        return block.samples.reshape(len(block.samples), -1)
