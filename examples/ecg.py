"""Heart rhythm from a single lead: normal or atrial fibrillation, 200 short recordings; then four classes, 300.

Five folds by recording, over five seeds of the folds. Compared on the same folds: the two published features
(instantaneous frequency and spectral entropy) in a bidirectional LSTM of 100 units, with its last state and with its mean;
the raw signal with trainable convolutions before the recurrence; the intervals from beat to beat as a sequence, in a
setting chosen on inner folds of each training part; and a random forest on statistics of the same intervals.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

import recurra
from recurra.features.windows.heartbeats import BeatIntervals

SICK = "atrial fibrillation"
SHARED = {"class_weight": "balanced", "validation_fraction": 0, "bidirectional": True, "verbose": 0}
FEATURES = {"name": ["instantaneous_frequency", "spectral_entropy"], "window_s": 0.5, "hop_s": 0.5}
TWO = SHARED | {
    "features": FEATURES,
    "hidden_size": 100,
    "max_epochs": 12,
    "batch_size": 16,
    "learning_rate": 0.005,
}
TWO["lr_schedule"] = "cosine"
RAW = SHARED | {
    "frontend": {"name": "convolution", "window": 96, "hop": 96},
    "hidden_size": 32,
    "pooling": "mean",
    "max_epochs": 10,
    "batch_size": 16,
    "learning_rate": 0.005,
    "lr_schedule": "cosine",
}
BEATS = SHARED | {
    "pooling": "mean",
    "batch_size": 16,
    "lr_schedule": "cosine",
    "learning_rate": 0.003,
    "dropout": 0.3,
}
CANDIDATES = [
    BEATS | {"cell": "gru", "hidden_size": 24, "max_epochs": 20},
    BEATS | {"cell": "gru", "hidden_size": 24, "max_epochs": 20, "pooling": "attention"},
]
PLAIN = SHARED | {"hidden_size": 100, "pooling": "last", "batch_size": 16}


def folds(y, seed, n):
    """Give training and test positions."""
    yield from StratifiedKFold(n, shuffle=True, random_state=seed).split(np.zeros(len(y)), y)


def take(X, where):
    return [X[i] for i in where]


def fit(X, y, words, seed):
    return recurra.SequenceClassifier(**words, random_state=seed).fit(X, y)


def share_sick(clf, X):
    """Return the probability of atrial fibrillation."""
    return clf.predict_proba(X)[:, clf.classes_.tolist().index(SICK)]


def choose(X, y, seed):
    """Return the candidate with the largest area under the curve on two inner folds."""

    def area(words):
        inner = np.zeros(len(y))
        for train, test in folds(y, seed, 2):
            inner[test] = share_sick(fit(take(X, train), y[train], words, seed), take(X, test))
        return roc_auc_score(y == SICK, inner)

    return max(CANDIDATES, key=area)


def interval_statistics(rows):
    """Return what a random forest sees of a recording's beat intervals."""
    interval, change = rows[:, 0], rows[:, 2]
    low, middle, high = np.percentile(interval, [25, 50, 75])
    spread = [
        interval.mean(),
        interval.std(),
        interval.min(),
        interval.max(),
        middle,
        high - low,
        len(interval),
    ]
    changes = [np.sqrt((change**2).mean()), np.median(change), (change > 0.05).mean()]
    return [*spread, *changes, interval.std() / interval.mean(), np.median(change) / middle]


def figures(y, share):
    sick = y == SICK
    found = {
        "balanced_accuracy": balanced_accuracy_score(sick, share > 0.5),
        "auc": roc_auc_score(sick, share),
    }
    return found | {"f1": f1_score(sick, share > 0.5)}


def one_seed(signals, beats, y, seed, n, parts):
    """Return the figures of every contestant over the folds of one seed, each recording judged once."""
    of_signals = (("features", TWO), ("features_mean", TWO | {"pooling": "mean"}), ("raw", RAW))
    shares = {name: np.zeros(len(y)) for name, _ in of_signals} if "signals" in parts else {}
    if "beats" in parts:
        shares |= {"chosen": np.zeros(len(y)), "forest": np.zeros(len(y))}
    table = np.array([interval_statistics(rows) for rows in beats])
    for k, (train, test) in enumerate(folds(y, seed, n)):
        for name, words in of_signals if "signals" in parts else ():
            clf = fit(signals.take(train), None, words, seed)
            shares[name][test] = share_sick(clf, signals.take(test))
        if "beats" in parts:
            own = take(beats, train)
            clf = fit(own, y[train], choose(own, y[train], seed), seed)
            shares["chosen"][test] = share_sick(clf, take(beats, test))
            forest = RandomForestClassifier(300, class_weight="balanced", random_state=seed)
            forest.fit(table[train], y[train])
            shares["forest"][test] = forest.predict_proba(table[test])[
                :, forest.classes_.tolist().index(SICK)
            ]
            print(f"seed {seed}, fold {k + 1}: chosen {clf.cell}, {clf.pooling} pooling", flush=True)
    judged = take(beats, test) if "beats" in parts else signals.take(test)
    return {name: figures(y, share) for name, share in shares.items()}, clf.evaluate(judged, y[test])


