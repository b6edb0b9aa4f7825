"""Which estimator learns a task on data of a kind."""

import importlib
from collections.abc import Mapping
from typing import Any

from recurra.options import ESTIMATORS, options_of

# Task -> kind of the data (`Dataset.kind`) -> module and class of its estimator.
TASKS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "classify": {
        "sequence": ("recurra.estimators.sequence_classifier", "SequenceClassifier"),
        "text": ("recurra.estimators.texts.text_classifier", "TextClassifier"),
        "video": ("recurra.estimators.video_classifier", "VideoClassifier"),
    },
    "regress": {
        "sequence": ("recurra.estimators.sequence_regressor", "SequenceRegressor"),
        "text": ("recurra.estimators.texts.text_regressor", "TextRegressor"),
    },
    "label": {
        "sequence": ("recurra.estimators.sequence_labeler", "SequenceLabeler"),
        "tokens": ("recurra.estimators.sequence_labeler", "SequenceLabeler"),
    },
    "translate": {"pairs": ("recurra.estimators.translator", "Translator")},
    "forecast": {"series": ("recurra.estimators.forecaster", "Forecaster")},
    "anomaly": {"sequence": ("recurra.estimators.anomaly_detector", "AnomalyDetector")},
    "generate": {"text": ("recurra.estimators.text_generator", "TextGenerator")},
}


# Tasks that learn from the sequences alone.
WITHOUT_LABELS = ("forecast", "anomaly", "generate")


def estimator_class(task: str, kind: str) -> Any:
    """Return the estimator of a task on data of a kind."""
    module, name = TASKS[task][kind]
    return getattr(importlib.import_module(module), name)


def options_class(task: str, kind: str) -> Any:
    """Return the class of an estimator's options, which is quick to import."""
    _, name = TASKS[task][kind]
    return ESTIMATORS[name]


def defaults(task: str, kind: str) -> dict[str, Any]:
    """Return the options of an estimator with their defaults."""
    return {option.name: option.default for option in options_of(options_class(task, kind)).values()}


def all_defaults() -> list[dict[str, Any]]:
    """Return `defaults` of every estimator, in order of the table."""
    return [defaults(task, kind) for task, kinds in TASKS.items() for kind in kinds]
