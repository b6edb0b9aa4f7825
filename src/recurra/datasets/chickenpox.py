"""Chickenpox: cases a month in New York City, 1931 to 1972; one series to forecast."""

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.tables.columns import read_delimited
from recurra.records import Dataset, Record

SOURCE = Source(
    name="chickenpox",
    title="Forecast: 498 monthly counts of chickenpox in New York City, 1931 to 1972",
    folder="chickenpox-nyc",
    files=(SourceFile("chickenpox.csv", "5783a1fc24884eddea892125084d0056b77c81edb7053ede723f240e5878d0ca"),),
    page="https://academic.oup.com/aje",
    licence="published counts",
    citation=(
        "W. P. London and J. A. Yorke: Recurrent Outbreaks of Measles, Chickenpox and Mumps I and II. "
        "American Journal of Epidemiology 98 (6), 453-482, 1973."
    ),
)


def read() -> Dataset:
    """Read the series.

    Returns
    -------
    Dataset
        Kind "series": one record of shape (498, 1), cases a month; without label.
    """
    counts = read_delimited(find_all(SOURCE)["chickenpox.csv"]).numbers("count")
    # 1931-01-01 in seconds since 1970.
    start = float(np.datetime64("1931-01-01", "s").astype(np.int64))
    record = Record(counts[:, None], name="New York City", start=start, freq="MS")
    return Dataset([record], channel_names=["cases"], kind="series")
