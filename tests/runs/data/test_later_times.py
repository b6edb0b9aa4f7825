"""Times of later files: numbers that spell dates are read as those trained on, other writings as ever; counts are told."""

import warnings

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import RecurraWarning
from recurra.readers.times.calendar import stamps
from recurra.runs.data.new_data import read_as_trained
from recurra.runs.folder.files import RunFolder
from recurra.runs.predict import predict

ROWS = 130
# How each moment is written, the step between them, and which rows of the series a later file has: of one month or year.
WRITTEN = {
    "weeks": (lambda day: day.strftime("%G%V"), "W-MON", slice(118, 128)),
    "days of the year": (lambda day: day.strftime("%Y%j"), "D", slice(100, 120)),
    "days of two digits": (lambda day: day.strftime("%y%j"), "D", slice(100, 120)),
    "yymmdd": (lambda day: day.strftime("%y%m%d"), "D", slice(93, 113)),
    "months": (lambda day: f"{day.year}.{day.month:02d}", "MS", slice(120, 130)),
    "quarters": (lambda day: f"{day.year}.{day.quarter}", "QS", slice(120, 124)),
}
OTHER = {
    "ISO": lambda day: day.strftime("%Y-%m-%d"),
    "digits": lambda day: day.strftime("%Y%m%d"),
    "words": lambda day: day.strftime("%d %B %Y"),
}


def table_at(path, index, write):
    rows = [f"{write(day)},{np.sin(row):.3f}\n" for row, day in enumerate(index)]
    path.write_text("time,y\n" + "".join(rows))
    return path


@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_later_file_of_few_rows_is_read_as_the_one_trained_on(tmp_path, kind):
    write, freq, later = WRITTEN[kind]
    index = pd.date_range("2022-10-01" if freq == "D" else "1990-01-01", periods=ROWS + 8, freq=freq)
    data = table_at(tmp_path / "first.csv", index[:ROWS], write)
    small = {"horizon": 2, "context": 4, "max_epochs": 1, "hidden_size": 2, "verbose": 0, "seed": 0}
    run = recurra.train(data, out=tmp_path / "run", task="forecast", time="time", **small)
    config = RunFolder(run.path).config()
    for name, other in {"same": write, **OTHER}.items():
        file = table_at(tmp_path / f"{name}.csv", index[later], other)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RecurraWarning)
            (record,) = read_as_trained(config, file, {}).records
        made = stamps(record.start, record.freq, record.zone, 0, len(index[later]))
        assert (made.tz_localize(None) == index[later]).all(), name
        if name == "same":
            (rows,) = predict(run.path, file)[:1]
            assert str(rows["time"])[:10] == str(index[later.stop])[:10]


@pytest.mark.usefixtures("no_charts")
def test_a_later_file_whose_times_count_is_told(tmp_path):
    index = pd.date_range("2023-01-02", periods=60, freq="D")
    data = table_at(tmp_path / "first.csv", index, OTHER["ISO"])
    small = {"horizon": 2, "context": 4, "max_epochs": 1, "hidden_size": 2, "verbose": 0, "seed": 0}
    run = recurra.train(data, out=tmp_path / "run", task="forecast", time="time", **small)
    (tmp_path / "later.csv").write_text("time,y\n" + "".join(f"{row},{row % 3}\n" for row in range(20)))
    with pytest.warns(
        RecurraWarning, match="the time column holds numbers that count; the network was trained on dates"
    ):
        predict(run.path, tmp_path / "later.csv")


@pytest.mark.usefixtures("no_charts")
def test_the_test_file_of_one_month_is_read_as_the_training_file(tmp_path):
    index = pd.date_range("2023-01-02", periods=ROWS, freq="D")
    write = WRITTEN["yymmdd"][0]
    data = table_at(tmp_path / "first.csv", index[:100], write)
    test = table_at(tmp_path / "test.csv", index[100:115], write)
    small = {"horizon": 2, "context": 4, "max_epochs": 1, "hidden_size": 2, "verbose": 0, "seed": 0}
    run = recurra.train(data, out=tmp_path / "run", test=test, task="forecast", time="time", **small)
    assert (
        RunFolder(run.path).config()["data_summary"]["time_spelling"]
        == "two digits each of year, month and day"
    )


@pytest.mark.parametrize("numbers", [[1, 2, 3], [0.5, 1.5, 2.5], [150170, 150171, 150172]])
def test_numbers_that_spell_nothing_of_the_kind_are_read_as_ever(tmp_path, numbers):
    table = "time,y\n" + "".join(f"{number},{row}\n" for row, number in enumerate(numbers))
    (tmp_path / "a.csv").write_text(table)
    words = {"kind": "series", "time": "time", "sort": True}
    told = recurra.load(tmp_path / "a.csv", **words, time_spelling="two digits each of year, month and day")
    plain = recurra.load(tmp_path / "a.csv", **words)
    assert told[0].start is None
    assert plain[0].start is None
    assert np.array_equal(told.X[0], plain.X[0], equal_nan=True)


@pytest.mark.parametrize("months", [3, 14, 60])
def test_months_are_no_weeks_because_those_trained_on_were(tmp_path, months):
    index = pd.date_range("2015-11-01", periods=months, freq="MS")
    data = table_at(tmp_path / "months.csv", index, lambda day: day.strftime("%Y%m"))
    (record,) = recurra.load(data, kind="series", time="time", time_spelling="a year and a week").records
    assert (stamps(record.start, record.freq, record.zone, 0, months).tz_localize(None) == index).all()
