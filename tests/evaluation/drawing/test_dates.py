"""Dates below a forecast: few, whole ones, and no warning of the library that places them."""

import warnings

import numpy as np
import pytest

from recurra.evaluation.drawing.series_charts import forecast_figure

SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 604_800, "month": 2_629_746, "year": 31_556_952}


@pytest.mark.parametrize("unit", SECONDS)
@pytest.mark.parametrize("steps", [4, 9, 26, 40, 59, 70, 96, 130, 190])
def test_every_span_has_its_dates_without_a_warning(unit, steps):
    times = np.datetime64("2001-03-30T05:00:00") + np.arange(steps) * np.timedelta64(SECONDS[unit], "s")
    values = np.linspace(0, 1, steps)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = forecast_figure(values[:-2], values[-2:], times=times)
        figure.canvas.draw()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 8
