"""Steps of time stamps against pandas.date_range: every frequency, its multiples, three zones with a change of clocks."""

import numpy as np
import pandas as pd
import pytest

from recurra.errors import DataError
from recurra.readers.times.calendar import (
    place_of,
    same_step,
    seasons_of,
    seconds_of,
    stamps,
    step_after,
    steps_between,
)
from recurra.readers.times.dates import in_zone
from recurra.readers.times.frequency import read_grid, zone_name

MONTHS = [pd.Timestamp(2000, month, 1).month_name()[:3].upper() for month in range(1, 13)]
DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
PLAIN = [
    "D",
    "B",
    "C",
    "ME",
    "MS",
    "BME",
    "BMS",
    "CBME",
    "CBMS",
    "SMS",
    "SME",
    "SMS-10",
    "SME-20",
    "bh",
    "cbh",
    "h",
    "min",
    "s",
]
ANCHORED = [f"{unit}-{m}" for unit in ("QS", "QE", "YS", "YE", "BQS", "BQE", "BYS", "BYE") for m in MONTHS]
WEEKS = [f"{unit}{day}" for unit in ("W-", "WOM-1", "WOM-3", "WOM-4", "LWOM-") for day in DAYS]
FISCAL = [
    "RE-N-DEC-MON",
    "RE-L-JUN-SAT",
    "RE-N-AUG-SUN",
    "REQ-L-DEC-MON-1",
    "REQ-N-JAN-FRI-4",
    "REQ-L-MAY-THU-2",
]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
ROWS, AHEAD = 40, 9


def as_pandas(freq, count, zone):
    """Return stamps, those before the last nine as a series has them."""
    start = "2019-02-01 09:00" if "bh" in freq else "2019-02-01"
    offset = count * pd.tseries.frequencies.to_offset(freq)
    return pd.date_range(start, periods=ROWS + AHEAD, freq=offset, tz=zone)


def check(times, zone):
    grid = read_grid("x", times[:ROWS])
    assert grid.places.tolist() == list(range(ROWS))
    assert (grid.gaps, grid.note) == ([], "")
    found = stamps(grid.start, grid.freq, zone, ROWS, AHEAD)
    assert (found == times[ROWS:]).all(), (grid.freq, found, times[ROWS:])
    assert (stamps(grid.start, grid.freq, zone, -3, 6)[3:] == times[:3]).all()
    assert zone_name(found) == zone
    return grid


@pytest.mark.parametrize("freq", [*PLAIN, "ms", "us", "ns", *ANCHORED, *WEEKS])
def test_every_frequency_and_its_multiples_go_on_as_pandas_does(freq):
    for count in (1, 2, 3, 7):
        times = as_pandas(freq, count, None)
        grid = check(times, None)
        if freq != "ns":  # seconds since 1970 as a float are exact to a microsecond
            later = float(seconds_of(times)[ROWS + 3])
            assert steps_between(grid.start, later, grid.freq, None) == ROWS + 3


@pytest.mark.parametrize("freq", FISCAL)
def test_fiscal_years_and_quarters_of_whole_weeks(freq):
    check(as_pandas(freq, 1, None), None)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "freq", ["D", "2D", "B", "W-WED", "ME", "MS", "QE-MAR", "BQS-FEB", "YS-APR", "h", "3h", "15min", "bh"]
)
def test_time_zones_over_both_changes_of_the_clock(freq, zone):
    offset = pd.tseries.frequencies.to_offset(freq)
    for start in ("2020-03-05 09:00", "2020-10-01 09:00", "2020-10-30 00:00", "2020-03-27 00:00"):
        if "bh" in freq:
            start = start[:11] + "09:00"
        check(pd.date_range(start, periods=ROWS + AHEAD, freq=offset, tz=zone), zone)


