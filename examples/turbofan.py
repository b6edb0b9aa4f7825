"""Remaining life of jet engines: how many flights are left? NASA's C-MAPSS FD001, 100 engines to learn from, 100 judged.

Every flight of a run has its own target: what is left, at most 125. A seed's answer is the mean of three networks that
differ in how they begin and in the order of the data; ``rmse_one_network`` is what each has alone. The setting was chosen on
training engines held out (docs/results.md).
"""

import argparse
import json
import os
import statistics
from pathlib import Path

import numpy as np

import recurra

CLIP = 125
MEMBERS = 3
SETTING = {
    "cell": "lstm",
    "hidden_size": 64,
    "num_layers": 2,
    "dropout": 0.2,
    "max_epochs": 40,
    "batch_size": 10,
    "learning_rate": 0.003,
    "lr_schedule": "cosine",
    "validation_fraction": 0,
}


def clipped(data):
    """Return flights left after every flight, at most `CLIP`, scaled to [0, 1]."""
    return [np.minimum(left, CLIP) / CLIP for left in (record.label for record in data)]


def varying(data):
    """Return which channels vary at all."""
    values = np.concatenate(data.X)
    return np.flatnonzero(values.std(axis=0) > 1e-6 * np.abs(values.mean(axis=0)) + 1e-9)


def challenge_score(predicted, true):
    """Return the score of the 2008 challenge: late answers cost more than early ones."""
    error = predicted - true
    return float(np.where(error < 0, np.exp(-error / 13) - 1, np.exp(error / 10) - 1).sum())


def figures(predicted, left):
    """Return the figures of predictions at the last flight of each engine; ``left`` is the truth, not clipped."""
    true = np.minimum(left, CLIP)
    return {
        "rmse": float(np.sqrt(np.mean((predicted - true) ** 2))),
        "rmse_unclipped": float(np.sqrt(np.mean((predicted - left) ** 2))),
        "challenge_score": challenge_score(predicted, left),
    }


def run(train, test, seed, quick):
    """Train the networks of one seed; return the last one and what each says at the last flight of each test engine."""
    words = SETTING | ({"max_epochs": 2, "hidden_size": 8, "num_layers": 1, "dropout": 0} if quick else {})
    use, said = varying(train), []
    for member in range(1 if quick else MEMBERS):
        model = recurra.SequenceRegressor(**words, random_state=seed * MEMBERS + member)
        model.fit([x[:, use] for x in train.X], clipped(train))
        lives = model.predict([x[:, use] for x in test.X])
        said.append(np.clip([CLIP * own[-1] for own in lives], 0, CLIP))
    return model, np.array(said)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the data sets, in place of $RECURRA_DATA")
    parser.add_argument("--out", type=Path, default=Path("runs/turbofan"))
    parser.add_argument("--seed", type=int, help="one seed instead of the mean over five")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    if args.data:
        os.environ["RECURRA_DATA"] = args.data
    train, test = (recurra.datasets.load("cmapss-fd001", split=side) for side in ("train", "test"))
    left = np.array([record.label[-1] for record in test])
    seeds = [args.seed or 0] if args.seed is not None or args.quick else range(5)
    fitted = [run(train, test, seed, args.quick) for seed in seeds]
    runs = [figures(said.mean(axis=0), left) for _, said in fitted]
    metrics = {}
    for name in runs[0]:
        values = [one[name] for one in runs]
        metrics[name], metrics[f"{name}_std"] = statistics.fmean(values), statistics.pstdev(values)
    together = figures(np.mean([said.mean(axis=0) for _, said in fitted], axis=0), left)
    metrics |= {f"{name}_ensemble": value for name, value in together.items()}
    alone = [figures(one, left)["rmse"] for _, said in fitted for one in said]
    metrics |= {"rmse_one_network": statistics.fmean(alone), "rmse_one_network_std": statistics.pstdev(alone)}
    # The naive answer: the mean life left over all flights of the training engines.
    naive = np.full(len(left), CLIP * float(np.concatenate(clipped(train)).mean()))
    metrics |= {f"{name}_baseline": value for name, value in figures(naive, left).items()}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    model, use = fitted[-1][0], varying(train)
    report = model.evaluate([x[:, use] for x in test.X], clipped(test), groups=test.groups)
    report.save(args.out / "report.html")
    for name, value in metrics.items():
        print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
