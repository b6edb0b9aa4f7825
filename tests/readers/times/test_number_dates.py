"""Numbers that are dates: read as what they spell, else refused with both readings; never taken for seconds unsaid."""

import warnings

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.times import dates
from recurra.readers.times.calendar import stamps

ROWS = 40


def series(tmp_path, cells, *, name="time", **words):
    """Return the one series of a table with these times."""
    path = tmp_path / "t.csv"
    rows = "".join(f"{cell};{row + 0.5}\n" for row, cell in enumerate(cells))
    path.write_text(f"{name};y\n{rows}", encoding="utf-8")
    data = recurra.load(path, kind="series", time=name, delimiter=";", **words)
    return data.records[0], data.notes


def same(record, index):
    """Whether a record has a value at each of these times, no gap, and goes on as pandas goes on."""
    assert np.array_equal(np.asarray(record.values)[:, 0], np.arange(len(index)) + 0.5)
    made = stamps(record.start, record.freq, record.zone, 0, len(index) + 5)
    want = pd.date_range(index[0], periods=len(index) + 5, freq=index.freq)
    assert (made.tz_localize(None) == want).all()


@pytest.mark.parametrize("form", ["%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"])
@pytest.mark.parametrize("freq", ["h", "3h", "D", "W-MON", "MS"])
@pytest.mark.parametrize("start", ["1999-12-28", "2023-12-30", "2031-02-27"])
@pytest.mark.parametrize("name", ["time", "when", "date"])
def test_digits_with_a_time_of_day_are_dates(tmp_path, form, freq, start, name):
    index = pd.date_range(start, periods=ROWS, freq=freq)
    record, notes = series(tmp_path, index.strftime(form), name=name)
    same(record, index)
    assert any(f"are read as {form}" in note for note in notes)


def test_digits_with_a_time_of_day_in_a_frame_and_a_long_table():
    index = pd.date_range("2023-12-31", periods=ROWS, freq="30min")
    numbers = [int(text) for text in index.strftime("%Y%m%d%H%M")]
    table = pd.DataFrame({"id": "a", "time": numbers, "y": np.arange(ROWS)})
    assert recurra.load(table).records[0].sample_rate_hz == pytest.approx(1 / 1800)
    forecaster = recurra.Forecaster(horizon=3, verbose=0, max_epochs=1, hidden_size=2, context=6)
    forecaster.fit(pd.Series(np.sin(np.arange(ROWS)), index=pd.Index(numbers, name="time")))
    assert list(forecaster.forecast().index) == list(pd.date_range(index[-1], periods=4, freq="30min")[1:])


@pytest.mark.parametrize(
    ("start", "freq", "write"),
    [
        ("2023-10-02", "W-MON", lambda t: f"{t.isocalendar().year}{t.isocalendar().week:02d}"),
        ("2019-12-02", "W-MON", lambda t: f"{t.isocalendar().year}{t.isocalendar().week:02d}"),
        ("2023-12-20", "D", lambda t: t.strftime("%Y%j")),
        ("2023-12-20", "D", lambda t: t.strftime("%y%j")),
        ("2023-12-20", "D", lambda t: t.strftime("%y%m%d")),
        ("1998-12-20", "D", lambda t: t.strftime("%y%m%d")),
        ("2021-01-01", "MS", lambda t: t.strftime("%Y.%m")),
        ("2021-01-01", "MS", lambda t: f"{t.year + t.month / 100:g}"),
        ("2021-01-01", "QS", lambda t: f"{t.year}.{t.quarter}"),
    ],
)
def test_numbers_with_uneven_steps_that_spell_even_dates(tmp_path, start, freq, write):
    index = pd.date_range(start, periods=ROWS, freq=freq)
    record, notes = series(tmp_path, [write(t) for t in index])
    same(record, index)
    assert any("are read as" in note for note in notes)


@pytest.mark.parametrize(("step", "freq"), [(1, None), (5, "5s"), (300, "300s")])
@pytest.mark.parametrize(
    "first",
    [0, 7, 100_000, 202_399, 231_230, 738_000, 1_012_000, 2_012_000, 12_311_999, 31_011_990],
)
def test_numbers_that_count_are_no_dates(tmp_path, step, freq, first):
    record, notes = series(tmp_path, first + step * np.arange(40))
    assert record.start is None
    assert len(record.values) == 40
    assert record.freq is None if freq is None else pd.Timedelta(record.freq) == pd.Timedelta(freq)
    assert not any("are read as" in note for note in notes)


@pytest.mark.parametrize("first", [0, 100_000, 202_399, 231_230, 738_000])
def test_numbers_that_count_with_a_gap_are_refused_for_it(tmp_path, first):
    numbers = first + np.concatenate([np.arange(21), 320 + np.arange(19)])
    record, notes = series(tmp_path, numbers)
    assert (record.start, len(record.values)) == (None, 339)
    assert any("299 steps are missing and are masked" in note for note in notes)


