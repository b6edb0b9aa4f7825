"""MATLAB's ``.mat`` files: versions 4 to 7 by scipy, version 7.3 by the package h5py. No object is ever built."""

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recurra.checks import check_sample_rate, counted, listing, missing_extra
from recurra.errors import DataError
from recurra.readers.files.unpacked_size import Unfolding
from recurra.readers.signals.recording import Recording, first_bytes, turned

SUFFIXES = (".mat",)

# What a variable of labels is called where nobody says it.
LABELS = ("label", "labels", "class", "classes", "y")

RATES = ("fs", "sample_rate", "sample_rate_hz", "samplerate", "sampling_rate", "freq")

# Cells in cells; a file may hold one that refers to itself.
_MAX_DEPTH = 16

_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class MatContent:
    """The recordings of a file, and the labels beside them.

    Parameters
    ----------
    recordings : list of Recording
        One, or one per cell.
    names : list of str
        One per recording: the variable, and the cell's number from 1.
    labels : list of str, int, float or ndarray of shape (time,), or None
        One per recording: where a cell array of text has as many cells, or a variable of a usual name (`LABELS`) has a
        value for each recording (``num2cell`` may have put it into a cell) or for each time step: of several, a cell with
        a vector or a cell array for each.
    label_name : str
        The variable of a usual name that holds the labels, empty where it was given or there is none.
    """

    recordings: list[Recording]
    names: list[str]
    labels: list[Any] | None
    label_name: str = ""


def read_mat(path: Path, *, label: str | None = None, channels_first: bool = False) -> MatContent:
    """Read a MATLAB file.

    Parameters
    ----------
    path : Path
        Holds a numeric matrix, or a cell array of numeric matrices, each one sequence; and perhaps a cell array of text
        or a vector with a label for each, and a scalar with the sampling rate (`RATES`).
    label : str, optional
        Variable with the labels; "" says there is none.
    channels_first : bool, default=False
        Matrices are (channels, time), as MATLAB's own examples have them.

    Raises
    ------
    MissingExtraError
        If h5py is needed and not installed.
    DataError
        If the file is damaged, unfolds beyond the bound of `recurra.readers.files.unpacked_size`, or holds no or several
        candidates.
    """
    variables = _variables(path)
    given = variables.pop(label, None) if label else None
    if label and given is None:
        raise DataError(f"{path}: has no variable {label!r}; it has {listing(variables)}.")
    rate = _rate(variables, path)
    usual = "" if label else _usual_labels(variables, channels_first)
    found_labels = variables.pop(usual) if usual else None
    if label is None and usual:
        given = found_labels
    numbers = {n: v for n, v in variables.items() if isinstance(v, np.ndarray)}
    cells = {n: v for n, v in variables.items() if isinstance(v, list) and _numeric(v)}
    name, found = _only(path, {**numbers, **cells}, variables)
    matrices = found if isinstance(found, list) else [found]
    recordings = [_recording(path, name, m, rate, channels_first) for m in matrices]
    names = [name] if not isinstance(found, list) else [f"{name}{{{i + 1}}}" for i in range(len(found))]
    if given is None and label != "":
        texts = [v for v in variables.values() if isinstance(v, list) and not _numeric(v)]
        given = next((v for v in texts if len(v) == len(matrices)), None)
    labels = None if given is None else _labels(path, given, names, recordings)
    return MatContent(recordings, names, labels, usual if label is None else "")


def _numeric(cells: list[Any]) -> bool:
    return bool(cells) and all(isinstance(cell, np.ndarray) for cell in cells)


def _usual_labels(variables: dict[str, Any], channels_first: bool) -> str:
    """Return the variable of a usual name that holds a label for each sequence or step beside it, "" if there is none."""
    for name, value in variables.items():
        if name.lower() not in LABELS:
            continue
        beside = [v for n, v in variables.items() if n != name and isinstance(v, list | np.ndarray)]
        beside = [v for v in beside if _holds_signals(v)]
        if _is_cells_of_steps(value):
            if any(isinstance(v, list) and _fit(value, v) for v in beside):
                return name
        elif (isinstance(value, list) and not _numeric(value)) or (
            isinstance(value, np.ndarray) and value.size == max(value.shape, default=0)
        ):
            counts = [len(v) if isinstance(v, list) else len(turned(v, channels_first)) for v in beside]
            if _size(value) > 1 and _size(value) in counts:
                return name
    return ""


def _fit(labels: list[Any], matrices: list[Any]) -> bool:
    """Return whether cells of labels are those of these matrices: one label each, or for most as many as steps."""
    if len(labels) != len(matrices):
        return False
    sizes = [_size(cell) for cell in labels]
    fitting = sum(size in matrix.shape for size, matrix in zip(sizes, matrices, strict=True))
    return 2 * fitting > len(sizes) or set(sizes) == {1}


