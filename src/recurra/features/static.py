"""Static inputs: values that belong to a whole sequence, such as an age or a kind of sensor, as the network reads them."""

import hashlib
import itertools
import math
import numbers
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recurra.array_summaries import LARGEST, check_not_tiny
from recurra.checks import counted, did_you_mean, listing, where
from recurra.errors import DataError, RecurraWarning, ShapeError
from recurra.plain_arrays import plain

# One value of one sequence: a number, a category, or None where it is missing.
Cell = float | str | None
# More categories than sequences to learn them from are identifiers; each would be an input of its own.
MOST_CATEGORIES = 1000
# A spread below this share of the magnitude is rounding noise: the column is constant.
CONSTANT_SHARE = 1e-7


@dataclass(frozen=True)
class Table:
    """Static inputs as they were given, a row a sequence.

    Parameters
    ----------
    rows : list of tuple of float, str or None
    names : list of str or None
        Of the columns, where they have any.
    """

    rows: list[tuple[Cell, ...]]
    names: list[str] | None = None


def as_table(
    who: str,
    static: Any,
    count: int,
    *,
    sequences: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """Return static inputs of any form as a table.

    Parameters
    ----------
    who : str
        Who complains.
    static : array of shape (sequences, columns) or (sequences,), DataFrame, dictionary of columns, list of dictionaries,
        or list of rows
        Numbers and text; None, NaN and an empty text are missing.
    count : int
        Sequences there are.
    sequences : sequence of str, optional
        Their names, for messages.
    names : sequence of str, optional
        Of the columns of rows that carry none.

    Raises
    ------
    DataError
        If there is not one row per sequence, or a cell is neither number nor text.
    ShapeError
        If rows have different numbers of columns.
    """
    own, rows = _named_rows(who, static)
    names = own if own is not None else None if names is None else list(names)
    if len(rows) != count:
        raise DataError(
            f"{who}: static must have one row per sequence, {count}; got {len(rows)}. Give one for each."
        )
    if not rows:
        return Table([], names)
    for index, row in enumerate(rows):
        if row is None:
            raise DataError(
                f"{who}: static: {where(index, sequences)} has no static inputs, others have. Give it a row, with None for "
                "what is not known."
            )
        if len(row) != len(rows[0]) or not len(row):
            raise ShapeError(
                f"{who}: static must have the same number of columns for every sequence, at least one; "
                f"{where(0, sequences)} has {len(rows[0])}, {where(index, sequences)} has {len(row)}."
            )
    return Table(
        [
            tuple(
                _cell(who, cell, _place(names, column), index, sequences) for column, cell in enumerate(row)
            )
            for index, row in enumerate(rows)
        ],
        names,
    )


def one_row(static: Any) -> Any:
    """Return the static inputs of one sequence as a table of one row; a table of one row stays as it is."""
    if static is None or hasattr(static, "columns") or np.ndim(static) == 2:
        return static
    if not isinstance(static, Mapping | list | tuple) and np.ndim(static) == 1:
        return [np.asarray(static).tolist()]
    return [static]


def _named_rows(who: str, static: Any) -> tuple[list[str] | None, list[Any]]:
    """Return the names of the columns and the rows."""
    if hasattr(static, "columns") and hasattr(static, "to_numpy"):
        return _of_columns(who, {name: static[name] for name in _once(who, static.columns)})
    if isinstance(static, Mapping):
        return _of_columns(who, static)
    if hasattr(static, "to_numpy") and isinstance(getattr(static, "name", None), str):
        return _of_columns(who, {static.name: static})
    if not isinstance(static, list | tuple):
        array = np.asarray(plain(static, f"{who}: static"))
        if array.ndim not in (1, 2):
            raise ShapeError(
                f"{who}: static must have shape (sequences, columns); got {array.shape}. Give one row per sequence."
            )
        return None, array.reshape(len(array), -1).tolist()
    if static and all(isinstance(row, Mapping) for row in static):
        names = _once(who, static[0])
        for index, row in enumerate(static):
            if set(map(str, row)) != set(names):
                raise DataError(
                    f"{who}: static: every dictionary must have the keys {listing(names)}; that of {where(index)} has "
                    f"{listing(row)}. Give None for what is not known."
                )
        return names, [[row[name] for name in static[0]] for row in static]
    return None, [_row(who, row) for row in static]


def _of_columns(who: str, columns: Mapping[Any, Any]) -> tuple[list[str], list[Any]]:
    lists = [column.tolist() if hasattr(column, "tolist") else list(column) for column in columns.values()]
    sizes = {len(column) for column in lists}
    if len(sizes) > 1:
        raise ShapeError(f"{who}: static: columns must have one length; got {listing(sorted(sizes))}.")
    return [str(name) for name in columns], [list(row) for row in zip(*lists, strict=True)]


def _once(who: str, names: Any) -> list[Any]:
    found = list(names)
    if len({str(name) for name in found}) < len(found):
        raise DataError(f"{who}: static: two columns have one name among {listing(found)}. Rename one.")
    return found


def _row(who: str, row: Any) -> Any:
    if row is None or isinstance(row, list | tuple):
        return row
    if isinstance(row, str) or not hasattr(row, "__array__") or np.ndim(row) == 0:
        return [row]
    array = np.asarray(plain(row, f"{who}: static"))
    return array.reshape(-1).tolist()


def _place(names: Sequence[str] | None, column: int) -> str:
    return names[column] if names is not None else f"static_{column}"


def _cell(who: str, value: Any, column: str, index: int, sequences: Sequence[str] | None) -> Cell:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value.strip() or None
    try:
        if isinstance(value, numbers.Number) or type(value).__name__ == "Decimal":
            number = float(value)  # of a complex one a TypeError
            if math.isnan(number):
                return None
            if abs(number) <= LARGEST:
                return number
    except (TypeError, OverflowError):
        pass
    raise DataError(
        f"{who}: static: {column!r} of {where(index, sequences)} must be a number of at most {LARGEST:g} or text; got "
        f"{value!r:.40}. Give None if it is not known."
    )


def _as_category(cell: float | str) -> str:
    """Return a cell as text; a table of whole numbers may come back as one of floats."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def cells_key(row: Sequence[Any]) -> bytes:
    """Return 16 bytes for the static inputs of a sequence, equal for equal values."""
    cells = [_cell("static", value, _place(None, column), 0, None) for column, value in enumerate(row)]
    cells = [None if cell is None else _as_category(cell) for cell in cells]
    return hashlib.blake2b(repr(cells).encode(), digest_size=16).digest()


@dataclass(frozen=True)
class StaticColumn:
    """One static input.

    Parameters
    ----------
    name : str
    categories : tuple of str or None
        In order; each is an input that is 1 or 0. None for numbers.
    center, spread : float
        A number goes in as ``(number - center) / spread``; a missing one as 0, which is the mean.
    marks_missing : bool
        Whether another input says that the number is missing; only where the training part had missing ones.
    """

    name: str
    categories: tuple[str, ...] | None = None
    center: float = 0.0
    spread: float = 1.0
    marks_missing: bool = False

    @property
    def size(self) -> int:
        """Inputs of the network."""
        return 1 + self.marks_missing if self.categories is None else len(self.categories)

    def encode(self, cells: Sequence[Cell]) -> np.ndarray:
        """Return what the network reads: float64 of shape (sequences, size)."""
        if self.categories is not None:
            return np.array([[float(cell == one) for one in self.categories] for cell in cells])
        there = np.array([cell is not None for cell in cells])
        found = np.array([self.center if cell is None else cell for cell in cells], np.float64)
        scaled = np.where(there, (found - self.center) / self.spread, 0.0)
        return np.stack([scaled, ~there], axis=1) if self.marks_missing else scaled[:, None]


@dataclass(frozen=True)
class StaticInputs:
    """How static inputs become numbers; learned from the training part.

    Parameters
    ----------
    columns : tuple of StaticColumn
    named : bool
        Whether the columns had names, by which they are found.
    """

    columns: tuple[StaticColumn, ...]
    named: bool

    @classmethod
    def of(cls, who: str, table: Table) -> "StaticInputs":
        """Return which columns there are, and which of them are numbers, before anything else is learned.

        Raises
        ------
        DataError
            If a column is missing everywhere.
        """
        columns = []
        for index, cells in enumerate(zip(*table.rows, strict=True)):
            name = _place(table.names, index)
            there = [cell for cell in cells if cell is not None]
            if not there:
                raise DataError(
                    f"{who}: static: {name!r} is missing for every sequence. Leave the column out."
                )
            numeric = all(isinstance(cell, float) for cell in there)
            if numeric:
                check_not_tiny([np.array(there, np.float64)], f"{who}: static: {name!r}")
            columns.append(StaticColumn(name, None if numeric else ("",)))
        return cls(tuple(columns), table.names is not None)

    def fitted_on(self, who: str, rows: Sequence[Sequence[Cell]], weights: np.ndarray) -> "StaticInputs":
        """Return them with the scale of numbers and the categories of the training part.

        Parameters
        ----------
        rows : as `of_table` returns them
        weights : ndarray of shape (sequences,)

        Raises
        ------
        DataError
            If a column has too many categories.
        """
        columns = []
        for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True):
            if column.categories is None:
                columns.append(_of_numbers(column.name, cells, weights))
                continue
            known = tuple(sorted({str(cell) for cell in cells if cell is not None}))
            if len(known) > MOST_CATEGORIES:
                raise DataError(
                    f"{who}: static: {column.name!r} has {len(known)} categories, more than {MOST_CATEGORIES}; it looks "
                    "like a name of each sequence. Leave it out, or give groups of them."
                )
            columns.append(StaticColumn(column.name, known))
        return StaticInputs(tuple(columns), self.named)

    @property
    def size(self) -> int:
        """Inputs of the network."""
        return sum(column.size for column in self.columns)

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [column.name for column in self.columns]

    def read(self, who: str, static: Any, count: int, **known: Any) -> list[tuple[Cell, ...]]:
        """Return rows of these columns, of what was given to predict; see `as_table`, also for ``known``.

        Raises
        ------
        DataError
            If there are none, a column is not there, or a number is a text.
        """
        if static is None:
            raise DataError(
                f"{who}: the network was trained with the static inputs {listing(self.names)}. Give static= with a row per "
                "sequence."
            )
        return self.of_table(who, as_table(who, static, count, **known), known.get("sequences"))

    def of_table(
        self, who: str, table: Table, sequences: Sequence[str] | None = None
    ) -> list[tuple[Cell, ...]]:
        """Return the rows of a table with these columns, in their order; categories as text."""
        order = self._order(who, table)
        return [
            tuple(
                self._of_kind(who, column, row[at], index, sequences)
                for column, at in zip(self.columns, order, strict=True)
            )
            for index, row in enumerate(table.rows)
        ]

    def _order(self, who: str, table: Table) -> list[int]:
        if self.named and table.names is not None:
            absent = [name for name in self.names if name not in table.names]
            if absent:
                raise DataError(
                    f"{who}: static has no column {listing(absent)}; the network is trained on {listing(self.names)}, here "
                    f"are {listing(table.names)}.{did_you_mean(absent[0], table.names)} Rename the columns."
                )
            return [table.names.index(name) for name in self.names]
        width = len(table.rows[0]) if table.rows else len(self.columns)
        if width != len(self.columns):
            raise ShapeError(
                f"{who}: static must have {counted(len(self.columns), 'column')}, {listing(self.names)}; got {width}. Give "
                "those the network was trained with."
            )
        return list(range(width))

    def _of_kind(
        self, who: str, column: StaticColumn, cell: Cell, index: int, sequences: Sequence[str] | None
    ) -> Cell:
        if cell is None:
            return None
        if column.categories is not None:
            return _as_category(cell)
        if isinstance(cell, str):
            raise DataError(
                f"{who}: static: {column.name!r} of {where(index, sequences)} must be a number, as in training; got "
                f"{cell!r:.40}. Give None if it is not known."
            )
        return cell

    def encode(self, rows: Sequence[Sequence[Cell]]) -> np.ndarray:
        """Return what the network reads of rows of these columns: float32 of shape (sequences, size).

        Raises
        ------
        DataError
            If a number is too large for 32 bits.
        """
        parts = [
            column.encode([row[at] for row in rows]).reshape(len(rows), column.size)
            for at, column in enumerate(self.columns)
        ]
        with np.errstate(over="ignore"):
            found = np.concatenate(parts, axis=1).astype(np.float32)
        if not np.isfinite(found).all():
            index = int(np.argwhere(~np.isfinite(found))[0][0])
            raise DataError(
                f"static: a number of {where(index)} is too large for 32-bit numbers after scaling. Give None if it is not "
                "known."
            )
        return found

    def tell_unknown(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Warn of what the training part did not have: a category, or a missing number."""
        for at, column in enumerate(self.columns):
            cells = [row[at] for row in rows]
            if column.categories is not None:
                unknown = [str(cell) for cell in cells if cell is not None and cell not in column.categories]
                if unknown:
                    _warn(
                        f"static: {len(unknown)} of {counted(len(cells), 'sequence')} "
                        f"{'has' if len(unknown) == 1 else 'have'} a {column.name!r} that the network does not know, such "
                        f"as {unknown[0]!r}; it is read as none of {listing(column.categories)}."
                    )
            elif not column.marks_missing and (missing := sum(cell is None for cell in cells)):
                _warn(
                    f"static: {column.name!r} is missing for {missing} of {counted(len(cells), 'sequence')}, and was for "
                    "none in training; the mean stands in its place."
                )

    def summed(self, contributions: np.ndarray) -> np.ndarray:
        """Return contributions of the network's inputs, shape (..., size), summed for each column: (..., columns)."""
        ends = np.cumsum([column.size for column in self.columns])[:-1]
        return np.stack([part.sum(axis=-1) for part in np.split(contributions, ends, axis=-1)], axis=-1)

    @property
    def blocks(self) -> list[list[int]]:
        """Places of the inputs of each column among all of them."""
        ends = np.cumsum([0, *(column.size for column in self.columns)]).tolist()
        return [list(range(first, last)) for first, last in itertools.pairwise(ends)]

    def to_manifest(self) -> dict[str, Any]:
        """Return what a model file keeps."""
        columns = [asdict(column) for column in self.columns]
        for column in columns:
            column["categories"] = None if column["categories"] is None else list(column["categories"])
        return {"named": self.named, "columns": columns}

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> "StaticInputs":
        """Return what `to_manifest` gave."""
        columns = []
        for column in manifest["columns"]:
            categories = column["categories"]
            known = None if categories is None else tuple(categories)
            columns.append(StaticColumn(**{**column, "categories": known}))
        return cls(tuple(columns), bool(manifest["named"]))


def _of_numbers(name: str, cells: Sequence[Cell], weights: np.ndarray) -> StaticColumn:
    """Return mean, deviation and whether there are missing ones; a column without any number stays as it is."""
    there = np.array([cell is not None for cell in cells])
    if not there.any():
        return StaticColumn(name, marks_missing=True)
    values = np.array([cell for cell in cells if cell is not None], np.float64)
    own = weights[there] / weights[there].sum()
    center = float((own * values).sum())
    spread = float(np.sqrt((own * (values - center) ** 2).sum()))
    constant = spread <= CONSTANT_SHARE * abs(center)
    return StaticColumn(name, None, center, 1.0 if constant or spread == 0 else spread, bool(not there.all()))


def _warn(message: str) -> None:
    warnings.warn(message, RecurraWarning, stacklevel=2)


def beside_static(rows: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Return rows (time, channels) with what the network reads of static inputs behind each of them: float32."""
    return np.concatenate([rows, np.broadcast_to(code, (len(rows), len(code)))], axis=1)
