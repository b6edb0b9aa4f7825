"""Data below the folder looked at, a training begun as a process of its own, a network exported as a download."""

import io
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recurra.errors import UsageError
from recurra.runs.command_line import PYTHON_ONLY, as_arguments
from recurra.runs.data.options import DATA_OPTIONS
from recurra.runs.data.sources import divide_options
from recurra.runs.exports.export import export
from recurra.runs.folder.files import RunFolder
from recurra.runs.look import look
from recurra.studio.files import Below, check_name

MOST_FILES = 2000
MOST_SAID = 20_000  # bytes of what a training wrote that are looked at
# Options that name files, which the page does not choose.
_OF_FILES = ("checkpoint_dir", "cache_dir", "labels", "vectors", "backbone", "device")
_SHOWN = (
    ".csv", ".tsv", ".txt", ".parquet", ".npy", ".npz", ".ts", ".wav", ".flac", ".ogg", ".edf", ".bdf", ".mat", ".hea",
    ".zip", ".conll", ".jsonl", ".mp4", ".avi", ".gif", ".png",
)  # fmt: skip


def listing(below: Below, folder: str) -> dict[str, Any]:
    """Return the folders and the files of data in a folder, hidden ones and links out of it left out."""
    path = below.path(folder)
    if not path.is_dir():
        raise UsageError(f"studio: {folder[:200]!r} is no folder.")
    entries = []
    for child in sorted(path.iterdir(), key=lambda c: (not c.is_dir(), c.name.lower())):
        if child.name.startswith((".", "__")) or not child.resolve().is_relative_to(below.root):
            continue
        kind = "run" if (child / "config.json").is_file() else "folder" if child.is_dir() else "file"
        if kind == "file" and child.suffix.lower() not in _SHOWN:
            continue
        entries.append({"name": child.name, "path": below.name(path / child.name), "kind": kind})
    return {
        "folder": below.name(path),
        "entries": entries[:MOST_FILES],
        "more": max(0, len(entries) - MOST_FILES),
    }


def looked_at(below: Below, file: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `recurra.look` finds in data, and settings to begin with; the command stands on the page already."""
    path = below.path(file)
    _check(options)
    found = look(path, **{name: value for name, value in options.items() if name in DATA_OPTIONS})
    return {
        "lines": replace(found, next_command="").lines(),
        "problems": found.problems,
        "settings": found.settings,
        "ready": bool(found.next_command),
    }


# -P: what lies in the folder of data is never imported.
COMMAND = ("-P", "-m", "recurra")


class Begun:
    """A training that was begun as a process, which goes on when the page or studio ends.

    Parameters
    ----------
    arguments : list of str
        What ``recurra`` is called with.
    folder : Path
        Where.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        said = tempfile.TemporaryFile()  # noqa: SIM115 # the process writes into it for as long as it runs
        process = subprocess.Popen(
            [sys.executable, *COMMAND, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        self.code: int | None = None
        self._said, self._lines = said, [""]
        # Waits for the end, so that no dead process stays behind; holds the process when the page is gone before it.
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()

    def _wait(self, process: subprocess.Popen) -> None:
        code = process.wait()
        with self._said:
            self._lines = self._read()
        self.code = code

    def _read(self) -> list[str]:
        size = os.fstat(self._said.fileno()).st_size
        self._said.seek(max(0, size - MOST_SAID))
        return self._said.read().decode("utf-8", errors="replace").splitlines()[-8:]

    def said(self) -> list[str]:
        """Return the last lines that it wrote."""
        if self.code is not None:
            return self._lines
        try:
            return self._read()
        except ValueError:  # it ended just now
            return self._lines


@dataclass
class Beginnings:
    """Trainings that this page has begun.

    Parameters
    ----------
    below : Below
        The folder.
    """

    below: Below
    _begun: dict[str, Begun] = field(default_factory=dict)

    def words(self, file: str, out: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the command and the Python that train on data below the folder."""
        file = self.below.path(file).relative_to(self.below.root).as_posix()
        file = f"./{file}" if file.startswith("-") else file  # no option
        _check(options)
        for part in out.split("/"):
            check_name(part)
        arguments = ["train", file, "-o", out, *as_arguments(options)]
        said = "".join(f", {name}={value!r}" for name, value in {"out": out, **options}.items())
        return {
            "command": shlex.join(["recurra", *arguments]),
            "python": f"import recurra\nrun = recurra.train({file!r}{said})",
            "arguments": arguments,
        }

    def train(self, file: str, out: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a training as a process that goes on when the page or studio ends."""
        words = self.words(file, out, options)
        folder = self.below.root / out
        if not folder.resolve().is_relative_to(self.below.root):
            raise UsageError(f"studio: {out!r} leads out of the folder.")
        if folder.exists():
            raise UsageError(f"studio: {out!r} is there already; give another name.")
        self._begun[out] = Begun(words["arguments"], self.below.root)
        return {name: words[name] for name in ("command", "python")}

    def state(self, out: str) -> dict[str, Any]:
        """Return whether a training that was begun here still runs, and what it last said where it failed."""
        if out not in self._begun:
            raise UsageError(f"studio: no training of the name {out[:80]!r} was begun here.")
        begun = self._begun[out]
        code = begun.code
        return {
            "running": code is None,
            "code": code,
            "said": begun.said(),
            "run": (self.below.root / out / "config.json").exists(),
        }


def exported(run: RunFolder, to: str) -> tuple[str, bytes]:
    """Return the network of a run as a file of ONNX, or as a zip of C: name and content."""
    name = run.path.name or "network"
    with tempfile.TemporaryDirectory() as place:
        if to == "onnx":
            out = Path(place) / f"{name}.onnx"
            export(run.path, out, to=to)
            return out.name, out.read_bytes()
        folder = Path(place) / "network"
        export(run.path, folder, to=to)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder.parent))
        return f"{name}-c.zip", content.getvalue()


def _check(options: Mapping[str, Any]) -> None:
    """Raise UsageError at an option that is unknown, names a file, or is no plain value."""
    divide_options("studio", options)
    for name, value in options.items():
        if name in PYTHON_ONLY or name in _OF_FILES:
            raise UsageError(f"studio: {name} is not chosen here; train with the command line or in Python.")
        plain = isinstance(value, str | bool | int | float) or (
            isinstance(value, list) and all(isinstance(entry, str | int) for entry in value)
        )
        if not plain or (isinstance(value, str) and value.startswith("-")):
            raise UsageError(
                f"studio: {name} must be a number, a word or a list of words; got {str(value)[:80]!r}."
            )
