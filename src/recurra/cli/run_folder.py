"""A run folder: what ``train`` writes and the other verbs read.

``config.json`` everything to repeat the run · ``history.jsonl`` a line per epoch · ``model.recurra`` the network ·
``trained-on.recurra`` digests of the training data · ``metrics.json`` the figures, flat · ``report.html`` · ``figures/`` ·
``checkpoints/`` · later ``eval-NAME.html`` and ``eval-NAME.json``. A run has begun when its ``config.json`` is there, and
is whole when its ``model.recurra`` is.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import MissingDataError, RecurraError, StoreError, UsageError
from recurra.store import PARTIAL, write_text

CONFIG, HISTORY, MODEL, METRICS, REPORT, FIGURES, CHECKPOINTS, TRAINED_ON = OURS = (
    "config.json", "history.jsonl", "model.recurra", "metrics.json", "report.html", "figures", "checkpoints",
    "trained-on.recurra",
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
        """Return ``config.json``; paths in it are absolute, of files that moved together with the run the new ones."""
        return _moved(read_json(self / CONFIG), self.path)

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

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``history.jsonl`` in one step."""
        write_text(self / HISTORY, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line to ``history.jsonl``; if it cannot be written whole, none of it is."""
        path = self / HISTORY
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                while line:  # a nearly full disk takes a part
                    line = line[file.write(line) :]
            except OSError as error:
                file.truncate(before)
                raise OSError(error.errno, error.strerror, str(path)) from error


def _moved(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a configuration with paths that are no longer there replaced by what lies there seen from the run."""
    beside = config.get("beside")
    if not isinstance(beside, dict):
        return config
    now = {old: (folder / str(relative)).resolve() for old, relative in beside.items()}
    moved = {old: str(new) for old, new in now.items() if new.exists() and not Path(old).exists()}

    def found(value: Any) -> Any:
        return moved.get(value, value) if isinstance(value, str) else value

    return (
        {
            key: {word: found(v) for word, v in value.items()}
            if key in ("data_words", "words")
            else found(value)
            for key, value in config.items()
        }
        if moved
        else config
    )


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
    _settle(folder)
    if (folder / MODEL).is_file():
        return RunFolder(folder)
    if (folder / CONFIG).is_file():
        raise MissingDataError(
            f"{folder}: the run was not finished: it has no {MODEL}. Go on with: recurra resume {folder}"
        )
    if folder.exists():
        raise MissingDataError(f"{folder}: is no run folder: it has no {MODEL}. {_nearby(folder)}".rstrip())
    raise MissingDataError(f"{folder}: there is no such run. {_nearby(folder.parent)}".rstrip())


def open_model(run: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Return the model of a run and its configuration; of a model file alone, what the model itself knows.

    Raises
    ------
    MissingDataError
        If there is no such run or file.
    UsageError
        If the network is the user's own, whose code is not in the file.
    """
    from recurra.serving.model import open_file

    path = Path(run)
    config: dict[str, Any] = {}
    if not path.is_file():
        folder = open_run(path)
        path = folder / MODEL
        with contextlib.suppress(RecurraError):
            config = folder.config()
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
    return path if path.is_file() else path / MODEL


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
    _settle(folder)
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise UsageError(f"train: out must be a folder; {folder} is a file.")
    if any((folder / name).exists() for name in OURS):
        if not force:
            whole = (folder / MODEL).exists()
            state = "holds a run" if whole else "holds a run that was not finished"
            more = "" if whole else f", or go on with: recurra resume {folder}"
            raise UsageError(
                f"train: {folder} {state}; give another folder, or replace it with force=True{more or '.'}"
            )
        return folder
    if any(not child.name.endswith(PARTIAL) for child in folder.iterdir()):
        raise UsageError(f"train: {folder} holds files that are no run; give another folder.")
    return folder


@contextlib.contextmanager
def new_run(folder: Path) -> Iterator[RunFolder]:
    """Give a folder to write a run into; an earlier run stays untouched until the new one is whole.

    In a folder of its own a run is written in place, so that its history can be followed. Where a run is already, the
    new one grows beside it and takes its place at the end. If training fails before anything was reached, what was
    written is removed again; after Ctrl-C, or with a checkpoint, it stays to go on from.
    """
    replacing = any((folder / name).exists() for name in OURS) if folder.exists() else False
    where_to = _growing(folder) if replacing else folder
    existed = where_to.exists() and not replacing
    if replacing:
        shutil.rmtree(where_to, ignore_errors=True)
    where_to.mkdir(parents=True, exist_ok=True)
    _clear_partial(where_to)
    try:
        yield RunFolder(where_to)
    except BaseException as error:
        if not _can_go_on(where_to, error):
            _remove(where_to, keep_folder=existed)
        raise
    if replacing:
        _take_place(folder)


@contextlib.contextmanager
def continued_run(folder: Path) -> Iterator[RunFolder]:
    """Give the folder of a run that was not finished; at its end it stands where it was to stand."""
    run = unfinished(folder)
    assert run is not None
    _clear_partial(run.path)
    yield run
    if run.path != folder:
        _take_place(folder)


def unfinished(folder: Path) -> RunFolder | None:
    """Return the run that was begun for a folder and is not whole, None if there is none."""
    _settle(folder)
    growing = _growing(folder)
    if (growing / CONFIG).is_file():
        return RunFolder(growing)
    if (folder / CONFIG).is_file() and not (folder / MODEL).exists():
        return RunFolder(folder)
    return None


def _clear_partial(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for place in (folder, folder / FIGURES):
        for left in place.glob(f".*{PARTIAL}"):
            with contextlib.suppress(OSError):
                left.unlink()


def _growing(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.new")


def _can_go_on(folder: Path, error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt):
        return (folder / CONFIG).exists()
    return any((folder / CHECKPOINTS).glob("*.recurra"))


def _remove(folder: Path, *, keep_folder: bool) -> None:
    for name in OURS:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    for name in (FIGURES, CHECKPOINTS):
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
    if not keep_folder:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _take_place(folder: Path) -> None:
    """Put a finished run where an earlier one is: both are whole at every moment, each under one of two names."""
    folder = folder.resolve()
    if folder.exists():
        os.replace(folder, _old(folder))
    _settle(folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _settle(folder: Path) -> None:
    """Complete a replacement that was killed half-way."""
    folder = folder.resolve()
    if not folder.name or not _old(folder).is_dir():
        return
    growing, old = _growing(folder), _old(folder)
    if not folder.exists():
        os.replace(growing if growing.exists() else old, folder)
    if old.is_dir():
        for child in old.iterdir():  # what is not ours belongs to the user and moves along
            if child.name not in OURS and not child.name.startswith("eval-") and child.suffix != PARTIAL:
                os.replace(child, folder / child.name)
        shutil.rmtree(old)
