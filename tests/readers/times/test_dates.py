"""Time stamps as people write them, against the dates they were written from."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.readers.times.dates import NoDateError, read_dates, read_durations

MONTHLY = pd.date_range("1991-07-01", periods=40, freq="MS")
QUARTERLY = pd.date_range("1970-01-01", periods=40, freq="QS")
WEEKLY = pd.date_range("2024-01-01", periods=60, freq="W-MON")
DAILY = pd.date_range("2023-12-20", periods=60, freq="D")
HOURLY = pd.date_range("2023-12-30 05:00", periods=60, freq="h")
YEARLY = pd.date_range("1960-01-01", periods=40, freq="YS")


def written(times, form):
    return [form(t) if callable(form) else t.strftime(form) for t in times]


def load(tmp_path, columns, **words):
    path = tmp_path / "t.csv"
    n = len(next(iter(columns.values())))
    pd.DataFrame({**columns, "y": np.sin(np.arange(n) / 3) + 5}).to_csv(path, index=False)
    return recurra.load(path, kind="series", target="y", **words)


def check(tmp_path, times, columns, **words):
    data = load(tmp_path, columns, **words)
    record = data[0]
    assert record.values.shape == (len(times), 1)
    assert record.start == times[0].timestamp()
    assert not np.isnan(record.values).any()
    forecaster = recurra.Forecaster(
        horizon=3, hidden_size=2, max_epochs=1, context=4, random_state=0, verbose=0
    )
    want = pd.date_range(times[-1], periods=4, freq=times.freq)[1:]
    assert (forecaster.fit(data).forecast().index == want).all()
    return data


FORMS = {
    "1991 Jul": (MONTHLY, "%Y %b"),
    "Jul 1991": (MONTHLY, "%b %Y"),
    "July 1991": (MONTHLY, "%B %Y"),
    "Jul-91": (MONTHLY, "%b-%y"),
    "1991-07": (MONTHLY, "%Y-%m"),
    "1991/07": (MONTHLY, "%Y/%m"),
    "07/1991": (MONTHLY, "%m/%Y"),
    "1991M07": (MONTHLY, "%YM%m"),
    "199107": (MONTHLY, "%Y%m"),
    "1970 Q1": (QUARTERLY, lambda t: f"{t.year} Q{t.quarter}"),
    "1970-Q1": (QUARTERLY, lambda t: f"{t.year}-Q{t.quarter}"),
    "Q1 1970": (QUARTERLY, lambda t: f"Q{t.quarter} {t.year}"),
    "1Q1970": (QUARTERLY, lambda t: f"{t.quarter}Q{t.year}"),
    "1970:Q1": (QUARTERLY, lambda t: f"{t.year}:Q{t.quarter}"),
    "1970Q1": (QUARTERLY, lambda t: f"{t.year}Q{t.quarter}"),
    "2024-W05": (WEEKLY, "%G-W%V"),
    "2024 W05": (WEEKLY, "%G W%V"),
    "2024-W5": (WEEKLY, lambda t: "{}-W{}".format(*t.isocalendar())),
    "2024/W05": (WEEKLY, "%G/W%V"),
    "W05 2024": (WEEKLY, "W%V %G"),
    "KW05/2024": (WEEKLY, "KW%V/%G"),
    "1991:07": (MONTHLY, "%Y:%m"),
    "2024-W05-1": (WEEKLY, "%G-W%V-%u"),
    "20240131": (DAILY, "%Y%m%d"),
    "31/01/2024": (DAILY, "%d/%m/%Y"),
    "01/31/2024": (DAILY, "%m/%d/%Y"),
    "31.01.2024": (DAILY, "%d.%m.%Y"),
    "31-01-24": (DAILY, "%d-%m-%y"),
    "2024/01/31": (DAILY, "%Y/%m/%d"),
    "31 Jan 2024": (DAILY, "%d %b %Y"),
    "Jan 31, 2024": (DAILY, "%b %d, %Y"),
    "Wed, 31 Jan 2024": (DAILY, "%a, %d %b %Y"),
    "1/31/2024 5:00 PM": (HOURLY, "%m/%d/%Y %I:%M %p"),
    "31.12.2023 17:00:00": (HOURLY, "%d.%m.%Y %H:%M:%S"),
    "31/12/2023 05:00 pm": (HOURLY, lambda t: t.strftime("%d/%m/%Y %I:%M ") + t.strftime("%p").lower()),
    "2023-12-31T17:00": (HOURLY, "%Y-%m-%dT%H:%M"),
    "31 Dec 2023 17:00": (HOURLY, "%d %b %Y %H:%M"),
    "year": (YEARLY, "%Y"),
}


@pytest.mark.parametrize("form", FORMS)
def test_dates_as_people_write_them(tmp_path, form):
    times, how = FORMS[form]
    check(tmp_path, times, {"time": written(times, how)})


def test_two_columns(tmp_path):
    half = pd.date_range("2023-12-30 05:00", periods=60, freq="30min")
    columns = {"date": written(half, "%d.%m.%Y"), "time": written(half, "%H:%M")}
    data = check(tmp_path, half, columns)
    assert any("time is read from the columns 'date' and 'time'" in note for note in data.notes)
    check(
        tmp_path,
        half,
        {"day": written(half, "%Y-%m-%d"), "at": written(half, "%I:%M %p")},
        time=["day", "at"],
    )
    check(tmp_path, MONTHLY, {"year": MONTHLY.year, "month": MONTHLY.month})
    check(tmp_path, MONTHLY, {"Y": MONTHLY.year, "M": written(MONTHLY, "%b")}, time=["Y", "M"])
    check(
        tmp_path,
        QUARTERLY,
        {"Year": QUARTERLY.year, "Quarter": written(QUARTERLY, lambda t: f"Q{t.quarter}")},
    )
    check(tmp_path, DAILY, {"year": DAILY.year, "month": DAILY.month, "day": DAILY.day})
    with pytest.raises(DataError, match="make no time together"):
        load(tmp_path, {"day": written(half, "%Y-%m-%d"), "at": written(half, "%Y")}, time=["day", "at"])
    with pytest.raises(DataError, match="make no time at line 2: 1991 and '19'"):
        load(tmp_path, {"Y": MONTHLY.year, "M": MONTHLY.month + 12}, time=["Y", "M"])


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%y"])
def test_day_and_month_that_cannot_be_told_apart(tmp_path, form):
    columns = {"time": written(MONTHLY + pd.Timedelta(days=1), form)}
    with pytest.raises(DataError) as caught:
        load(tmp_path, columns)
    message = str(caught.value)
    assert "can be read in two ways" in message
    assert "1991-07-02" in message
    assert "1991-02-07" in message
    assert "time_format='day first'" in message
    word = "month first" if form.startswith("%m") else "day first"
    assert load(tmp_path, columns, time_format=word)[0].freq == "MS+1D"
    assert load(tmp_path, columns, time_format=form)[0].freq == "MS+1D"


def test_words_that_make_no_sense(tmp_path):
    columns = {"time": written(DAILY, "%d/%m/%Y")}
    with pytest.raises(DataError, match="line 2 has '20/12/2023', which does not have the form '%Y %d'"):
        load(tmp_path, columns, time_format="%Y %d")
    with pytest.raises(
        UsageError, match="time_format: must be 'day first', 'month first', 'excel' or a format"
    ):
        load(tmp_path, columns, time_format="%d/%Q")
    with pytest.raises(UsageError, match="time_zone: must be a name such as 'Europe/Berlin'"):
        load(tmp_path, columns, time_zone="Berlin")
    with pytest.raises(NoDateError):
        read_dates(["31/02/2024", "13/01/2024"], name="t")


def test_days_of_a_spreadsheet(tmp_path):
    serial = (DAILY - pd.Timestamp("1899-12-30")).days
    check(tmp_path, DAILY, {"date": serial})
    check(tmp_path, DAILY, {"t": serial}, time="t", time_format="excel")
    hours = (HOURLY - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    check(tmp_path, HOURLY, {"date": hours})
    with pytest.raises(
        DataError, match="45280 is the day 2023-12-20 of a spreadsheet, or a count of seconds"
    ):
        load(tmp_path, {"t": serial}, time="t")


@pytest.mark.parametrize("freq", ["h", "15min", "5min", "10s", "7h"])
@pytest.mark.parametrize("start", ["1960-05-01 03:00", "2023-12-20 12:00", "2050-07-01 00:30"])
def test_fractions_of_days_that_are_read_as_seconds_are_noted(freq, start):
    times = pd.date_range(start, periods=40, freq=freq)
    frame = pd.DataFrame({"time": (times - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1), "x": 1.0})
    data = recurra.load(frame)
    (note,) = [note for note in data.notes if "spreadsheet" in note]
    assert f"a day of a spreadsheet with its time of day, {times[0]}, pass time_format='excel'" in note
    told = recurra.load(frame, time_format="excel")
    assert (told[0].start, told[0].sample_rate_hz) == (
        times[0].timestamp(),
        pytest.approx(1 / (times[1] - times[0]).total_seconds(), rel=1e-3),
    )
    for words, column in (({"time_unit": "s"}, "time"), ({}, "time_s"), ({}, "seconds")):
        quiet = recurra.load(frame.rename(columns={"time": column}), **words)
        assert not any("spreadsheet" in note for note in quiet.notes)


@pytest.mark.parametrize(
    "seconds",
    [np.arange(40) / 100, 30_000 + np.arange(40.0), 90_000 + np.arange(40) / 10, 19_000 + np.arange(40) / 9],
)
def test_seconds_that_look_like_no_days_are_not(seconds):
    data = recurra.load(pd.DataFrame({"time": seconds, "x": 1.0}))
    assert not any("spreadsheet" in note for note in data.notes)


def test_numbers_that_are_no_dates_give_no_dates(tmp_path):
    data = load(
        tmp_path,
        {
            "t": np.delete(np.arange(50), 7),
        },
        time="t",
    )
    record = data[0]
    assert (record.start, record.freq, len(record.values)) == (None, None, 50)
    seconds = load(tmp_path, {"time_s": np.arange(50) * 60.0}, time="time_s")[0]
    assert (seconds.start, seconds.freq) == (None, "min")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_in_any_unit(unit):
    frame = pd.DataFrame(
        {"time": pd.to_timedelta(np.arange(6) * 3, unit="s").astype(f"m8[{unit}]"), "x": np.arange(6.0)}
    )
    record = recurra.load(frame)[0]
    assert record.sample_rate_hz == pytest.approx(1 / 3)
    assert record.start is None
    assert recurra.load(frame.set_index("time"))[0].sample_rate_hz == pytest.approx(1 / 3)


def test_durations_as_text():
    assert read_durations(["0:00:20", "1 days 00:00:20.5", "10:15", None])[:3].tolist() == [
        20,
        86420.5,
        36900,
    ]
    assert read_durations(["1:05 PM", "12:05 am"]).tolist() == [13 * 3600 + 300, 300]
    assert read_durations(["0:00:20", "noon"]) is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    ("freq", "start"), [("D", "2020-03-01"), ("h", "2020-03-05"), ("h", "2020-10-20"), ("ME", "2018-01-31")]
)
def test_offsets_come_back(tmp_path, zone, freq, start):
    times = pd.date_range(
        start, periods=900 if freq == "h" else 400 if freq == "D" else 40, freq=freq, tz=zone
    )
    times, ahead = times[:-5], times[-5:]
    words = {
        "horizon": 5,
        "hidden_size": 2,
        "max_epochs": 1,
        "context": 4,
        "stride": 50,
        "random_state": 0,
        "verbose": 0,
    }
    values = np.sin(np.arange(len(times)) / 3)
    series = pd.Series(values, index=times)
    forecast = recurra.Forecaster(**words).fit(series).forecast()
    assert (forecast.index == ahead).all()
    assert str(forecast.index.tz) == zone
    assert forecast.stamps() == [t.isoformat() for t in ahead]
    frame = pd.DataFrame({"time": times, "y": values})
    assert (
        recurra.Forecaster(**words).fit(recurra.load(frame, kind="series")).forecast().index == ahead
    ).all()
    text = load(tmp_path, {"time": [t.isoformat() for t in times]})
    assert recurra.Forecaster(**words).fit(text).forecast().stamps() == [t.isoformat() for t in ahead]
    if not times.tz_localize(None).duplicated().any():
        return
    local = load(tmp_path, {"time": times.tz_localize(None).astype(str)}, time_zone=zone)
    assert (recurra.Forecaster(**words).fit(local).forecast().index == ahead).all()


def test_parquet_keeps_the_zone(tmp_path):
    pytest.importorskip("pyarrow")
    times = pd.date_range("2020-03-01", periods=60, freq="D", tz="Europe/Berlin")
    pd.DataFrame({"time": times, "y": np.arange(60.0)}).to_parquet(tmp_path / "t.parquet")
    record = recurra.load(tmp_path / "t.parquet", kind="series")[0]
    assert (record.zone, record.freq, len(record.values)) == ("Europe/Berlin", "D", 60)


def test_series_are_resampled_where_asked(tmp_path):
    times = pd.date_range("2024-01-01", periods=96, freq="15min")
    record = load(tmp_path, {"time": times}, resample="h")[0]
    assert (record.freq, record.values.shape) == ("h", (24, 1))
    want = pd.Series(np.sin(np.arange(96) / 3) + 5, index=times).resample("h").mean()
    np.testing.assert_allclose(record.values[:, 0], want)
    with pytest.raises(
        UsageError, match="resample= must be a longer step than that of the time stamps, 900 s; got '5min'"
    ):
        load(tmp_path, {"time": times}, resample="5min")
