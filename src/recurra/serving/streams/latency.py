"""How long answers took: a histogram whose memory does not grow."""

import math

from recurra.checks import counted

# Bucket edges grow by 2 %, so that a percentile is known to 2 %; from 100 ns to about 1,000 s.
_FIRST_SECONDS = 1e-7
_GROWTH = 1.02
_BUCKETS = 1_164


class Latency:
    """Histogram of waiting times.

    Attributes
    ----------
    count : int
        Waiting times recorded.
    max_seconds : float
        The longest; 0 before the first.
    """

    def __init__(self) -> None:
        self._counts = [0] * (_BUCKETS + 1)
        self.count = 0
        self.max_seconds = 0.0

    def record(self, seconds: float) -> None:
        """Add one waiting time."""
        self.count += 1
        if seconds > self.max_seconds:
            self.max_seconds = seconds
        bucket = int(math.log(seconds / _FIRST_SECONDS) / _LOG_GROWTH) + 1 if seconds > _FIRST_SECONDS else 0
        self._counts[bucket if bucket < _BUCKETS else _BUCKETS] += 1

    def percentile(self, percent: float) -> float:
        """Return the seconds that this share of the answers did not exceed, at most 2 % too high; NaN if none is there."""
        if not self.count:
            return math.nan
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket, count in enumerate(self._counts[:-1]):
            seen += count
            if seen >= wanted:
                return min(_FIRST_SECONDS * _GROWTH**bucket, self.max_seconds)
        return self.max_seconds

    def summary(self) -> dict[str, float]:
        """Return ``answers``, ``p50_seconds``, ``p99_seconds`` and ``max_seconds``."""
        return {
            "answers": self.count,
            "p50_seconds": self.percentile(50),
            "p99_seconds": self.percentile(99),
            "max_seconds": self.max_seconds if self.count else math.nan,
        }

    def __repr__(self) -> str:
        if not self.count:
            return "Latency(no answers yet)"
        figures = self.summary()
        p50, p99, most = (figures[f"{name}_seconds"] * 1e6 for name in ("p50", "p99", "max"))
        return (
            f"Latency({counted(self.count, 'answer')}, p50 {p50:.1f} us, p99 {p99:.1f} us, max {most:.1f} us)"
        )


_LOG_GROWTH = math.log(_GROWTH)
