"""Electricity demand of Victoria, Australia, every half hour of 2014, with temperature and working days."""

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.tables.columns import read_delimited
from recurra.records import Dataset, Record

SOURCE = Source(
    name="electricity-demand",
    title="Forecast: 17,520 half hours of electricity demand, with temperature and working days known",
    folder="electricity-demand",
    files=(
        SourceFile("victoria-2014.csv", "1621954bee82d498ce207b00a334897f90d9e2ae617a0703982209219add1d0c"),
    ),
    page="https://pkg.robjhyndman.com/fpp2-package/reference/elecdemand.html",
    licence="published measurements (Australian Energy Market Operator, Bureau of Meteorology)",
    citation="R. J. Hyndman: elecdemand, in fpp2, Data for Forecasting: Principles and Practice, 2nd edition, 2018.",
)


def read() -> Dataset:
    """Read the series.

    Returns
    -------
    Dataset
        Kind "series": one record of shape (17520, 1), demand in GW; ``known`` of shape (17520, 2) holds working day
        (0 or 1) and temperature in degrees Celsius.
    """
    columns = read_delimited(find_all(SOURCE)["victoria-2014.csv"])
    demand = columns.numbers("demand_gw")[:, None]
    known = np.column_stack([columns.numbers("working_day"), columns.numbers("temperature_c")])
    start = float(np.datetime64("2014-01-01", "s").astype(np.int64))
    record = Record(demand, name="Victoria", start=start, freq="30min", known=known)
    return Dataset([record], channel_names=["demand in GW"], kind="series")
