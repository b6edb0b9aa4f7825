"""A run folder: what ``train`` writes and the other verbs read.

``config.json`` everything to repeat the run · ``history.jsonl`` a line per epoch · ``model.recurra`` the network ·
``metrics.json`` the figures, flat · ``report.html`` · ``figures/`` · later ``eval-NAME.html`` and ``eval-NAME.json``.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import MissingDataError, RecurraError, StoreError, UsageError
from recurra.store import write_text

CONFIG, HISTORY, MODEL, METRICS, REPORT, FIGURES, CHECKPOINTS = OURS = (
    "config.json", "history.jsonl", "model.recurra", "metrics.json", "report.html", "figures", "checkpoints",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def config(self) -> dict[str, Any]:
        """Return ``config.json``."""
        return read_json(self / CONFIG)

    def metrics(self) -> dict[str, Any]:
        """Return ``metrics.json``."""
        return read_json(self / METRICS)

    def history(self) -> list[dict[str, Any]]:
        """Return the rows of ``history.jsonl``; a last line that was cut is left out."""
        rows = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self / HISTORY).read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
        return rows

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace a JSON file in one step."""
        write_text(self / name, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line to ``history.jsonl``."""
        with (self / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    MissingDataError
        If it is not there.
    StoreError
        If it is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingDataError(f"{path}: there is no such file.") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path}: is damaged: it cannot be read as JSON ({str(error)[:80]}). Use a backup."
        ) from None
    if not isinstance(content, dict):
        raise StoreError(f"{path}: is damaged: it must hold a JSON object. Use a backup.")
    return content


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """Return the run in a folder; the path of its model file is taken as well.

    Raises
    ------
    MissingDataError
        If there is no such folder, or it holds no run; runs nearby are named.
    """
    folder = Path(path)
    if folder.name == MODEL and folder.is_file():
        folder = folder.parent
    if (folder / MODEL).is_file():
        return RunFolder(folder)
    if (folder / CONFIG).is_file():
        raise MissingDataError(
            f"{folder}: the run was not finished: it has no {MODEL}. Train it again with force=True."
        )
    if folder.exists():
        raise MissingDataError(f"{folder}: is no run folder: it has no {MODEL}. {_nearby(folder)}".rstrip())
    raise MissingDataError(f"{folder}: there is no such run. {_nearby(folder.parent)}".rstrip())


def open_model(run: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Return the `FittedModel` and the configuration of a run; a model file alone has none.

    Raises
    ------
    MissingDataError
        If there is no such run or file.
    UsageError
        If the network is the user's own, whose code is not in the file.
    """
    from recurra.serving.model import FittedModel

    path = Path(run)
    config: dict[str, Any] = {}
    if not path.is_file():
        folder = open_run(path)
        path = folder / MODEL
        with contextlib.suppress(RecurraError):
            config = folder.config()
    model = FittedModel.load(path)
    if model.manifest["network"] is None:
        raise UsageError(
            f"{path}: holds weights of an own network, whose code is not in the file. "
            "Predict in Python: recurra.load_model(path, network=function).predict(X)."
        )
    return model, config


def _nearby(folder: Path) -> str:
    with contextlib.suppress(OSError):
        runs = sorted(child for child in folder.iterdir() if (child / MODEL).is_file())
        if runs:
            return f"Runs there: {', '.join(str(run) for run in runs[:5])}."
    return "Train one first: recurra train DATA -o RUN."


def check_free(path: str | os.PathLike[str], *, force: bool) -> Path:
    """Return the folder for a new run.

    Raises
    ------
    UsageError
        If a run is there and ``force`` is not given, or what is there is no run.
    """
    folder = Path(path)
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise UsageError(f"train: out must be a folder; {folder} is a file.")
    if any((folder / name).exists() for name in OURS):
        if not force:
            state = "holds a run" if (folder / MODEL).exists() else "holds a run that was not finished"
            raise UsageError(f"train: {folder} {state}; give another folder, or replace it with force=True.")
        return folder
    if any(folder.iterdir()):
        raise UsageError(f"train: {folder} holds files that are no run; give another folder.")
    return folder


@contextlib.contextmanager
def new_run(folder: Path) -> Iterator[RunFolder]:
    """Give a folder to write a run into; an earlier run stays untouched until the new one is whole.

    In a folder of its own a run is written in place, so that its history can be followed. Where a run is already, the
    new one grows beside it and takes its place at the end. If writing fails, a new folder is removed again unless an
    epoch was finished, and a replacement always.
    """
    replacing = any((folder / name).exists() for name in OURS) if folder.exists() else False
    if not replacing:
        existed = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield RunFolder(folder)
        except BaseException:
            _remove_unless_begun(folder, keep_folder=existed)
            raise
        return
    growing = folder.with_name(f".{folder.resolve().name}.new")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir()
    try:
        yield RunFolder(growing)
    except BaseException:
        shutil.rmtree(growing, ignore_errors=True)
        raise
    _take_place(growing, folder)


def _remove_unless_begun(folder: Path, *, keep_folder: bool) -> None:
    if (folder / HISTORY).exists() or (folder / CHECKPOINTS).exists():
        return
    for name in OURS:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):
        (folder / FIGURES).rmdir()
    if not keep_folder:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _take_place(growing: Path, folder: Path) -> None:
    """Put a finished run where an earlier one is: both are whole at every moment, each under one of two names."""
    folder = folder.resolve()
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    os.replace(folder, old)
    os.replace(growing, folder)
    for child in old.iterdir():  # what is not ours belongs to the user and moves along
        if child.name not in OURS and not child.name.startswith("eval-"):
            os.replace(child, folder / child.name)
    shutil.rmtree(old)
