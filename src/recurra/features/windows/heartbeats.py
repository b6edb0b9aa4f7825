"""Heartbeats in an electrocardiogram: the R waves are found, and each beat becomes a row of intervals.

A simplified form of the detector of Pan and Tompkins [1]_: band-pass, slope, square, moving average, and two adaptive
levels with a search back. Everything looks backward only, so a stream finds the same beats as the whole.

References
----------
.. [1] J. Pan and W. J. Tompkins, "A Real-Time QRS Detection Algorithm", IEEE Transactions on Biomedical Engineering
   32(3), 230-236, 1985.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from recurra.checks import check_number
from recurra.errors import UsageError
from recurra.features.rows.deterministic_sums import convolve

# The names of the numbers each beat gives.
COLUMNS = ("interval_s", "change_s", "absolute_change_s", "log_ratio", "relative_to_mean", "amplitude_ratio")

_LOW_HZ, _HIGH_HZ = 5.0, 15.0  # where the energy of a QRS complex is [1]
_FILTER_S = 0.4
_SMOOTH_S = 0.15  # as long as the widest QRS complex [1]
_REFRACTORY_S = 0.2  # no two beats are closer [1]
_LEARNING_S = 3.0  # before the levels are known [1]
_LONGEST_S = 3.0  # without a beat for this long a row is given all the same: a pause, or no signal
_MISSED = 1.66  # times the mean interval without a beat: look for one that was missed [1]
_T_WAVE_S = 0.36  # a wave this soon after a beat, with less than half its slope, is its T wave [1]
_MAX_LEARNED = 16  # candidates in the learning time, at most


@dataclass(frozen=True)
class BeatIntervals:
    """One row per heartbeat, of the first channel: `COLUMNS`.

    The interval to the beat before in seconds (at most 3: without a beat for 3 seconds, or without a signal, a row is
    given all the same), its change and absolute change, the logarithm of its ratio to the one before, its ratio to the
    mean of the last eight, and the amplitude in proportion to that of the beat before. Causal: a beat is known at most
    0.6 seconds after its R wave, after the first three seconds.

    Parameters
    ----------
    sample_rate_hz : float
        Samples per second, from 60.
    """

    sample_rate_hz: float

    name: ClassVar[str] = "beat_intervals"
    causal: ClassVar[bool] = True
    alignment: ClassVar[None] = None  # rows come when beats do

    def __post_init__(self) -> None:
        check_number("beat_intervals", "sample_rate_hz", self.sample_rate_hz, low=60)

    @property
    def delay_s(self) -> float:
        """Seconds after which a beat is known, once the first three seconds are over."""
        return _FILTER_S / 2 + _SMOOTH_S + _REFRACTORY_S

    @property
    def least_steps(self) -> int:
        """Samples that give a row even where there is no beat."""
        return round((_LONGEST_S + _LEARNING_S) * self.sample_rate_hz) + 1

    def output_size(self, input_size: int) -> int:
        """Numbers of a beat."""
        return len(COLUMNS)

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return an array of shape (beats, 6)."""
        return self.stream(sequence.shape[1]).push(sequence, 0)

    def beats(self, signal: np.ndarray) -> np.ndarray:
        """Return the sample of every R wave found in a signal of shape (time,): int64 array."""
        detector = _Detector(self.sample_rate_hz)
        detector.push(np.asarray(signal, dtype=np.float64))
        delay = round(_FILTER_S * self.sample_rate_hz / 2)  # of the band-pass, which is symmetric
        return np.array([int(place) - delay for place, _, real in detector.found if real], dtype=np.int64)

    def stream(self, input_size: int) -> "BeatStream":
        """Return what finds beats chunk by chunk."""
        return BeatStream(self.sample_rate_hz)

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps."""
        return {"name": self.name, "sample_rate_hz": self.sample_rate_hz}, {}

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`."""
        return cls(float(config["sample_rate_hz"]))


