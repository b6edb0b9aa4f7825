"""What inputs known in advance add to a series: a regression whose errors follow one another, chosen on the history.

The statistical forecast of `smoothing` is made of what is left of the series; what the inputs add ahead comes on top.
The effects are learned on the whole history, so that errors at origins inside it are a little too small.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recurra.features import local_clock
from recurra.serving.statistical import smoothing
from recurra.serving.statistical.smoothing import TINY, StatisticalForecast

# What of one error is left in the next; 1 regresses changes on changes, so that what drifts by chance shows no effect.
CORRELATIONS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0)
PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0)  # of the sum of squares of a usual column
STIFFNESS = 1.4  # a parameter counts as so many: the generalized cross validation of few values chooses too many of them
GAIN = 0.95  # further columns are taken only where its figure falls below this share of the former
LEAST_FREE = 8  # values beyond the parameters
LEAST_SEASONS = 3  # of which a profile is learned
CURVED = 12  # a column of fewer different values has no square
MOST_COLUMNS = 100  # squares and columns of one step before are tried up to so many: beyond, a forecast would take seconds
ROOM = 0.25  # of the range of the effects in the history: ahead they go no further beyond it


def forecast(
    history: np.ndarray,
    steps: int,
    *,
    known: np.ndarray | None = None,
    places: np.ndarray | None = None,
    horizon: int | None = None,
    seasons: Sequence[int] = (),
    search: bool = True,
) -> StatisticalForecast:
    """Forecast one series as `smoothing.forecast` does, with what inputs known in advance add to it.

    Parameters
    ----------
    known : ndarray of shape (time + steps or more, n_known), optional
        Finite; its first row belongs to the first value of the history.
    places : ndarray of shape (time + steps,), int64, optional
        Place of each step on the clock that seasons follow, from `recurra.features.local_clock.places`; by default its own
        number.
    """
    if places is None:
        return _even(history, steps, known=known, horizon=horizon, seasons=seasons, search=search)
    begin = int(np.argmax(np.isfinite(history)))  # missing steps before the first value say nothing
    history, places = history[begin:], places[begin:] - places[begin]
    known = None if known is None else known[begin:]
    time = len(history)
    last = int(places[:time].max())
    seen = local_clock.laid(np.asarray(history, dtype=np.float64)[:, None], places[:time], seasons=seasons)[
        :, 0
    ]
    rows = None if known is None else local_clock.laid(known[: time + steps], places)
    further = max(int(places[time:].max()) - last, 1)
    found = _even(seen, further, known=rows, horizon=horizon, seasons=seasons, search=search)
    # Of an hour that comes twice the second is forecast as the first: as it was, where that was seen already.
    ahead = places[time:] - last - 1
    held = smoothing.interpolated(seen)
    point = np.concatenate([held, found.point])[np.maximum(ahead + len(held), 0)]
    return replace(found, point=point, scale=np.maximum.accumulate(found.scale[np.maximum(ahead, 0)]))


def _even(
    history: np.ndarray,
    steps: int,
    *,
    known: np.ndarray | None,
    horizon: int | None,
    seasons: Sequence[int],
    search: bool,
) -> StatisticalForecast:
    """Forecast a series whose seasons count steps."""

    def smoothed(values: np.ndarray) -> StatisticalForecast:
        return smoothing.forecast(values, steps, horizon=horizon, seasons=seasons, search=search)

    there, time = np.flatnonzero(np.isfinite(history)), len(history)
    there = there[there >= time - smoothing.most_steps(seasons)]
    if known is None or len(there) < LEAST_FREE:
        return smoothed(history)
    first = int(there[0])
    values, rows = np.asarray(history, dtype=np.float64)[first:], known[first : time + steps]
    usual = smoothing.candidate_seasons(smoothing.interpolated(values), seasons, search=search)
    added = effects(values, rows, usual)
    if added is None:
        return smoothed(history)
    found = smoothed(values - added[: len(values)])
    method = f"{found.method}, with what the inputs known in advance add"
    return replace(found, point=found.point + added[len(values) :], method=method)


def effects(history: np.ndarray, known: np.ndarray, seasons: Sequence[int] = ()) -> np.ndarray | None:
    """Return what the inputs add to each step, its mean over the history 0; None where they say nothing.

    Generalized least squares with errors of first order: every row less a share of the row before it. The season's
    profile and a line are taken out and do not count as effects. The share, the ridge penalty, and whether squares of
    the inputs and the inputs of one step before are read are chosen by generalized cross validation.

    Parameters
    ----------
    history : ndarray of shape (time,)
        NaN where missing.
    known : ndarray of shape (time + steps, n_known)
        Finite.
    seasons : sequence of int
        Steps of the usual seasons; the longest of which there are three is taken out.

    Returns
    -------
    ndarray of shape (time + steps,), or None

    References
    ----------
    .. [1] D. Cochrane, G. H. Orcutt, "Application of least squares regression to relationships containing autocorrelated
       error terms", JASA 44, 1949.
    .. [2] P. Craven, G. Wahba, "Smoothing noisy data with spline functions", Numerische Mathematik 31, 1979.
    """
    time = len(history)
    columns = _moving(known, time)
    if not columns.shape[1]:
        return None
    season = max((m for m in seasons if time >= LEAST_SEASONS * m), default=1)
    there = history[np.isfinite(history)]
    size = max(float(there.std()), TINY)
    y = (history - there.mean()) / size
    best, taken, found = _judged(y, columns[:time, :0], season)[0], columns[:, :0], None
    for kind in ("plain", "bent", "later"):
        tried = _further(kind, columns, taken, time)
        if kind != "plain" and tried.shape[1] > MOST_COLUMNS:
            break
        figure, weights = _judged(y, tried[:time], season)
        if figure < GAIN * best:
            best, taken, found = figure, tried, weights
    if found is None:
        return None
    effect = np.einsum("tk,k->t", taken, found) * size
    low, high = float(effect[:time].min()), float(effect[:time].max())
    room = ROOM * (high - low)
    return np.asarray(np.clip(effect, low - room, high + room))


def _moving(known: np.ndarray, time: int) -> np.ndarray:
    """Return the columns that are not constant in the history, each less its mean there and over its deviation."""
    center, spread = known[:time].mean(axis=0), known[:time].std(axis=0)
    moves = spread > 1e-9 * np.maximum(np.abs(center), TINY)
    return np.asarray((known[:, moves] - center[moves]) / spread[moves])


def _further(kind: str, columns: np.ndarray, taken: np.ndarray, time: int) -> np.ndarray:
    """Return the columns that are taken and more: as they are, their squares, or those of one step before."""
    more = columns
    if kind == "bent":
        many = [k for k in range(columns.shape[1]) if len(np.unique(columns[:time, k])) > CURVED]
        more = columns[:, many] ** 2
        taken = taken if taken.shape[1] else columns  # or the bend would have to lie at the mean
    elif kind == "later":
        more = np.concatenate([columns[:1], columns[:-1]])
    return np.concatenate([taken, _moving(more, time)], axis=1)


def _judged(y: np.ndarray, columns: np.ndarray, season: int) -> tuple[float, np.ndarray]:
    """Return the least figure of generalized cross validation over shares and penalties, and the weights it has."""
    best: tuple[float, np.ndarray] = (np.inf, np.zeros(columns.shape[1]))
    line = np.linspace(-1, 1, len(y))
    table = np.column_stack([y, line, columns])
    for share in CORRELATIONS:
        rows = table[1:] - share * table[:-1]
        places = np.arange(1, len(y)) % season
        seen = np.isfinite(rows[:, 0])
        rows, places = rows[seen], places[seen]
        free = len(rows) - len(np.unique(places)) - 1
        if free < LEAST_FREE:
            continue
        rows = _less_line(_less_profile(rows, places, season))
        target, X = rows[:, 0], rows[:, 2:]
        figure, weights = _ridge(target, X, free)
        if figure < best[0]:
            best = figure, weights
    return best


def _less_profile(rows: np.ndarray, places: np.ndarray, season: int) -> np.ndarray:
    """Return rows less the mean of their place in the season."""
    sums = np.zeros((season, rows.shape[1]))
    np.add.at(sums, places, rows)
    counts = np.bincount(places, minlength=season)
    return np.asarray(rows - (sums / np.maximum(counts, 1)[:, None])[places])


def _less_line(rows: np.ndarray) -> np.ndarray:
    """Return rows less what follows their second column, the line; that of changes is none."""
    line = rows[:, 1]
    size = float((line * line).sum())
    if size <= TINY:
        return rows
    return np.asarray(rows - line[:, None] * (np.einsum("t,tk->k", line, rows) / size))


def _ridge(target: np.ndarray, X: np.ndarray, free: int) -> tuple[float, np.ndarray]:
    """Return the figure and the weights of the penalty with the least figure."""
    total = float((target * target).sum())
    if not X.shape[1]:
        return total / free, np.zeros(0)
    # einsum adds in one order; a matrix product would choose it by the number of threads.
    gram, moment = np.einsum("ti,tj->ij", X, X), np.einsum("ti,t->i", X, target)
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    along = np.einsum("ij,i->j", vectors, moment)
    best: tuple[float, np.ndarray] = (np.inf, np.zeros(X.shape[1]))
    usual = max(float(np.trace(gram)) / X.shape[1], TINY)
    for penalty in PENALTIES:
        shrunk = along / (values + penalty * usual)
        left = total - 2 * float((shrunk * along).sum()) + float((values * shrunk * shrunk).sum())
        used = STIFFNESS * float((values / (values + penalty * usual)).sum())
        if used > free - LEAST_FREE:
            continue
        figure = max(left, 0.0) * free / (free - used) ** 2
        if figure < best[0]:
            best = figure, np.einsum("ij,j->i", vectors, shrunk)
    return best
