"""The table of all runs, read in one pass and kept by the times of their files; and some of them side by side."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.folder_lock import is_owned
from recurra.runs.folder.files import CONFIG, HISTORY, METRICS, MODEL, NOTES, TRAINING, RunFolder
from recurra.studio.files import Below, rows_in

# The figure that a task is judged by, the first that is there.
MAIN = {
    "classify": ("accuracy",),
    "label": ("accuracy", "rmse"),
    "regress": ("rmse",),
    "translate": ("exact_match", "bleu", "character_error_rate"),
    "forecast": ("rmse", "mae", "smape"),
    "anomaly": ("average_precision", "auc", "f1"),
    "generate": ("bits_per_character", "perplexity"),
}
LESS_IS_BETTER = (
    "rmse", "mae", "smape", "mase", "log_loss", "perplexity", "bits_per_character", "character_error_rate",
    "symbol_error_rate", "calibration_error",
)  # fmt: skip
_READ = (CONFIG, METRICS, HISTORY, MODEL, NOTES, TRAINING)
# Options that say nothing about the network.
_OF_NO_WEIGHT = ("random_state", "verbose", "checkpoint_dir", "cache_dir", "device")
LAST_BYTES = 4000  # of a history, for its last line
LONGEST_NOTE = 20_000  # characters

Row = dict[str, Any]


class Table:
    """Rows of the runs below a folder; what has not changed since is not read again.

    Parameters
    ----------
    below : Below
        The folder.
    """

    def __init__(self, below: Below) -> None:
        self._below = below
        self._kept: dict[Path, tuple[Any, Row]] = {}

    def rows(self) -> list[Row]:
        """Return a row for each run, the newest first."""
        kept: dict[Path, tuple[Any, Row]] = {}
        for folder in self._below.runs():
            stamps = tuple(_stamp(f"{folder}{os.sep}{name}") for name in _READ)
            known = self._kept.get(folder)
            row = known[1] if known is not None and known[0] == stamps else self._row(folder)
            kept[folder] = (stamps, row)
            row["state"] = state_of(
                self._below, RunFolder(folder), whole=stamps[_READ.index(MODEL)] is not None
            )
        self._kept = kept
        return sorted(
            (row for _, row in kept.values()), key=lambda row: (row["started"], row["id"]), reverse=True
        )

    def _row(self, folder: Path) -> Row:
        run, below = RunFolder(folder), self._below
        config, metrics = below.json_of(run, CONFIG), below.json_of(run, METRICS)
        task = _text(config.get("task"))
        figures = {
            name: value
            for name, value in metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        main = next((name for name in MAIN.get(task, ()) if name in figures), "")
        last = last_row(below, run)
        params = config.get("params")
        return {
            "id": below.name(folder),
            "task": task,
            "estimator": _text(config.get("estimator")),
            "data": Path(_text(config.get("data")) or "given in Python").name,
            "seed": config.get("seed") if type(config.get("seed")) is int else None,
            "started": _text(config.get("started")),
            "damaged": not config,
            "epochs": last.get("epoch") if type(last.get("epoch")) is int else figures.get("epochs"),
            "main": main,
            "less": main in LESS_IS_BETTER,
            "value": figures.get(main),
            "naive": figures.get(f"{main}_baseline"),
            "seconds": figures.get("train_seconds"),
            "figures": figures,
            "params": _settings(params if isinstance(params, dict) else {}),
            "judged": _text(config.get("test_digest")),
            "n_test": figures.get("n_test"),
            "notes": below.text_of(run, NOTES)[:LONGEST_NOTE],
        }


def state_of(below: Below, run: RunFolder, *, whole: bool | None = None) -> str:
    """Return whether a run is "finished", "training", "paused" or "stopped" before its end."""
    if (run / MODEL).exists() if whole is None else whole:
        return "finished"
    if not is_owned(run.path) and not is_owned(_beside(run.path)):
        return "stopped"
    return "paused" if below.json_of(run, TRAINING).get("state") == "paused" else "training"


def _beside(folder: Path) -> Path:
    """Return the run that a growing one is to replace."""
    name = folder.name
    return folder.with_name(name[1:-4]) if name.startswith(".") and name.endswith(".new") else folder


def last_row(below: Below, run: RunFolder) -> dict[str, Any]:
    """Return the last whole line of a history, empty where there is none."""
    try:
        with below.file_of(run, HISTORY).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
            rows = rows_in(b"\n".join(file.read().splitlines()[-2:]))  # the last may be cut
    except (OSError, ValueError):
        return {}
    return rows[-1] if rows else {}


def differing(rows: Sequence[Row]) -> list[str]:
    """Return the settings that are not the same in all runs."""
    names = dict.fromkeys(name for row in rows for name in row["params"])
    return [name for name in names if len({row["params"].get(name, "") for row in rows}) > 1]


def table_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the page shows: rows with only those settings that differ, and whether all were judged alike."""
    shown = differing(rows)
    slim = [
        {**row, "params": {name: row["params"][name] for name in shown if name in row["params"]}}
        for row in rows
    ]
    return {"runs": slim, "differ": shown}


def side_by_side(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with intervals, and the tests of `recurra compare`, of evaluations by the name of their run.

    Where the tests cannot be made, ``why_not`` says so in a sentence.
    """
    from recurra.errors import RecurraError
    from recurra.evaluation.results.comparison import compare

    out: dict[str, Any] = {
        "figures": {name: evaluation.metrics for name, evaluation in judged.items()},
        "intervals": {name: getattr(evaluation, "intervals", {}) for name, evaluation in judged.items()},
        "headlines": {name: evaluation.headline() for name, evaluation in judged.items()},
        "words": "",
        "pairs": [],
        "why_not": "",
    }
    if len(judged) < 2:
        return out
    try:
        found = compare(judged)
    except RecurraError as error:
        return out | {"why_not": str(error)}
    return out | {"words": str(found), "pairs": [vars(pair) for pair in found.pairs]}


def judged_alike(rows: Iterable[Row]) -> str:
    """Return a sentence where runs were not judged on the same part; empty where they were."""
    rows = list(rows)
    without = [row["id"] for row in rows if not row["judged"]]
    if without:
        return f"{', '.join(without[:3])}: held nothing out to be judged on; its figures are not beside the others'."
    if len({row["judged"] for row in rows}) > 1:
        groups: dict[str, list[str]] = {}
        for row in rows:
            groups.setdefault(row["judged"], []).append(row["id"])
        told = "; ".join(", ".join(names[:3]) for names in groups.values())
        return f"These runs were not judged on the same part, so their figures cannot be put beside each other: {told}."
    return ""


def _settings(params: Mapping[str, Any]) -> dict[str, str]:
    return {str(name)[:80]: str(value)[:80] for name, value in params.items() if name not in _OF_NO_WEIGHT}


def _text(value: Any) -> str:
    return value[:400] if isinstance(value, str) else ""


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
