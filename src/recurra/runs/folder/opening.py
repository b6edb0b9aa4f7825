"""Finding a run that is there, or a free place for a new one."""

import contextlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra import folder_lock, store
from recurra.errors import MissingDataError, RecurraError, StoreError, UsageError
from recurra.runs.folder.files import CONFIG, MODEL, OURS, RunFolder
from recurra.runs.folder.ownership import settle_to_read, unfinished
from recurra.runs.folder.task_names import TASK_NAMES
from recurra.serving.models.fitted_model import open_file
from recurra.store import PARTIAL

# Runs nearby that are named where one is not there.
MOST_NAMED = 8
# The kind of the data of a model, where it is no signal.
_KINDS = {
    "TextClassifier": "text",
    "TextRegressor": "text",
    "TextGenerator": "text",
    "VideoClassifier": "video",
    "Translator": "pairs",
    "Forecaster": "series",
}

# Files of data, which no model is saved as: the arguments were exchanged.
_OF_DATA = (
    ".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson", ".npy", ".npz", ".ts", ".arff", ".wav", ".edf", ".mat",
    ".mp4", ".png", ".jpg", ".zip", ".xlsx", ".json", ".conll",
)  # fmt: skip
_FIRST = "The run, or a model file, comes first, and the data behind it."


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """Return the run in a folder; the path of its model file is taken as well.

    Raises
    ------
    MissingDataError
        If there is no such folder, or it holds no run; runs nearby are named.
    """
    folder = Path(path)
    if folder.name == MODEL and (folder.is_file() or (folder.parent / CONFIG).is_file()):
        folder = folder.parent
    settle_to_read(folder)
    if (folder / MODEL).is_file():
        return RunFolder(folder)
    if (folder / CONFIG).is_file():
        raise MissingDataError(
            f"{folder}: the run was not finished: it has no {MODEL}. Go on with: recurra resume {shlex.quote(str(folder))}"
        )
    if folder.exists():
        raise MissingDataError(
            f"{folder}: is no run folder: it has no {MODEL}. {_FIRST} {_nearby(folder)}".rstrip()
        )
    raise MissingDataError(f"{folder}: there is no such run. {_nearby(folder.parent)}".rstrip())


def find_model(run: str | os.PathLike[str]) -> tuple[RunFolder | None, Path, dict[str, Any]]:
    """Return a run, its model file and its configuration; of a model file alone None, the file, and what it knows.

    The model file in a run folder stands for the run.

    Raises
    ------
    MissingDataError
        If there is no such run or file.
    StoreError
        If the file is damaged or no model.
    """
    path = Path(run)
    if path.is_file() and not (path.name == MODEL and (path.parent / CONFIG).is_file()):
        _check_no_data(path)
        return None, path, _known(store.load(path)[0])
    folder = open_run(path)
    config: dict[str, Any] = {}
    with contextlib.suppress(RecurraError):
        config = folder.config()
    return folder, folder / MODEL, config


def open_model(run: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Return the model of a run and its configuration; of a model file alone, what the model itself knows.

    Raises
    ------
    MissingDataError
        If there is no such run or file.
    UsageError
        If the network is the user's own, whose code is not in the file.
    """
    _, path, config = find_model(run)
    model = open_file(path)
    if model.manifest["network"] is None:
        raise UsageError(
            f"{path}: holds weights of an own network, whose code is not in the file. "
            "Predict in Python: recurra.load_model(path, network=function).predict(X)."
        )
    known = {"channel_names": model.manifest.get("channel_names")}
    return model, {**known, **config, "sample_rate_hz": model.manifest.get("sample_rate_hz")}


def model_file(run: str | os.PathLike[str]) -> Path:
    """Return the model file of a run folder, or the model file itself."""
    path = Path(run)
    _check_no_data(path)
    return path if path.is_file() else path / MODEL


def _check_no_data(path: Path) -> None:
    if path.is_file() and path.suffix.lower() in _OF_DATA:
        raise UsageError(f"{path}: is no run folder or model file. {_FIRST}")


def task_of(run: str | os.PathLike[str]) -> str:
    """Return what the network of a run, or of a model file, learned: one of `recurra.runs.tasks.TASKS`."""
    _, path, config = find_model(run)
    return str(config.get("task") or _known(store.load(path)[0])["task"])


def _known(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest of a model says of its task and of how its data are read, as a configuration does."""
    estimator = str(manifest.get("estimator"))
    task = TASK_NAMES.get(str(manifest.get("task")))
    if task is None:
        raise StoreError(
            f"the model is of the task {manifest.get('task')!r}, which this version does not know."
        )
    kind = _KINDS.get(estimator, "sequence")
    words: dict[str, Any] = {}
    given = manifest.get("input") or {}
    if kind == "series":
        words = {"kind": "series"}
        words |= {
            word: list(given[name])
            for word, name in (
                ("target", "channel_names"),
                ("known", "known_names"),
                ("static", "attribute_names"),
            )
            if given.get(name)
        }
    elif task == "label" and _reads_words(manifest):
        kind = "tokens"
    elif kind == "sequence" and manifest.get("channel_names"):
        words = {"channels": list(manifest["channel_names"]), "layout": "long"}
    labels = (manifest.get("target") or {}).get("classes", [])
    return {
        "data_summary": {"class_counts": {str(label): 0 for label in labels}},
        "task": task,
        "kind": kind,
        "estimator": estimator,
        "channel_names": None if kind == "series" else manifest.get("channel_names"),
        "sample_rate_hz": manifest.get("sample_rate_hz"),
        "data_words": words,
    }


def _reads_words(manifest: Mapping[str, Any]) -> bool:
    front = (manifest.get("network") or {}).get("front") or {}
    return front.get("name") in ("text", "embedding")


def _nearby(folder: Path) -> str:
    with contextlib.suppress(OSError):
        runs = sorted(child for child in folder.iterdir() if (child / MODEL).is_file())
        if runs:
            more = f", ... ({len(runs)} in all)" if len(runs) > MOST_NAMED else ""
            return f"Runs there: {', '.join(str(run) for run in runs[:MOST_NAMED])}{more}."
    return "Train one first: recurra train DATA -o RUN."


def check_place(path: str | os.PathLike[str]) -> Path:
    """Return the folder for a run, which must be free of what belongs to no run.

    Raises
    ------
    UsageError
        If it is a file, or holds files that are no run.
    """
    folder = Path(path)
    if not folder.is_dir():
        if os.path.lexists(folder):
            kind = "is a file" if folder.exists() else "is a link that leads to nothing"
            raise UsageError(f"train: out must be a folder; {folder} {kind}.")
        return folder
    if any((folder / name).exists() for name in OURS):
        return folder
    if any(
        not child.name.endswith(PARTIAL) and child.name not in folder_lock.NAMES for child in folder.iterdir()
    ):
        raise UsageError(f"train: {folder} holds files that are no run; give another folder.")
    return folder


def check_free(folder: Path, *, force: bool) -> None:
    """Raise UsageError if a run is in the folder, which is owned, and ``force`` is not given."""
    if force or not (any((folder / name).exists() for name in OURS) or unfinished(folder)):
        return
    whole = (folder / MODEL).exists()
    state = "holds a run" if whole else "holds a run that was not finished"
    more = "" if whole else f", or go on with: recurra resume {shlex.quote(str(folder))}"
    raise UsageError(
        f"train: {folder} {state}; give another folder, or replace it with force=True{more or '.'}"
    )