@pytest.mark.parametrize("step", [0.002, 0.004, 0.0078125, 0.01, 0.02, 0.04, 1 / 30])
@pytest.mark.parametrize("first", [701_000, 738_000, 2_422_300, 2_460_000])
def test_seconds_of_a_long_recording_are_no_days(tmp_path, step, first):
    record, _ = series(tmp_path, [f"{first + row * step:.7f}" for row in range(90)])
    assert record.start is None
    assert pd.Timedelta(record.freq).total_seconds() == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize("step", ["1s", "10s", "1min", "5min", "10min", "30min", "1h", "3h", "6h", "12h"])
@pytest.mark.parametrize("first", [738_000.25, 2_460_000.5])
def test_days_with_a_time_of_day_are_asked_for(tmp_path, step, first):
    days = pd.Timedelta(step) / pd.Timedelta("1D")
    with pytest.raises(
        DataError, match="can be read in two ways: .* as a (datenum of MATLAB|Julian date), or a count"
    ):
        series(tmp_path, [f"{first + row * days:.9f}" for row in range(ROWS)])


@pytest.mark.parametrize(
    ("form", "freq"), [("%Y%m%d", "D"), ("%Y%m%d%H", "h"), ("%Y%m%d%H%M", "6h"), ("%Y%m%d%H%M%S", "h")]
)
@pytest.mark.parametrize("odd", [("31", "32"), ("0201", "0230"), ("01", "13")])
def test_a_number_among_dates_that_is_no_date_is_named(tmp_path, form, freq, odd):
    index = pd.date_range("2024-01-20", periods=ROWS, freq=freq)
    cells = list(index.strftime(form))
    cells[17] = f"2024{'13' if odd[0] == '01' else '02'}{'32' if odd[0] == '31' else '30'}{cells[17][8:]}"
    with pytest.raises(
        DataError, match=f"the time column 'time' holds {cells[17]}, which is no date, among numbers that are"
    ):
        series(tmp_path, cells)


LATE = ["%G%V", "%Y%j", "%y%j", "%y%m%d"]


@pytest.mark.parametrize("form", LATE)
@pytest.mark.parametrize("order", ["below", "mixed", "reversed"])
def test_dates_found_by_uneven_steps_in_several_series_and_in_any_order(tmp_path, form, order):
    index = pd.date_range("2023-11-06", periods=60, freq="W-MON" if "V" in form else "D")
    table = pd.DataFrame({"id": "a", "time": index.strftime(form).astype(int), "y": np.arange(60) + 0.5})
    words = {"kind": "series", "time": "time"}
    if order == "reversed":
        table, words = table[::-1], {**words, "sort": True}
    else:
        table, words = pd.concat([table, table.assign(id="b")]), {**words, "id": "id"}
    if order == "mixed":
        table = table.sort_index(kind="stable")
    table = table.drop(columns=[] if "id" in words else ["id"])
    table.to_csv(tmp_path / "t.csv", index=False)
    for record in recurra.load(tmp_path / "t.csv", **words):
        same(record, index)


def test_years_of_two_digits_turn_where_they_turn_without_a_format(tmp_path):
    """strptime begins the last century with 69: a series over 1968 and 1969, or 2068, went back a hundred years."""
    for first in ("2068-11-20", "1975-11-20"):
        index = pd.date_range(first, periods=60, freq="D")
        for form in ("%d-%b-%y", "%d/%m/%y"):
            given, plain = ({"time_format": form}, {} if "b" in form else {"time_format": "day first"})
            records = [series(tmp_path, index.strftime(form), **words)[0] for words in (given, plain)]
            for record in records:
                same(record, index)
    index = pd.date_range("1969-11-20", periods=90, freq="D")
    same(series(tmp_path, index.strftime("%d-%b-%y"), time_format="%d-%b-%y")[0], index)


@pytest.mark.parametrize("form", ["%G%V", "%Y-%W", "%Y %U", "%G-W%V"])
def test_a_format_of_weeks_means_their_mondays(tmp_path, form):
    """strptime passes over a week without its day: every week of a year was its first of January."""
    index = pd.date_range("2023-02-06", periods=ROWS, freq="W-MON")
    same(series(tmp_path, index.strftime(form), time_format=form)[0], index)


@pytest.mark.parametrize("form", ["%d%m%Y", "%m%d%Y"])
def test_digits_with_the_year_last_are_asked_for(tmp_path, form):
    index = pd.date_range("2024-03-01", periods=28, freq="D")
    with pytest.raises(DataError, match=f"time_format='{form}'") as caught:
        series(tmp_path, index.strftime(form))
    assert "time_unit='s'" in str(caught.value)
    same(series(tmp_path, index.strftime(form), time_format=form)[0], index)


def ticks(t, first, per_second):
    return int((t - pd.Timestamp(first)).total_seconds()) * per_second


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda t: ticks(t, "1601-01-01", 10**7), "FILETIME"),
        (lambda t: ticks(t, "0001-01-01", 10**7), "a tick of .NET"),
        (lambda t: ticks(t, "1582-10-14", 1), "beyond the year 2200"),  # SPSS
        (lambda t: ticks(t, "1858-11-17", 10**3), "beyond the year 2200 in ms since 1970"),  # VMS
        (lambda t: f"{t.to_julian_date():.5f}", "Julian date"),
        (lambda t: f"{t.to_julian_date() - 1721058.5:.6f}", "datenum of MATLAB"),
        (lambda t: t.strftime("%Y%m%d%H%M%S000"), "more digits than a number keeps"),
    ],
)
def test_numbers_that_count_from_another_year_are_refused(tmp_path, write, says):
    index = pd.date_range("2023-12-30", periods=ROWS, freq="h")
    if "ms since" in says:  # before, such counts are dates that may be
        index = index + pd.Timedelta(days=40_000)
    with pytest.raises(DataError, match=says):
        series(tmp_path, [write(t) for t in index])