def four_classes(beats, y, seed, n):
    """Return accuracy figures of the first candidate on all recordings and classes."""
    predicted = np.empty(len(y), dtype=object)
    for train, test in folds(y, seed, n):
        predicted[test] = fit(take(beats, train), y[train], CANDIDATES[0], seed).predict(take(beats, test))
    predicted = predicted.astype(str)
    macro = f1_score(y, predicted, average="macro")
    return {"four_balanced_accuracy": balanced_accuracy_score(y, predicted), "four_macro_f1": macro}


def raw_samples(signals, seed, steps, epochs):
    """Train on the samples themselves, 10 seconds of each, as many normal as sick; say how far its gradient reaches."""
    y = signals.y
    rng = np.random.default_rng(seed)
    few = min((y == SICK).sum(), (y != SICK).sum())
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero((y == SICK) == sick))[:few] for sick in (True, False)]
    )
    X, y = [signals[i].values[:steps] for i in chosen], y[chosen]
    train, test = next(folds(y, seed, 5))
    clf = fit(take(X, train), y[train], PLAIN | {"max_epochs": epochs}, seed)
    flow = clf.gradient_flow(take(X, test)[:4], y[test][:4])
    return {"samples_accuracy": clf.score(take(X, test), y[test])}, flow.summary()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cinc2017-validation", help="electrocardiograms with these labels")
    parser.add_argument("--out", type=Path, default=Path("runs/ecg"))
    parser.add_argument("--seed", type=int, help="one seed of the folds instead of the mean over 0 to 4")
    parser.add_argument("--quick", action="store_true", help="few recordings and epochs, for the test suite")
    parser.add_argument(
        "--only", choices=("signals", "beats"), help="only what reads signals, or beat intervals"
    )
    args = parser.parse_args()
    parts = ("signals", "beats") if args.only is None else (args.only,)
    data = recurra.load(args.data)
    seeds = [args.seed] if args.seed is not None else [0] if args.quick else range(5)
    n = 5
    if args.quick:
        n = 2
        data = data.take(range(0, len(data), 8))
        for words in (TWO, RAW, *CANDIDATES):
            words["max_epochs"] = 1
    finder = BeatIntervals(data.sample_rate_hz)
    beats = [finder.transform(record.values) for record in data.records]
    two = np.flatnonzero(np.isin(data.y, ["normal", SICK]))
    signals = data.take(two)
    steps, epochs = (300, 1) if args.quick else (3000, 3)
    fixed, reach = {"n_test": len(signals)}, None
    if "signals" in parts:
        samples, reach = raw_samples(signals, seeds[0], steps, epochs)
        fixed |= samples | {"samples_accuracy_baseline": 0.5, "samples_gradient": reach}
    args.out.mkdir(parents=True, exist_ok=True)
    runs, four = [], []
    for seed in seeds:
        found, evaluation = one_seed(signals, take(beats, two), signals.y, seed, n, parts)
        runs.append(found)
        four.append(four_classes(beats, data.y, seed, n) if "beats" in parts else {})
        metrics = summed(runs, four) | fixed | {"n_fold_seeds": len(runs)}
        (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    evaluation.save(args.out / "report.html")
    for name in runs[0]:
        told = [
            f"{f} {metrics[f'{name}_{f}']:.3f} +- {metrics[f'{name}_{f}_std']:.3f}" for f in runs[0][name]
        ]
        print(f"{name:14} {', '.join(told)}")
    if "beats" in parts:
        print(f"four classes: balanced accuracy {metrics['four_balanced_accuracy']:.3f}, of 0.25")
    if reach is not None:
        print(f"samples alone: accuracy {metrics['samples_accuracy']:.3f}, of 0.5. {reach}")
    print(f"Report of the last network on the last fold: {args.out / 'report.html'}")


def summed(runs, four):
    """Return the mean and spread of every figure over the seeds so far, and what the chosen setting gains on others."""
    metrics = {}
    for name in runs[0]:
        for figure in runs[0][name]:
            keep(metrics, f"{name}_{figure}", [found[name][figure] for found in runs])
            metrics[f"{name}_{figure}_baseline"] = 0.0 if figure == "f1" else 0.5  # always "normal"
    for other in {"forest", "features_mean"} & set(runs[0]) if "chosen" in runs[0] else ():
        for figure in ("balanced_accuracy", "auc"):
            gains = [found["chosen"][figure] - found[other][figure] for found in runs]
            keep(metrics, f"chosen_over_{other}_{figure}", gains)
    for name in four[0]:
        keep(metrics, name, [found[name] for found in four])
    return metrics | ({"four_balanced_accuracy_baseline": 0.25} if four[0] else {})


def keep(metrics, name, values):
    """Write the mean of a figure, with its standard deviation over the seeds beside it."""
    metrics[name], metrics[f"{name}_std"] = statistics.fmean(values), statistics.pstdev(values)


if __name__ == "__main__":
    main()
