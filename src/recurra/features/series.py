"""A time series becomes rows for a forecasting network: transformed, seasonally adjusted, scaled, with what is known.

Scale and seasonal profile of a series are learned on the values given as its history and on nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from recurra.checks import counted, listing, where
from recurra.errors import DataError, ShapeError
from recurra.features import local_clock
from recurra.features.known import Known

TRANSFORMS = ("none", "log")
SCALINGS = ("zscore", "robust", "common", "none")
SEASONAL = ("inputs", "adjust", "none")

# Pairs of sine and cosine that tell the place in a season.
HARMONICS = 2
# A season is taken out only where its autocorrelation is this many standard errors from zero (90 %, two-sided) [1].
# [1] Fiorucci et al., "Models for optimising the theta method", International Journal of Forecasting 32 (4), 2016.
SEASON_TEST = 1.645
# A spread below this share of the magnitude is rounding noise: the series is constant.
CONSTANT_SHARE = 1e-7


@dataclass(frozen=True)
class SeriesScale:
    """What one series' history says about its size and season.

    Parameters
    ----------
    center, spread : ndarray of shape (n_targets,)
    profile : ndarray of shape (season, n_targets)
        What each place of the season adds, after the transform; zeros where there is none.
    own : ndarray of shape (n_targets,)
        Logarithm of the series' own roughness over the spread.
    """

    center: np.ndarray
    spread: np.ndarray
    profile: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class SeriesFeatures:
    """How rows are made; learned on the training series by `fit`.

    Parameters
    ----------
    transform : {"none", "log"}
        Before everything else; "log" needs positive values.
    scaling : {"zscore", "robust", "common", "none"}
        Mean and deviation, or median and interquartile range, of each series; one for all series; or nothing.
    seasons : tuple of int
        Steps of each season.
    seasonal : {"inputs", "adjust", "none"}
        The place in each season as inputs, or the first season taken out of each series by classical decomposition.
    lags : tuple of int
        How many steps before a value stands beside it; at least the horizon.
    clock : str
        Step between time stamps where seasons follow the local clock; empty where they count steps.
    n_targets, n_known, n_static : int
    center, spread : tuple of float
        For scaling "common".
    known_center, known_spread, static_center, static_spread : tuple of float
    """

    transform: str = "none"
    scaling: str = "zscore"
    seasons: tuple[int, ...] = ()
    seasonal: str = "inputs"
    lags: tuple[int, ...] = ()
    clock: str = ""
    n_targets: int = 1
    n_known: int = 0
    n_static: int = 0
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    known_center: tuple[float, ...] = ()
    known_spread: tuple[float, ...] = ()
    static_center: tuple[float, ...] = ()
    static_spread: tuple[float, ...] = ()

    @classmethod
    def fit(cls, values: Sequence[np.ndarray], known: Sequence[Known], **words: Any) -> Self:
        """Learn what all series share, from their histories: values of shape (time, n_targets)."""
        first = known[0]
        features = cls(
            n_targets=values[0].shape[1],
            n_known=0 if first.future is None else first.future.shape[1],
            n_static=0 if first.static is None else len(first.static),
            **words,
        )
        if features.n_known:
            history = np.concatenate([k.future[: len(v)] for v, k in zip(values, known, strict=True)])  # type: ignore[index] # n_known says that there is one
            center, spread = _moments(history)
            features = replace(features, known_center=tuple(center), known_spread=tuple(spread))
        if features.n_static:
            center, spread = _moments(np.stack([k.static for k in known]))  # type: ignore[misc] # n_static says so
            features = replace(features, static_center=tuple(center), static_spread=tuple(spread))
        if features.scaling == "common":
            adjusted = [
                features._adjusted(v, features._profile(v, k), k) for v, k in zip(values, known, strict=True)
            ]
            spreads = np.array([_moments(a)[1] for a in adjusted])
            center = np.nanmean(np.concatenate(adjusted), axis=0)
            features = replace(features, center=tuple(center), spread=tuple(spreads.mean(axis=0)))
        return features

    @property
    def input_size(self) -> int:
        """Columns of a row."""
        n, blocks = self.n_targets, 1 + len(self.lags)
        own = n if self.scaling == "common" else 0
        return n * (1 + blocks) + self.n_known * blocks + self._calendar_size + own + self.n_static

    @property
    def reach(self) -> int:
        """Steps before a row that it takes values from."""
        return max(self.lags, default=0)

    @property
    def _calendar_size(self) -> int:
        if not self.seasons or self.seasonal == "none":
            return 0
        return self.n_targets if self.seasonal == "adjust" else 2 * HARMONICS * len(self.seasons)

    def transformed(self, values: np.ndarray, name: str = "a series") -> np.ndarray:
        """Return values after the transform.

        Raises
        ------
        DataError
            If a value is not positive and ``transform`` is "log".
        """
        if self.transform == "none":
            return values
        if np.nanmin(values, initial=np.inf) <= 0:
            raise DataError(
                f"transform='log' needs positive values; {name} has {np.nanmin(values):g}. Use transform='none'."
            )
        return np.log(values)

    def scale(self, values: np.ndarray, known: Known, name: str = "a series") -> SeriesScale:
        """Learn the scale of one series from its history, values of shape (time, n_targets)."""
        self.transformed(values, name)
        profile = self._profile(values, known)
        adjusted = self._adjusted(values, profile, known)
        if self.scaling == "common":
            center, spread = np.array(self.center), np.array(self.spread)
        elif self.scaling == "none":
            center, spread = np.zeros(self.n_targets), np.ones(self.n_targets)
        else:
            center, spread = _moments(adjusted, robust=self.scaling == "robust")
        with np.errstate(all="ignore"):
            rough = np.nanstd(np.diff(adjusted, axis=0), axis=0) if len(values) > 2 else spread
        own = np.log(np.maximum(np.nan_to_num(rough / spread, nan=1e-3), 1e-3))
        return SeriesScale(center, spread, profile, own)

    def scaled(
        self, values: np.ndarray, scale: SeriesScale, known: Known, name: str = "a series"
    ) -> np.ndarray:
        """Return values of shape (time, n_targets) as the network reads them, NaN where missing; float64.

        ``known`` is of the first of these steps.
        """
        return (self._adjusted(values, scale.profile, known, name) - scale.center) / scale.spread

    def restored(self, scaled: np.ndarray, scale: SeriesScale, known: Known) -> np.ndarray:
        """Undo `scaled` for steps of which ``known`` tells the first: shape (steps, n_targets, ...)."""
        more = (1,) * (scaled.ndim - 2)
        shape = (1, self.n_targets, *more)
        out = scaled * scale.spread.reshape(shape) + scale.center.reshape(shape)
        if scale.profile.any():
            places = self._places(known, len(scaled)) % len(scale.profile)
            out = out + scale.profile[places].reshape(len(scaled), self.n_targets, *more)
        return np.exp(out) if self.transform == "log" else out

    def rows(self, scaled: np.ndarray, scale: SeriesScale, known: Known, *, ahead: int) -> np.ndarray:
        """Return rows of shape (time + ahead, input_size), float32.

        Parameters
        ----------
        scaled : ndarray of shape (time, n_targets)
            NaN where missing.
        known : Known
            Its ``future`` and ``phase`` begin with the first of these steps.
        ahead : int
            Steps after the last.
        """
        steps, total, n = len(scaled), len(scaled) + ahead, self.n_targets
        filled = np.zeros((total, n))
        filled[:steps] = fill(scaled)
        mask = np.zeros((total, n))
        mask[:steps] = ~np.isnan(scaled)
        future = self._future(known, total)
        parts = [filled, mask, *(_lagged(filled, lag) for lag in self.lags)]
        parts += [future, *(_lagged(future, lag) for lag in self.lags)]
        parts.append(self._calendar(scale, known, total))
        if self.scaling == "common":
            parts.append(np.tile(scale.own, (total, 1)))
        if self.n_static:
            static = (np.asarray(known.static) - self.static_center) / self.static_spread
            parts.append(np.tile(static, (total, 1)))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _future(self, known: Known, total: int) -> np.ndarray:
        if not self.n_known:
            return np.zeros((total, 0))
        assert known.future is not None
        return (known.future[:total] - np.array(self.known_center)) / np.array(self.known_spread)

    def _places(self, known: Known, count: int) -> np.ndarray:
        """Return the place of each step on the calendar that seasons follow."""
        steps = known.phase + np.arange(count)
        ahead = local_clock.offsets(known, self.clock, count)
        return steps if ahead is None else steps + ahead

    def _calendar(self, scale: SeriesScale, known: Known, total: int) -> np.ndarray:
        if not self._calendar_size:
            return np.zeros((total, 0))
        places = self._places(known, total)
        if self.seasonal == "adjust":
            return scale.profile[places % len(scale.profile)] / scale.spread
        parts = []
        for season in self.seasons:
            angle = 2 * np.pi * (places % season) / season
            parts += [f(k * angle) for k in range(1, HARMONICS + 1) for f in (np.sin, np.cos)]
        return np.stack(parts, axis=1)

    def _profile(self, values: np.ndarray, known: Known) -> np.ndarray:
        season = self.seasons[0] if self.seasons and self.seasonal == "adjust" else 1
        profile = np.zeros((season, self.n_targets))
        if season > 1:
            moved = self.transformed(values)
            places = local_clock.places(known, self.clock, len(values))
            grid = moved if places is None else local_clock.laid(moved, places, seasons=[season])
            phase = int(self._places(known, 1)[0])
            for target in range(self.n_targets):
                profile[:, target] = seasonal_profile(grid[:, target], season, phase)
        return profile

    def _adjusted(
        self, values: np.ndarray, profile: np.ndarray, known: Known, name: str = "a series"
    ) -> np.ndarray:
        moved = self.transformed(values, name)
        return moved - profile[self._places(known, len(values)) % len(profile)] if profile.any() else moved

    def to_manifest(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; versions without ``clock`` read files of seasons that count steps."""
        fields = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return {name: v for name, v in fields.items() if name != "clock" or v}

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self:
        """Rebuild from `to_manifest`; TypeError or ValueError if it makes no sense."""
        words: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in manifest.items()}
        made = cls(**words)
        for word, value, choices in (
            ("transform", made.transform, TRANSFORMS),
            ("scaling", made.scaling, SCALINGS),
            ("seasonal", made.seasonal, SEASONAL),
        ):
            if value not in choices:
                raise ValueError(f"{word} must be one of {listing(choices)}; got {value!r}.")
        if any(type(n) is not int or n < 1 for n in (*made.seasons, *made.lags, made.n_targets)):
            raise ValueError("seasons, lags and n_targets must be whole numbers of at least 1.")
        for count, *fields in (
            (made.n_known, made.known_center, made.known_spread),
            (made.n_static, made.static_center, made.static_spread),
        ):
            if any(len(field) != count for field in fields):
                raise ValueError("a scaling has another number of columns than the data.")
        return made


