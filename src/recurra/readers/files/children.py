"""What of a folder of data is read: nothing hidden, no runs of ours, and no link that leads out of it.

A folder comes from somewhere, and what a link in it names is whatever lies there on this machine: it would be read, shown
in reports, and learned from. Who wants such files read names them in a table, or copies them.
"""

from collections.abc import Iterable
from pathlib import Path

from recurra.checks import listing


def visible(folder: Path) -> list[Path]:
    """Return what is in a folder, in order of its name: nothing hidden, and nothing that training wrote beside the data."""
    return sorted((c for c in folder.iterdir() if not is_hidden(c)), key=lambda child: child.name)


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is none of data, by its name or as `holds_runs` says."""
    return path.name.startswith((".", "__")) or holds_runs(path)


def holds_runs(path: Path) -> bool:
    """Whether a folder is what training on the data wrote beside them: a run, or a folder of nothing but runs."""

    def is_run(folder: Path) -> bool:
        config = folder / "config.json"
        return config.is_file() and '"recurra"' in config.read_text(encoding="utf-8", errors="replace")[:100]

    if not path.is_dir():
        return False
    if is_run(path):
        return True
    children = list(path.iterdir())
    return bool(children) and all(child.is_dir() and is_run(child) for child in children)


def staying_in(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return those paths below ``root`` that are no link out of it, in their order."""
    return [path for path in paths if not (path.is_symlink() and _leads_out(path, root))]


def _leads_out(link: Path, root: Path) -> bool:
    return not link.resolve().is_relative_to(root.resolve())


def note_of(root: Path, paths: Iterable[Path]) -> list[str]:
    """Return a sentence on the links that are not followed; none where there are none."""
    left = [
        path.relative_to(root).as_posix() for path in paths if path.is_symlink() and _leads_out(path, root)
    ]
    if not left:
        return []
    count = "1 link that leads" if len(left) == 1 else f"{len(left)} links that lead"
    return [f"{root}: left out {count} out of the folder: {listing(left, 3)}."]
