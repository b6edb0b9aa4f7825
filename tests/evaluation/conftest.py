"""Made-up predictions that look like those of a real network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurra.evaluation.metrics.baselines import ClassBaseline

# Utterances of each speaker in the official test part.
COUNTS = (31, 35, 88, 44, 29, 24, 40, 50, 29)


def make_vowels(*, accuracy: float = 0.95, seed: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of `evaluate_classification` and of `ReportContext`, like those of the Japanese vowels' test
    part: 9 speakers, 370 utterances of 7 to 29 steps, 12 channels."""
    rng = np.random.default_rng(seed)
    classes = [str(k) for k in range(1, 10)]
    codes = np.repeat(np.arange(9), COUNTS)
    lengths = rng.integers(7, 30, len(codes))
    shapes = rng.normal(size=(9, 12))
    sequences = [
        np.sin(np.linspace(0, 3, n))[:, None] * shapes[c] + rng.normal(scale=0.08, size=(n, 12))
        for c, n in zip(codes, lengths, strict=True)
    ]
    towards = codes.copy()
    wrong = rng.random(len(codes)) > accuracy
    towards[wrong] = (codes[wrong] + rng.choice([1, 2, 5], wrong.sum())) % 9
    logits = rng.normal(scale=0.8, size=(len(codes), 9))
    logits[np.arange(len(codes)), towards] += rng.uniform(2, 7, len(codes))
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def trace(i: int) -> np.ndarray:
        grow = np.linspace(0.05, 1, lengths[i])[:, None]
        walk = logits[i] * grow + np.random.default_rng(i).normal(scale=0.5, size=(lengths[i], 9)) * (
            1 - grow
        )
        return np.exp(walk) / np.exp(walk).sum(axis=1, keepdims=True)

    epochs = np.arange(1, 41)
    history = [
        {
            "epoch": int(k),
            "train_loss": float(2.2 * np.exp(-k / 9) + 0.01),
            "valid_loss": float(
                2.2 * np.exp(-k / 8) + 0.1 + 0.002 * max(0, k - 25) + rng.normal(scale=0.012)
            ),
            "valid_accuracy": float(min(0.99, 1 - 0.9 * np.exp(-k / 7) - abs(rng.normal(scale=0.01)))),
            "learning_rate": 0.01,
            "grad_norm_median": float(0.9 * np.exp(-k / 15)),
            "grad_norm_max": float(4 * np.exp(-k / 18) * rng.uniform(0.7, 1.5)),
            "clipped_share": float(max(0.0, 0.5 - k / 30)),
            "seconds": 0.4,
            "steps_per_second": 10500.0,
            "padding_share": 0.0,
        }
        for k in epochs
    ]
    labels = np.array(classes)
    arguments = {
        "y_true": labels[codes],
        "proba": proba,
        "classes": classes,
        "baseline": ClassBaseline.fit(np.repeat(labels, 30), classes=classes),
        "sequences": sequences,
        "names": [f"utterance_{i:03d}" for i in range(len(codes))],
        "trace": trace,
        "train_seconds": 16.2,
    }
    context = {
        "title": "Japanese vowels: who is speaking?",
        "history": history,
        "best_epoch": 31,
        "command": "recurra train japanese-vowels --output runs/demo --bidirectional --seed 0",
        "seed": 0,
        "data": {
            "n_sequences": 640,
            "length_min": 7,
            "length_median": 15.0,
            "length_max": 29,
            "n_channels": 12,
            "n_classes": 9,
        },
        "split": "The official one: 270 utterances to train, 370 to test, the same nine speakers in both.",
        "licence": "CC BY 4.0",
        "citation": "M. Kudo, J. Toyama, M. Shimbo, Pattern Recognition Letters 20, 1999.",
        "network": "LSTM, bidirectional, 1 layer of 100, pooling last, 91,809 weights",
        "parameters": {
            "cell": "lstm",
            "hidden_size": 100,
            "bidirectional": True,
            "dropout": 0.0,
            "random_state": 0,
        },
        "train_lengths": rng.integers(7, 27, 270).tolist(),
        "train_counts": dict.fromkeys(classes, 30),
    }
    return arguments, context


@pytest.fixture(scope="session")
def vowels() -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    return make_vowels
