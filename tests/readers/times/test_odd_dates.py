"""Dates in text that bear an offset, lack a year, or may be two things: the offset is kept, the rest is refused."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.times import dates

ROWS = 40


def load(tmp_path, cells, **words):
    path = tmp_path / "t.csv"
    rows = "".join(f"{cell};{row + 0.5}\n" for row, cell in enumerate(cells))
    path.write_text(f"time;y\n{rows}", encoding="utf-8")
    return recurra.load(path, kind="series", time="time", delimiter=";", **words)


@pytest.mark.parametrize("behind", ["", ".25", ".123456"])
@pytest.mark.parametrize(
    ("offset", "hours", "zone"),
    [("+00", 0, "UTC"), ("+01", 1, "+01:00"), ("-05", -5, "-05:00"), ("+0545", 5.75, "+05:45"), ("-03:30", -3.5, "-03:30"),
     (" +0100", 1, "+01:00"), (" +01", 1, "+01:00"), (" UTC", 0, "UTC"), (" GMT", 0, "UTC"), ("Z", 0, "UTC")],
)  # fmt: skip
@pytest.mark.parametrize("freq", ["h", "D", "MS"])
def test_offsets_as_programs_write_them_are_kept(tmp_path, behind, offset, hours, zone, freq):
    index = pd.date_range("2024-01-01", periods=ROWS, freq=freq)
    record = load(tmp_path, [f"{t:%Y-%m-%d %H:%M:%S}{behind}{offset}" for t in index]).records[0]
    assert record.zone == zone
    assert record.freq.split("-")[0] == freq.split("-")[0]
    assert record.start == pytest.approx(index[0].timestamp() - hours * 3600 + float(behind or 0), abs=1e-6)
    assert np.array_equal(record.values[:, 0], np.arange(ROWS) + 0.5)


@pytest.mark.parametrize(("offset", "hours"), [("Z", 0), ("+01:00", 1), ("-03:30", -3.5)])
def test_days_with_an_offset_begin_at_midnight_there(tmp_path, offset, hours):
    index = pd.date_range("2024-01-01", periods=ROWS, freq="D")
    record = load(tmp_path, [f"{t:%Y-%m-%d}{offset}" for t in index]).records[0]
    assert record.start == index[0].timestamp() - hours * 3600


@pytest.mark.parametrize("bare", [[0], [5], [0, 1, 2], range(20, 40), range(1, 40)])
@pytest.mark.parametrize("offset", ["+02:00", "+02", "-07:00"])
def test_some_with_and_some_without_an_offset(tmp_path, bare, offset):
    index = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    cells = [f"{t:%Y-%m-%d %H:%M:%S}{'' if row in bare else offset}" for row, t in enumerate(index)]
    with pytest.raises(DataError, match="time column 'time'"):
        load(tmp_path, cells)


@pytest.mark.parametrize("form", ["%d %b %H:%M", "%d-%b", "%b %d", "%b", "%B", "%b %d %H:%M", "%d %B"])
def test_dates_without_a_year_are_refused(tmp_path, form):
    freq = "MS" if form in ("%b", "%B") else "h" if "%H" in form else "D"
    index = pd.date_range("2024-02-01", periods=11, freq=freq)
    with pytest.raises(DataError, match="time column 'time'"):
        load(tmp_path, index.strftime(form))


@pytest.mark.parametrize("form", ["%d-%b-%y", "%d %b %y", "%d/%m/%y", "%d.%m.%y", "%b-%y"])
@pytest.mark.parametrize("year", [1970, 1975, 1977, 1999, 2000, 2024, 2035, 2069])
def test_years_of_two_digits_are_the_same_in_every_form(tmp_path, form, year):
    index = pd.date_range(
        f"{year}-01-01", periods=11 if "%d" not in form else 20, freq="D" if "%d" in form else "MS"
    )
    data = load(tmp_path, index.strftime(form))
    assert data.records[0].start == index[0].timestamp()
    assert any("have two digits" in note for note in data.notes) == (year >= 2030)


@pytest.mark.parametrize(
    ("cells", "other"),
    [
        ([f"{y}-{(y + 1) % 100:02d}" for y in range(2000, 2012)], "two years"),
        ([f"{y}/{(y + 1) % 100:02d}" for y in range(2000, 2012)], "two years"),
        ([f"{y}-{q}" for y in range(2000, 2006) for q in (1, 2, 3, 4)], "its quarter"),
        ([f"{y}/{q}" for y in range(2000, 2006) for q in (1, 2, 3, 4)], "its quarter"),
        ([f"{y} {q}" for y in range(2000, 2006) for q in (1, 2, 3, 4)], "its quarter"),
        ([f"Jan {day:02d}" for day in range(1, 13)], "a month and its day"),
    ],
)  # fmt: skip
def test_months_that_may_be_something_else(tmp_path, cells, other):
    with pytest.raises(DataError, match=other):
        load(tmp_path, cells)


@pytest.mark.parametrize("form", ["%Y-%m", "%Y/%m", "%Y %m"])
def test_months_that_can_be_nothing_else(tmp_path, form):
    index = pd.date_range("2001-01-01", periods=30, freq="MS")
    record = load(tmp_path, index.strftime(form)).records[0]
    assert (record.start, record.freq, len(record.values)) == (index[0].timestamp(), "MS", 30)


@pytest.mark.parametrize("offset", ["Z", "+00:00", " UTC"])
@pytest.mark.parametrize("bare", [0, 3, 11])
def test_offsets_of_0_may_be_left_out_in_any_row(offset, bare):
    index = pd.date_range("2024-01-01", periods=12, freq="h")
    cells = [
        f"{stamp}{'' if row == bare else offset}"
        for row, stamp in enumerate(index.strftime("%Y-%m-%dT%H:%M:%S"))
    ]
    found, zone, _ = dates.read_dates(cells, name="time")
    assert (found == index.to_numpy()).all()
    assert zone == "UTC"
    with pytest.raises(dates.NoDateError) as refused:
        dates.read_dates([cell.replace(offset, "+01:00") for cell in cells], name="time")
    assert refused.value.row == bare
    assert "bears no offset" in refused.value.reason
