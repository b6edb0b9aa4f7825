"""What a person does, at every time step: 223 smartphone recordings of 23 people, 5 activities.

Five folds of 5, 5, 5, 4 and 4 people; no person is on both sides. Windows of half a second become statistics of the
motion as seen from the ground (`recurra.features.windows.statistics.Motion`), which a bidirectional
LSTM reads; labels come out for every sample. Beside it stands the same without the gyroscope.
"""

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np

import recurra

FEATURES = {"name": "motion", "window_s": 0.5, "hop_s": 0.1}
SETTING = {
    "hidden_size": 32,
    "bidirectional": True,
    "dropout": 0.3,
    "max_epochs": 20,
    "batch_size": 16,
    "learning_rate": 0.005,
    "lr_schedule": "cosine",
    "validation_fraction": 0,
}
PLAIN = {
    "hidden_size": 64,
    "bidirectional": True,
    "max_epochs": 20,
    "batch_size": 16,
    "validation_fraction": 0,
}
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "segment_f1")


def folds(data, seed, n):
    """Give training and test part of each fold; every person is tested once."""
    people = sorted(set(data.groups.tolist()))
    order = np.random.default_rng(seed).permutation(len(people))
    for chosen in np.array_split(order, n):
        test = np.isin(data.groups, [people[i] for i in chosen])
        yield data.take(np.flatnonzero(~test)), data.take(np.flatnonzero(test))


def without_gyroscope(data):
    """Return the data with the three channels of the accelerometer."""
    records = [replace(record, values=record.values[:, :3]) for record in data.records]
    return replace(data, records=records, channel_names=data.channel_names[:3])


def judge(train, test, seed, words):
    """Train one network and judge it."""
    return recurra.SequenceLabeler(**words, random_state=seed).fit(train).evaluate(test)


def mean_and_spread(evaluations, prefix=""):
    """Return the mean of every figure over the folds, its standard deviation, and the naive figure."""
    out = {}
    for name in FIGURES:
        values = [evaluation.metrics[name] for evaluation in evaluations]
        out[prefix + name] = statistics.fmean(values)
        out[f"{prefix}{name}_std"] = statistics.pstdev(values)
        naive = [evaluation.metrics.get(f"{name}_baseline") for evaluation in evaluations]
        if None not in naive:
            out[f"{prefix}{name}_baseline"] = statistics.fmean(naive)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", default="smartphone-activity", help="recordings with a label per step and a group"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/activity"))
    parser.add_argument(
        "--seed", type=int, help="one seed of folds and network instead of the mean over 0, 1"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one fold, few epochs and people, for the test suite"
    )
    args = parser.parse_args()
    data = recurra.load(args.data)
    seeds = [args.seed] if args.seed is not None else [0] if args.quick else [0, 1]
    if args.quick:
        data = data.take(range(0, len(data), 6))
    quick = {"max_epochs": 2, "verbose": 0} if args.quick else {}
    found = {"": [], "without_gyroscope_": []}
    for seed in seeds:
        for k, (train, test) in enumerate(folds(data, seed, 5)):
            words = SETTING | {"features": FEATURES} | quick
            found[""].append(judge(train, test, seed, words))
            pair = without_gyroscope(train), without_gyroscope(test)
            found["without_gyroscope_"].append(judge(*pair, seed, words))
            print(f"seed {seed}, fold {k + 1}: accuracy {found[''][-1].metrics['accuracy']:.3f}", flush=True)
            if args.quick:
                break
    metrics = {}
    for prefix, evaluations in found.items():
        metrics |= mean_and_spread(evaluations, prefix)
    pairs = zip(found[""], found["without_gyroscope_"], strict=True)
    gains = [a.metrics["accuracy"] - b.metrics["accuracy"] for a, b in pairs]
    metrics["gyroscope_gain"], metrics["gyroscope_gain_std"] = (
        statistics.fmean(gains),
        statistics.pstdev(gains),
    )
    metrics |= {"n_folds": len(found[""]), "n_test": len(data)}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    found[""][-1].save(args.out / "report.html")
    for name in FIGURES[::2]:
        print(
            f"{name} {metrics[name]:.3f} +- {metrics[f'{name}_std']:.3f} over {len(found[''])} folds",
            end="; ",
        )
        print(
            f"naive {metrics[f'{name}_baseline']:.3f}, no gyroscope {metrics[f'without_gyroscope_{name}']:.3f}"
        )
    print(f"Report with a drawn recording: {args.out / 'report.html'}")


if __name__ == "__main__":
    main()
