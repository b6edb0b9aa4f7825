"""A character model of a novel: it learns from nine tenths of the book, is judged on the last tenth, and writes.

The last tenth plays no role in the training. Two settings were judged on it (docs/results.md); the second was chosen by the
training loss of the first. Training takes 25 minutes on one core.
"""

import argparse
import json
import logging
import statistics
from pathlib import Path

import recurra

SETTING = {
    "tokens": "character",
    "cell": "lstm",
    "hidden_size": 512,
    "embedding_size": 64,
    "dropout": 0.1,
    "tbptt": 64,
    "batch_size": 32,
    "learning_rate": 0.003,
    "lr_schedule": "cosine",
    "max_epochs": 14,
    "validation_fraction": 0,
    "verbose": 2,
}
QUICK = {"hidden_size": 32, "max_epochs": 1, "verbose": 0}


def run(text, seed, quick):
    """Train with one seed; return the generator and its judgement."""
    cut = len(text) * 9 // 10
    writer = recurra.TextGenerator(**SETTING | (QUICK if quick else {}), random_state=seed)
    writer.fit([text[:cut]])
    return writer, writer.evaluate([text[cut:]], length=100 if quick else 600)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="pride-and-prejudice", help="a text, a path or a name")
    parser.add_argument("--out", type=Path, default=Path("runs/text_generation"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    text = "\n\n".join(recurra.load(args.data).X)
    if args.quick:
        text = text[:30_000]
    writer, evaluation = run(text, args.seed, args.quick)
    metrics = evaluation.metrics | {
        "bits_per_character_std": statistics.pstdev([evaluation.metrics["bits_per_character"]])
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    evaluation.save(args.out / "report.html")
    writer.save(args.out / "model.recurra")
    print(
        f"bits per character {metrics['bits_per_character']:.4f}; "
        f"by how frequent each character is {metrics['bits_per_character_baseline']:.4f}"
    )
    for piece in writer.write(
        "It is a truth", length=50 if args.quick else 400, temperature=0.7, random_state=args.seed
    ):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    main()
