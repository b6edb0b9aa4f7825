"""Small data for each of the ten estimators, and how each is fitted on its own."""

import numpy as np

import recurra

rng = np.random.default_rng(0)
SEQUENCES = [rng.normal(loc=i % 2, size=(int(rng.integers(4, 9)), 2)) for i in range(40)]
CLASSES = ["up" if i % 2 else "down" for i in range(40)]
TEXTS = [f"{'oil leaks' if i % 2 else 'no power'} at gate {i}" for i in range(40)]
WAVE = np.sin(np.arange(160) / 4) + 0.1 * rng.normal(size=160)
PAIRS = [a + b + c for a in "abcd" for b in "abcd" for c in "abc"]
CLIPS = [rng.integers(0, 255, (4, 16, 16, 3), dtype=np.uint8) for _ in range(12)]

# Class, options of its own, and what fit is called with.
TASKS = {
    "SequenceClassifier": ({}, (SEQUENCES, CLASSES)),
    "SequenceRegressor": ({}, (SEQUENCES, [float(x.sum()) for x in SEQUENCES])),
    "SequenceLabeler": ({}, (SEQUENCES, [np.where(x[:, 0] > 0, "h", "l") for x in SEQUENCES])),
    "TextClassifier": ({"embedding_size": 6}, (TEXTS, CLASSES)),
    "TextRegressor": ({"embedding_size": 6}, (TEXTS, [float(i % 7) for i in range(40)])),
    "VideoClassifier": (
        {"backbone": "small-cnn", "image_size": 16, "dropout": 0.2},
        (CLIPS, [i % 2 for i in range(12)]),
    ),
    "TextGenerator": ({"embedding_size": 6, "tbptt": 10}, (["the cat sat on the mat. " * 40],)),
    "Translator": ({"embedding_size": 6}, (PAIRS, [p[::-1].upper() for p in PAIRS])),
    "Forecaster": ({"horizon": 3}, (WAVE,)),
    "AnomalyDetector": ({"window": 20, "windows": 24}, ([WAVE[:, None]],)),
}


def make(name, **options):
    own, _ = TASKS[name]
    given = {"hidden_size": 5, "max_epochs": 3, "batch_size": 6, "random_state": 0, "verbose": 0}
    return getattr(recurra, name)(**{**given, "dropout": 0.2, **own, **options})


def fit(estimator, **words):
    return estimator.fit(*TASKS[type(estimator).__name__][1], **words)
