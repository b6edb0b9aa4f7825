"""`ForecastModel`: a trained forecaster as data, and `SeriesState`, where a series stands; never torch."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra import store
from recurra.checks import check_number, counted, listing
from recurra.errors import ShapeError, StoreError, UsageError
from recurra.features.known import Known
from recurra.features.series import SeriesFeatures, SeriesScale, check_known
from recurra.ragged import Ragged
from recurra.readers.times.calendar import seconds_of, split, stamps, start_of, written
from recurra.readers.times.dates import check_zone
from recurra.serving import forecast_mixture
from recurra.serving.forecasting import expected_shapes, forecast_outputs
from recurra.serving.models import interval_factors
from recurra.serving.models.manifest_check import check, whole
from recurra.serving.models.manifest_parts import ForecastFile, SeriesStanding
from recurra.serving.prediction import portions

SCHEMA = 1
TASK = "forecasting"
LOG_SPREAD = (-7.0, 7.0)  # as in training
SCALE_WORDS = ("center", "spread", "profile", "own")


@dataclass
class SeriesState:
    """Where one series stands: what a forecast of it is made from.

    Parameters
    ----------
    scale : SeriesScale
        Learned when the state began; it does not move.
    tail : ndarray of shape (steps, n_targets)
        The newest values, scaled; NaN where missing.
    known : Known
        Its ``future`` and ``phase`` begin with the tail's first step.
    name : str, optional
        For messages.
    """

    scale: SeriesScale
    tail: np.ndarray
    known: Known
    name: str | None = None

    @property
    def phase_ahead(self) -> int:
        """Place of the first step that is not yet seen, on the series' calendar."""
        return self.known.phase + len(self.tail)

    @property
    def ahead(self) -> Known:
        """What is known from the first step on that is not yet seen."""
        return cut(self.known, len(self.tail))


