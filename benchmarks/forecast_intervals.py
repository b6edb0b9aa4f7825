"""How often the truth lies inside the intervals of a bare forecast, on series of days to years.

    python benchmarks/forecast_intervals.py    # makes the environment of the peers where it is missing

``Forecaster(horizon, loss="quantile")`` learns before the first of four origins one horizon apart, and forecasts from
each with 80 and 95 %. Beside it AutoETS with its own intervals, fitted anew at every origin. Interval scores (width, and
2 / (1 - coverage) times what lies beyond it; T. Gneiting, A. Raftery, JASA 102, 2007) are over the mean absolute error of
the forecast. Written to benchmarks/results/forecast_intervals.json.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import defaults
import measure
import numpy as np
import pandas as pd

import recurra

ORIGINS, MOST_STEPS = 4, 600
COVERAGES = (0.8, 0.95)
# Kind of step -> horizon, season, and how pandas names it.
KINDS: dict[str, tuple[int, int, str]] = {
    "days": (14, 7, "D"), "business days": (10, 5, "B"), "weeks": (8, 52, "W"), "months": (12, 12, "MS"),
    "quarters": (8, 4, "QS"), "years": (6, 1, "YS"),
}  # fmt: skip
MADE_ON: dict[str, str] = {
    "days": "fpp2/hyndsight",
    "business days": "fpp2/goog200",
    "weeks": "quantreg/gasprice",
    "months": "fpp2/a10 fpp2/h02 datasets/USAccDeaths datasets/mdeaths datasets/sunspot.month forecast/gas boot/manaus "
    "AER/BondYield",
    "quarters": "fpp2/ausbeer fpp2/qcement datasets/UKgas datasets/austres AER/ArgentinaCPI",
    "years": "fpp2/austa fpp2/livestock fpp2/maxtemp fpp2/wmurders datasets/LakeHuron datasets/nhtemp datasets/treering "
    "AER/MotorCycles2",
}
ASIDE: dict[str, str] = {
    "days": "quantreg/MelTemp",
    "business days": "forecast/gold",
    "weeks": "fpp2/gasoline",
    "months": "fpp2/auscafe fpp2/debitcards fpp2/usmelec datasets/UKDriverDeaths datasets/nottem datasets/ldeaths "
    "datasets/fdeaths forecast/wineind AER/DutchSales DAAG/mdbAVtJtoD",
    "quarters": "fpp2/austourists fpp2/euretail fpp2/qauselec fpp2/qgas datasets/JohnsonJohnson datasets/presidents "
    "forecast/woolyrnq AER/UKNonDurables",
    "years": "fpp2/ausair fpp2/guinearice fpp2/marathon fpp2/oil fpp2/sunspotarea datasets/airmiles datasets/discoveries "
    "DAAG/measles",
}


def row(half: str, kind: str, name: str, python: Path, threads: int) -> dict[str, Any]:
    """Return the figures of one series."""
    horizon, season, freq = KINDS[kind]
    whole, _ = defaults.answered(python, "series of a table", threads, name=name)
    values = pd.Series(whole).interpolate().dropna().to_numpy()[-MOST_STEPS:]
    series = pd.Series(values, pd.date_range("1700-01-01", periods=len(values), freq=freq))
    ends = [len(values) - back * horizon for back in range(ORIGINS, 0, -1)]
    if ends[0] < 4 * horizon:
        ends = ends[2:]
    truth = np.stack([values[end : end + horizon] for end in ends])
    began = time.perf_counter()
    words = {"loss": "quantile", "quantiles": (0.025, 0.1, 0.5, 0.9, 0.975)}
    model = recurra.Forecaster(horizon=horizon, random_state=0, verbose=0, **words).fit(series[: ends[0]])
    ours = []
    for end in ends:
        found = [model.forecast(series[:end], coverage=one) for one in COVERAGES]
        ours.append([found[0].point, *(side for one in found for side in (one.low, one.high))])
    seconds = time.perf_counter() - began
    asked = {"horizon": horizon, "season": season, "levels": [round(100 * one) for one in COVERAGES]}
    histories = defaults.packed("histories", [values[:end] for end in ends])
    peer, _ = defaults.answered(python, "AutoETS, intervals", threads, **asked, **histories)
    return {
        "series": name,
        "half": half,
        "kind": kind,
        "steps": len(values),
        "weight of the statistical forecast": model.model_.manifest["statistical"]["weight"],
        "ours": _figures(np.array(ours).reshape(len(ends), 5, horizon), truth),
        "AutoETS": _figures(peer, truth),
        "seconds": seconds,
    }


def _figures(answer: np.ndarray, truth: np.ndarray) -> dict[str, list[float]]:
    """Return coverage and interval score for each of `COVERAGES`; answer of shape (origins, point and ends, horizon)."""
    size = max(float(np.abs(truth - answer[:, 0]).mean()), 1e-12)
    covered, scores = [], []
    for place, coverage in enumerate(COVERAGES):
        low, high = answer[:, 1 + 2 * place], answer[:, 2 + 2 * place]
        covered.append(float(((low <= truth) & (truth <= high)).mean()))
        beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        scores.append(float((high - low + 2 / (1 - coverage) * beyond).mean()) / size)
    return {"coverage": covered, "score": scores}


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each half: means of the coverages, medians of the scores."""
    lines = []
    for half in ("made on", "aside"):
        own = [one for one in rows if one["half"] == half]
        for who in ("ours", "AutoETS") if own else ():
            covered = np.mean([one[who]["coverage"] for one in own], axis=0)
            scores = np.median([one[who]["score"] for one in own], axis=0)
            told = "; ".join(
                f"asked {asked:.0%}: {share:.1%}, score {score:.2f}"
                for asked, share, score in zip(COVERAGES, covered, scores, strict=True)
            )
            lines.append(f"{half}, {len(own)} series, {who}: {told}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--peers", type=Path, default=defaults.CACHE, help=f"folder of their environment ({defaults.CACHE})"
    )
    parser.add_argument("--out", type=Path, default=measure.RESULTS)
    chosen = parser.parse_args()
    python = defaults.environment(chosen.peers)
    rows, text = [], []
    for half, series in (("made on", MADE_ON), ("aside", ASIDE)):
        for kind, names in series.items():
            for name in names.split():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", recurra.errors.RecurraWarning)
                    rows.append(row(half, kind, name, python, chosen.threads))
                figures = "; ".join(
                    f"{who} {rows[-1][who]['coverage'][0]:.2f}, {rows[-1][who]['coverage'][1]:.2f}"
                    for who in ("ours", "AutoETS")
                )
                text.append(f"{kind}, {name}: {figures}")
                print(text[-1], flush=True)
    text += summary(rows)
    measure.write("forecast_intervals", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
