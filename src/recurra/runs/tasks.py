"""Which estimator learns a task on data of a kind."""

from collections.abc import Mapping
from typing import Any

import recurra
from recurra.options import ESTIMATORS, options_of

# Task -> kind of the data (`Dataset.kind`) -> its estimator.
TASKS: Mapping[str, Mapping[str, str]] = {
    "classify": {
        "sequence": "SequenceClassifier",
        "text": "TextClassifier",
        "video": "VideoClassifier",
    },
    "regress": {
        "sequence": "SequenceRegressor",
        "text": "TextRegressor",
    },
    "label": {
        "sequence": "SequenceLabeler",
        "tokens": "SequenceLabeler",
    },
    "translate": {"pairs": "Translator"},
    "forecast": {"series": "Forecaster"},
    "anomaly": {"sequence": "AnomalyDetector"},
    "generate": {"text": "TextGenerator"},
}


# Tasks that learn from the sequences alone.
WITHOUT_LABELS = ("forecast", "anomaly", "generate")


def estimator_class(task: str, kind: str) -> Any:
    """Return the estimator of a task on data of a kind."""
    return getattr(recurra, TASKS[task][kind])


def options_class(task: str, kind: str) -> Any:
    """Return the class of an estimator's options, which is quick to import."""
    return ESTIMATORS[TASKS[task][kind]]


def defaults(task: str, kind: str) -> dict[str, Any]:
    """Return the options of an estimator with their defaults."""
    return {option.name: option.default for option in options_of(options_class(task, kind)).values()}


def all_defaults() -> list[dict[str, Any]]:
    """Return `defaults` of every estimator, in order of the table."""
    return [defaults(task, kind) for task, kinds in TASKS.items() for kind in kinds]
