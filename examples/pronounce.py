"""English words to phonemes, learned from the CMU pronouncing dictionary.

20,000 words are learned from, 2,000 others are judged: a random split by word, of words of the letters a to z. An answer
counts against the nearest of the pronunciations listed for its word. The naive answer says for every letter the phoneme
that goes with it most often where word and pronunciation have the same length.
"""

import argparse
import json
import statistics
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import recurra
from recurra.evaluation.metrics.texts import error_rate, nearest

SETTING = {
    "cell": "gru",
    "hidden_size": 256,
    "embedding_size": 64,
    "dropout": 0.2,
    "label_smoothing": 0.1,
    "target_level": "word",
    "source_marks": False,
    "batch_size": 64,
    "max_epochs": 20,
    "learning_rate": 0.003,
    "lr_schedule": "onecycle",
    "validation_fraction": 0,
    "beam_size": 4,
}
LEARNED, JUDGED = 20_000, 2_000


def options_for(data):
    """Return every word with all its pronunciations, in the order of the dictionary."""
    spoken = defaultdict(list)
    for record in data:
        spoken[record.values].append(record.label)
    return dict(spoken)


def letter_by_letter(pairs):
    """Return the commonest phoneme of every letter, from words as long as their pronunciation."""
    counts = defaultdict(Counter)
    for word, phonemes in pairs:
        if len(word) == len(phonemes.split()):
            for letter, phoneme in zip(word, phonemes.split(), strict=True):
                counts[letter][phoneme] += 1
    return {letter: found.most_common(1)[0][0] for letter, found in counts.items()}


def phoneme_error_rate(answers, listed):
    """Return edits over phonemes, each answer against the nearest of its word's pronunciations."""
    given = [answer.split() for answer in answers]
    true = [nearest([p.split() for p in options], g) for options, g in zip(listed, given, strict=True)]
    return error_rate(true, given), [" ".join(t) for t in true]


def run(spoken, seed, quick):
    """Train and judge with one seed."""
    learned, judged = (500, 100) if quick else (LEARNED, JUDGED)
    order = np.random.default_rng(seed).permutation(sorted(spoken)).tolist()
    train, test = order[:learned], order[learned : learned + judged]
    pairs = [(word, phonemes) for word in train for phonemes in spoken[word]]
    words = SETTING | ({"hidden_size": 64, "max_epochs": 2} if quick else {})
    model = recurra.Translator(**words, random_state=seed, verbose=1).fit(*zip(*pairs, strict=True))
    listed = [spoken[word] for word in test]
    rate, true = phoneme_error_rate(model.predict(test), listed)
    sound = letter_by_letter(pairs)
    naive = [" ".join(sound.get(letter, "AH") for letter in word) for word in test]
    metrics = {
        "phoneme_error_rate": rate,
        "phoneme_error_rate_baseline": phoneme_error_rate(naive, listed)[0],
        "n_train": len(train),
        "n_test": len(test),
        "train_seconds": model.model_.manifest["training"]["seconds"],
    }
    evaluation = model.evaluate(test, true, baseline=naive)
    metrics["words_exact"] = evaluation.metrics["exact_match"]
    return metrics, evaluation


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not needed: the dictionary is in a package, see make data")
    parser.add_argument("--out", type=Path, default=Path("runs/pronounce"))
    parser.add_argument("--seed", type=int, help="seed of split and training, 0 by default")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    spoken = options_for(recurra.datasets.load("pronunciations"))
    seeds = [args.seed or 0]
    runs = [run(spoken, seed, args.quick) for seed in seeds]
    metrics = dict(runs[0][0])
    metrics["phoneme_error_rate_std"] = statistics.pstdev([m["phoneme_error_rate"] for m, _ in runs])
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    runs[-1][1].save(args.out / "report.html")
    print(
        f"phoneme_error_rate {metrics['phoneme_error_rate']:.4f} on {metrics['n_test']} unseen words; letter by letter "
        f"{metrics['phoneme_error_rate_baseline']:.4f}; trained on {metrics['n_train']} words in "
        f"{metrics['train_seconds']:.0f} s; report: {args.out / 'report.html'}"
    )


if __name__ == "__main__":
    main()
