import time

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.readers.tables import time_columns
from recurra.readers.tables.columns import parse
from recurra.readers.times.rates import common_rate, gap_notes, rates_hz


def read(cells, name="time", **words):
    return time_columns.read_clock(parse("\n".join([name, *cells]) + "\n", who="t.csv"), name, **words)


def test_units_from_the_name():
    assert read(["0", "10", "20"], "time_ms").seconds.tolist() == pytest.approx([0, 0.01, 0.02])
    assert read(["0", "1"], "t (min)").seconds.tolist() == [0, 60]
    assert read(["0", "1"], unit="h").seconds.tolist() == [0, 3600]


def test_milliseconds_since_1970_are_recognised():
    found = read(["1657533977813", "1657533977823"])
    assert found.dates
    assert found.seconds[0] == pytest.approx(1657533977.813)


def test_a_counter_tells_no_rate():
    assert read(["0", "1", "2", "0", "1"]).counter
    assert not read(["0", "0.5", "1"]).counter
    assert not read(["0", "1", "2"], unit="s").counter


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-01 00:00", "2024-01-01 00:30"],
        ["2024-01-01T00:00:00Z", "2024-01-01T00:30:00Z"],
        ["2024-01-01T01:00:00+01:00", "2024-01-01T01:30:00+01:00"],
    ],
)
def test_dates(cells):
    found = read(cells)
    assert found.dates
    np.testing.assert_allclose(found.seconds, [1704067200, 1704069000])


def test_dates_without_zone_do_not_follow_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        # The first cell decides how a column is read; the second has no zone.
        found = read(["2024-01-01T00:00:00Z", "2024-01-01T00:30:00"])
    finally:
        monkeypatch.undo()
        time.tzset()
    np.testing.assert_allclose(found.seconds, [1704067200, 1704069000])


def test_neither_number_nor_date():
    with pytest.raises(DataError) as caught:
        read(["2024-01-01", "noon"])
    assert str(caught.value) == (
        "t.csv: the time column 'time' must hold numbers or dates like 2024-05-31 12:30:00; line 3 has "
        "'noon'. Correct it, or say how dates are written with time_format=, such as "
        "time_format='%d/%m/%Y %H:%M'."
    )


def test_missing_time():
    with pytest.raises(DataError) as caught:
        read(["1", "NA", "3"])
    assert "t.csv: the time column 'time' must be filled; it is empty at line 3." in str(caught.value)


def test_unknown_unit():
    with pytest.raises(UsageError, match="time_unit must be one of"):
        read(["1"], unit="weeks")


def rate_hz(seconds):
    (alone,) = rates_hz(seconds, np.array([0, len(seconds)]))
    others = [np.arange(7) * 0.5, seconds, np.array([0.0, 1, 3]), seconds + 2.0]  # as one of several
    starts = np.cumsum([0, *(len(times) for times in others)])
    assert rates_hz(np.concatenate(others), starts)[:3] == [2.0, alone, None]
    return alone


def test_rate():
    grid = np.arange(100) / 360
    assert rate_hz(grid) == pytest.approx(360)
    assert rate_hz(np.round(grid, 3)) == pytest.approx(360, rel=2e-3)  # stamps in whole milliseconds
    assert rate_hz(np.delete(grid, 50)) is None
    assert rate_hz(grid[:2]) is None
    assert rate_hz(np.zeros(5)) is None


def test_rates_that_differ_by_rounding_become_one():
    rates, notes = common_rate([359.9, 360.1, 360.0], "t")
    assert rates == [360.0] * 3
    assert notes == []


def test_mixed_rates_are_told():
    rates, notes = common_rate([50.0, 100.0, 100.0, None], "t.csv")
    assert rates == [50.0, 100.0, 100.0, None]
    assert notes[0].startswith("t.csv: 1 of 4 sequences is sampled irregularly or too short to tell")
    assert notes[1] == (
        "t.csv: the sequences are sampled at different rates: 100 Hz (2), 50 Hz (1). Resample them to one "
        "rate."
    )


