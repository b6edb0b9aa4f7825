"""HDF5 files within limits: arrays and attributes by path; no link is followed out of the file."""

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import DataError
from recurra.importing.containers import reason
from recurra.readers.files.unpacked_size import Unfolding

# What h5py raises on files that are damaged.
ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError, IndexError, EOFError,
          SystemError, NotImplementedError, OverflowError)  # fmt: skip


class Tree(AbstractContextManager["Tree"]):
    """A file of HDF5, open for reading.

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
        try:
            import h5py
        except ImportError:
            raise missing_extra("h5py", "keras", f"{path}: reading HDF5") from None
        self.path, self._h5py = path, h5py
        self._unfolding = Unfolding(path, len(data))
        try:
            self._file = h5py.File(io.BytesIO(data), "r")
        except ERRORS as error:
            raise self.damaged(error) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def damaged(self, error: BaseException) -> DataError:
        """Return the error for a file that cannot be read."""
        return DataError(
            f"{self.path}: cannot be read as HDF5: {reason(error)}. It may be cut; get it again."
        )

    def node(self, place: str) -> Any:
        """Return a group or a dataset, None where there is none; only links within the file are followed."""
        found = self._file
        for part in filter(None, place.split("/")):
            if part not in self.members(found):
                return None
            found = self.within(found, part)
        return found

    def names(self, place: str) -> list[str]:
        """Return the names in a group, as they are sorted in the file; none where it is no group."""
        return self.members(self.node(place))

    def attribute(self, place: str, name: str) -> Any:
        """Return an attribute, None where there is none; bytes as str."""
        return self.attribute_of(self.node(place), name)

    def attribute_of(self, found: Any, name: str) -> Any:
        """Return an attribute of a node that was found."""
        try:
            if found is None or name not in found.attrs:
                return None
            value = found.attrs[name]
            if isinstance(value, bytes):
                return value.decode()
            if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
                return [
                    one.decode() if isinstance(one, bytes) else str(one) for one in value.reshape(-1).tolist()
                ]
            return value
        except ERRORS as error:
            raise self.damaged(error) from None

    def array(self, place: str) -> np.ndarray:
        """Return the numbers of a dataset.

        Raises
        ------
        DataError
            If there is none, or more than the file can hold.
        """
        return self.numbers(self.node(place), place)

    def numbers(self, found: Any, place: str) -> np.ndarray:
        """Return the numbers of a dataset that was found."""
        try:
            if not isinstance(found, self._h5py.Dataset) or found.is_virtual or found.external:
                raise DataError(f"{self.path}: {place} holds no numbers of the file itself.")
            if found.dtype.kind not in "biuf":
                raise DataError(f"{self.path}: {place} holds {found.dtype}, not numbers.")
            self._unfolding.add(math.prod(found.shape or ()) * found.dtype.itemsize)
            return np.asarray(found[()])
        except ERRORS as error:
            if isinstance(error, DataError):
                raise
            raise self.damaged(error) from None

    def matlab_class(self, found: Any) -> str:
        """Return what MATLAB calls the class of a node; empty where it says none."""
        kind = self.attribute_of(found, "MATLAB_class")
        return kind if isinstance(kind, str) else ""

    def members(self, found: Any) -> list[str]:
        """Return the names in a group that was found; none where it is no group."""
        try:
            return list(found) if isinstance(found, self._h5py.Group) else []
        except ERRORS as error:
            raise self.damaged(error) from None

    def within(self, group: Any, name: str) -> Any:
        """Return a node in a group that was found; only links within the file are followed."""
        try:
            if not isinstance(group.get(name, getlink=True), self._h5py.HardLink):
                raise DataError(f"{self.path}: {name} is a link to elsewhere, which is not followed.")
            return group[name]
        except ERRORS as error:
            if isinstance(error, DataError):
                raise
            raise self.damaged(error) from None

    def referred(self, found: Any) -> Sequence[Any]:
        """Return the nodes that a dataset of references names, in order."""
        try:
            self._unfolding.add(math.prod(found.shape or ()) * 16)
            return [self._file[one] for one in np.asarray(found[()]).reshape(-1)]
        except ERRORS as error:
            raise self.damaged(error) from None
