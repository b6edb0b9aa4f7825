"""HDF5 files within limits: arrays and attributes by path, read in a process of its own; no link leaves the file."""

import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import DataError
from recurra.readers.files.unpacked_size import LIMIT_BYTES, LIMIT_RATIO, SMALL_BYTES

CHILD = Path(__file__).with_name("child.py")
MOST_SECONDS = 120

# A node: its attributes, and either the names below it, an array, the paths its references name, or that it is a link.
Node = dict[str, Any]


class Tree:
    """What a file of HDF5 holds.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        What the file holds.

    Raises
    ------
    MissingExtraError
        If h5py is not installed.
    DataError
        If it is damaged; so do the methods.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        if importlib.util.find_spec("h5py") is None:
            raise missing_extra("h5py", "keras", f"{path}: reading HDF5")
        self.path = path
        limit = min(LIMIT_BYTES, max(SMALL_BYTES, LIMIT_RATIO * len(data)))
        command = [sys.executable, "-I", str(CHILD), str(limit)]
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=MOST_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise self._damaged("reading it never ends") from None
        if done.returncode:
            raise self._damaged("the library that reads it gave up")
        text, _, rest = done.stdout.partition(b"\n")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._damaged(str(error)[:100]) from None
        if "error" in found:
            raise self._damaged(found["error"].rstrip("."))
        self._nodes: dict[str, Node] = found["nodes"]
        ends = np.cumsum([0, *found["sizes"]]).tolist()
        self._arrays = [rest[begin:end] for begin, end in itertools.pairwise(ends)]

    def _damaged(self, why: str) -> DataError:
        return DataError(f"{self.path}: cannot be read as HDF5: {why}. It may be cut; get it again.")

    def node(self, place: str) -> Node | None:
        """Return a group or a dataset, None where there is none.

        Raises
        ------
        DataError
            If it is a link to elsewhere.
        """
        found = self._nodes.get("/".join(part for part in place.split("/") if part))
        if found is not None and found.get("link"):
            raise DataError(f"{self.path}: {place} is a link to elsewhere, which is not followed.")
        return found

    def names(self, place: str) -> list[str]:
        """Return the names in a group, as they are sorted in the file; none where it is no group."""
        return list((self.node(place) or {}).get("names", []))

    def attribute(self, place: str, name: str) -> Any:
        """Return an attribute, None where there is none."""
        found = self.node(place)
        return None if found is None else found["attributes"].get(name)

    def array(self, place: str) -> np.ndarray:
        """Return the numbers of a dataset.

        Raises
        ------
        DataError
            If there is none of numbers.
        """
        found = self.node(place)
        if found is None or "array" not in found:
            raise DataError(
                f"{self.path}: {place} holds {(found or {}).get('kind', 'nothing')}, not numbers."
            )
        array = np.frombuffer(self._arrays[found["array"]], np.dtype(found["dtype"]))
        return array.reshape(found["shape"])

    def referred(self, place: str) -> Sequence[str]:
        """Return the paths of the nodes that a dataset of references names, in order."""
        found = self.node(place)
        if found is None or "references" not in found:
            raise DataError(f"{self.path}: {place} holds no references.")
        return list(found["references"])
