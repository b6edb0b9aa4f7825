"""The 1,428 monthly series of the M3 competition, each with its 18 future months."""

import gzip
import json

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.records import Dataset, Record

SOURCE = Source(
    name="m3-monthly",
    title="Forecast: 1,428 monthly series of 48 to 126 months, 18 months ahead",
    folder="m3-monthly",
    files=(
        SourceFile("m3-monthly.json.gz", "0541327dc6dd3d4465cb18c93a1323b756d1d68bacfcb27b80a69496ac15e277"),
    ),
    page="https://forecasters.org/resources/time-series-data/m3-competition/",
    licence="freely available for research (International Institute of Forecasters)",
    citation=(
        "S. Makridakis and M. Hibon: The M3-Competition: results, conclusions and implications. "
        "International Journal of Forecasting 16 (4), 451-476, 2000."
    ),
)


def read() -> Dataset:
    """Read the series.

    Returns
    -------
    Dataset
        Kind "series": with split "train" the histories, shape (48 to 126, 1); with "test" the 18 months after each,
        in the same order and of the same names. The one attribute of a series is its category. Months are not dated.
    """
    with gzip.open(find_all(SOURCE)["m3-monthly.json.gz"], "rt", encoding="utf-8") as stream:
        listed = json.load(stream)
    records = [
        Record(
            np.asarray(series[word], dtype=np.float64)[:, None],
            name=series["id"],
            group=series["id"],
            part=part,
            static=[series["category"]],
        )
        for word, part in (("history", "train"), ("future", "test"))
        for series in listed
    ]
    return Dataset(records, channel_names=["value"], kind="series")
