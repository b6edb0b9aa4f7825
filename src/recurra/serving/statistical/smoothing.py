"""A statistical forecast of one series: exponential smoothing and autoregressions, chosen at rolling origins in its history.

Nothing is optimised: a grid of smoothing parameters runs through the history at once, as vectors. Beside it stand ridge
autoregressions, the last value and seasonal naive. Those that were best at the origins are averaged; where the average
was hardly better there than the best simple forecast, the simple forecast is the answer.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

# Steps of a history that are read; where the longest season is long, as many seasons, yet not more than so many steps.
MOST_STEPS, MOST_SEASONS, MOST_STEPS_OF_SEASONS = 1500, 10, 4000
LEAST_STEPS = 8  # with fewer the last value is the answer
ORIGINS = 6
AVERAGED = 12
IN_SAMPLE_SHARE = 0.3  # of the one-step error beside the errors at the origins
SHORT_SEASONS = 10  # with fewer of them the Theta and the damped forecast are always in the average
# (weight of the level's error, weight of the trend's, damping, share of the straight line's slope as drift)
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
TRENDS = (
    (0.0, 0.0, 0.0), (0.05, 0.95, 0.0), (0.15, 0.9, 0.0), (0.3, 0.85, 0.0), (0.0, 1.0, 0.5), (0.0, 1.0, 1.0),
    (0.0, 0.97, 1.0), (0.1, 1.0, 0.0),
)  # fmt: skip
SEASONALS = (0.0, 0.1, 0.3, 0.6, 1.0)
SEVERAL = 4  # seasons that show a shorter season inside them
LEAST_CORRELATION = 0.25  # of the differences one season apart, where no frequency tells the season
OF_MAE = 1.25  # the standard deviation of normal errors over their mean absolute one
LEAST_FREEDOM = 2.0  # of Student's t: with one, an interval of 95 % were six times as wide as a normal one
MARGIN = 0.9  # the average must err less than this share of what the best simple forecast errs at the origins
TINY = 1e-12
# A value further from the median of the seven around it than so many deviations (by the median of all such distances) is
# an outlier, where neither the value before nor one season before tells so much of a value (its autocorrelation).
OUTLYING, FOLLOWS, AROUND = 6.0, 0.5, 7
MOST_SHORT = 30  # steps with which there is no telling


@dataclass(frozen=True)
class StatisticalForecast:
    """What `forecast` says of the next steps.

    Parameters
    ----------
    point : ndarray of shape (steps,)
    scale : ndarray of shape (steps,)
        Root mean squared error at the origins by step ahead; it never falls.
    sizes : ndarray of shape (n,)
        Absolute errors at the origins over their step's scale, rising; empty where there were not two origins. A few
        origins do not tell on which side the next error will be, so that it is taken to be on either alike.
    freedom : float
        Of Student's t: how many horizons the origins lie on, or what the history leaves where there were not two.
    method : str
        Which forecast it is.
    season : int
        The season used, 1 for none.
    """

    point: np.ndarray
    scale: np.ndarray
    sizes: np.ndarray
    freedom: float
    method: str
    season: int

    def quantile(self, share: float) -> np.ndarray:
        """Return by how much the truth lies above the point in this share of cases: shape (steps,)."""
        if not len(self.sizes) or share == 0.5:
            return self.scale * float(stdtrit(self.freedom, share))
        size = float(np.quantile(np.concatenate([-self.sizes[::-1], self.sizes]), share))
        # The scale of few origins is itself uncertain: Student's t over the normal distribution.
        return self.scale * size * float(stdtrit(self.freedom, share) / ndtri(share))

    @property
    def deviation(self) -> np.ndarray:
        """Return the deviation of the normal distribution that has the middle 80 % of the truth: shape (steps,)."""
        return self.quantile(0.9) / float(ndtri(0.9))


def forecast(
    history: np.ndarray,
    steps: int,
    *,
    horizon: int | None = None,
    seasons: Sequence[int] = (),
    search: bool = True,
) -> StatisticalForecast:
    """Forecast one series.

    Parameters
    ----------
    history : ndarray of shape (time,)
        NaN where missing: interpolated.
    steps : int
        Steps to forecast.
    horizon : int, optional
        Steps judged at the origins; as many as are forecast by default. Forecasts of one horizon agree in their
        common steps.
    seasons : sequence of int
        Steps of the usual seasons.
    search : bool, default=True
        Look for a season where none of these fits.
    """
    values = interpolated(np.asarray(history, dtype=np.float64))[-most_steps(seasons) :]
    horizon = steps if horizon is None else horizon
    n = len(values)
    resting = values[-max([horizon, 6, *(m for m in seasons if n > m)]) :]
    if n < LEAST_STEPS or (resting == resting[0]).all():
        size = OF_MAE * float(np.abs(np.diff(values)).mean()) if n > 1 else 0.0
        last, freedom = np.full(steps, values[-1] if n else 0.0), max(n - 1.0, LEAST_FREEDOM)
        return StatisticalForecast(last, np.full(steps, size), np.zeros(0), freedom, _simple_name(1), 1)
    found = candidate_seasons(values, seasons, search=search)
    reach = max(steps, horizon)
    simple = _simple(values, [n], reach, found)[0][0]
    exact = [m for m in found if n >= 2 * m + 1 and (m > 1) and _repeats(values, m)]
    if exact:
        row = simple[found.index(exact[0])][:steps]
        return StatisticalForecast(row, np.zeros(steps), np.zeros(0), 1.0, _simple_name(exact[0]), exact[0])
    ends = _origins(n, horizon, max(found))
    calm = _without_outliers(values, found)
    within = {m: [k for k in seasons if 1 < k < m and m % k == 0] for m in found}
    forecasts, inside, places = _candidates(calm, [n, *ends], reach, within)
    # The simple forecasts are values as they were, and so is what the errors of the answer are taken from below.
    forecasts[:, -len(found) :], inside[:, -len(found) :] = _simple(values, [n, *ends], reach, found)
    smallest = max(min(inside[0, -len(found) :]), TINY)
    relative = np.minimum(inside[0] / smallest, 3.0)
    best = np.argsort(relative, kind="stable")[:AVERAGED]
    one_step, freedom = OF_MAE * float(np.median(inside[0, best])), max(n - 3.0, LEAST_FREEDOM)
    ahead = np.sqrt(np.arange(1, reach + 1))
    if not ends:
        point = forecasts[0, best].mean(axis=0)[:steps]
        method = f"the mean of {len(best)} of {forecasts.shape[1]} smoothings and autoregressions"
        return StatisticalForecast(point, one_step * ahead[:steps], np.zeros(0), freedom, method, found[-1])
    truth = np.stack([values[end : end + horizon] for end in ends])
    usual = np.stack([calm[end : end + horizon] for end in ends])
    tried = _Tried(forecasts, inside, relative, places, usual, found, values)
    rows, method, season = tried.answer(list(range(len(ends))))
    if len(ends) == 1:
        # What is chosen at the only origin errs least there. What errs least inside the history is judged there instead.
        off = (truth - forecasts[1:, best, :horizon].mean(axis=1)) / ahead[:horizon]
        scale = max(one_step, float(np.sqrt(np.square(off).mean()))) * ahead[:steps]
        return StatisticalForecast(rows[0, :steps], scale, np.zeros(0), freedom, method, season)
    return _judged(
        rows[0, :steps], truth - tried.unseen(), 1 + (ends[0] - ends[-1]) / horizon, method, season
    )


@dataclass(frozen=True)
class _Tried:
    """What every forecast says from the end of the history and from the origins, and what came after these.

    Parameters
    ----------
    forecasts : ndarray of shape (1 + origins, forecasts, reach)
    inside : ndarray of shape (1 + origins, forecasts)
        One-step errors.
    relative : ndarray of shape (forecasts,)
        Those from the end, over the least of a simple forecast.
    places
        Where each grid begins among the forecasts.
    usual : ndarray of shape (origins, horizon)
        What came, outliers drawn in.
    seasons : list of int
        Of the simple forecasts, which are the last ones.
    values : ndarray of shape (time,)
    """

    forecasts: np.ndarray
    inside: np.ndarray
    relative: np.ndarray
    places: Sequence[tuple[int, list[tuple[float, ...]]]]
    usual: np.ndarray
    seasons: list[int]
    values: np.ndarray

    def answer(self, judged: Sequence[int]) -> tuple[np.ndarray, str, int]:
        """Return what the best at these origins say from every end, (1 + origins, reach), which it is, and its season."""
        picked, usual = np.add(judged, 1), self.usual[judged]
        horizon, simple = usual.shape[1], len(self.seasons)
        rolled = np.abs(self.forecasts[picked, :, :horizon] - usual[:, None]).mean(axis=2).mean(axis=0)
        naive = len(rolled) - simple + int(rolled[-simple:].argmin())
        sure = min(1.0, 0.4 + 0.1 * len(picked))
        score = rolled / max(rolled[naive], TINY) * sure + IN_SAMPLE_SHARE * self.relative
        best = np.argsort(score, kind="stable")[:AVERAGED]
        mean = self.forecasts[:, best].mean(axis=1)
        if MARGIN * rolled[naive] <= float(np.abs(mean[picked, :horizon] - usual).mean()):
            season = self.seasons[naive - len(rolled) + simple]
            return (
                self.forecasts[:, naive],
                _simple_name(season, usual=usual_value(self.values) is not None),
                season,
            )
        method = f"the mean of {len(best)} of {len(rolled)} smoothings and autoregressions"
        season = max(self.seasons)
        if season > 1 and len(self.values) < SHORT_SEASONS * season:
            # On a few seasons choosing among many is noisy; two that are known to be good steady the choice.
            mean = (mean + _steady(self.forecasts, self.inside, self.places)) / 3
            method = f"{method}, a Theta and a damped forecast"
        return mean, method, season

    def unseen(self) -> np.ndarray:
        """Return what is said from every one of two or more origins by what was best at the others: (origins, horizon).

        The best of hundreds err less where they were chosen than where they were not.
        """
        origins = range(len(self.usual))
        others = [[k for k in origins if k != left_out] for left_out in origins]
        rows = [self.answer(judged)[0][1 + k] for k, judged in zip(origins, others, strict=True)]
        return np.stack(rows)[:, : self.usual.shape[1]]


def most_steps(seasons: Sequence[int]) -> int:
    """Return how many steps of a history are read where these are its seasons."""
    return max(MOST_STEPS, min(MOST_SEASONS * max(seasons, default=1), MOST_STEPS_OF_SEASONS))


def _judged(
    point: np.ndarray, errors: np.ndarray, freedom: float, method: str, season: int
) -> StatisticalForecast:
    """Return a forecast with its errors; these of shape (origins, horizon)."""
    steps, horizon = len(point), errors.shape[1]
    scale = np.maximum.accumulate(np.sqrt((errors**2).mean(axis=0)))
    sizes = np.sort(np.abs(errors / np.maximum(scale, TINY)).reshape(-1))
    if steps > horizon:
        more = np.sqrt(np.arange(horizon + 1, steps + 1) / horizon)
        scale = np.concatenate([scale, scale[-1] * more])
    return StatisticalForecast(point, scale[:steps], sizes, max(freedom, LEAST_FREEDOM), method, season)


def _simple_name(season: int, *, usual: bool = False) -> str:
    if season > 1:
        return f"the value one season of {season} steps before"
    return "the value that most steps have" if usual else "the last value"


def interpolated(values: np.ndarray) -> np.ndarray:
    """Return a series from its first value on, missing ones interpolated, the last one held."""
    there = np.flatnonzero(np.isfinite(values))
    if not len(there):
        return np.zeros(0)
    return np.interp(np.arange(there[0], len(values)), there, values[there])


def _without_outliers(values: np.ndarray, seasons: Sequence[int]) -> np.ndarray:
    """Return a series of changes rather than levels with its outliers drawn in; any other as it is.

    A level that jumps stays where it went, and what is high every December is no outlier; but a change that was odd once
    (a tax paid early, a strike) says nothing of those to come, and moves every smoothing and autoregression.

    Parameters
    ----------
    seasons : sequence of int
        With 1 for the value before.
    """
    centred = values - values.mean()
    known = max(float((centred[lag:] * centred[:-lag]).sum()) for lag in seasons)
    if len(values) <= MOST_SHORT or known >= FOLLOWS * float((centred**2).sum()):
        return values
    around = np.pad(values, AROUND // 2, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(around, AROUND), axis=1)
    far = values - middle
    most = OUTLYING * 1.4826 * float(np.median(np.abs(far)))  # the deviation of normal noise
    found: np.ndarray = middle + np.clip(far, -most, most) if most > 0 else values
    return found


def candidate_seasons(values: np.ndarray, usual: Sequence[int], *, search: bool = True) -> list[int]:
    """Return 1 and the usual seasons of which there are two; else the strongest peak of the differences' autocorrelation.

    A season that divides another of which there are several is in that.
    """
    found = [m for m in dict.fromkeys(usual) if m > 1 and len(values) >= 2 * m + 1]
    holding = [m for m in found if len(values) >= SEVERAL * m]
    found = [m for m in found if not any(longer > m and longer % m == 0 for longer in holding)]
    steps = np.diff(values)
    steps = steps - steps.mean()
    n = len(steps)
    if found or not search or n <= 12 or not (steps**2).sum() > 0:
        return [1, *found]
    spectrum = np.fft.rfft(steps, 2 * n)
    r = np.fft.irfft(spectrum * np.conj(spectrum))[: min(n // 2, 400) + 1]
    r = r / r[0]
    bound = np.maximum(1.96 * np.sqrt((1 + 2 * np.cumsum(r**2)) / n), LEAST_CORRELATION)
    inner = r[1:-1]
    peak = (inner > r[:-2]) & (inner >= r[2:]) & (inner > bound[1:-1])
    lags = np.flatnonzero(peak) + 1
    lags = lags[lags >= 3]
    return [1, int(lags[np.argmax(r[lags])])] if len(lags) else [1]


def recurs(values: np.ndarray, season: int, longer: int) -> bool:
    """Return whether what changes from one season to the next comes again after a ``longer`` one, as days of a week do.

    Parameters
    ----------
    values : ndarray of shape (time,)
        NaN where missing: interpolated.
    season, longer : int
        The longer is a multiple of the season.
    """
    values = interpolated(values)[-most_steps([longer]) :]
    if len(values) < season + 2 * longer:
        return False
    changes = values[season:] - values[:-season]
    changes = changes - changes.mean()

    def correlation(lag: int) -> float:
        later, earlier = changes[lag:], changes[:-lag]
        size = float(np.sqrt((later * later).sum() * (earlier * earlier).sum()))
        return float((later * earlier).sum()) / size if size > 0 else 0.0

    # One season before it says what is alike for another reason: days that grow, the time of year.
    return correlation(longer) - max(correlation(longer - season), 0.0) > LEAST_CORRELATION


def _repeats(values: np.ndarray, season: int) -> bool:
    """Return whether a series is its last season again and again, but for rounding."""
    return bool(np.abs(values[season:] - values[:-season]).max() <= 1e-9 * np.abs(values).max())


def _origins(n: int, horizon: int, season: int) -> list[int]:
    """Return where the origins inside the history lie, the newest first."""
    step = max(1, horizon // 2 if n < 10 * horizon else horizon)
    least = max(2 * season + horizon // 2, 8, n // 3)
    return [
        end for end in (n - horizon - step * i for i in range(ORIGINS)) if end >= least and end > 2 * season
    ]


def _candidates(
    values: np.ndarray, ends: Sequence[int], steps: int, seasons: Mapping[int, Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, list[tuple[float, ...]]]]]:
    """Return forecasts (ends, rows, steps) from every end, one-step errors (ends, rows), and where each grid begins.

    Parameters
    ----------
    seasons : mapping
        From each season, 1 first, to the usual ones inside it.
    """
    forecasts, errors, places, at = [], [], [], 0
    for logs in (False, True) if values.min() > 0 else (False,):
        moved = np.log(values) if logs else values
        for season, within in seasons.items():
            smooth, inside, grid = _smoothings(moved, ends, steps, season)
            auto, off = _autoregressions(moved, ends, steps, season, within)
            rows, inside = np.concatenate([smooth, auto], axis=1), np.concatenate([inside, off], axis=1)
            if logs:
                rows = np.exp(np.minimum(rows, moved.max() + 3))
                inside = inside * np.exp(moved.mean())
            forecasts.append(rows)
            errors.append(inside)
            places.append((at, grid))
            at += rows.shape[1]
    rows, inside = _simple(values, ends, steps, list(seasons))
    return np.concatenate([*forecasts, rows], axis=1), np.concatenate([*errors, inside], axis=1), places


def _simple(
    values: np.ndarray, ends: Sequence[int], steps: int, seasons: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return last value (or the usual one) and seasonal naive; `seasons` begins with 1."""
    rows = np.stack([[np.resize(values[end - m : end], steps) for m in seasons] for end in ends])
    inside = np.array([[np.abs(values[m:end] - values[: end - m]).mean() for m in seasons] for end in ends])
    for at, end in enumerate(ends):
        usual = usual_value(values[:end])
        if usual is not None:
            rows[at, 0], inside[at, 0] = usual, np.abs(values[:end] - usual).mean()
    return rows, inside


