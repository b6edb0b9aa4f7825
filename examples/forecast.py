"""Three forecasts: cases of chickenpox in closed and open loop, electricity demand, and 1,428 series with one network.

Settings were chosen on the end of each history, before what is judged here (docs/results.md says what was tried).
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np

import recurra

# Chickenpox: 448 months to learn from, 50 judged. Closed loop: a year at once, counted from the last year's mean, its
# forecasts fed back. Open loop: one month ahead, the state moved on by every month observed.
CASES = {"transform": "log", "context": 24, "level": 12, "highway": 24, "cell": "gru", "hidden_size": 16}
CLOSED = CASES | {"horizon": 12, "max_epochs": 15, "batch_size": 32}
OPEN = CASES | {"horizon": 1, "max_epochs": 20, "batch_size": 32}

# Demand: half hours, a day at once; the values of the day and the week before stand beside every step, with what was known
# of those. Ten networks, each trained without another tenth of the history, which says how wide the intervals must be.
DEMAND = {
    "horizon": 48,
    "context": 48,
    "season": (48, 336),
    "lags": (48, 336),
    "level": 48,
    "loss": "quantile",
    "members": 10,
    "hidden_size": 32,
    "dropout": 0.1,
    "stride": 7,
    "batch_size": 128,
    "learning_rate": 0.005,
    "max_epochs": 50,
}
WEEKS = 8 * 336
WARM, HOT = 18, 24  # degrees Celsius from which on cooling is wanted, and more of it

# M3: seasonally adjusted logarithms, counted from the last value, one scale for all series.
M3 = {
    "horizon": 18,
    "context": 18,
    "season": 12,
    "seasonal": "adjust",
    "transform": "log",
    "scaling": "common",
    "level": 1,
    "stride": 2,
    "batch_size": 256,
    "learning_rate": 0.002,
    "max_epochs": 6,
}


def cases(seed, quick):
    """Return the figures of chickenpox and the judged closed loop."""
    train, test = recurra.load("chickenpox").split(by="time", test=50)
    short = {"max_epochs": 2} if quick else {}
    closed = recurra.Forecaster(**CLOSED | short, random_state=seed).fit(train)
    ahead = closed.evaluate(test, horizon=50)
    following = recurra.Forecaster(**OPEN | short, random_state=seed).fit(train).evaluate(test)
    return {
        "closed_loop_rmse": ahead.metrics["rmse"],
        "closed_loop_rmse_baseline": ahead.metrics["rmse_seasonal_naive"],
        "open_loop_rmse": following.metrics["rmse"],
        "open_loop_rmse_baseline": following.metrics["rmse_last_value"],
    }, ahead


def linear_cases(lags=24, test=50):
    """Return closed and open loop error of a linear model on the last logarithms."""
    counts = recurra.load("chickenpox")[0].values[:, 0]
    logs, n = np.log(counts), len(counts) - test

    def row(past):
        return np.append(past[-lags:], 1.0)

    weights = np.linalg.lstsq(np.array([row(logs[:i]) for i in range(lags, n)]), logs[lags:n], rcond=None)[0]
    closed = list(logs[:n])
    for _ in range(test):
        closed.append(row(np.array(closed)) @ weights)
    opened = [row(logs[:i]) @ weights for i in range(n, n + test)]
    return [float(np.sqrt(np.mean((np.exp(x) - counts[n:]) ** 2))) for x in (closed[n:], opened)]


def daily_mean(values, steps=48):
    """Return a mean in which a value ``steps`` steps old counts a third of the newest; it reads nothing ahead."""
    out, mean = np.empty(len(values)), values[0]
    for step, value in enumerate(values):
        mean += (value - mean) / steps
        out[step] = mean
    return out


def demand_inputs(known, temperature=True):
    """Return what is known of every half hour: working day; temperature, now and of the day past, and its heat."""
    if not temperature:
        return known[:, :1]
    columns = [known[:, 0]]
    for degrees in (known[:, 1], daily_mean(known[:, 1])):
        columns += [degrees, np.maximum(degrees - WARM, 0), np.maximum(degrees - HOT, 0)]
    return np.column_stack(columns)


def demand(seed, quick, temperature=True):
    """Return the figures of the demand of a day, from daily origins over eight weeks, and the backtest."""
    data = recurra.load("electricity-demand")
    values, known = data[0].values, demand_inputs(data[0].known, temperature)
    if quick:
        values, known = values[-WEEKS - 2000 :], known[-WEEKS - 2000 :]
    words = DEMAND | ({"max_epochs": 1, "hidden_size": 8, "stride": 48} if quick else {})
    model = recurra.Forecaster(**words, random_state=seed).fit([values[:-WEEKS]], known=[known[:-WEEKS]])
    judged = model.backtest([values], known=[known], test=WEEKS)
    m, name = judged.metrics, "demand" if temperature else "demand_without_temperature"
    figures = {f"{name}_relative_mae": m["mae"] / m["mae_seasonal_naive"], f"{name}_coverage": m["coverage"]}
    if temperature:
        figures |= {
            "demand_relative_mae_baseline": 1.0,
            "demand_mae": m["mae"],
            "demand_mae_baseline": m["mae_seasonal_naive"],
        }
    return figures, judged


def many(seed, quick):
    """Return the figures of the M3 monthly series, one network for all, and the evaluation."""
    train = recurra.datasets.load("m3-monthly", split="train")
    test = recurra.datasets.load("m3-monthly", split="test")
    if quick:
        train, test = train.take(range(0, 1428, 40)), test.take(range(0, 1428, 40))
    words = M3 | ({"max_epochs": 1, "members": 1, "hidden_size": 8} if quick else {})
    started = time.process_time()
    model = recurra.Forecaster(**words, random_state=seed).fit(train)
    judged = model.evaluate(test)
    return {
        "m3_monthly_smape": judged.metrics["smape"],
        "m3_monthly_smape_baseline": judged.metrics["smape_baseline"],
        "m3_monthly_cpu_seconds": time.process_time() - started,
    }, judged


def theta_smape(train, test):
    """Return the error of the Theta method (Assimakopoulos and Nikolopoulos 2000) on seasonally adjusted series."""
    from recurra.features.series import seasonal_profile

    errors = []
    for history, future in zip(train.X, test.X, strict=True):
        values, months, ahead = history[:, 0], np.arange(len(history)), np.arange(len(future))
        profile = seasonal_profile(np.log(values), 12)
        forecast = theta(values / np.exp(profile[months % 12]), ahead)
        forecast *= np.exp(profile[(len(values) + ahead) % 12])
        truth = future[:, 0]
        errors.append(200 * np.abs(forecast - truth) / (np.abs(forecast) + truth))
    return float(np.mean(errors))


def theta(values, ahead):
    """Half the trend of a straight line on top of simple exponential smoothing."""
    n, best = len(values), None
    for alpha in np.linspace(0.05, 1, 20):
        level, error = values[0], 0.0
        for value in values[1:]:
            error += (value - level) ** 2
            level += alpha * (value - level)
        if best is None or error < best[0]:
            best = (error, alpha, level)
    _, alpha, level = best
    slope = np.polyfit(np.arange(n), values, 1)[0]
    return level + slope / 2 * (ahead + (1 - (1 - alpha) ** n) / alpha)


def mean_and_spread(runs):
    """Return the mean of every figure, with its standard deviation beside it as <figure>_std."""
    out = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        out[name] = statistics.fmean(values)
        if not name.endswith("_baseline"):
            out[f"{name}_std"] = statistics.pstdev(values)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the data sets, in place of $RECURRA_DATA")
    parser.add_argument("--out", type=Path, default=Path("runs/forecast"))
    parser.add_argument(
        "--seed", type=int, help="one seed instead of five (chickenpox, demand) and three (M3)"
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    parser.add_argument("--only", choices=["cases", "demand", "m3"], help="one of the three")
    args = parser.parse_args()
    if args.data:
        os.environ["RECURRA_DATA"] = args.data
    args.out.mkdir(parents=True, exist_ok=True)
    one = [args.seed or 0] if args.seed is not None or args.quick else None
    metrics = {}
    if args.only in (None, "m3"):
        runs = [many(seed, args.quick) for seed in one or range(3)]
        metrics |= mean_and_spread([figures for figures, _ in runs])
        runs[-1][1].save(args.out / "m3.html")
        if not args.quick:
            parts = [recurra.datasets.load("m3-monthly", split=side) for side in ("train", "test")]
            metrics["m3_monthly_smape_theta"] = theta_smape(*parts)
    if args.only in (None, "demand"):
        runs = [demand(seed, args.quick) for seed in one or range(5)]
        metrics |= mean_and_spread([figures for figures, _ in runs])
        runs[-1][1].save(args.out / "demand.html")
        metrics |= demand((one or [0])[0], args.quick, temperature=False)[0]
    if args.only in (None, "cases"):
        runs = [cases(seed, args.quick) for seed in one or range(5)]
        metrics |= mean_and_spread([figures for figures, _ in runs])
        metrics["closed_loop_rmse_linear"], metrics["open_loop_rmse_linear"] = linear_cases()
        metrics |= {"closed_loop_rmse_published_lstm": 248.6, "open_loop_rmse_published_lstm": 158.1}
        runs[-1][1].save(args.out / "report.html")
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    for name, value in metrics.items():
        print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
