import numpy as np
import pytest

from recurra.errors import DataError
from recurra.readers.calendar import place_of, read_grid, season_of, step_after, time_at


def seconds(*stamps):
    return np.array(stamps, dtype="datetime64[s]").astype(np.int64).astype(float)


def every(start, step, n):
    return (np.datetime64(start) + np.arange(n) * step).astype("datetime64[s]").astype(np.int64).astype(float)


@pytest.mark.parametrize(
    ("stamps", "freq"),
    [
        (every("2020-01-01T00:00", np.timedelta64(30, "m"), 50), "30min"),
        (every("2020-01-01T00:00", np.timedelta64(1, "h"), 50), "h"),
        (every("2020-01-01", np.timedelta64(1, "D"), 50), "D"),
        (every("2020-01-05", np.timedelta64(7, "D"), 50), "W"),
        (every("2020-01", np.timedelta64(1, "M"), 30), "MS"),
        (every("2020-01", np.timedelta64(3, "M"), 10), "QS"),
        (every("2020", np.timedelta64(1, "Y"), 10), "YS"),
        (every("2020-02", np.timedelta64(1, "M"), 30) - 86400, "MS"),  # last days of months
    ],
)
def test_frequency(stamps, freq):
    grid = read_grid("x", stamps)
    assert grid.freq == freq
    assert grid.places.tolist() == list(range(len(stamps)))
    assert grid.gaps == []


def test_gaps_are_named():
    stamps = np.delete(every("2020-01-01T00:00", np.timedelta64(1, "h"), 20), [3, 4, 10])
    grid = read_grid("x", stamps)
    assert grid.places[-1] == 19
    assert grid.gaps == ["2 missing after 2020-01-01 02:00:00", "1 missing after 2020-01-01 09:00:00"]


def test_what_cannot_be_a_series():
    good = every("2020-01-01T00:00", np.timedelta64(1, "h"), 10)
    with pytest.raises(DataError, match=r"the time stamp 2020-01-01 02:00:00 appears twice \(rows 2 and 3"):
        read_grid("x", np.insert(good, 2, good[2]))
    with pytest.raises(
        DataError, match="time stamps must rise; 2020-01-01 01:00:00 comes after 2020-01-01 02:00:00"
    ):
        read_grid("x", good[[0, 2, 1, 3]])
    mixed = np.concatenate([good, good[-1] + 86400 * np.arange(1, 11)])
    with pytest.raises(DataError, match="follow no one frequency: steps from 3600 s to 1 days"):
        read_grid("x", mixed)
    with pytest.raises(DataError, match="at least two time stamps"):
        read_grid("x", good[:1])


def test_places_and_times_belong_together():
    start = seconds("2020-03-01T00:15")[0]
    place, offset = place_of(start, "30min")
    assert time_at(np.array([place]), "30min")[0] + np.timedelta64(int(offset), "s") == np.datetime64(
        "2020-03-01T00:15"
    )
    assert step_after(seconds("2020-11-01")[0], "MS", 3) == seconds("2021-02-01")[0]
    assert place_of(None, "h") == (0, 0.0)
    assert season_of("MS") == 12
    assert season_of("7min") is None
