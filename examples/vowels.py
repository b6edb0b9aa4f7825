"""Who is speaking: nine speakers of Japanese vowels, 12 channels, 7 to 29 steps.

The official split: 270 recordings to learn from, 370 to judge. No option is given but the seed: what is trained is
decided from the 270 alone, and the report says what that was.
"""

import argparse
import json
import statistics
from pathlib import Path

import recurra


def run(seed, quick):
    """Train and judge with one seed."""
    train = recurra.datasets.load("japanese-vowels", split="train")
    test = recurra.datasets.load("japanese-vowels", split="test")
    words = {"max_epochs": 3} if quick else {}
    clf = recurra.SequenceClassifier(**words, random_state=seed)
    clf.fit(train)
    return clf.evaluate(test)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not needed: the data come with the package")
    parser.add_argument("--out", type=Path, default=Path("runs/vowels"))
    parser.add_argument("--seed", type=int, help="one seed instead of the mean over 0, 1, 2")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    seeds = [args.seed] if args.seed is not None else [0] if args.quick else [0, 1, 2]
    evaluations = [run(seed, args.quick) for seed in seeds]
    metrics = mean_and_spread([evaluation.metrics for evaluation in evaluations])
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    evaluations[-1].save(args.out / "report.html")
    print(f"accuracy {metrics['accuracy']:.4f} +- {metrics['accuracy_std']:.4f} over seeds {seeds}")
    print(f"guessing {metrics['accuracy_baseline']:.4f}; report: {args.out / 'report.html'}")


def mean_and_spread(runs):
    """Return the mean of every figure, with its standard deviation beside it as <figure>_std."""
    metrics = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        metrics[name] = statistics.fmean(values)
        if not name.endswith("_baseline") and not name.startswith("n_"):
            metrics[f"{name}_std"] = statistics.pstdev(values)
    return metrics


if __name__ == "__main__":
    main()
