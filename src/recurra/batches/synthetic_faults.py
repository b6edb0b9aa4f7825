"""Faults planted into clean sequences: what a detector is trained to undo or to tell apart, and judged on."""

from dataclasses import dataclass

import numpy as np

KINDS = ("spike", "zero", "hold", "drift", "flip", "noise")


@dataclass(frozen=True)
class Planted:
    """A sequence with faults.

    Parameters
    ----------
    values : ndarray of shape (time, channels)
    changed : ndarray of bool, shape (time,)
        Where samples were changed.
    """

    values: np.ndarray
    changed: np.ndarray


def plant(
    clean: np.ndarray, rng: np.random.Generator, *, count: int, longest: int, spread: np.ndarray
) -> Planted:
    """Plant faults of random kind, place, length and size, each in one random channel.

    A spike changes one to three samples by 2 to 8 of the deviations around it; the others change up to ``longest``
    samples: zeros, a held value, a ramp of up to 1 to 4 deviations, the other sign, noise.

    Parameters
    ----------
    clean : ndarray of shape (time, channels)
    rng : Generator
    count : int
        Faults, which may fall upon each other.
    longest : int
        Samples, at least 1.
    spread : ndarray of shape (channels,)
        Usual deviation of each channel.
    """
    values, changed = clean.copy(), np.zeros(len(clean), dtype=bool)
    for _ in range(count):
        kind = KINDS[rng.integers(len(KINDS))]
        length = int(rng.integers(1, 4)) if kind == "spike" else _length(rng, longest)
        length = min(length, len(clean))
        at = int(rng.integers(0, len(clean) - length + 1))
        channel = int(rng.integers(clean.shape[1]))
        part = slice(at, at + length)
        around = clean[max(0, at - longest) : at + length + longest, channel].std()
        values[part, channel] = _faulty(kind, values[part, channel], rng, around, float(spread[channel]))
        changed[part] = True
    return Planted(values, changed)


def _length(rng: np.random.Generator, longest: int) -> int:
    """Return a length whose logarithm is uniform between a tenth of the longest and the longest."""
    return max(1, round(longest * 10 ** -rng.uniform(0, 1)))


def _faulty(
    kind: str, values: np.ndarray, rng: np.random.Generator, around: float, spread: float
) -> np.ndarray:
    sign = rng.choice([-1.0, 1.0])
    if kind == "spike":
        return values + sign * rng.uniform(2, 8) * around
    if kind == "zero":
        return np.zeros_like(values)
    if kind == "hold":
        return np.full_like(values, values[0])
    if kind == "drift":
        return values + sign * rng.uniform(1, 4) * spread * np.linspace(0, 1, len(values))
    if kind == "flip":
        return -values
    return values + rng.uniform(0.3, 1.5) * spread * rng.normal(size=len(values))
