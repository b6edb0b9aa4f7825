"""Links in a folder of data: followed inside of it, never out of it.

A folder comes from somewhere, and what a link in it names is whatever lies there on this machine: it would be read, shown
in reports, and learned from. Who wants such files read names them in a table, or copies them.
"""

from collections.abc import Iterable
from pathlib import Path

from recurra.checks import listing


def leads_out(path: Path, root: Path) -> bool:
    """Whether a path below ``root`` is a link that leads out of it."""
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def note_of(root: Path, paths: Iterable[Path]) -> list[str]:
    """Return a sentence on the links that are not followed; none where there are none."""
    left = [path.relative_to(root).as_posix() for path in paths if leads_out(path, root)]
    if not left:
        return []
    count = "1 link that leads" if len(left) == 1 else f"{len(left)} links that lead"
    return [f"{root}: left out {count} out of the folder: {listing(left, 3)}."]