class _Detector:
    """Finds R waves in a signal that comes in pieces; ``found`` holds (sample, amplitude, real) until it is emptied."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._band = _band_pass(rate)
        self._slope = np.array([2.0, 1.0, 0.0, -1.0, -2.0]) / 8  # [1], eq. 9
        self._smooth = np.full(max(1, round(_SMOOTH_S * rate)), 1.0 / max(1, round(_SMOOTH_S * rate)))
        # Samples of the band-passed signal, and of the raw one, that later ones still need.
        self._kept = len(self._smooth) + len(self._slope)
        self._history = len(self._band) - 1 + self._kept
        self._refractory, self._longest = round(_REFRACTORY_S * rate), round(_LONGEST_S * rate)
        self._learning = round(_LEARNING_S * rate)
        self.found: list[tuple[float, float, bool]] = []
        self.reset()

    def reset(self) -> None:
        self.raw = np.zeros(self._history)
        self.last_two = np.zeros(2)  # of the smoothed signal
        # samples; levels of beats and noise; last beat and its value; mean interval; candidates put aside, -1 afterwards
        words = ("count", "signal", "noise", "last", "strength", "mean", "learned")
        self.numbers = dict.fromkeys(words, 0.0)
        self.pending = np.zeros(4)  # value, R wave, amplitude, place; value 0: none
        self.missed = np.zeros(4)  # the best below the level since the last beat
        self.candidates = np.zeros((_MAX_LEARNED, 4))
        self.found = []

    def push(self, signal: np.ndarray) -> None:
        if not len(signal):
            return
        first = int(self.numbers["count"])
        if first == 0:
            self.raw[:] = signal[0]  # as if it had been so for ever: no step at the beginning
        both = np.concatenate([self.raw, signal])
        band = convolve(both, self._band)  # len(signal) + kept
        slope = convolve(band, self._slope)
        smooth = convolve(slope * slope, self._smooth)[-len(signal) :]
        self._peaks(first, np.concatenate([self.last_two, smooth]), np.abs(band))
        self.raw = both[-self._history :].copy()
        self.last_two = np.concatenate([self.last_two, smooth])[-2:].copy()

    def _peaks(self, first: int, smooth: np.ndarray, band: np.ndarray) -> None:
        """Take in the samples from ``first`` on; ``smooth`` begins two earlier, ``band`` by `_kept` earlier."""
        before, here, after = smooth[:-2], smooth[1:-1], smooth[2:]
        peaks = np.flatnonzero((here > before) & (here >= after))  # found one sample late
        end = first + len(after)
        places = [int(p) + first - 1 for p in peaks if int(p) + first >= 2]
        due = self._learning if first < self._learning <= end else None
        for place in places:
            if due is not None and place + 1 >= due:
                self._begin(due)
                due = None
            self._settle(place + 1)
            offset = place - first + self._kept  # of this place in band
            window = band[max(offset - len(self._smooth), 0) : offset + 1]
            top = int(window.argmax())
            wave = place - (len(window) - 1 - top)
            self._candidate(float(here[place - first + 1]), float(wave), float(window[top]), float(place))
        if due is not None:
            self._begin(due)
        self.numbers["count"] = float(end)
        self._settle(end)

    def _candidate(self, value: float, wave: float, amplitude: float, place: float) -> None:
        near = self.pending[0] and place - self.pending[3] <= self._refractory
        if near and value <= self.pending[0]:
            return
        self.pending[:] = value, wave, amplitude, place

    def _settle(self, now: int) -> None:
        """Decide on the pending candidate once nothing near it can be larger; say so where no beat comes at all."""
        if self.pending[0] and now - self.pending[3] > self._refractory:
            self._decide(self.pending.copy())
            self.pending[:] = 0
        while now - self.numbers["last"] > self._longest + self._learning:
            self.numbers["last"] += self._longest
            self.numbers["signal"] = max(0.5 * self.numbers["signal"], self.numbers["noise"])  # it was deaf
            self.found.append((self.numbers["last"], 0.0, False))

    def _begin(self, now: int) -> None:
        """End the learning time: set the levels and decide on what was put aside."""
        count = int(self.numbers["learned"])
        values = self.candidates[:count, 0]
        first, second = (float(np.sort(values)[-min(k, count)]) if count else 0.0 for k in (1, 2))
        # Not the level of a single spike; but of a slow heart there may be one beat only.
        loudest = second if second > 0.2 * first else first
        self.numbers["signal"], self.numbers["noise"] = 0.5 * loudest, 0.05 * loudest
        self.numbers["learned"] = -1.0
        for candidate in self.candidates[:count].copy():
            self._decide(candidate)
        self.candidates[:] = 0

    def _decide(self, candidate: np.ndarray) -> None:
        learned = int(self.numbers["learned"])
        if learned >= 0:
            if learned < _MAX_LEARNED:
                self.candidates[learned] = candidate
                self.numbers["learned"] += 1
            return
        signal, noise = self.numbers["signal"], self.numbers["noise"]
        level = noise + 0.25 * (signal - noise)  # [1], eq. 22
        soon = self.numbers["last"] and candidate[1] - self.numbers["last"] < _T_WAVE_S * self._rate
        # The value is a squared slope: half the slope is a quarter of it.
        t_wave = soon and candidate[0] < 0.25 * self.numbers["strength"]
        if t_wave:
            self.numbers["noise"] = 0.875 * noise + 0.125 * float(candidate[0])
        elif candidate[0] > level:
            self._look_back(candidate[1], level)
            self._beat(candidate)
            # A spike must not deafen the detector.
            self.numbers["signal"] = 0.875 * self.numbers["signal"] + 0.125 * min(candidate[0], 4 * signal)
        else:
            self.numbers["noise"] = 0.875 * noise + 0.125 * float(candidate[0])
            if candidate[0] > self.missed[0]:
                self.missed[:] = candidate
            self._look_back(candidate[1], level)

    def _look_back(self, now: float, level: float) -> None:
        """Take the best candidate of a gap that is too long."""
        late = self.numbers["mean"] > 0 and now - self.numbers["last"] > _MISSED * self.numbers["mean"]
        if late and self.missed[0] > 0.5 * level:
            missed = self.missed.copy()
            self._beat(missed)
            self.numbers["signal"] = 0.75 * self.numbers["signal"] + 0.25 * float(missed[0])  # [1], eq. 17

    def _beat(self, candidate: np.ndarray) -> None:
        wave = float(candidate[1])
        interval = wave - self.numbers["last"]
        if self.numbers["last"] and interval < self._refractory:
            return
        if self.numbers["last"] and interval < self._longest:
            mean = self.numbers["mean"]
            self.numbers["mean"] = interval if not mean else 0.875 * mean + 0.125 * interval
        self.numbers["last"], self.numbers["strength"] = wave, float(candidate[0])
        self.missed[:] = 0
        self.found.append((wave, float(candidate[2]), True))


class BeatStream:
    """`BeatIntervals` fed chunk by chunk."""

    row_wise: ClassVar[bool] = False

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._slots = [_Slot(rate)]
        self.delay = round((_FILTER_S / 2 + _SMOOTH_S + _REFRACTORY_S) * rate)

    def push(self, chunk: np.ndarray, slot: int) -> np.ndarray:
        """Take in rows (time, channels); return a row for each beat that became known."""
        own = self._slots[slot]
        own.detector.push(np.ascontiguousarray(chunk[:, 0], dtype=np.float64))
        found, own.detector.found = own.detector.found, []
        rows = [row for beat in found if (row := own.row(beat, self._rate)) is not None]
        return np.array(rows).reshape(len(rows), len(COLUMNS))

    def step(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Not offered: a sample gives a beat or none."""
        raise UsageError("beat_intervals: gives a row per beat, not per sample; use push.")

    def state(self, slot: int) -> dict[str, np.ndarray]:
        """Return copies of the last samples, levels and intervals."""
        return self._slots[slot].state()

    def set_state(self, slot: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from `state`."""
        self._slots[slot].set_state(arrays)

    def reset(self, slot: int) -> None:
        """Forget every sample of a slot."""
        self._slots[slot] = _Slot(self._rate)

    def grow(self, slots: int) -> None:
        """Make room for more slots."""
        self._slots += [_Slot(self._rate) for _ in range(slots - len(self._slots))]


class _Slot:
    """One signal: its detector, and the beats before."""

    def __init__(self, rate: float) -> None:
        self.detector = _Detector(rate)
        self.before = np.zeros(3)  # last place + 1 (0: none yet), last interval in s, last amplitude
        self.recent = np.zeros(8)  # intervals in s, the newest last; 0: none yet

    def row(self, beat: tuple[float, float, bool], rate: float) -> list[float] | None:
        place, amplitude, _ = beat
        last, before, loud = self.before.tolist()
        self.before[0] = place + 1
        self.before[2] = amplitude
        if not last and beat[2]:
            return None
        interval = min((place + 1 - last) / rate if last else _LONGEST_S, _LONGEST_S)
        before = before or interval
        self.before[1] = interval
        self.recent = np.append(self.recent[1:], interval)
        known = [value for value in self.recent.tolist() if value]
        ratio = amplitude / loud if loud and amplitude else 1.0
        return [
            interval,
            interval - before,
            abs(interval - before),
            float(np.log(interval / before)),
            interval / (sum(known) / len(known)),
            min(ratio, 5.0),
        ]

    def state(self) -> dict[str, np.ndarray]:
        own = self.detector
        return {
            "raw": own.raw.copy(),
            "last_two": own.last_two.copy(),
            "numbers": np.array(list(own.numbers.values())),
            "pending": own.pending.copy(),
            "missed": own.missed.copy(),
            "candidates": own.candidates.copy(),
            "before": self.before.copy(),
            "recent": self.recent.copy(),
        }

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        own = self.detector
        for word in ("raw", "last_two", "pending", "missed", "candidates"):
            setattr(own, word, np.array(arrays[word], dtype=np.float64))
        own.numbers = dict(zip(own.numbers, np.asarray(arrays["numbers"]).tolist(), strict=True))
        self.before, self.recent = (np.array(arrays[word], dtype=np.float64) for word in ("before", "recent"))


def _band_pass(rate: float) -> np.ndarray:
    """Taps of a linear-phase band-pass of 5 to 15 Hz: a difference of two low-passes under a Hamming window."""
    count = 2 * round(_FILTER_S * rate / 2) + 1
    times = (np.arange(count) - count // 2) / rate
    high, low = (2 * cut / rate * np.sinc(2 * cut * times) for cut in (_HIGH_HZ, _LOW_HZ))
    return (high - low) * np.hamming(count)
