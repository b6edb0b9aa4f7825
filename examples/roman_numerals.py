"""Roman numerals and decimals, in both directions, with an encoder, a decoder and attention between them.

Of the numbers 1 to 1000 a random half is learned from, the other half is never seen. Short numbers are few (one in a
hundred has a single digit): they count for more in the loss, one digit 32 times, two digits 6 times, and the source is
read between marks of its begin and end, without which 9 is read as the end of 99 (``source_marks``). The settings were
chosen on other splits (seeds 10 to 18) and are judged on seeds 0, 1, 2, whose figures with earlier settings were known
(docs/results.md). The harder part learns from 1 to 1000, all of them, and reads 1001 to 3999: it must write what no
training target holds.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np

import recurra

SETTING = {
    "cell": "gru",
    "hidden_size": 96,
    "embedding_size": 32,
    "dropout": 0.3,
    "label_smoothing": 0.1,
    "batch_size": 16,
    "max_epochs": 80,
    "learning_rate": 0.003,
    "lr_schedule": "onecycle",
    "validation_fraction": 0,
}
DIRECTIONS = ("to_roman", "to_decimal")
PARTS = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def roman(number):
    """Return a whole number of at least 1 as a Roman numeral."""
    out = ""
    for value, letters in PARTS:
        out += letters * (number // value)
        number %= value
    return out


def pairs(numbers, direction):
    """Return sources and targets."""
    decimal, numerals = [str(n) for n in numbers], [roman(n) for n in numbers]
    return (decimal, numerals) if direction == "to_roman" else (numerals, decimal)


def fit(numbers, direction, *, seed, quick):
    """Train one direction."""
    words = SETTING | ({"max_epochs": 3} if quick else {})
    weights = [10 ** ((3 - min(len(str(n)), 3)) * 0.75) for n in numbers]
    model = recurra.Translator(**words, random_state=seed, verbose=0)
    return model.fit(*pairs(numbers, direction), sample_weight=weights)


def judge(model, numbers, known, direction):
    """Judge on numbers; the naive answer is that of the numerically nearest number learned from."""
    nearest = [min(known, key=lambda k: (abs(k - n), k)) for n in numbers]
    return model.evaluate(*pairs(numbers, direction), baseline=pairs(nearest, direction)[1])


def run(seed, quick):
    """Train and judge both directions with one seed."""
    order = np.random.default_rng(seed).permutation(np.arange(1, 1001)).tolist()
    learned, unseen = order[:500], order[500:]
    metrics, evaluations = {}, {}
    for direction in DIRECTIONS:
        model = fit(learned, direction, seed=seed, quick=quick)
        e = evaluations[direction] = judge(model, sorted(unseen), learned, direction)
        metrics[f"{direction}_exact"] = e.metrics["exact_match"]
        metrics[f"{direction}_exact_baseline"] = e.metrics["exact_match_baseline"]
        metrics[f"{direction}_train_seconds"] = e.metrics["train_seconds"]
        wrong = [f"{r['source']} -> {r['predicted']}" for r in e.predictions if not r["correct"]]
        print(
            f"seed {seed} {direction}: {e.metrics['exact_match']:.4f} exact; wrong: {', '.join(wrong) or 'none'}"
        )
    return metrics, evaluations


def beyond(seed):
    """Learn from 1 to 1000 and read 1001 to 3999."""
    known, metrics = list(range(1, 1001)), {}
    for direction in DIRECTIONS:
        e = judge(fit(known, direction, seed=seed, quick=False), list(range(1001, 4000)), known, direction)
        metrics[f"{direction}_beyond_exact"] = e.metrics["exact_match"]
        metrics[f"{direction}_beyond_character_error_rate"] = e.metrics["character_error_rate"]
        print(f"1001 to 3999 {direction}: {e.metrics['exact_match']:.4f} exact")
    return metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not needed: the numbers are counted")
    parser.add_argument("--out", type=Path, default=Path("runs/roman_numerals"))
    parser.add_argument(
        "--seed", type=int, help="one seed, without the harder part, instead of 0, 1, 2 with it"
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    full = args.seed is None and not args.quick
    seeds = [0, 1, 2] if full else [args.seed or 0]
    runs = [run(seed, args.quick) for seed in seeds]
    metrics = mean_and_spread([found for found, _ in runs]) | (beyond(seeds[0]) if full else {})
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    for direction, evaluation in runs[-1][1].items():
        evaluation.save(args.out / ("report.html" if direction == "to_roman" else "report_to_decimal.html"))
    for direction in DIRECTIONS:
        name = f"{direction}_exact"
        print(f"{name} {metrics[name]:.4f} +- {metrics[f'{name}_std']:.4f} over seeds {seeds}")
    print(f"attention maps and every mistake: {args.out / 'report.html'}")


def mean_and_spread(runs):
    """Return the mean of every figure, with its standard deviation beside it as <figure>_std."""
    metrics = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        metrics[name] = statistics.fmean(values)
        if not name.endswith("_baseline"):
            metrics[f"{name}_std"] = statistics.pstdev(values)
    return metrics


if __name__ == "__main__":
    main()