def _is_cells_of_steps(value: Any) -> bool:
    """Return whether every cell is a row of labels itself: a vector of numbers, or a cell array or matrix of texts."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(cell, list)
            or (isinstance(cell, np.ndarray) and cell.size == max(cell.shape, default=0))
            for cell in value
        )
    )


def _size(labels: Any) -> int:
    return int(labels.size) if isinstance(labels, np.ndarray) else len(labels)


def _holds_signals(value: Any) -> bool:
    return _numeric(value) if isinstance(value, list) else value.ndim == 2 and value.size > 1


def _rate(variables: dict[str, Any], path: Path) -> float | None:
    for name in list(variables):
        value = variables[name]
        if name.lower() in RATES and isinstance(value, np.ndarray) and value.size == 1:
            del variables[name]
            rate = float(value.reshape(()))
            check_sample_rate(f"{path}: {name}", rate)
            return rate
    return None


def _only(path: Path, candidates: dict[str, Any], variables: dict[str, Any]) -> tuple[str, Any]:
    """Return the one variable that can be the signal: ``val`` or ``X`` where there are several."""
    for usual in ("val", "X", "signals", "Signals", "data"):
        if usual in candidates:
            return usual, candidates[usual]
    large = {n: v for n, v in candidates.items() if isinstance(v, list) or v.size > 1}
    if len(large) == 1:
        return next(iter(large.items()))
    if not large:
        held = f"it holds {listing(variables)}" if variables else "it is empty"
        raise DataError(f"{path}: holds no numeric matrix and no cell array of such; {held}.")
    raise DataError(
        f"{path}: holds several matrices, {listing(large)}, and it is not known which is the signal. "
        "Save one of them alone, call it X, or name the one that holds labels with label=."
    )


def _recording(path: Path, name: str, matrix: np.ndarray, rate: float | None, first: bool) -> Recording:
    if matrix.ndim > 2 or matrix.size == 0:
        raise DataError(f"{path}: {name} must be of shape (time, channels); got {matrix.shape}.")
    values = np.asarray(turned(matrix, first), dtype=np.float64)
    notes: tuple[str, ...] = ()
    if not first and values.shape[1] > max(64, 4 * values.shape[0]):
        notes = (
            f"{path}: {name} was read as {values.shape[0]} time steps of {counted(values.shape[1], 'channel')}; if it is "
            "turned round, give channels_first=True.",
        )
    return Recording(values, rate, None, (), notes)


def _labels(path: Path, given: Any, names: list[str], recordings: list[Recording]) -> list[Any]:
    count, steps = len(recordings), [len(one.values) for one in recordings]
    if _is_cells_of_steps(given) and len(given) == count:
        if max(steps) > 1 and all(_size(cell) == 1 for cell in given):  # of num2cell
            given = [_only_label(cell) for cell in given]
            return _labels(path, given, names, recordings)
        return [_of_steps(path, *each) for each in zip(given, names, recordings, strict=True)]
    labels = given if isinstance(given, list) else np.asarray(given).reshape(-1).tolist()
    plain = all(isinstance(one, str | int | float) for one in labels)
    if count == 1 and plain and len(labels) == steps[0] > 1:
        return [_as_array(labels)]
    if len(labels) != count or not plain:
        each = f"for each of {steps[0]} time steps" if count == 1 else "a cell for each with one a time step"
        raise DataError(
            f"{path}: the labels must be one text or number for each of {counted(count, 'sequence')}, or {each}; "
            f"there are {len(labels)}."
        )
    return [int(one) if isinstance(one, float) and one.is_integer() else one for one in labels]


def _only_label(cell: Any) -> Any:
    """Return the label in a cell that holds one."""
    return cell[0] if isinstance(cell, list) else cell.reshape(-1).tolist()[0]


def _of_steps(path: Path, given: Any, name: str, recording: Recording) -> np.ndarray:
    """Return the labels of the steps of one sequence among several."""
    labels = given if isinstance(given, list) else given.reshape(-1).tolist()
    steps, width = recording.values.shape
    if len(labels) != steps:
        turn = (
            " If channels come first in the file, give channels_first=True." if len(labels) == width else ""
        )
        raise DataError(
            f"{path}: {name} has {counted(steps, 'time step')} and {counted(len(labels), 'label')}; a label per step "
            f"needs as many.{turn}"
        )
    if not all(isinstance(one, str | int | float) for one in labels):
        raise DataError(
            f"{path}: the labels of {name} must be a text or a number for each of its time steps."
        )
    return _as_array(labels)


def _as_array(labels: list[Any]) -> np.ndarray:
    array = np.array(labels)
    whole = array.dtype.kind == "f" and bool((array == np.round(array)).all())
    return array.astype(np.int64) if whole else array


def _variables(path: Path) -> dict[str, Any]:
    """Return the numeric variables as arrays, cell arrays as lists (of arrays and texts), texts as str."""
    head = first_bytes(path, 520)
    if head[:8] == _HDF5 or head[512:520] == _HDF5:
        return _from_hdf5(path)
    with path.open("rb") as stream:
        check_unfolded(path, stream, path.stat().st_size)
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        raw = loadmat(
            path, chars_as_strings=True, struct_as_record=True, verify_compressed_data_integrity=True
        )
    except NotImplementedError:
        return _from_hdf5(path)
    except (
        MatReadError,
        ValueError,
        TypeError,
        OSError,
        EOFError,
        KeyError,
        IndexError,
        zlib.error,
        MemoryError,
    ) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"{path}: cannot be read as a MATLAB file: {reason}. It may be cut.") from None
    variables = {n: _plain(path, n, v) for n, v in raw.items() if not n.startswith("__")}
    return {n: v for n, v in variables.items() if v is not None}


def _plain(path: Path, name: str, value: Any) -> Any:
    from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque

    if isinstance(value, MatlabOpaque | MatlabObject | MatlabFunction):
        raise DataError(
            f"{path}: {name} is an object of a MATLAB class, which is never loaded. In MATLAB, save a matrix or a cell "
            "array of matrices: cellstr(labels) for a categorical, table2array(t) for a table."
        )
    if hasattr(value, "toarray"):  # what it claims to be may be a million times as large as the file
        raise DataError(
            f"{path}: {name} is a sparse matrix, which is not read. In MATLAB, save full({name})."
        )
    array = np.asarray(value)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in "US":
        texts = [str(text).rstrip() for text in array.reshape(-1).tolist()]
        return texts[0] if len(texts) == 1 else texts
    if array.dtype == object and array.dtype.names is None:
        return [
            _plain(path, f"{name}{{{i + 1}}}", cell) for i, cell in enumerate(array.reshape(-1, order="F"))
        ]
    return None  # a struct, or complex numbers: nothing to learn from


def _from_hdf5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError:
        raise missing_extra("h5py", "mat", f"{path}: reading a .mat file of version 7.3") from None
    try:
        with h5py.File(path, "r") as file:
            unfolding = _unfolding(path, path.stat().st_size)
            found = {
                name: _hdf5_value(path, name, file[name], file, unfolding)
                for name in file
                if isinstance(name, str)
                and not name.startswith("#")
                and isinstance(file.get(name, getlink=True), h5py.HardLink)
            }
    except DataError:
        raise
    except Exception as error:  # h5py raises whatever a damaged place leads it to
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(
            f"{path}: cannot be read as a MATLAB file of version 7.3: {reason}. It may be cut."
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def _hdf5_value(path: Path, name: str, node: Any, file: Any, unfolding: Unfolding, depth: int = 0) -> Any:
    import h5py

    if not isinstance(node, h5py.Dataset) or node.is_virtual or node.external:  # never follow a path
        return None
    kind = node.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if "MATLAB_object_decode" in node.attrs:
        raise DataError(
            f"{path}: {name} is an object of a MATLAB class, which is never loaded. In MATLAB, save a matrix or a cell "
            "array of matrices: cellstr(labels) for a categorical, table2array(t) for a table."
        )
    if depth > _MAX_DEPTH:
        raise DataError(
            f"{path}: {name[:40]} holds cells in cells, more than {_MAX_DEPTH} deep; it is refused."
        )
    unfolding.add(math.prod(node.shape or ()) * node.dtype.itemsize)
    if kind == "cell" or node.dtype.kind == "O":
        references = np.asarray(node[()]).T.reshape(-1, order="F")
        return [
            _hdf5_value(path, f"{name}{{{i + 1}}}", file[r], file, unfolding, depth + 1)
            for i, r in enumerate(references)
        ]
    array = np.asarray(node[()]).T  # MATLAB's order of axes
    if kind == "char":
        return "".join(map(chr, array.reshape(-1, order="C").tolist()))
    return array if array.dtype.kind in "biuf" else None


def check_unfolded(path: Path, stream: BinaryIO, size: int) -> None:
    """Unfold compressed variables without keeping them, to know their size before anything is allocated.

    Parameters
    ----------
    path : Path
        For messages.
    stream : file
        Of version 5 or older, at its beginning.
    size : int
        Its bytes.

    Raises
    ------
    DataError
        If they unfold beyond the bound of `recurra.readers.files.unpacked_size`.
    """
    unfolding = _unfolding(path, size)
    head = stream.read(128)
    if len(head) < 128 or head[126:128] not in (b"IM", b"MI"):
        return  # version 4 is not compressed
    order = "<" if head[126:128] == b"IM" else ">"
    while len(tag := stream.read(8)) == 8:
        kind, length = struct.unpack(f"{order}II", tag)
        if kind != 15:  # miCOMPRESSED
            stream.seek(length, 1)
            continue
        _unfold(stream, length, unfolding)


def _unfold(stream: Any, length: int, unfolding: Unfolding) -> None:
    unfold = zlib.decompressobj()
    try:
        while length > 0 and (block := stream.read(min(length, 1 << 16))):
            length -= len(block)
            while block:
                unfolding.add(len(unfold.decompress(block, 1 << 22)))
                block = unfold.unconsumed_tail
    except zlib.error:
        return  # scipy says what is wrong


def _unfolding(path: Path, size: int) -> Unfolding:
    advice = "If you trust it, load it with scipy.io or h5py and pass the arrays."
    return Unfolding(path, size, advice=advice)
