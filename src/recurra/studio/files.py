"""What is below the folder, and nothing outside of it: every path is resolved, links and all, before it is opened."""

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import DataError, MissingDataError, UsageError
from recurra.runs.data.sources import kind
from recurra.runs.folder.files import CONFIG, RunFolder

MOST_FOLDERS = 100_000
DEEPEST = 8
LARGEST_TEXT = 200_000_000  # bytes; a history of 100,000 epochs has some 40 MB
# How the page calls a byte of a name that is no UTF-8, or a backslash; never a dot or a slash. Windows has texts as names.
ODD_BYTE = re.compile(r"\\x(5c|[89a-f][0-9a-f])" if os.name != "nt" else r"(?!)")


@dataclass(frozen=True)
class Below:
    """A folder, and what may be read below it.

    Parameters
    ----------
    root : Path
        The folder, resolved.
    """

    root: Path

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> "Below":
        """Return what is below a folder, which must be there."""
        path = Path(folder)
        if path.is_file():
            raise MissingDataError(
                f"studio: {path}: is a file. Give a run folder, or the folder that holds the run folders."
            )
        if not path.is_dir():
            raise MissingDataError(
                f"studio: {path}: there is no such folder. Give the folder that holds the run folders."
            )
        return cls(path.resolve())

    def path(self, relative: str) -> Path:
        """Return a path below the folder.

        Raises
        ------
        DataError
            If it is absolute, or leads out of the folder, by dots or by a link.
        MissingDataError
            If there is nothing.
        """
        told = relative[:200]
        plain = "\0" not in relative and "\\" not in ODD_BYTE.sub("", relative)
        relative = ODD_BYTE.sub(lambda found: os.fsdecode(bytes.fromhex(found[1])), relative)
        if not plain or os.path.isabs(relative) or ".." in relative.split("/"):
            raise DataError(f"studio: {told!r} is no path below the folder.")
        try:
            path = (self.root / relative).resolve()
        except (OSError, RuntimeError, ValueError):
            raise DataError(f"studio: {told!r} is no path below the folder.") from None
        if not path.is_relative_to(self.root):
            raise DataError(f"studio: {told!r} leads out of the folder, and is not read.")
        try:
            there = path.exists()
        except OSError:  # a name longer than a system has
            there = False
        if not there:
            raise MissingDataError(f"studio: {told!r} is not there.")
        if not (path.is_file() or path.is_dir()):
            raise DataError(f"studio: {told!r} is a pipe or a device, and is not read.")
        return path

    def name(self, path: Path) -> str:
        r"""Return a path below the folder as the page calls it: bytes that are no UTF-8, and backslashes, as ``\xe9``."""
        return _for_page(path.relative_to(self.root).as_posix())

    def run(self, relative: str) -> RunFolder:
        """Return a run below the folder.

        Raises
        ------
        MissingDataError
            If it holds no run.
        """
        path = self.path(relative)
        if not (path / CONFIG).is_file():
            raise MissingDataError(f"studio: {relative[:200]!r} holds no run.")
        return RunFolder(path)

    def file_of(self, run: RunFolder, name: str) -> Path:
        """Return a file of a run, which a link in its place must not lead out of the folder."""
        path = run.path / name
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            raise MissingDataError(f"studio: {self.name(path)[:200]!r} is not there.") from None
        link = stat.S_ISLNK(mode)
        if not link and not stat.S_ISREG(mode):
            # to open a pipe that nobody writes into would never end
            raise DataError(f"studio: {self.name(path)[:200]!r} is no regular file, and is not read.")
        # the folder itself was resolved when it was found; for a thousand runs that is a second saved
        return self.path(self.name(path)) if link else path

    def json_of(self, run: RunFolder, name: str) -> dict[str, Any]:
        """Return a small JSON file of a run; empty where it is not there, or is no object."""
        try:
            found = json.loads(self.text_of(run, name))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def text_of(self, run: RunFolder, name: str) -> str:
        """Return a text file of a run, empty where it is not there or cannot be read."""
        try:
            path = self.file_of(run, name)
            if not path.is_file() or path.stat().st_size > LARGEST_TEXT:
                return ""
            return path.read_text(encoding="utf-8", errors="replace")
        except (OSError, DataError):
            return ""

    def runs(self) -> Iterator[Path]:
        """Yield every run folder, links not followed, in no order."""
        left, seen = [(self.root, 0)], 0
        while left and seen < MOST_FOLDERS:
            folder, depth = left.pop()
            seen += 1
            try:
                with os.scandir(folder) as found:
                    entries = list(found)
            except OSError:
                continue
            if any(entry.name == CONFIG and entry.is_file(follow_symlinks=False) for entry in entries):
                yield folder
                continue
            if depth < DEEPEST:
                left += [
                    (Path(entry.path), depth + 1)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) and not _hidden(entry.name)
                ]

    def check_data(self, config: dict[str, Any]) -> None:
        """Raise DataError where a run was trained on files outside of the folder, which are not read."""
        own = [config.get("data"), config.get("test")]
        for words in ("data_words", "words"):
            found = config.get(words)
            own += list(found.values()) if isinstance(found, dict) else []
        if config.get("data_kind") == "name":
            own.remove(config.get("data"))
        for value in own:
            if not isinstance(value, str) or kind(value) == "name":
                continue
            if not Path(value).resolve().is_relative_to(self.root):
                raise DataError(
                    f"studio: the run was trained on {value}, which is outside of {self.root} and is not read. Start "
                    "studio on a folder that holds both."
                )


def _hidden(name: str) -> bool:
    """Whether a folder is not looked into; a run that replaces another grows in ``.NAME.new``."""
    return name.startswith((".", "__")) and not (name.startswith(".") and name.endswith(".new"))


def is_unicode(name: str) -> bool:
    """Whether a name of a file, which may be any bytes, is a text."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _for_page(name: str) -> str:
    """Return a name that JSON can hold; Python has each byte that is no UTF-8 as half of a character."""
    if "\\" not in name and is_unicode(name):
        return name
    return "".join(f"\\x{ord(c) & 0xFF:02x}" if c == "\\" or "\udc80" <= c <= "\udcff" else c for c in name)


def check_name(name: str) -> str:
    """Return a name for a new file or folder: one part of a path, not hidden."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0") or len(name.encode()) > 100:
        raise UsageError(f"studio: {name[:80]!r} is no name for a new folder; give letters, digits, - and _.")
    return name


def rows_in(content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a piece of ``history.jsonl``; lines that are cut or no rows are left out."""
    rows = []
    for line in content.decode(errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and type(row.get("epoch")) is int:
            rows.append({key[:60]: value for key, value in row.items() if is_plain(value)})
    return rows


def is_plain(value: Any) -> bool:
    """Whether JSON can hold a value as what it is: a text, a truth value or a finite number."""
    kind = type(value)
    return math.isfinite(value) if kind is float else kind is int or kind is str or kind is bool