def test_datenum_is_that_of_matlab(tmp_path):
    with pytest.raises(DataError, match="739252.25 is 2024-01-01 06:00:00"):  # datenum(2024, 1, 1, 6, 0, 0)
        series(tmp_path, [739252.25 + row / 24 for row in range(ROWS)])


@pytest.mark.parametrize("name", ["time_s", "time [s]", "clock (h)", "t_min", "time (s)"])
@pytest.mark.parametrize("kind", ["series", "sequence"])
def test_a_unit_in_the_name_that_the_numbers_belie(tmp_path, name, kind):
    numbers = 1_704_067_200_000 + 3_600_000 * np.arange(ROWS)
    path = tmp_path / "t.csv"
    pd.DataFrame({name: numbers, "y": np.arange(ROWS)}).to_csv(path, index=False)
    with pytest.raises(DataError, match="time_unit='ms'"):
        recurra.load(path, kind=kind, time=name)
    record = recurra.load(path, kind=kind, time=name, time_unit="ms").records[0]
    assert record.start == 1_704_067_200


@pytest.mark.parametrize("name", ["tick_us", "clock (ms)"])
def test_a_clock_that_began_with_the_recording_has_no_date(tmp_path, name):
    assert series(tmp_path, [1_704_067_200 + 4000 * row for row in range(ROWS)], name=name)[0].start is None


@pytest.mark.parametrize(
    "form", ["%d-%b-%y", "%d %b %y", "%b %d %y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y %H:%M"]
)
@pytest.mark.parametrize("start", ["1967-12-01", "1969-11-01"])
def test_years_of_two_digits_that_pass_1970_stay_in_one_century(tmp_path, form, start):
    index = pd.date_range(start, periods=ROWS, freq="MS")
    record, _ = series(tmp_path, index.strftime(form), time_format="day first" if "/" in form else None)
    same(record, index)


@pytest.mark.parametrize("first", [85, 70])
def test_a_month_and_a_year_that_is_no_day_is_a_year(tmp_path, first):
    index = pd.date_range(f"19{first}-12-01", periods=99 - first, freq="YS-DEC")
    same(series(tmp_path, index.strftime("%b-%y"))[0], index)


@pytest.mark.parametrize("name", ["time_ns", "timestamp_ns", "t (ns)"])
@pytest.mark.parametrize("start", ["1990-01-01", "1974-02-03"])
def test_a_name_that_says_nanoseconds_is_taken_at_its_word(tmp_path, name, start):
    index = pd.date_range(start, periods=ROWS, freq="h")
    cells = index.to_numpy().astype("datetime64[ns]").astype(np.int64)
    same(series(tmp_path, cells, name=name)[0], index)
    with pytest.raises(DataError, match=r"perhaps a .* or nanoseconds since 1970\..*time_unit='ns'"):
        series(tmp_path, cells)


@pytest.mark.parametrize("cells", [range(101, 132), range(201, 230), range(1001, 1032), range(701, 732)])
@pytest.mark.parametrize("name", ["time", "date"])
def test_short_counters_are_no_dates(tmp_path, cells, name):
    record, notes = series(tmp_path, cells, name=name)
    assert not any("are read as" in note for note in notes)
    assert record.freq is None or "D" not in str(record.freq)


def test_a_clock_that_began_with_the_recording_is_told_what_to_say(tmp_path):
    cells = [step * 1_000_000_000 for step in range(ROWS)]
    with pytest.raises(
        DataError, match=rf"holds {cells[-1]}, beyond the year 2200.*time_unit='ns' of a clock"
    ):
        series(tmp_path, cells)
    assert series(tmp_path, cells, time_unit="ns")[0].values.shape == (ROWS, 1)


def test_one_row_of_digits_is_a_date_like_many(tmp_path):
    with pytest.raises(DataError) as refused:
        series(tmp_path, [20240131120000])
    assert "2200" not in str(refused.value)


def test_reading_dates_leaves_the_filters_of_warnings_alone(tmp_path, monkeypatch):
    """They are the whole process's: a warning of another thread would be raised, or lost."""
    index = pd.date_range("2024-01-01", periods=ROWS, freq="D")
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S+01", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M+0100"):
        cells = index.strftime(form).tolist()
        with monkeypatch.context() as patch:
            patch.setattr(warnings, "catch_warnings", None)
            dates.read_dates(cells, name="time")  # a warning is an error in these tests
    for form in ("%d %b %Y", "%d-%b-%y", "%d %B %Y %H:%M"):
        dates.read_dates(index.strftime(form).tolist(), name="time")
