"""Words to positive or negative through word embeddings, word clouds of the result, then whole sentences.

Words: five stratified folds over the opinion lexicon's entries that have a GloVe vector; a word of the test fold is
judged by its vector and its letters. Sentences: five folds of 3,000 labelled sentences of reviews; the network learns
the words of the lexicon beside the sentences of the training folds.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

import recurra

SHARED = {"optimizer": "adamw", "lr_schedule": "cosine", "validation_fraction": 0, "verbose": 0}
WORDS = SHARED | {
    "letters": 24,
    "subwords": 32,
    "hidden_size": 64,
    "input_dropout": 0.25,
    "dropout": 0.5,
    "weight_decay": 1e-3,
    "learning_rate": 0.004,
    "max_epochs": 8,
    "batch_size": 128,
}
SENTENCES = SHARED | {
    "letters": 0,
    "train_vectors": True,
    "extra_words": 0,
    "bidirectional": True,
    "pooling": "max",
    "hidden_size": 64,
    "input_dropout": 0.4,
    "dropout": 0.5,
    "weight_decay": 1e-2,
    "max_epochs": 6,
    "batch_size": 32,
}
NETWORKS = 3  # whose probabilities are averaged
WORD_WEIGHT = 0.3  # of a word of the lexicon beside a sentence


def networks(words, vectors, seed, count):
    """Return classifiers that differ in their seed and vote."""
    each = [
        (f"{k}", recurra.TextClassifier(**words, vectors=vectors, random_state=100 * seed + k))
        for k in range(count)
    ]
    return VotingClassifier(each, voting="soft")


def folds_of(X, y, seed, quick):
    return list(StratifiedKFold(2 if quick else 5, shuffle=True, random_state=seed).split(X, y))


def over_folds(shares):
    """Return the mean of every figure over the folds, with its standard deviation beside it."""
    found = {name: float(np.mean(values)) for name, values in shares.items()}
    return found | {f"{name}_std": float(np.std(values)) for name, values in shares.items()}


def words_run(lexicon, vectors, seed, quick):
    """Return the accuracy on words, beside a linear model of vectors, and of vectors and characters."""
    X, y = np.array(lexicon.X, dtype=object), np.array(lexicon.y)
    lookup = FunctionTransformer(lambda texts: np.stack([vectors[text] for text in texts]))
    scaled = make_pipeline(lookup, StandardScaler())
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True)
    rivals = {
        "words_accuracy_baseline": make_pipeline(scaled, LinearSVC(C=0.1)),
        "words_accuracy_linear_with_characters": make_pipeline(make_union(scaled, letters), LinearSVC(C=0.1)),
    }
    right = {name: [] for name in ["words_accuracy", "words_accuracy_one_network", *rivals]}
    for train, test in folds_of(X, y, seed, quick):
        vote = networks(WORDS | ({"max_epochs": 1} if quick else {}), vectors, seed, 1 if quick else NETWORKS)
        vote.fit(X[train], y[train])
        right["words_accuracy"].append(np.mean(vote.predict(X[test]) == y[test]))
        alone = vote.estimators_[0].predict(X[test])
        right["words_accuracy_one_network"].append(np.mean(vote.classes_[alone] == y[test]))
        for name, model in rivals.items():
            right[name].append(np.mean(model.fit(X[train], y[train]).predict(X[test]) == y[test]))
    return over_folds(right)


def sentences_run(data, lexicon, vectors, seed, quick):
    """Return the accuracy on sentences, beside TF-IDF with logistic regression."""
    X, y = np.array(data.X, dtype=object), np.array(data.y)
    rival = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    right = {"sentences_accuracy": [], "sentences_accuracy_baseline": []}
    for train, test in folds_of(X, y, seed, quick):
        texts, labels = [*X[train], *lexicon.X], [*y[train], *lexicon.y]
        weights = np.repeat([1.0, WORD_WEIGHT], [len(train), len(lexicon)])
        vote = networks(
            SENTENCES | ({"max_epochs": 1} if quick else {}), vectors, seed, 1 if quick else NETWORKS
        )
        vote.fit(texts, labels, sample_weight=weights)
        right["sentences_accuracy"].append(np.mean(vote.predict(X[test]) == y[test]))
        right["sentences_accuracy_baseline"].append(
            np.mean(rival.fit(X[train], y[train]).predict(X[test]) == y[test])
        )
    return over_folds(right)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", default="opinion-lexicon", help="words with their sentiment, a path or a name"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/sentiment"))
    parser.add_argument("--seed", type=int, help="seed of folds and networks, 0 by default")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    seed = args.seed or 0
    every = recurra.WordVectors.load("glove-6b-50d")
    lexicon = recurra.load(args.data)
    sentences = recurra.datasets.load("sentiment-sentences")
    known = lexicon.take([i for i, word in enumerate(lexicon.X) if word in every])
    print(f"{len(known)} of {len(lexicon)} words have a vector")
    if args.quick:
        known, sentences = known.take(range(0, len(known), 12)), sentences.take(range(0, len(sentences), 15))
    frequent = recurra.WordVectors(every.words[:60_000], every.vectors[:60_000])
    words = words_run(known, every.take(known.X), seed, args.quick)
    metrics = words | sentences_run(sentences, known, frequent, seed, args.quick)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    judged = recurra.TextClassifier(
        **WORDS | ({"max_epochs": 1} if args.quick else {}), vectors=every.take(known.X)
    )
    report_on(judged, known, seed, args.out)
    for name, value in metrics.items():
        print(f"{name} {value:.4f}")


def report_on(clf, known, seed, out):
    """Train once more on four fifths of the words; the report and its clouds show the fifth it has not seen."""
    train, test = known.split(test=0.2, random_state=seed)
    clf.set_params(random_state=seed).fit(train)
    clf.evaluate(test).save(out / "report.html")
    clf.word_cloud(test).save(out / "words.svg")


if __name__ == "__main__":
    main()
