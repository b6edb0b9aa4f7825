"""The bare forecaster on series of hours and half hours, of which some have a week beside the day and some have not.

    python benchmarks/weeks.py    # makes the environment of the peers where it is missing

Trained once, before the first of ten origins one horizon (a day) apart; the peers are fitted anew at every origin, and
MSTL is told both seasons. Errors of the second half of the series were looked at once the rule stood when a week is taken;
the correlations that it compares had been seen on all of them. Mean absolute errors over that of the best naive forecast
(last value, day before, week before). Written to benchmarks/results/weeks.json.
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

ORIGINS = 10
# Name -> time of the first step, step, first and last place that are taken.
MADE_ON: dict[str, tuple[str, str, int, int]] = {
    "taylor": ("2000-06-05", "30min", 0, 4032),
    "EWR_temp": ("2013-01-01 06:00", "h", 5730, 8730),
    "flights": ("2013-01-01 05:00", "h", 0, 3000),
    "seattle_temps": ("2010-01-01", "h", 0, 3000),
    "JFK_humid": ("2013-01-01 06:00", "h", 5730, 8730),
}
ASIDE: dict[str, tuple[str, str, int, int]] = {
    "LGA_wind_speed": ("2013-01-01 06:00", "h", 5730, 8730),
    "elecdemand": ("2014-01-01", "h", 1000, 4000),
    "sf_temps": ("2010-01-01", "h", 3000, 6000),
    "bank_calls": ("2003-03-03 07:00", "30min", 0, 3000),
}


def row(name: str, python: Path, threads: int) -> dict[str, Any]:
    """Return the figures of one series."""
    start, freq, first, last = (MADE_ON | ASIDE)[name]
    whole, _ = defaults.answered(python, "series of hours", threads, name=name, freq=freq)
    stamps = pd.date_range(start, periods=len(whole), freq=freq)[first:last]
    series = pd.Series(whole[first:last], stamps)
    day = 48 if freq == "30min" else 24
    ends = [len(series) - back * day for back in range(ORIGINS, 0, -1)]
    truth = np.stack([series.to_numpy()[end : end + day] for end in ends])
    began = time.perf_counter()
    model = recurra.Forecaster(horizon=day, random_state=0, verbose=0).fit(series[: ends[0]])
    trained = time.perf_counter() - began
    answers = {"ours": np.stack([np.ravel(model.predict(series[:end])) for end in ends])}
    filled = series.interpolate().bfill().to_numpy()
    histories = defaults.packed("histories", [filled[:end] for end in ends])
    words = {"horizon": day, "season": day, "seasons": [day, 7 * day], **histories}
    seconds = {"ours": trained}
    for method in ("MSTL", "AutoETS"):
        answers[method], seconds[method] = defaults.answered(python, method, threads, **words)
    naive = {
        f"{steps} before": np.stack([np.resize(filled[end - steps : end], day) for end in ends])
        for steps in (1, day, 7 * day)
    }
    errors = {who: float(np.nanmean(np.abs(found - truth))) for who, found in (answers | naive).items()}
    least = min(errors[who] for who in naive)
    return {
        "series": name,
        "half": "made on" if name in MADE_ON else "aside",
        "seasons": list(model.model_.features.seasons),
        "weight of the statistical forecast": model.model_.manifest["statistical"]["weight"],
        "errors": errors,
        "relative": {who: errors[who] / least for who in answers},
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[*MADE_ON, *ASIDE])
    parser.add_argument(
        "--peers", type=Path, default=defaults.CACHE, help=f"folder of their environment ({defaults.CACHE})"
    )
    parser.add_argument("--out", type=Path, default=measure.RESULTS)
    chosen = parser.parse_args()
    python = defaults.environment(chosen.peers)
    rows, text = [], []
    for name in chosen.only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", recurra.errors.RecurraWarning)
            rows.append(row(name, python, chosen.threads))
        figures = ", ".join(f"{who} {ratio:.3f}" for who, ratio in rows[-1]["relative"].items())
        text.append(f"{name}, seasons {rows[-1]['seasons']}: {figures}; {rows[-1]['seconds']['ours']:.1f} s")
        print(text[-1], flush=True)
    text += measure.of_halves(rows)
    measure.write("weeks", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
