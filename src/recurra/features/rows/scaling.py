"""Scaling per channel, learned on the training part only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_choice
from recurra.features.rows.deterministic_sums import usable, zscores
from recurra.features.rows.streaming import Stateless

KINDS = ("zscore", "robust", "none")


@dataclass(frozen=True)
class Scaling:
    """Subtract a centre and divide by a spread, per channel.

    Missing values (NaN) are left out when it is fitted and stay missing when it is applied.

    Parameters
    ----------
    kind : {"zscore", "robust", "none"}
        Mean and standard deviation; median and interquartile range over 1.349 (the standard deviation of a normal
        distribution with that range); or nothing.
    center, spread : ndarray of shape (channels,), float64
        What is subtracted, and what is divided by; 1 for a constant channel.
    """

    kind: str
    center: np.ndarray
    spread: np.ndarray

    name: ClassVar[str] = "scaling"

    @classmethod
    def fit(
        cls,
        sequences: Sequence[np.ndarray],
        weights: np.ndarray | None = None,
        *,
        kind: str = "zscore",
        complete: bool = False,
    ) -> Self:
        """Learn centre and spread over all time steps.

        Parameters
        ----------
        sequences : list of ndarray of shape (time, channels)
            The training part.
        weights : ndarray of shape (sequences,), optional
            How often each sequence counts.
        kind : {"zscore", "robust", "none"}
            See the class.
        complete : bool, default=False
            Whether they are known to miss no value.
        """
        if kind not in KINDS:
            check_choice("Scaling", "kind", kind, KINDS)
        channels = sequences[0].shape[1]
        center, spread = np.zeros(channels), np.ones(channels)
        if kind == "none":
            return cls(kind, center, spread)
        if kind == "zscore":
            return cls(kind, *zscores(sequences, weights, complete=complete))
        lengths = [len(s) for s in sequences]
        rows = np.concatenate(sequences).astype(np.float64)
        counts = (
            np.ones(len(rows))
            if weights is None
            else np.repeat(np.asarray(weights, dtype=np.float64), lengths)
        )
        for channel in range(channels):
            present = counts > 0 if complete else ~np.isnan(rows[:, channel]) & (counts > 0)
            if present.any():
                center[channel], spread[channel] = _robust(rows[present, channel], counts[present])
        return cls(kind, center, spread)

    @property
    def n_channels(self) -> int:
        """Channels it was fitted on."""
        return len(self.center)

    def output_size(self, input_size: int) -> int:
        """Number of channels it gives."""
        return input_size

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Scale one array of shape (time, channels); element by element, so a step never depends on another."""
        if self.kind == "none":
            return sequence
        return (sequence - self.center) / self.spread

    def stream(self, input_size: int) -> Stateless:
        """Return what scales chunk by chunk."""
        return Stateless(self)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps: a JSON-able configuration and arrays."""
        return {"name": self.name, "kind": self.kind}, {"center": self.center, "spread": self.spread}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls(str(config["kind"]), arrays["center"], arrays["spread"])


def _zscore(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    mean = float(np.average(values, weights=counts))
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return mean, usable(deviation, np.abs(values).max())


def _robust(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], weights=counts, method="inverted_cdf")
    spread = float(high - low) / 1.349
    # Half of the values alike, as in a switch that is mostly off: the range says nothing, the deviation still does.
    return float(middle), usable(spread, np.abs(values).max()) if spread > 0 else _zscore(values, counts)[1]