# Half an hour, a day left out, offsets of seconds, half an hour for good, twice, two hours in war.
ODD_ZONES = {
    "Australia/Lord_Howe": ["2020-03-20 09:00", "2020-09-20 00:00"],
    "Pacific/Apia": ["2012-03-25 00:00", "2012-09-20 09:00"],
    "Europe/Amsterdam": ["1937-07-05 00:00", "1940-04-20 09:00"],
    "America/Caracas": ["2007-12-01 00:00", "2016-04-20 09:00"],
    "Asia/Pyongyang": ["2015-08-01 00:00", "2018-04-28 09:00"],
    "Europe/London": ["1968-01-01 00:00", "1947-04-01 09:00"],
    "Africa/Monrovia": ["1971-05-01 09:00"],
}
ANY_FREQ = [
    *(
        "D",
        "B",
        "W-WED",
        "ME",
        "MS",
        "QE-MAR",
        "QS-JAN",
        "BQS-FEB",
        "YS-APR",
        "YE-DEC",
        "BME",
        "BMS",
        "SMS",
        "WOM-3FRI",
    ),
    *("h", "15min", "30min", "6h", "bh"),
]


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_odd_time_zones_go_on_as_pandas_does(zone):
    compared = 0
    for start in ODD_ZONES[zone]:
        for freq in ANY_FREQ:
            for count in (1, 2, 3):
                offset = count * pd.tseries.frequencies.to_offset(freq)
                begin = start[:11] + "09:00" if "bh" in freq else start
                try:
                    times = pd.date_range(begin, periods=ROWS + AHEAD, freq=offset, tz=zone)
                except ValueError:  # a stamp that the clock left out, see the next test
                    continue
                check(times, zone)
                compared += 1
    assert compared > 45


@pytest.mark.parametrize(
    ("zone", "start", "freq"),
    [
        ("America/Sao_Paulo", "2018-10-10", "D"),
        ("America/Sao_Paulo", "2017-09-01", "SMS"),
        ("Africa/Cairo", "2010-04-01", "D"),
        ("Asia/Beirut", "2021-03-01", "D"),
        ("Asia/Kathmandu", "1985-12-20", "D"),
        ("Asia/Kathmandu", "1985-01-01", "MS"),
        ("Europe/Amsterdam", "1937-05-20", "B"),
    ],
)
@pytest.mark.parametrize("cut", [15, 20, 25, 30, 40])
def test_midnights_that_the_clock_left_out(zone, start, freq, cut):
    wall = pd.date_range(start, periods=45, freq=freq)
    times = wall.tz_localize(zone, ambiguous=np.ones(45, bool), nonexistent="shift_forward")
    assert (times.tz_localize(None) != wall).sum() == 1
    grid = read_grid("x", times[:cut])
    assert (grid.places.tolist(), grid.gaps, grid.note) == (list(range(cut)), [], "")
    assert (stamps(grid.start, grid.freq, zone, cut, 45 - cut) == times[cut:]).all()
    read, own = in_zone(wall.to_numpy(), None, zone)
    assert (pd.DatetimeIndex(read).tz_localize("UTC") == times).all()
    assert own == zone


@pytest.mark.parametrize("freq", ["D", "B"])
@pytest.mark.parametrize("cut", [9, 15, 20, 21, 22, 30, 40])
def test_a_day_that_a_zone_left_out_is_no_step(freq, cut):
    wall = pd.date_range("2011-12-01", periods=45, freq=freq)
    times = wall[wall != "2011-12-30"].tz_localize("Pacific/Apia")
    grid = read_grid("x", times[:cut])
    assert (grid.places.tolist(), grid.gaps, grid.note) == (list(range(cut)), [], "")
    ahead = stamps(grid.start, grid.freq, "Pacific/Apia", cut, len(times) - cut)
    assert (ahead == times[cut:]).all()
    assert (stamps(grid.start, grid.freq, "Pacific/Apia", -3, 6)[3:] == times[:3]).all()
    later = [steps_between(grid.start, float(s), grid.freq, "Pacific/Apia") for s in seconds_of(times)]
    assert later == list(range(len(times)))
    with pytest.raises(DataError, match="2011-12-30 00:00:00 is a nonexistent time"):
        in_zone(wall.to_numpy(), None, "Pacific/Apia")


