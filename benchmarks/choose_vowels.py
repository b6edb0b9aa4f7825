"""Choose the setting of the Japanese vowels inside their training part: five stratified folds, two seeds.

Takes some minutes; writes benchmarks/results/choose_vowels.json. The test part is not loaded.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

import recurra

FIXED = {
    "cell": "lstm",
    "bidirectional": True,
    "hidden_size": 100,
    "batch_size": 27,
    "validation_fraction": 0,
}
TRIED = [
    {"max_epochs": 30},
    {"max_epochs": 50},
    {"max_epochs": 30, "dropout": 0.5},
    {"max_epochs": 50, "dropout": 0.5},
    {"max_epochs": 30, "pooling": "mean"},
    {"max_epochs": 30, "pooling": "attention"},
    {"max_epochs": 30, "pooling": "max"},
    {"max_epochs": 30, "pooling": "max", "dropout": 0.5},
    {"max_epochs": 30, "learning_rate": 0.001},
    {"max_epochs": 30, "learning_rate": 0.005},
    {"max_epochs": 50, "learning_rate": 0.001, "dropout": 0.5},
]


def judged(X, y, words):
    accuracies, losses = [], []
    for seed in (0, 1):
        for train, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
            clf = recurra.SequenceClassifier(**FIXED, **words, random_state=seed, verbose=0).fit(
                X[train], y[train]
            )
            proba = clf.predict_proba(X[held_out])
            accuracies.append(np.mean(clf.classes_[proba.argmax(axis=1)] == y[held_out]))
            losses.append(log_loss(y[held_out], proba, labels=clf.classes_))
    return {**words, "accuracy": float(np.mean(accuracies)), "log_loss": float(np.mean(losses))}


def main():
    data = recurra.datasets.load("japanese-vowels", split="train")
    X = np.empty(len(data), dtype=object)
    X[:] = data.X
    rows = []
    for words in TRIED:
        rows.append(judged(X, data.y, words))
        print(rows[-1], flush=True)
    what = "Japanese vowels: five stratified folds of the 270 training recordings, seeds 0 and 1"
    result = {"what": what, "command": "python benchmarks/choose_vowels.py", "rows": rows}
    path = Path(__file__).parent / "results" / "choose_vowels.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