def fill(values: np.ndarray) -> np.ndarray:
    """Return values of shape (time, channels) with NaN replaced by the channel's last value, before its first by that.

    A channel without any value is 0.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    last = np.maximum.accumulate(np.where(missing, -1, np.arange(len(values))[:, None]), axis=0)
    first = np.argmin(missing, axis=0)  # 0 where nothing is there: NaN, which becomes 0
    return np.nan_to_num(np.take_along_axis(values, np.where(last < 0, first, last), axis=0))


def seasonal_profile(values: np.ndarray, season: int, phase: int = 0) -> np.ndarray:
    """Return what each place of a season adds to a series, by classical additive decomposition.

    Zeros where the series has less than three seasons, or its autocorrelation at one season is not significant.

    Parameters
    ----------
    values : ndarray of shape (time,)
        NaN where missing.
    phase : int
        Place of the first value.

    Returns
    -------
    ndarray of shape (season,)
        Sums to zero.
    """
    out = np.zeros(season)
    filled = fill(values[:, None])[:, 0]
    if len(values) < 3 * season or not _is_seasonal(filled, season):
        return out
    kernel = np.ones(season) / season
    half = season // 2
    if season % 2 == 0:
        kernel = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(filled, kernel, mode="valid")
    rest = values[half : half + len(trend)] - trend
    places = (phase + half + np.arange(len(rest))) % season
    for place in range(season):
        inside = rest[places == place]
        out[place] = np.nanmean(inside) if np.isfinite(inside).any() else 0.0
    return out - out.mean()


def _is_seasonal(values: np.ndarray, season: int) -> bool:
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= 0:
        return False
    r = np.array([centred[k:] @ centred[: len(centred) - k] for k in range(1, season + 1)]) / total
    limit = SEASON_TEST * np.sqrt((1 + 2 * np.sum(r[:-1] ** 2)) / len(values))
    return bool(abs(r[-1]) > limit)


def _moments(values: np.ndarray, *, robust: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and spread of every column, NaN left out; spread 1 for a constant one."""
    empty = ~np.isfinite(values).any(axis=0)
    safe = np.where(empty, 0.0, values)
    if robust:
        low, center, high = np.nanquantile(safe, [0.25, 0.5, 0.75], axis=0)
        spread = (high - low) / 1.349
    else:
        center, spread = np.nanmean(safe, axis=0), np.nanstd(safe, axis=0)
    constant = spread <= CONSTANT_SHARE * np.abs(center)
    return center, np.where(constant, 1.0, spread)