def test_a_longer_step_onto_a_day_that_was_left_out_falls_before_it():
    times = pd.DatetimeIndex([*pd.date_range("2011-03-31", periods=9, freq="BME")]).tz_localize(
        "Pacific/Apia"
    )
    grid = read_grid("x", times)
    ahead = stamps(grid.start, grid.freq, "Pacific/Apia", 9, 2)
    assert [str(t)[:10] for t in ahead] == ["2011-12-29", "2012-01-31"]


def test_steps_of_a_local_clock():
    wall = pd.date_range("2020-03-27", periods=40, freq="6h").tz_localize("Europe/Berlin")
    grid = read_grid("x", wall[:30])
    assert grid.freq == "6h@local"
    assert (stamps(grid.start, grid.freq, "Europe/Berlin", 30, 10) == wall[30:]).all()


@pytest.mark.parametrize("day", [6, 15, 28, 29, 30])
@pytest.mark.parametrize("months", [1, 3, 12])
def test_any_day_of_the_month(day, months):
    begins = pd.date_range("2019-04-01", periods=ROWS + AHEAD, freq=f"{months}MS")
    times = begins + pd.to_timedelta(np.minimum(day, begins.days_in_month) - 1, unit="D")
    check(times, None)


@pytest.mark.parametrize("freq", ["h", "D", "B", "ME", "W-TUE", "QE-MAR", "15min"])
def test_only_what_is_missing_is_a_gap(freq):
    times = pd.date_range("2019-02-01", periods=60, freq=freq)
    left = times.delete([3, 4, 10])
    grid = read_grid("x", left)
    assert grid.places.tolist() == [at for at in range(60) if at not in (3, 4, 10)]
    assert len(grid.gaps) == 2
    assert grid.gaps[0].startswith("2 missing after ")


@pytest.mark.parametrize(
    ("freq", "seconds"), [("h", 30), ("h", 1), ("15min", 40), ("D", 900), ("10s", 1), ("W-MON", 3600)]
)
def test_stamps_that_are_late_keep_their_step(freq, seconds):
    times = pd.date_range("2018-01-01", periods=200, freq=freq)
    late = times + pd.to_timedelta(np.random.default_rng(0).integers(0, seconds + 1, 200), unit="s")
    grid = read_grid("x", late.delete([7, 8]))
    assert same_step(grid.freq, freq)
    assert grid.places.tolist() == [at for at in range(200) if at not in (7, 8)]
    assert "beside a step every" in grid.note
    ahead = stamps(grid.start, grid.freq, None, 203, 1)[0]
    assert abs(ahead - (times[-1] + 4 * (times[1] - times[0]))) <= pd.Timedelta(seconds=seconds)


def test_the_last_day_of_trading_is_the_end_of_a_month():
    times = pd.date_range("2018-01-31", periods=60, freq="BME").to_series()
    times.iloc[14] -= pd.Timedelta(days=1)  # Good Friday
    grid = read_grid("x", pd.DatetimeIndex(times))
    assert grid.freq == "BME"
    assert "up to" in grid.note


def test_what_cannot_be_a_series():
    good = pd.date_range("2020-01-01", periods=10, freq="h")
    with pytest.raises(DataError, match=r"the time stamp 2020-01-01 01:00:00 appears twice \(rows 1 and 2"):
        read_grid("x", good.insert(2, good[1]))
    with pytest.raises(
        DataError, match="time stamps must rise; 2020-01-01 01:00:00 comes after 2020-01-01 02:00:00"
    ):
        read_grid("x", good[[0, 2, 1, 3]])
    with pytest.raises(DataError, match="follow no one frequency: steps from 3600 s to 1 days"):
        read_grid("x", good.append(good[-1] + pd.to_timedelta(np.arange(1, 11), unit="D")))
    with pytest.raises(DataError, match="at least two time stamps"):
        read_grid("x", good[:1])
    irregular = good[0] + pd.to_timedelta(np.cumsum(np.random.default_rng(0).exponential(3600, 50)), unit="s")
    with pytest.raises(DataError, match="follow no one frequency"):
        read_grid("x", irregular)


