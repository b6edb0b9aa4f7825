"""Arrays of other libraries and kinds become plain numpy arrays that mean the same, or are refused in one sentence."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from recurra.checks import counted, where
from recurra.errors import DataError, ShapeError

# A date with its day, perhaps with a time, and then the offset of its zone.
_ISO = re.compile(r"[12]\d{3}-(?:0[1-9]|1[0-2])-[0-3]\d(?:[T ]\d\d:\d\d[\d:.,]*(Z|[+-]\d\d:?\d\d)?)?\Z")
PADDING = "nan"  # what `lengths=` says where sequences end before their last steps without a value


def plain(value: Any, who: str) -> Any:
    """Return an array of any library as a plain numpy array; anything that is no array as it is.

    Masked values become NaN, whatever their fill value, or None among labels that are no numbers; nullable columns' NA
    likewise. Tensors are detached and brought to the processor.

    Parameters
    ----------
    value : object
        What a user gave.
    who : str
        Who complains, with the place: "X: sequence 3".

    Raises
    ------
    DataError
        If the array has named fields, units, is sparse, or names its axes with time in another place than the first.
    """
    if isinstance(value, np.ma.MaskedArray):
        value = _unmasked(value, who)
    room = type(value).__module__.split(".")[0]
    if room == "torch" and hasattr(value, "detach"):
        return _from_torch(value, who)
    if room == "pandas":
        return _from_pandas(value, who)
    if room in ("pyarrow", "polars"):
        check_columns(value, who)
    if hasattr(value, "tocsr"):
        raise DataError(f"{who} is a sparse array; pass it as a full one with toarray().")
    dims = getattr(value, "dims", None)
    if room == "xarray" and dims is not None and "time" in dims[1:] and len(dims) == 2:
        raise DataError(f"{who} has the axes {tuple(dims)}; time comes first: pass x.transpose('time', ...).")
    if room not in ("xarray", "polars", "pyarrow") and _has_units(value):
        raise DataError(f"{who} has units, which are not read; pass its numbers in one unit for all.")
    if isinstance(value, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in value):
        return [plain(row, who) for row in value]
    if not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "V":
        fields = list(array.dtype.names or ())
        raise DataError(
            f"{who} has named fields {fields}; pass its columns as a table: pandas.DataFrame(x), or "
            "numpy.lib.recfunctions.structured_to_unstructured(x)."
        )
    return array


def _has_units(value: Any) -> bool:
    quantity = isinstance(value, np.ndarray) and type(value) is not np.ndarray
    return (hasattr(value, "magnitude") and hasattr(value, "units")) or (
        quantity and (hasattr(value, "unit") or hasattr(value, "units"))
    )


def _unmasked(value: np.ma.MaskedArray, who: str) -> np.ndarray:
    mask = np.ma.getmaskarray(value)
    data = np.asarray(value.data)
    if data.dtype.kind == "V" or not mask.any():
        return data
    if data.dtype.kind in "fiub":
        if data.dtype.kind in "iu":
            check_exact(data[~mask], who)
        return np.where(mask, np.nan, data.astype(np.float64))
    if data.dtype.kind == "c":
        return data  # refused as complex by whoever reads it
    out = data.astype(object)
    out[mask] = None
    return out


def _from_torch(tensor: Any, who: str) -> Any:
    if tensor.device.type == "meta":
        raise DataError(
            f"{who} is a tensor without values, on the device 'meta'; give one that holds numbers."
        )
    if tensor.is_nested:
        return [_from_torch(one, who) for one in tensor.unbind()]
    if hasattr(tensor, "get_mask"):
        values, mask = (_from_torch(part, who) for part in (tensor.get_data(), tensor.get_mask()))
        return _unmasked(np.ma.array(values, mask=~mask), who)
    tensor = tensor.detach().cpu()
    if tensor._is_zerotensor():
        tensor = tensor.new_zeros(tensor.shape)
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    if str(tensor.dtype).startswith(("torch.bfloat16", "torch.float8")):
        tensor = tensor.float()
    return np.asarray(tensor.resolve_conj().resolve_neg().numpy())


def _from_pandas(value: Any, who: str) -> Any:
    """Return a Series or DataFrame with nullable columns as numbers, NA as NaN; others as they are."""
    dtypes = list(value.dtypes) if hasattr(value, "columns") else [getattr(value, "dtype", None)]
    whole = [at for at, d in enumerate(dtypes) if getattr(d, "kind", "O") in "iu"]
    if 0 < len(whole) < len(dtypes):
        _check_whole_columns(value, whole, who)
    nullable = [d for d in dtypes if hasattr(d, "na_value") and getattr(d, "kind", "O") in "fiub"]
    if not nullable or not all(getattr(d, "kind", "O") in "fiub" for d in dtypes):
        return value
    if not np.asarray(value.isna()).any():
        return np.asarray(value.to_numpy(dtype=np.result_type(*(_numpy_dtype(d) for d in dtypes))))
    return value.to_numpy(dtype=np.float64, na_value=np.nan)


def check_columns(frame: Any, who: str) -> None:
    """Raise DataError at a column of times, which numpy may take as a count since 1970, and at a table that has no names.

    Parameters
    ----------
    frame : object
        What a user gave; anything but a frame of pandas or polars and a table of pyarrow passes.
    """
    room, kind = type(frame).__module__.split(".")[0], type(frame).__name__
    if room == "pyarrow" and kind in ("Table", "RecordBatch"):
        raise DataError(
            f"{who} is a table of pyarrow; pass it as a frame, whose columns have names: table.to_pandas()."
        )
    if room == "polars" and kind == "LazyFrame":
        raise DataError(f"{who} is a frame that is not yet computed; pass frame.collect().")
    if room not in ("pandas", "polars") or not hasattr(frame, "columns"):
        return
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if dtype.is_temporal() if room == "polars" else getattr(dtype, "kind", "O") in "mM":
            raise DataError(
                f"{who} must hold numbers; its column {name!r} holds times, of type {dtype}. Leave it out: rows are read in "
                "their order."
            )


def _check_whole_columns(frame: Any, positions: Sequence[int], who: str) -> None:
    """Check the columns of whole numbers in a frame, which become floats unseen beside one of floats."""
    columns = [frame.iloc[:, at] for at in positions]
    for column in columns:
        if np.abs(column.to_numpy(dtype=np.float64, na_value=0)).max(initial=0) >= 2.0**53:
            check_exact(column.dropna().to_numpy(), who)


def _numpy_dtype(dtype: Any) -> Any:
    """Return the dtype of the numbers in a nullable or sparse column."""
    return getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))


def without_na(array: np.ndarray) -> np.ndarray:
    """Return an array of objects with NaN in place of pandas' NA, which is no number."""
    missing = np.array([type(cell).__name__ == "NAType" for cell in array.reshape(-1)], bool).reshape(
        array.shape
    )
    if missing.any():
        array = array.copy()
        array[missing] = np.nan
    return array