def _lagged(columns: np.ndarray, lag: int) -> np.ndarray:
    out = np.zeros_like(columns)
    out[lag:] = columns[: max(len(columns) - lag, 0)]
    return out


def check_known(
    known: Known, *, steps: int, features: SeriesFeatures, index: int, name: str | None, ahead: str = ""
) -> None:
    """Raise unless a series comes with what the network was trained with, for ``steps`` steps.

    ``ahead`` says in a sentence what to do where the steps ahead are not known.
    """
    place = where(index, [name] * (index + 1))
    found = 0 if known.future is None else known.future.shape[1]
    if found != features.n_known:
        raise ShapeError(
            f"known: {place} must have {counted(features.n_known, 'column')} known in advance; got {found}. Give the "
            "columns the network was trained with."
        )
    if known.future is not None and len(known.future) < steps:
        raise DataError(
            f"known: {place} must be known for {counted(steps, 'step')}, those ahead among them; got "
            f"{counted(len(known.future), 'row')}.{ahead}"
        )
    if known.future is not None and not np.isfinite(known.future[:steps]).all():
        odd = ~np.isfinite(known.future[:steps])
        row, column = (int(at) for at in np.argwhere(odd)[0])
        named = f"column {known.names[column]!r}" if known.names else f"column {column}"
        raise DataError(
            f"known: {place} must be finite; {named} is not at row {row}, {int(odd[:, column].sum())} rows in all. Fill it "
            "first, or leave the column out."
        )
    static = 0 if known.static is None else len(known.static)
    if static != features.n_static:
        raise ShapeError(f"static: {place} must have {features.n_static} attributes; got {static}.")
