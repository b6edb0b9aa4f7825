"""The network's forecast mixed with the statistical one, as the weight in the manifest says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.features import local_clock
from recurra.serving.statistical import dynamic_regression, smoothing

if TYPE_CHECKING:
    from recurra.serving.models.forecast_model import ForecastModel, SeriesState


def steps_read(manifest: Mapping[str, Any]) -> int:
    """Return how many steps of the history the statistical forecast reads: 0 where there is none."""
    return smoothing.most_steps(manifest["statistical"]["seasons"]) if _weight(manifest) > 0 else 0


def _weight(manifest: Mapping[str, Any]) -> float:
    found = manifest.get("statistical")
    return float(found["weight"]) if found else 0.0


def mixed(model: "ForecastModel", states: Sequence["SeriesState"], outputs: np.ndarray) -> np.ndarray:
    """Return outputs of shape (series, steps, n_targets, n_outputs) with the statistical part in them, scaled.

    Point, and distance of every quantile (or the deviation) from it, are each the weighted mean of both parts: the
    network's distances count with its weight, the errors of the statistical part at its origins with its own.
    """
    weight = _weight(model.manifest)
    if not weight:
        return outputs
    gaussian = model.manifest["loss"] == "gaussian"
    shares = [0.5, *model.manifest["quantiles"]] if model.manifest["loss"] == "quantile" else [0.5]
    out = outputs.astype(np.float64)
    for row, state in zip(out, states, strict=True):
        points, distances = _of_state(model, state, len(row), None if gaussian else shares)
        center = model.point(row)
        point = (1 - weight) * center + weight * points
        if gaussian:
            spread = (1 - weight) * np.exp(row[..., 1]) + weight * np.abs(distances[..., 0])
            row[..., 0], row[..., 1] = point, np.log(np.maximum(spread, smoothing.TINY))
        elif len(shares) > 1:
            own = row - center[..., None]
            row[...] = np.sort(point[..., None] + (1 - weight) * own + weight * distances[..., 1:], axis=-1)
        else:
            row[..., 0] = point
    return out


def _of_state(
    model: "ForecastModel", state: "SeriesState", steps: int, shares: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statistical forecast, scaled: points (steps, n_targets), and how far each share lies from them.

    Without shares, one deviation.
    """
    found = model.manifest["statistical"]
    history = model.features.restored(state.tail, state.scale, state.known)
    places = local_clock.places(state.known, model.features.clock, len(history) + steps)
    points, edges = [], []
    for column in history.T:
        one = dynamic_regression.forecast(
            column,
            steps,
            known=state.known.future if found.get("known") else None,
            places=places,
            horizon=model.horizon,
            seasons=found["seasons"],
            search=found["search"],
        )
        points.append(one.point)
        wide = [one.deviation] if shares is None else [one.quantile(s) for s in shares]
        edges.append([one.point + w for w in wide])

    def scaled(values: np.ndarray) -> np.ndarray:
        if model.features.transform == "log":  # a logarithm needs positive values
            values = np.maximum(values, np.nanmin(history, axis=0) / 10)
        return model.features.scaled(values, state.scale, state.ahead, state.name or "a series")

    center = scaled(np.array(points).T)
    bounds = np.array(edges)  # (n_targets, shares, steps)
    distances = [scaled(bounds[:, place].T) - center for place in range(bounds.shape[1])]
    return center, np.stack(distances, axis=-1)
