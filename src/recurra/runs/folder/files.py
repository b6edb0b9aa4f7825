"""A run folder: what ``train`` writes and the other verbs read.

``config.json`` everything to repeat the run · ``history.jsonl`` a line per epoch · ``model.recurra`` the network ·
``trained-on.recurra`` digests of the training data · ``metrics.json`` the figures, flat · ``report.html`` · ``figures/`` ·
``checkpoints/`` · later ``eval-NAME.html`` and ``eval-NAME.json``. While it trains ``training.json`` says how far it is to
go and ``control.txt`` is looked for, see `recurra.training.callbacks.control`; ``notes.txt`` is the user's. A run has
begun when its ``config.json`` is there, and is whole when its ``model.recurra`` is.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.checks import shortened
from recurra.errors import DataError, StoreError
from recurra.runs.folder.json_files import read_json
from recurra.store import make_lasting, read_bytes, write_text

CONFIG, HISTORY, MODEL, METRICS, REPORT, FIGURES, CHECKPOINTS, TRAINED_ON = OURS = (
    "config.json", "history.jsonl", "model.recurra", "metrics.json", "report.html", "figures", "checkpoints",
    "trained-on.recurra",
)  # fmt: skip
CONTROL, TRAINING, NOTES = "control.txt", "training.json", "notes.txt"


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

    def to_write(self, name: str) -> Path:
        """Return the path of a file or folder to be written, which must lie in the run folder.

        A run folder may come from anywhere, and a link in it must not lead what is written or deleted elsewhere.

        Raises
        ------
        DataError
            If a link leads out of the run folder.
        """
        path, inside = self.path / name, self.path.resolve()
        for place in (path, *(path.rglob("*") if path.is_dir() else ())):
            if not place.resolve().is_relative_to(inside):
                raise DataError(
                    f"{place}: leads out of the run folder, to {place.resolve()}, and is not written into. Remove the link."
                )
        return path

    def config(self) -> dict[str, Any]:
        """Return ``config.json``; paths in it are absolute, of files that moved together with the run the new ones."""
        config = read_json(self / CONFIG)
        _check_config(config, self / CONFIG)
        return _moved(config, self.path)

    def metrics(self) -> dict[str, Any]:
        """Return ``metrics.json``."""
        return read_json(self / METRICS)

    def history(self) -> list[dict[str, Any]]:
        """Return the rows of ``history.jsonl``; lines that are cut or damaged are left out."""
        rows = []
        with contextlib.suppress(FileNotFoundError):
            for line in read_bytes(self / HISTORY, what="history").decode(errors="replace").splitlines():
                with contextlib.suppress(ValueError, RecursionError):
                    rows.append(json.loads(line))
        return [row for row in rows if isinstance(row, dict)]

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace a JSON file in one step."""
        write_text(self.to_write(name), json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``history.jsonl`` in one step."""
        write_text(
            self.to_write(HISTORY), "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )

    def settle_history(self) -> None:
        """Let the lines of ``history.jsonl`` outlast a power cut."""
        if (self / HISTORY).exists():
            make_lasting(self / HISTORY)

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line to ``history.jsonl``; if it cannot be written whole, none of it is."""
        path = self.to_write(HISTORY)
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                while line:  # a nearly full disk takes a part
                    line = line[file.write(line) :]
            except OSError as error:
                file.truncate(before)
                raise OSError(error.errno, error.strerror, str(path)) from error


_TEXT, _TEXT_OR_NONE = ("a text", str), ("a text or null", str | None)
_COUNT, _OBJECT, _LIST = (
    ("a whole number of at least 0", int),
    ("a JSON object", dict),
    ("a list of texts", list),
)
# What the keys of config.json hold; one that is absent is missed where it is needed.
_KEYS: dict[str, tuple[str, Any]] = {
    "recurra": _TEXT, "command": _TEXT, "started": _TEXT, "data": _TEXT_OR_NONE, "data_kind": _TEXT,
    "data_words": _OBJECT, "data_summary": _OBJECT, "test": ("a text, a number or null", str | int | float | None),
    "by": _TEXT_OR_NONE, "split": _TEXT, "n_train": _COUNT, "n_test": _COUNT, "identity": _TEXT,
    "data_digest": _TEXT_OR_NONE, "test_digest": _TEXT_OR_NONE, "task": _TEXT, "kind": _TEXT, "estimator": _TEXT,
    "seed": _COUNT, "words": _OBJECT, "python_words": _LIST, "params": _OBJECT,
    "channel_names": ("a list of texts or null", list | None), "licence": _TEXT, "citation": _TEXT,
    "versions": _OBJECT, "beside": _OBJECT,
}  # fmt: skip


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    """Raise StoreError at a key that holds something else than a run writes there: a run folder may be anybody's."""
    for key, (rule, kinds) in _KEYS.items():
        value: Any = config.get(key)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if fits and isinstance(value, list):
            fits = all(isinstance(name, str) for name in value)
        if fits and kinds is int:
            fits = value >= 0
        if key in config and not fits:
            raise StoreError(
                f"{path}: is damaged: {key!r} must be {rule}; got {shortened(value)}. Use a backup."
            )


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