@dataclass(frozen=True)
class ForecastModel:
    """Trained networks with what turns series into their windows.

    Parameters
    ----------
    manifest : dict
        JSON-able: ``estimator``, ``params``, ``network``, ``members``, ``context``, ``loss``, ``quantiles``, ``calibration``
        (None where there is none), ``statistical`` (None, or with which weight the statistical forecast is mixed in),
        ``input``, and what is known about training.
    features : SeriesFeatures
    weights : mapping of str to ndarray
        State dicts of the members, each name after its number: ``0.head.weight``.
    """

    manifest: Mapping[str, Any]
    features: SeriesFeatures
    weights: Mapping[str, np.ndarray]

    @property
    def horizon(self) -> int:
        """Steps the network forecasts at once."""
        return int(self.manifest["network"]["horizon"])

    @property
    def context(self) -> int:
        """Steps the network reads."""
        return int(self.manifest["context"])

    @property
    def needed(self) -> int:
        """Steps of a series that its state holds at least; those before its first are missing."""
        return max(self.context + self.features.reach, *self.features.seasons, 1)

    @property
    def kept(self) -> int:
        """Steps of a series that its state holds at most."""
        return max(self.needed, forecast_mixture.steps_read(self.manifest))

    def weights_of(self, member: int) -> dict[str, np.ndarray]:
        """Return the state dict of one member."""
        prefix = f"{member}."
        return {n.removeprefix(prefix): w for n, w in self.weights.items() if n.startswith(prefix)}

    def begin(self, values: np.ndarray, known: Known, name: str | None = None) -> SeriesState:
        """Return the state of a series after its history, values of shape (time, n_targets)."""
        scale = self.features.scale(values, known, name or "a series")
        return self.at(values, known, scale, len(values), name=name)

    def at(
        self, values: np.ndarray, known: Known, scale: SeriesScale, origin: int, *, name: str | None = None
    ) -> SeriesState:
        """Return the state before step ``origin`` under a scale; values from there on are not looked at."""
        first = origin - max(self.needed, min(origin, self.kept))
        part, moved = values[max(first, 0) : origin], cut(known, max(first, 0))
        tail = self.features.scaled(part, scale, moved, name or "a series")
        if first < 0:
            tail, moved = padded(tail, moved, -first)
        return SeriesState(scale, tail, moved, name)

    def advance(
        self,
        state: SeriesState,
        values: np.ndarray,
        future: np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Move a state on by observed values of shape (steps, n_targets); nothing is trained.

        Parameters
        ----------
        future : ndarray of shape (rows, n_known), optional
            What is known from the first of these steps on, in place of what was known of it before.
        names : sequence of str, optional
            Of its columns.
        """
        scaled = self.features.scaled(values, state.scale, state.ahead, state.name or "a series")
        known = state.known
        if future is not None:
            known = with_future(known, len(state.tail), future, names)
        tail = np.concatenate([state.tail, scaled])
        check_known(known, steps=len(tail), features=self.features, index=0, name=state.name)
        extra = max(len(tail) - self.kept, 0)
        state.tail, state.known = tail[extra:], cut(known, extra)

    def outputs(self, states: Sequence[SeriesState], steps: int) -> np.ndarray:
        """Return what is said of the next steps, scaled: shape (series, steps, n_targets, n_outputs).

        The networks' answer is mixed with the statistical forecast as the manifest says. Steps beyond the horizon
        are forecast from each part's own answers (closed loop).

        Raises
        ------
        DataError, ShapeError
            If what is known in advance does not reach that far.
        """
        check_number("forecast", "horizon", steps, integer=True, low=1)
        freq = str(self.manifest["input"].get("freq") or "")
        blocks = -(-steps // self.horizon)
        known = []
        for index, state in enumerate(states):
            total = len(state.tail) + steps
            there = 0 if state.known.future is None else len(state.known.future)
            advice = self._rows_ahead(state, steps, total - there, freq) if 0 < there < total else ""
            own, wanted = state.known, self.features
            check_known(own, steps=total, features=wanted, index=index, name=state.name, ahead=advice)
            known.append(_held(state.known, len(state.tail) + blocks * self.horizon))
        tails, found = [state.tail for state in states], []
        for block in range(blocks):
            windows = zip(states, tails, known, strict=True)
            found.append(self.of_windows([self._window(*one) for one in windows]))
            if block < blocks - 1:
                answers = self.point(found[-1]).astype(np.float64)
                tails = [np.concatenate([tail, answer]) for tail, answer in zip(tails, answers, strict=True)]
        return forecast_mixture.mixed(self, states, np.concatenate(found, axis=1)[:, :steps])

    def windows(self, states: Sequence[SeriesState]) -> list[np.ndarray]:
        """Return what the networks read of each series before its next steps: (time, input_size), the horizon last."""
        held = [_held(state.known, len(state.tail) + self.horizon) for state in states]
        return [self._window(state, state.tail, known) for state, known in zip(states, held, strict=True)]

    def _window(self, state: SeriesState, tail: np.ndarray, known: Known) -> np.ndarray:
        rows = self.features.rows(tail, state.scale, known, ahead=self.horizon)
        return rows[-self.context - self.horizon :]

    def _rows_ahead(self, state: SeriesState, steps: int, missing: int, freq: str) -> str:
        """Say which rows to append so that what is known in advance reaches as far as the forecast."""
        names = state.known.names
        filled = f"with {listing(names)} filled" if names else "each with what is known of its step"
        targets = self.manifest["input"].get("channel_names")
        empty = f" and {listing(targets)} left empty" if names and targets else ""
        days = ""
        if freq and state.known.start is not None:
            first = state.phase_ahead + steps - missing - state.known.begin
            dates = stamps(state.known.start, freq, state.known.zone, first, missing)
            begin, end = (written(s, state.known.zone) for s in seconds_of(dates[[0, -1]]))
            days = f", {begin} to {end}," if missing > 1 else f", {begin},"
        rows = f"{missing} rows" if missing > 1 else "1 row"
        return f" To forecast {counted(steps, 'step')} append {rows}{days} to the end, {filled}{empty}."

    def of_windows(self, windows: list[np.ndarray]) -> np.ndarray:
        """Return the mean over the members, its quantiles calibrated: (windows, horizon, n_targets, n_outputs)."""
        found = self.manifest.get("calibration")
        out = []
        for portion in portions(windows):
            ragged = Ragged.from_list(portion)
            total: NDArray[Any] | None = None  # over the members in one fixed order
            for member in range(self.manifest["members"]):
                one = forecast_outputs(self.manifest["network"], self.weights_of(member), ragged)
                one = np.sort(one, axis=-1) if self.manifest["loss"] == "quantile" else one
                total = one if total is None else total + one
            assert total is not None
            mean = total / np.float32(self.manifest["members"])
            if found is not None and self.manifest["loss"] == "quantile":
                mean = interval_factors.moved(mean, self.point(mean), found["factors"])
            out.append(mean)
        return np.concatenate(out)

    def point(self, outputs: np.ndarray) -> np.ndarray:
        """Return the one forecast of outputs (..., n_outputs): the mean, or the median of quantiles."""
        if self.manifest["loss"] == "quantile":
            return self.shares(outputs, [0.5])[..., 0]
        return outputs[..., 0]

    def shares(self, outputs: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
        """Return quantiles, scaled: shape (..., len(quantiles)).

        Raises
        ------
        UsageError
            If the model forecasts points only, or a quantile lies outside of those it was trained for.
        """
        loss, known = self.manifest["loss"], list(self.manifest["quantiles"])
        for q in quantiles:
            check_number("forecast", "quantiles", q, low=0, high=1, low_open=True, high_open=True)
        if loss == "gaussian":
            spread = np.exp(np.clip(outputs[..., 1:], *LOG_SPREAD))
            factors = (self.manifest.get("calibration") or {}).get(
                "factors", [1.0] * len(interval_factors.LEVELS)
            )
            return outputs[..., :1] + spread * np.array(
                [interval_factors.widened(q, factors) for q in quantiles]
            )
        if loss != "quantile":
            raise UsageError(
                f"forecast: a model trained with loss={loss!r} gives no intervals. Train with loss='quantile' or 'gaussian'."
            )
        if min(quantiles) < min(known) - 1e-9 or max(quantiles) > max(known) + 1e-9:
            raise UsageError(
                f"forecast: quantiles must lie within those trained, {known}; got {list(quantiles)}."
            )
        parts = []
        for q in quantiles:
            right = int(np.clip(np.searchsorted(known, q - 1e-9), 1, max(len(known) - 1, 1)))
            if len(known) == 1:
                parts.append(outputs[..., 0])
                continue
            share = (q - known[right - 1]) / (known[right] - known[right - 1])
            parts.append((1 - share) * outputs[..., right - 1] + share * outputs[..., right])
        return np.stack(parts, axis=-1)

    def restored(self, scaled: np.ndarray, state: SeriesState) -> np.ndarray:
        """Return numbers of the next steps, shape (steps, n_targets, ...), in the unit of the series."""
        return self.features.restored(scaled.astype(np.float64), state.scale, state.ahead)

    # ----------------------------------------------------------------- file

    def save(self, path: str | os.PathLike[str], states: Sequence[SeriesState] = ()) -> None:
        """Write the model file with the states of its series; the old file or the new one is there after a crash."""
        arrays = {f"network.{name}": array for name, array in self.weights.items()}
        listed = []
        for index, state in enumerate(states):
            named = {"tail": state.tail} | {word: getattr(state.scale, word) for word in SCALE_WORDS}
            for word in ("future", "static"):
                if getattr(state.known, word) is not None:
                    named[word] = np.asarray(getattr(state.known, word), dtype=np.float64)
            sizes = [[word, list(array.shape)] for word, array in named.items()]
            known = state.known
            entry = {"name": state.name, "phase": known.phase, "begin": known.begin, "start": known.start}
            listed.append({**entry, "zone": known.zone, "known_names": list(known.names), "sizes": sizes})
            arrays |= {f"state.{index}.{word}": array for word, array in named.items()}
        # One array of all states: a file may hold few arrays, and there may be many series.
        flat = [a.reshape(-1).astype(np.float64) for n, a in arrays.items() if n.startswith("state.")]
        arrays = {n: a for n, a in arrays.items() if not n.startswith("state.")}
        arrays["states"] = np.concatenate(flat) if flat else np.zeros(0)
        manifest = {
            **self.manifest,
            "kind": "model",
            "schema": SCHEMA,
            "task": TASK,
            "features": self.features.to_manifest(),
            "states": listed,
        }
        store.save(path, whole(manifest), arrays)

    @classmethod
    def from_parts(
        cls, path: Any, manifest: dict[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> tuple["ForecastModel", list[SeriesState]]:
        """Return model and states of what `recurra.store.load` read.

        Raises
        ------
        StoreError
            If it is damaged, of a newer version, or lacks a weight.
        """
        if manifest.get("schema") != SCHEMA:
            raise StoreError(
                f"{path}: was written as model schema {manifest.get('schema')!r}; this version reads {SCHEMA}. "
                "Update recurra."
            )
        try:
            known: ForecastFile = check({**manifest, "task": TASK})
            features = SeriesFeatures.from_manifest(manifest["features"])
            weights = {n.removeprefix("network."): a for n, a in arrays.items() if n.startswith("network.")}
            _check(known, features, manifest, weights)
            kept = {k: v for k, v in manifest.items() if k not in ("states", "features")}
            model = cls(kept, features, weights)
            return model, _read_states(known, arrays["states"], features, model.needed)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, StoreError):
                raise StoreError(f"{path}: {error}") from None
            raise StoreError(
                f"{path}: the manifest is incomplete or makes no sense ({error!r:.100})."
            ) from error


def cut(known: Known, steps: int) -> Known:
    """Return what is known from a later first step on."""
    future = None if known.future is None else known.future[steps:]
    return replace(known, future=future, phase=known.phase + steps)


def padded(tail: np.ndarray, known: Known, steps: int) -> tuple[np.ndarray, Known]:
    """Put missing steps before a series that is shorter than the context."""
    tail = np.concatenate([np.full((steps, tail.shape[1]), np.nan), tail])
    future = known.future
    if future is not None:
        future = np.concatenate([np.repeat(future[:1], steps, axis=0), future])
    return tail, replace(known, future=future, phase=known.phase - steps)


def with_future(known: Known, steps: int, future: np.ndarray, names: Sequence[str] | None = None) -> Known:
    """Replace what is known after ``steps`` steps.

    Raises
    ------
    ShapeError
        If there are other columns than before.
    """
    future = np.asarray(future, dtype=np.float64)
    future = future[:, None] if future.ndim == 1 else future
    columns = 0 if known.future is None else known.future.shape[1]
    if future.ndim != 2 or future.shape[1] != columns:
        raise ShapeError(
            f"known: must have shape (steps, {columns}), the columns the network was trained with; got {future.shape}."
        )
    assert known.future is not None
    return replace(
        known, future=np.concatenate([known.future[:steps], future]), names=tuple(names or known.names)
    )


def _held(known: Known, steps: int) -> Known:
    """Return what is known with its last row repeated: a block may reach beyond the steps asked for."""
    if known.future is None or len(known.future) >= steps:
        return known
    more = np.repeat(known.future[-1:], steps - len(known.future), axis=0)
    return replace(known, future=np.concatenate([known.future, more]))


def _check(
    known: ForecastFile,
    features: SeriesFeatures,
    manifest: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
) -> None:
    network = known.network
    if network.num_layers > len(weights) or known.members > len(weights):
        raise StoreError("the manifest claims more layers or members than the file holds weights.")
    if network.input_size != features.input_size or network.n_targets != features.n_targets:
        raise StoreError("the network does not fit the features.")
    if known.context < max(1, network.level, network.highway):
        raise StoreError(f"the context of {known.context} steps is shorter than what the network needs.")
    if known.input.freq:
        split(known.input.freq)
    shapes = expected_shapes(manifest["network"])
    for member in range(known.members):
        for name, shape in shapes.items():
            found = weights.get(f"{member}.{name}")
            if found is None or found.shape != shape or found.dtype != np.float32:
                raise StoreError(f"the weight '{member}.{name}' must be float32 of shape {shape}.")
    if len(weights) != known.members * len(shapes):
        raise StoreError("it holds weights that do not belong to this network.")
    interval_factors.check(manifest)


def _read_states(
    known: ForecastFile, flat: np.ndarray, features: SeriesFeatures, needed: int
) -> list[SeriesState]:
    """Return where the series stand; every state must hold the steps that the model needs."""
    if flat.ndim != 1 or flat.dtype != np.float64:
        raise StoreError("the states must be one row of float64 numbers.")
    states, at = [], 0
    for entry in known.states:
        arrays = {}
        for word, shape in entry.shapes.items():
            size = math.prod(shape)
            if at + size > len(flat):
                raise StoreError("the states claim more numbers than the file holds.")
            arrays[word] = flat[at : at + size].reshape(shape)
            at += size
        _check_state(arrays, features, needed)
        scale = SeriesScale(*(arrays[word] for word in SCALE_WORDS))
        dated = _dated(entry, known.input.freq)
        beside = Known(arrays.get("future"), arrays.get("static"), entry.phase, **dated)
        states.append(SeriesState(scale, arrays["tail"], beside, entry.name))
    return states


def _check_state(arrays: Mapping[str, np.ndarray], features: SeriesFeatures, needed: int) -> None:
    season = features.seasons[0] if features.seasons and features.seasonal == "adjust" else 1
    n, shapes = features.n_targets, {word: array.shape for word, array in arrays.items()}
    wanted: dict[str, tuple[int, ...]] = {"center": (n,), "spread": (n,), "own": (n,), "profile": (season, n)}
    if features.n_static:
        wanted["static"] = (features.n_static,)
    if any(shapes.get(word) != shape for word, shape in wanted.items()):
        raise StoreError("a state has another shape than the features.")
    steps, *columns = shapes.get("tail", (0,))
    if columns != [n] or steps < needed:
        raise StoreError(
            f"a state must hold at least {needed} steps of {n} values; got {shapes.get('tail')}."
        )
    if bool(features.n_known) != ("future" in shapes) or ("static" in shapes) != bool(features.n_static):
        raise StoreError(
            "a state must hold what is known beside the series exactly where the features read it."
        )
    if features.n_known and (len(shapes["future"]) != 2 or shapes["future"][1] != features.n_known):
        raise StoreError("a state has another shape than the features.")


def _dated(entry: SeriesStanding, freq: str) -> dict[str, Any]:
    """Return the dates of a state; versions before 0.2 wrote the distance of a stamp from its place on the calendar."""
    if entry.begin is None:
        start = start_of(entry.phase, freq) + entry.offset if freq else None
        return {"start": start, "begin": entry.phase}
    if entry.zone is not None:
        check_zone(entry.zone)
    start = None if entry.start is None else float(entry.start)
    return {"start": start, "begin": entry.begin, "zone": entry.zone, "names": entry.known_names}
