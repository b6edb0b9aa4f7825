"""Japanese to English on 50,000 short sentence pairs, words in, words out.

The publisher's parts: 50,000 pairs to learn from, 500 to choose settings and the best epoch on, 500 to judge. BLEU by
sacrebleu on the tokenised test part, with greedy decoding and with a beam. The naive answer copies the translation of the
nearest training sentence (the greatest share of common words).
"""

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import recurra
from recurra.evaluation.metrics.texts import bleu

SETTING = {
    "cell": "gru",
    "hidden_size": 256,
    "embedding_size": 256,
    "tie_embeddings": True,
    "source_level": "word",
    "target_level": "word",
    "source_marks": False,
    "dropout": 0.2,
    "label_smoothing": 0.1,
    "batch_size": 64,
    "max_epochs": 10,
    "learning_rate": 0.0015,
    "lr_schedule": {"name": "onecycle", "rise": 0.1},
    "patience": None,
}
BEAM = 10
RESAMPLED = 200
SHOWN = 10


def sides(data):
    """Return sources and targets."""
    return data.X, [str(target) for target in data.y]


def nearest_translation(sources, learned):
    """Return for each source the target of the training source that shares most words with it."""
    holders = defaultdict(list)
    sizes = []
    for index, source in enumerate(learned.X):
        words = set(source.split())
        sizes.append(len(words))
        for word in words:
            holders[word].append(index)
    targets, out = learned.y, []
    for source in sources:
        words, common = set(source.split()), Counter()
        for word in words:
            common.update(holders.get(word, ()))
        best = max(common, key=lambda i: (common[i] / (len(words) + sizes[i] - common[i]), -i), default=0)
        out.append(str(targets[best]))
    return out


def spread(true, answers, times):
    """Return the standard deviation of BLEU over resampled test sentences: there is one training."""
    rng, scores = np.random.default_rng(0), []
    for _ in range(times):
        chosen = rng.integers(len(true), size=len(true)).tolist()
        scores.append(bleu([true[i] for i in chosen], [answers[i] for i in chosen]))
    return float(np.std(scores))


def show(model, sources, true, answers, out, count):
    """Print some test sentences, and write where the network looked."""
    pictures = []
    for i in np.random.default_rng(1).choice(len(sources), size=count, replace=False).tolist():
        print(f"\n{sources[i]}\n  {answers[i]}\n  (given: {true[i]})")
        seen = model.explain(sources[i], name=sources[i])
        for word, row in zip(seen.target, seen.weights, strict=True):
            print(f"    {word:<16} {seen.source[int(row.argmax())]} {row.max():.2f}")
        pictures.append(f"<h2>{len(pictures) + 1}</h2>{seen.to_svg()}")
    page = (
        "<!DOCTYPE html><html><meta charset='utf-8'><title>Attention</title>" + "".join(pictures) + "</html>"
    )
    (out / "attention.html").write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds en-ja-50k; RECURRA_DATA says it as well")
    parser.add_argument("--out", type=Path, default=Path("runs/translation"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    if args.data:
        import os

        os.environ["RECURRA_DATA"] = args.data
    args.out.mkdir(parents=True, exist_ok=True)
    data = recurra.datasets.load("japanese-english")
    learned, dev, test = (data.part(name) for name in ("train", "dev", "test"))
    words = dict(SETTING)
    if args.quick:
        learned, dev, test = learned.take(range(600)), dev.take(range(30)), test.take(range(30))
        words |= {"hidden_size": 32, "embedding_size": 32, "max_epochs": 1}
    model = recurra.Translator(
        **words, random_state=args.seed, checkpoint_dir=args.out / "checkpoints", verbose=1
    )
    model.fit(*sides(learned), validation=sides(dev), resume=True)
    sources, true = sides(test)
    greedy = [best.text for (best,) in model.translate(sources, beam_size=1)]
    model.set_params(beam_size=2 if args.quick else BEAM)
    evaluation = model.evaluate(sources, true, baseline=nearest_translation(sources, learned))
    answers = evaluation.y_pred
    metrics = {
        "bleu": evaluation.metrics["bleu"],
        "bleu_std": spread(true, answers, 20 if args.quick else RESAMPLED),
        "bleu_baseline": evaluation.metrics["bleu_baseline"],
        "bleu_greedy": bleu(true, greedy),
        "n_test": len(test),
        "train_seconds": evaluation.metrics["train_seconds"],
    }
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    model.save(args.out / "model.recurra")
    evaluation.save(args.out / "report.html")
    show(model, sources, true, answers, args.out, 2 if args.quick else SHOWN)
    print(
        f"\nBLEU {metrics['bleu']:.1f} with a beam, {metrics['bleu_greedy']:.1f} greedy, {metrics['bleu_baseline']:.1f} by "
        f"the nearest training sentence; report: {args.out / 'report.html'}"
    )


if __name__ == "__main__":
    main()