def usual_value(values: np.ndarray) -> float | None:
    """Return the value that most steps have, where it is nearer to each value than the value before; None elsewhere.

    So of rare events, of which one at the very end does not mean that there is one at every step from now on; but not of
    what stays where it went, such as prices.
    """
    middle = float(np.median(values))
    if 2 * np.count_nonzero(values == middle) <= len(values):
        return None
    return middle if np.abs(values - middle).sum() < np.abs(np.diff(values)).sum() else None


def _steady(
    forecasts: np.ndarray, inside: np.ndarray, places: Sequence[tuple[int, list[tuple[float, ...]]]]
) -> np.ndarray:
    """Return Theta plus damped forecast, each with the parameters of the least one-step error: (ends, steps)."""
    # The last grids are those of the logarithms, where the values are positive.
    last = places[-2:]
    total = np.zeros((forecasts.shape[0], forecasts.shape[2]))
    for end in range(forecasts.shape[0]):
        at, grid = min(last, key=lambda p: inside[end, p[0] : p[0] + len(p[1])].min())
        theta = [i for i, g in enumerate(grid) if g[2:4] == (1.0, 0.5) and g[4] <= 0.1]
        damped = [i for i, g in enumerate(grid) if 0 < g[2] < 1 and g[3] == 0 and g[4] <= 0.3]
        for kind in (theta, damped):
            total[end] += forecasts[end, at + kind[int(np.argmin(inside[end, [at + i for i in kind]]))]]
    return total


