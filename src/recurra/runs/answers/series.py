"""Forecasts as a row for each step ahead, and anomalies as a row for each time step or for each segment."""

from dataclasses import asdict
from typing import Any

from recurra.runs.data.new_data import stamp_of
from recurra.serving.inputs import Inputs


def forecast_rows(estimator: Any, dataset: Any, *, horizon: int | None) -> list[dict[str, Any]]:
    """Return a row for each step ahead of each series.

    Parameters
    ----------
    estimator : Forecaster
        Fitted.
    dataset : Dataset of kind "series"
        The history.
    horizon : int or None
        Steps; those trained for where it is None.
    """
    made = estimator.forecast(dataset, horizon=horizon)
    forecasts = made if isinstance(made, list) else [made]
    return [row for forecast in forecasts for row in _ahead(forecast)]


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


def anomaly_rows(estimator: Any, dataset: Any) -> list[dict[str, Any]]:
    """Return a row for each time step: 1 for a normal one, -1 for an anomalous one, and how anomalous it is."""
    scores = -estimator.score_samples(dataset)
    marks = estimator.predict(dataset)
    out = []
    for record, name, own, theirs in zip(dataset.records, dataset.names, marks, scores, strict=True):
        for step, (mark, score) in enumerate(zip(own, theirs, strict=True)):
            row: dict[str, Any] = {"name": name, "step": step}
            if record.stamps is not None:
                row["time"] = stamp_of(record, step)
            out.append({**row, "prediction": int(mark), "score": float(score)})
    return out


def anomaly_segments(estimator: Any, dataset: Any, *, min_duration_s: float) -> list[dict[str, Any]]:
    """Return the stretches of anomalous steps of each sequence, in the form of segments of labels.

    Parameters
    ----------
    min_duration_s : float
        Shorter ones are left out; in steps where the sampling rate is not known.
    """
    found = estimator.segments(dataset)
    out = []
    for record, name, own in zip(dataset.records, dataset.names, found, strict=True):
        rate = record.sample_rate_hz
        segments = [
            {
                "start": one.start,
                "end": one.stop,
                "label": "anomaly",
                "start_s": None if rate is None else one.start / rate,
                "end_s": None if rate is None else one.stop / rate,
                **times_of(record, one.start, one.stop),
                "peak": one.peak,
            }
            for one in own
            if (one.stop - one.start) / (rate or 1) >= min_duration_s
        ]
        out.append({"name": name, "segments": segments})
    return out


def label_segments(
    model: Any, inputs: Inputs, dataset: Any, *, min_duration_s: float
) -> list[dict[str, Any]]:
    """Return the labels of each sequence as segments."""
    found = model.segments(inputs, min_duration_s=min_duration_s)
    return [
        {"name": name, "segments": [{**asdict(one), **times_of(record, one.start, one.end)} for one in own]}
        for record, name, own in zip(dataset.records, dataset.names, found, strict=True)
    ]


def times_of(record: Any, start: int, end: int) -> dict[str, Any]:
    """Return the time stamps of the first and of the last step of a segment; nothing where there are none."""
    if record.stamps is None:
        return {}
    return {"first_time": stamp_of(record, start), "last_time": stamp_of(record, end - 1)}
