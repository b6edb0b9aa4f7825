"""What textbooks and model files call a task; nothing is imported that takes time."""

from collections.abc import Mapping

# What textbooks and model files call a task -> what a run calls it.
TASK_NAMES: Mapping[str, str] = {
    "classification": "classify",
    "regression": "regress",
    "labeling": "label",
    "translation": "translate",
    "forecasting": "forecast",
    "anomaly": "anomaly",
    "generation": "generate",
}