def _profile(values: np.ndarray, season: int) -> np.ndarray:
    """Return what each place of a season adds: deviations from a centred moving mean."""
    if season == 1:
        return np.zeros(1)
    kernel = np.ones(season) / season if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    trend = np.convolve(values, kernel, "valid")
    first = (len(kernel) - 1) // 2
    rest, places = values[first : first + len(trend)] - trend, (first + np.arange(len(trend))) % season
    sums, counts = np.zeros(season), np.bincount(places, minlength=season)
    np.add.at(sums, places, rest)
    profile = sums / np.maximum(counts, 1)
    return profile - profile.mean()


def _slope(values: np.ndarray) -> float:
    time = np.arange(len(values)) - (len(values) - 1) / 2
    return float((time * values).sum() / (time * time).sum())


def _smoothings(
    values: np.ndarray, ends: Sequence[int], steps: int, season: int
) -> tuple[np.ndarray, np.ndarray, list[tuple[float, ...]]]:
    """Run the grid of additive exponential smoothing up to every end, in one loop over time."""
    seasonals = SEASONALS if season > 1 else (0.0,)
    grid: list[tuple[float, ...]] = [
        (level, *trend, seasonal)
        for level, trend, seasonal in itertools.product(LEVELS, TRENDS, seasonals)
        if level or not trend[0]  # a trend learns from the level's moves
    ]
    alpha, beta, damping, drift, gamma = (np.array(column)[None] for column in zip(*grid, strict=True))
    n, size = len(ends), len(grid)
    profiles = np.stack([_profile(values[:end], season) for end in ends])
    state = np.repeat(profiles[:, None], size, axis=1).transpose(2, 0, 1).copy()  # (season, ends, grid)
    slopes = np.array([_slope(values[:end]) for end in ends])[:, None]
    first = min(min(ends), max(season, 4))
    means = np.array([(values[:first] - p[np.arange(first) % season]).mean() for p in profiles])[:, None]
    trend = slopes * drift
    level = means - trend * (first - 1) / 2
    keeps = np.where(drift > 0, 1.0, damping)
    takes, moves, turns = np.where(beta > 0, damping, keeps), beta * alpha, gamma * (1 - alpha)
    begin = np.array([end // 3 for end in ends])[:, None]
    total, ahead = np.zeros((n, size)), np.arange(1, steps + 1)
    growth = np.where(
        damping[0, :, None] < 1,
        damping[0, :, None] * (1 - damping[0, :, None] ** ahead) / np.maximum(1 - damping[0, :, None], TINY),
        ahead,
    )
    rows, inside = np.empty((n, size, steps)), np.empty((n, size))
    for time in range(max(ends) + 1):
        for at, end in enumerate(ends):
            if end == time:
                rows[at] = level[at, :, None] + trend[at, :, None] * growth
                if season > 1:
                    rows[at] += state[(time + ahead - 1) % season, at].T
                inside[at] = total[at] / (end - end // 3)
        if time == max(ends):
            break
        own = state[time % season]
        level = level + damping * trend
        error = values[time] - level - own
        total += np.where(time >= begin, np.abs(error), 0.0)
        level = level + alpha * error
        trend = takes * trend + moves * error
        if season > 1:
            own += turns * error
    return rows, inside, grid


def _autoregressions(
    values: np.ndarray, ends: Sequence[int], steps: int, season: int, within: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return closed-loop forecasts of ridge autoregressions of a few orders, of values and of differences."""
    orders = [tuple(range(1, order + 1)) for order in (2, 4, 9)]
    if season > 1:
        orders.append(tuple(sorted({1, 2, 3, season - 1, season, season + 1, 2 * season})))
    for day in within:  # and the week that it is in
        near = {lag + one for lag in (day, season) for one in (-1, 0, 1)}
        orders.append(tuple(sorted({1, 2, 3, *near, season + day})))
    rows: list[list[np.ndarray]] = [[] for _ in ends]
    errors: list[list[float]] = [[] for _ in ends]
    for differenced, lags in itertools.product((False, True), orders):
        longest = max(lags)
        if min(ends) - differenced < longest + 3 * len(lags) + 5:
            continue
        for at, end in enumerate(ends):
            z = np.diff(values[:end]) if differenced else values[:end]
            centred = z - z.mean()
            X = np.column_stack([centred[longest - lag : len(z) - lag] for lag in lags])
            target = centred[longest:]
            ridge = 1e-3 * len(target) * max(float(z.var()), TINY)
            # einsum adds in one order; a matrix product would choose it by the number of threads.
            gram = np.einsum("ti,tj->ij", X, X) + ridge * np.eye(len(lags))
            weights = np.linalg.solve(gram, np.einsum("ti,t->i", X, target))
            errors[at].append(float(np.abs(target - np.einsum("ti,i->t", X, weights)).mean()))
            path = np.concatenate([centred[-longest:], np.zeros(steps)])
            back = -np.array(lags)
            for step in range(longest, longest + steps):
                path[step] = (weights * path[step + back]).sum()
            ahead = path[longest:] + z.mean()
            rows[at].append(values[end - 1] + np.cumsum(ahead) if differenced else ahead)
    made = np.array(rows).reshape(len(ends), -1, steps)
    return made, np.array(errors).reshape(len(ends), -1)