def floats(array: np.ndarray, who: str) -> np.ndarray:
    """Return an array of numbers as float32 or float64 of this machine.

    Raises
    ------
    DataError
        If a whole number, or one of more than 64 bits, would become another.
    """
    if array.dtype.kind in "iu":
        check_exact(array, who)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            values = array.astype(np.float64)
        if (np.isinf(values) & ~np.isinf(array)).any():
            raise DataError(f"{who} holds a number beyond those of 64 bits; give it in a larger unit.")
        return values
    # Half precision overflows at 65504, in the first sum.
    wanted = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else np.float64
    return array if array.dtype == wanted and array.dtype.isnative else array.astype(wanted)


def plain_sequences(X: Iterable[Any]) -> list[np.ndarray | None]:
    """Return the float array (time, channels) of each that is a plain array of numbers, None for whatever else.

    Parameters
    ----------
    X : iterable
        What a user gave; most of it is such arrays, and only the rest must be looked at one by one.
    """
    found: list[np.ndarray | None] = []
    for x in X:
        fits = type(x) is np.ndarray and x.dtype.kind in "fiub" and x.ndim in (1, 2) and x.size > 0
        exact = fits and (x.itemsize <= 8 if x.dtype.kind in "fb" else _is_exact(x))
        found.append(floats(x if x.ndim == 2 else x[:, None], "") if exact else None)
    return found


