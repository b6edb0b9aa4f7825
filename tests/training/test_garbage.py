"""What a training leaves behind: no cycles for the garbage collector."""

import gc

import numpy as np
import pytest

import recurra

SEQUENCES = [np.random.default_rng(i).normal(size=(12 + i % 5, 2)) + i % 2 for i in range(24)]
WORDS = ["a good film", "a bad film"] * 12
SERIES = np.sin(np.arange(200) / 5)

FITS = {
    "classifier": lambda n: recurra.SequenceClassifier(**options(n)).fit(SEQUENCES, ["a", "b"] * 12),
    "labels per step": lambda n: recurra.SequenceLabeler(**options(n)).fit(
        SEQUENCES, [np.repeat(["u", "v"], [6, len(x) - 6]) for x in SEQUENCES]
    ),
    "texts": lambda n: recurra.TextClassifier(**options(n)).fit(WORDS, ["p", "n"] * 12),
    "forecasts": lambda n: recurra.Forecaster(horizon=3, **options(n)).fit(SERIES),
    "translations": lambda n: recurra.Translator(**options(n)).fit(WORDS, [w[::-1] for w in WORDS]),
    "text generation": lambda n: recurra.TextGenerator(**options(n)).fit(["hello world " * 20] * 4),
}


def options(epochs: int) -> dict:
    return {"max_epochs": epochs, "batch_size": 8, "verbose": 0, "random_state": 0}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.filterwarnings("ignore")
def test_no_step_leaves_a_cycle(kind):
    """Else `recurra.cli.main`, which has the collector walk rarely, would keep what hangs on it."""

    def found(epochs):
        gc.collect()
        gc.disable()
        try:
            fitted = FITS[kind](epochs)
            return gc.collect(), fitted
        finally:
            gc.enable()

    found(2)  # what is made once, at a first call
    few, _ = found(2)
    many, _ = found(12)
    assert many <= few + 10
