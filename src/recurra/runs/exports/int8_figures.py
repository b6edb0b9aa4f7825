"""What weights of eight bits cost in accuracy: the figures of a run's test part with them and without."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.estimators.loading import load_model
from recurra.export.model.rounding import in_int8
from recurra.runs.data.alignment import labelled_for
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.folder.opening import model_file, open_run

FILE = "int8.json"
SHOWN = ("accuracy", "macro_f1", "log_loss", "rmse", "mae", "r2", "bits_per_character")


def int8_figures(run: Any, data: Any, options: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return each figure of the test part as ``{"float": ..., "int8": ...}``; none where there is no labelled part."""
    if Path(run).is_file():
        return {}
    folder = open_run(run)
    try:
        test, _ = judged_part(folder, folder.config(), data, options, who="export")
    except (UsageError, DataError, MissingDataError):
        return {}
    if test.y is None:
        return {}
    found: dict[str, dict[str, float]] = {}
    for word in ("float", "int8"):
        estimator = load_model(model_file(run))
        if word == "int8":
            estimator.model_ = in_int8(estimator.model_)
        metrics = estimator.evaluate(labelled_for(estimator, test)).metrics
        for name in SHOWN:
            if isinstance(metrics.get(name), float | int):
                found.setdefault(name, {})[word] = float(metrics[name])
    return found


def write_figures(folder: Path, figures: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]) -> None:
    """Write figures and sizes, with and without, beside the C."""
    facts = {"flash_bytes": dict(sizes), **figures}
    store.write_text(folder / FILE, json.dumps(facts, indent=1) + "\n")