def check_exact(array: np.ndarray, who: str) -> None:
    """Raise DataError at a whole number that a float64 would change."""
    if not array.size or _is_exact(array):
        return
    for number in array.reshape(-1).tolist():
        if int(float(number)) != number:
            raise DataError(
                f"{who} holds the whole number {number}, which a float64 cannot hold exactly; leave it out if it names "
                "something, or subtract the smallest first."
            )


def _is_exact(array: np.ndarray) -> bool:
    """Whether whole numbers lie in the range that a float64 holds every one of."""
    return int(array.max()) <= 2**53 and int(array.min()) >= -(2**53)


def mean_of_known(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Return the mean of what is not NaN along an axis, NaN where nothing is; numpy's own warns there."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread_of_known(values: np.ndarray) -> np.ndarray:
    """Return the deviation of what is not NaN in each column of (time, channels); 0 where nothing is."""
    center = mean_of_known(values, 0)
    return np.nan_to_num(np.sqrt(mean_of_known((values - center) ** 2, 0)))


def padded_lengths(array: np.ndarray) -> np.ndarray:
    """Return for each sequence of an array (sequences, time, ...) the steps up to the last with a value: int64."""
    if array.dtype.kind != "f":
        return np.full(len(array), array.shape[1], np.int64)
    there = ~np.isnan(array.reshape(*array.shape[:2], -1)).all(axis=2)
    return np.where(there.any(axis=1), array.shape[1] - there[:, ::-1].argmax(axis=1), 0).astype(np.int64)


def padding_note(array: np.ndarray) -> str:
    """Return what looks like padding in an array (sequences, time, ...) of floats, "" if nothing does.

    Steps at the end where no channel has a value. Of a single channel that may be chance: then only if nothing else is
    missing.
    """
    if array.dtype.kind != "f" or array.ndim not in (2, 3) or 0 in array.shape:
        return ""
    lengths = padded_lengths(array)
    short = lengths < array.shape[1]
    nan = np.isnan(array.reshape(*array.shape[:2], -1))
    if not short.any():
        if array.ndim == 3 and nan[:, :, -1].all(axis=1).any():
            return (
                "has channels that end in NaN at every step; if its shape is (sequences, channels, time), pass "
                "X.transpose(0, 2, 1)"
            )
        return ""
    if nan.shape[2] == 1 and nan.sum() > (array.shape[1] - lengths).sum():
        return ""
    return (
        f"ends in steps without any value in {int(short.sum())} of {len(array)} sequences (NaN, after step "
        f"{int(lengths[short][0])} of {array.shape[1]} in sequence {int(np.argmax(short))})"
    )


def check_padding(X: Any, who: str) -> None:
    """Raise ShapeError if one array of sequences ends in steps of NaN only: padding, or values that are missing."""
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
        return
    note = padding_note(X)
    if note:
        raise ShapeError(
            f"{who}: the array {note}. If that is padding, pass recurra.load(X, lengths='{PADDING}'), with labels= where "
            "there are any; if the values are missing, pass a list of sequences: list(X)."
        )


def end_in_nan(sequences: Sequence[np.ndarray]) -> int:
    """Return how many of several sequences end in steps of NaN, where no other value is missing; 0 if others are."""
    count = 0
    for sequence in sequences:
        nan = np.isnan(sequence)
        if nan.any():
            end = int(padded_lengths(sequence[None])[0])
            if nan[:end].any():
                return 0
            count += 1
    return count


def as_sequences(X: Any, *, names: Sequence[str | None] | None = None, who: str = "X") -> list[np.ndarray]:
    """Return a list of float arrays of shape (time, channels).

    Parameters
    ----------
    X : list or object array of arrays, array of shape (sequences, time, channels), or of (sequences, time)
        A two-dimensional array holds one univariate sequence a row.

    Raises
    ------
    DataError, ShapeError
        Naming the sequence that cannot be used.
    """
    if isinstance(X, np.ma.MaskedArray) or (hasattr(X, "__array__") and not hasattr(X, "columns")):
        X = plain(X, f"{who}:")
        check_padding(X, who)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object:
        raise ShapeError(
            f"{who}: expected several sequences, got one array of shape {X.shape}. "
            f"Reshape your data: pass [{who}] for a single sequence, or shape (sequences, time, channels)."
        )
    if isinstance(X, str | bytes | Mapping) or not hasattr(X, "__len__"):
        values = f" Pass list({who}.values())." if isinstance(X, Mapping) else ""
        raise DataError(
            f"{who}: expected a list of arrays of shape (time, channels); got {type(X).__name__}.{values}"
        )
    if len(X) == 0:
        raise DataError(f"{who}: found 0 sequences (samples), a minimum of 1 is required. Give at least one.")
    if isinstance(X[0], str):
        raise DataError(
            f"{who}: expected sequences of numbers; got texts such as {X[0]!r:.40}. Texts are read by TextClassifier, "
            "TextRegressor, TextGenerator and Translator, lists of words by SequenceLabeler."
        )
    single = not isinstance(X[0], list | tuple) and np.ndim(X[0]) == 0
    if single and not (isinstance(X, np.ndarray) and X.dtype != object):
        raise ShapeError(
            f"{who}: expected several sequences, got a list of single values such as {X[0]!r}. "
            f"Pass [{who}] for a single sequence. Reshape your data to (sequences, time, channels)."
        )
    made = plain_sequences(X)
    return [
        as_sequence(x, index=i, names=names, who=who) if own is None else own
        for i, (x, own) in enumerate(zip(X, made, strict=True))
    ]


def check_time_order(value: Any, who: str) -> None:
    """Raise DataError where the dates beside the rows of a Series or DataFrame fall or are mixed: rows are read as they lie.

    That they go back here and there, as an hour of a local clock does in autumn, is no reason. Dates are those of an index
    of pandas, or of the first level of it that holds some, where the levels before stay the same; also Python's dates and
    times, and texts such as 2024-05-31.
    """
    index: Any = getattr(value, "index", None)
    if not type(index).__module__.startswith("pandas"):
        return
    levels = [index.get_level_values(n) for n in range(index.nlevels)] if index.nlevels > 1 else [index]
    same = np.ones(max(len(index) - 1, 0), bool)
    for level in levels:
        times = _times_of(level)
        if times is None:
            same &= np.asarray(level[1:] == level[:-1])
            continue
        back = np.flatnonzero(same & np.asarray(times[1:] < times[:-1]))
        if len(back) > len(times) / 4:
            at = int(back[0])
            raise DataError(
                f"{who}: the dates of its index must rise, as the rows are read in their order; {level[at + 1]} comes after "
                f"{level[at]}. Sort it with frame.sort_index(), or leave the dates out with frame.reset_index(drop=True)."
            )
        return


def _times_of(index: Any) -> Any:
    """Return dates of an index as what can be compared, None where it holds others, or of several kinds."""
    if type(index).__name__ in ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex"):
        return index
    if type(index).__name__ != "Index" or getattr(index.dtype, "kind", "O") in "iufb":
        return None
    cells = index.to_numpy(dtype=object)
    first = cells[0] if len(cells) else None
    if isinstance(first, str):
        found = [
            _ISO.match(cell) if isinstance(cell, str) and len(cell) == len(first) else None for cell in cells
        ]
        # of several offsets the texts do not lie as the times do
        return (
            cells.astype(str)
            if None not in found and len({match[1] for match in found if match}) == 1
            else None
        )
    if isinstance(first, date) and all(isinstance(cell, date) and cell == cell for cell in cells):
        zones = {getattr(cell, "tzinfo", None) is None for cell in cells}
        return cells if len(zones) == 1 and len({isinstance(cell, datetime) for cell in cells}) == 1 else None
    return None


def as_sequence(
    value: Any, *, index: int, names: Sequence[str | None] | None = None, who: str = "X"
) -> np.ndarray:
    """Return one sequence as a float array of shape (time, channels); a 1-D array becomes one channel.

    Raises
    ------
    DataError
        If it holds text or complex numbers, has no time step, goes back in time, or is no array that
        `recurra.plain_arrays.plain` reads.
    ShapeError
        If it has more than two dimensions.
    """
    check_time_order(value, f"{who}: {where(index, names)}")
    value = plain(value, f"{who}: {where(index, names)}")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(
            f"{who}: {where(index, names)} must have as many values at every step; its rows differ in length."
        ) from None
    if array.dtype.kind == "O" and array.ndim < 2 and array.size and _is_row(array.flat[0]):
        # rows as objects of their own: the list of them says whether they are alike
        return as_sequence(array.tolist(), index=index, names=names, who=who)
    if array.dtype.kind == "O":
        try:
            array = without_na(array).astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            array = np.array([str(cell) for cell in array.flat], dtype=str).reshape(array.shape)
    if array.dtype.kind in "USmM":
        cells = array.reshape(-1).tolist() or [""]
        sample = str(next((cell for cell in cells if not _is_number(cell)), cells[0]))[:40]
        advice = ", or use TextClassifier for text" if " " in sample.lstrip("0123456789-: ") else ""
        raise DataError(
            f"{who}: {where(index, names)} must hold numbers; got {sample!r} of dtype {np.asarray(value).dtype}. "
            f"Convert it to numbers first{advice}."
        )
    if array.dtype.kind == "c":
        raise DataError(
            f"{who}: {where(index, names)} must hold real numbers. Complex data not supported; "
            "pass real and imaginary parts as two channels."
        )
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ShapeError(
            f"{who}: {where(index, names)} must have shape (time, channels); got {array.shape}. "
            "Pass one two-dimensional array per sequence."
        )
    if array.shape[0] == 0:
        raise DataError(
            f"{who}: {where(index, names)} has no time step; a sequence needs at least one. Remove it or its label."
        )
    if array.shape[1] == 0:
        raise ShapeError(
            f"{who}: {where(index, names)} has no channel: its shape is {array.shape}. Give at least one."
        )
    return floats(array, f"{who}: {where(index, names)}")


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _is_row(cell: Any) -> bool:
    return isinstance(cell, list | tuple) or (hasattr(cell, "__array__") and np.ndim(cell) > 0)


def check_same_channels(
    sequences: Sequence[np.ndarray],
    *,
    names: Sequence[str | None] | None = None,
    expected: int | None = None,
    who: str = "X",
) -> int:
    """Return the number of channels all sequences share; raise ShapeError naming the first that differs."""
    channels = expected if expected is not None else sequences[0].shape[1]
    for index, sequence in enumerate(sequences):
        if sequence.shape[1] != channels:
            rule = (
                f"the fitted network expects {counted(channels, 'channel')}"
                if expected is not None
                else f"{where(0, names)} has {counted(channels, 'channel')}"
            )
            looks_turned = sequence.shape[0] == channels and sequence.shape[1] > 1
            turned = " It looks turned round: pass the transpose." if looks_turned else ""
            if expected is not None and sequence.shape[1] == 1:
                if names is None:
                    turned = (
                        f" If {who} is one sequence, pass [{who}]: "
                        f"a two-dimensional {who} is read as one univariate sequence a row."
                    )
                elif 0 <= len(sequence) - channels <= 2:  # with an id or a label beside the channels
                    turned = " If a row of the table is a time step, read it with layout='long'."
            raise ShapeError(
                f"{who}: {rule}, but {where(index, names)} has {sequence.shape[1]} (shape {sequence.shape}, "
                f"read as (time, channels)).{turned} Give every sequence the same channels."
            )
    return channels
