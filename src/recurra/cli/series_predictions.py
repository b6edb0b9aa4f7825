"""Rows of ``recurra predict`` for forecasts and anomalies."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.cli import run_folder
from recurra.errors import RecurraError


def open_estimator(run: Any) -> tuple[Any, dict[str, Any]] | None:
    """Return forecaster or detector of a run, and its configuration; None if the run is of another kind."""
    path, config = Path(run), dict[str, Any]()
    if not path.is_file():
        folder = run_folder.open_run(path)
        path = folder / run_folder.MODEL
        with contextlib.suppress(RecurraError):
            config = folder.config()
    if config and config.get("task") not in ("forecast", "anomaly"):
        return None  # without reading the file twice
    from recurra import store

    manifest, _ = store.load(path)
    if manifest.get("task") not in ("forecasting", "anomaly"):
        return None
    from recurra.estimators.loading import load_model

    return load_model(path), config


def rows(
    estimator: Any, config: Mapping[str, Any], data: Any, words: Mapping[str, Any], *, horizon: int | None
) -> list[dict[str, Any]]:
    """Return a row for each step ahead, or for each time step with its score; see `recurra.cli.predict`."""
    from recurra.cli.reading import read_unlabelled

    if type(estimator).__name__ == "Forecaster":
        dataset = read_unlabelled(config, data, {"kind": "series", **words} if not config else words)
        made = estimator.forecast(dataset, horizon=horizon)
        forecasts = made if isinstance(made, list) else [made]
        return [row for forecast in forecasts for row in _ahead(forecast)]
    dataset = read_unlabelled(config, data, words)
    scores = -estimator.score_samples(dataset)
    marks = estimator.predict(dataset)
    return [
        {"name": name, "step": step, "prediction": int(mark), "score": float(score)}
        for name, own, theirs in zip(dataset.names, marks, scores, strict=True)
        for step, (mark, score) in enumerate(zip(own, theirs, strict=True))
    ]


def _ahead(forecast: Any) -> list[dict[str, Any]]:
    n = forecast.point.shape[1]
    targets = list(
        forecast.target_names or (["prediction"] if n == 1 else [f"target_{i + 1}" for i in range(n)])
    )
    out, times = [], forecast.stamps()
    for step, point in enumerate(forecast.point):
        row: dict[str, Any] = {"name": forecast.name, "step": step + 1}
        if times is not None:
            row["time"] = times[step]
        for column, target in enumerate(targets):
            row[target] = float(point[column])
            if forecast.low is not None:
                row[f"{target}_low"] = float(forecast.low[step, column])
                row[f"{target}_high"] = float(forecast.high[step, column])
        out.append(row)
    return out