def test_the_longest_gap():
    even, short = np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 9.0])
    gaps = np.array([0.0, 1, 2, 9, 10, 11]), np.array([5.0, 5.5, 6, 14.5, 15])
    jitter = np.array([0.0, 1, 1.1, 2.1, 3.1])  # the longest step is no gap beside the median
    sequences = [even, short, gaps[0], jitter, gaps[1], even]
    starts = np.cumsum([0, *(len(times) for times in sequences)])
    (note,) = gap_notes(np.concatenate(sequences), starts, lambda row: f" (row {row})", "t")
    assert note.startswith(
        "t: 2 sequences have gaps in time; the longest is of 8.5 seconds after step 2 (row 18)."
    )
    assert gap_notes(even, np.array([0, 5]), str, "t") == []
    many = np.concatenate([np.arange(40_000) * 0.1, gaps[0]])  # more than are looked at together
    assert (
        "the longest is of 7 seconds after step 2"
        in gap_notes(many, np.array([0, 40_000, 40_006]), str, "t")[0]
    )


@pytest.mark.parametrize("word", [{"time_zone": "Europe/Berlin"}, {"time_format": "day first"}])
@pytest.mark.parametrize("kind", ["sequence", "series"])
def test_words_of_dates_are_refused_for_times_that_count(tmp_path, word, kind):
    path = tmp_path / "a.csv"
    path.write_text("time,x\n" + "".join(f"{0.5 * i},{i}\n" for i in range(9)))
    with pytest.raises(
        UsageError, match=rf"{next(iter(word))}=.* acts on dates; the time column 'time' holds"
    ):
        recurra.load(path, kind=kind, **word)


@pytest.mark.parametrize("labelled", [True, False])
def test_words_of_dates_act_in_folders_of_tables(tmp_path, labelled):
    for label in ("a", "b"):
        folder = tmp_path / label if labelled else tmp_path
        folder.mkdir(exist_ok=True)
        rows = "".join(f"0{month}/02/2024,{month}\n" for month in (1, 2, 3))
        (folder / f"{label}.csv").write_text("time,x\n" + rows)
    starts = [
        recurra.load(tmp_path, time="time", time_format=form).records[0].start
        for form in ("day first", "month first")
    ]
    assert starts == [np.datetime64(day, "s").astype(float) for day in ("2024-02-01", "2024-01-02")]


def test_dates_less_than_a_microsecond_apart_do_not_repeat(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"2024-05-31T12:00:00.{100 * i:09d},{i}\n" for i in range(9))
    path.write_text("time,x\n" + rows)
    read = recurra.load(path)
    assert not any("repeat" in note for note in read.notes)
    assert read.records[0].sample_rate_hz == pytest.approx(1e7)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *reversed(lines[1:])]))
    assert recurra.load(path, sort=True).records[0].values[:, 0].tolist() == list(range(9))


@pytest.mark.parametrize("step", ["h", "30min", "15min"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_an_hour_that_comes_twice_in_autumn_is_explained(step, zone):
    pd = pytest.importorskip("pandas")
    around = {
        "Europe/Berlin": "2026-10-24",
        "America/New_York": "2026-10-31",
        "Australia/Sydney": "2026-04-04",
    }[zone]
    local = pd.date_range(around, periods=200, freq=step, tz=zone).tz_localize(None)
    frame = pd.DataFrame({"id": "a", "date": local.astype(str), "x": range(200)})
    advice = "the clocks were put back in this hour: give time_zone="
    if step == "h":
        assert any(advice in note for note in recurra.load(frame, id="id").notes)
    else:
        with pytest.raises(DataError, match=advice):
            recurra.load(frame, id="id")
    with pytest.raises(DataError) as caught:  # any other step back is no change of clocks
        recurra.load(frame.assign(date=[*local[:20].astype(str), *local[:180].astype(str)]), id="id")
    assert "clocks" not in str(caught.value)


@pytest.mark.parametrize(("freq", "words"), [("B", "B (business days)"), ("MS", "MS (start of months)")])
def test_steps_of_the_calendar_are_not_called_irregular(freq, words):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=60, freq=freq), "price": range(60)})
    assert not any("irregular" in n for n in recurra.load(frame, time="date", layout="long").notes)
    notes = recurra.load(frame.drop([7, 20]), time="date", layout="long").notes  # holidays
    assert any(f"a step every {words}, found from the time stamps; it has no rate in Hz." in n for n in notes)
    assert not any("irregular" in note for note in notes)
    hours = frame.assign(date=pd.date_range("2024-01-01", periods=60, freq="h")).drop([7])
    assert any("sampled irregularly" in n for n in recurra.load(hours, time="date", layout="long").notes)