def test_an_hour_that_comes_twice_is_the_change_of_the_clocks():
    local = pd.date_range("2020-10-24", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(DataError, match="the clocks were put back in this hour: give time_zone="):
        read_grid("x", local)


def test_places_and_seasons():
    start = pd.Timestamp("2020-03-01T00:15").timestamp()
    assert place_of(start, "30min") == place_of(start + 1800, "30min") - 1
    assert (
        step_after(pd.Timestamp("2020-11-01").timestamp(), "MS", 3) == pd.Timestamp("2021-02-01").timestamp()
    )
    assert (
        step_after(pd.Timestamp("2020-11-30").timestamp(), "ME", 3) == pd.Timestamp("2021-02-28").timestamp()
    )
    assert place_of(None, "h") == 0
    freqs = (
        "ME",
        "MS",
        "QE-MAR",
        "W-TUE",
        "D",
        "h",
        "30min",
        "2MS",
        "SMS-15",
        "B",
        "7min",
        "YS-JAN",
        "s",
        "",
    )
    seasons = [(12,), (12,), (4,), (52,), (7,), (24, 168), (48, 336), (6,), (24,), (5,), (), (), (), ()]
    assert [seasons_of(f) for f in freqs] == seasons
    assert seasons_of("bh[08:00-18:00]") == (10, 50)
    assert same_step("W-MON", "7D")
    assert same_step("QE-MAR", "3MS")
    assert same_step("60min", "h")
    assert not same_step("B", "D")


def test_frequencies_as_older_files_have_them():
    monday = pd.Timestamp("2020-01-06")
    assert (
        stamps(monday.timestamp(), "W", None, 0, 3) == pd.date_range(monday, periods=3, freq="W-MON")
    ).all()
    fifteenth = pd.Timestamp("2020-01-15").timestamp()
    assert stamps(fifteenth, "MS", None, 1, 2).day.tolist() == [15, 15]
    may = pd.Timestamp("2020-05-01").timestamp()
    assert stamps(may, "QS", None, 1, 1)[0] == pd.Timestamp("2020-08-01")
    with pytest.raises(DataError, match="freq: must be a frequency of pandas such as"):
        stamps(may, "fortnight", None, 0, 2)


HOURS = [
    "09:00-12:00",
    "10:00-14:00",
    "09:00-16:00",
    "10:00-17:00",
    "13:00-17:00",
    "08:00-20:00",
    "09:30-16:30",
]
DAYS = ["SMS-2", "SMS-3", "SMS-26", "SME-2", "SME-27"]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("rows", [40, 150])
@pytest.mark.parametrize("kind", [*HOURS, *DAYS])
def test_a_part_of_the_usual_hours_and_days_side_by_side_have_no_gaps(kind, rows, zone):
    offset = kind if kind in DAYS else pd.offsets.BusinessHour(start=kind[:5], end=kind[6:])
    index = pd.date_range("2020-02-25", periods=rows + 20, freq=offset, tz=zone)
    grid = read_grid("X", index[:rows])
    assert grid.gaps == []
    made = stamps(grid.start, grid.freq, zone, rows, 20)
    assert (made == index[rows:]).all()


@pytest.mark.parametrize(("opens", "closes"), [("10:00", "23:00"), ("10:30", "23:30"), ("14:00", "22:00")])
def test_business_hours_that_end_at_midnight_are_read(opens, closes):
    hours = pd.date_range(f"2024-03-01 {opens}", f"2024-03-01 {closes}", freq="h") - pd.Timestamp(
        "2024-03-01"
    )
    index = pd.DatetimeIndex(
        [day + hour for day in pd.bdate_range("2024-03-01", periods=12) for hour in hours]
    )
    grid = read_grid("x", index)
    assert (grid.places == np.arange(len(index))).all()
    assert (stamps(seconds_of(index)[0], grid.freq, None, 0, len(index)) == index).all()
    assert seasons_of(grid.freq) == (len(hours), 5 * len(hours))


def test_a_few_hours_before_midnight_with_a_gap_are_hours():
    assert (
        read_grid("x", pd.DatetimeIndex(["2024-03-20 20:00", "2024-03-20 22:00", "2024-03-20 23:00"])).freq
        == "h"
    )
