"""What the user may say about a table: the words of `recurra.load`, and the column names taken unsaid."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from recurra.checks import check_choice, did_you_mean, listing
from recurra.errors import UsageError

# Column names taken without being told, compared without case.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "sequence_id", "sequence", "series_id", "record_id", "case_id", "recording"),
    "time": ("time", "timestamp", "datetime", "date", "time_s", "time_ms", "seconds"),
    "label": ("label", "class"),
    "group": ("group", "subject", "subject_id"),
    "target": ("target",),
    "text": ("text",),
}


@dataclass(frozen=True)
class TableWords:
    """What the user says about a table.

    Parameters
    ----------
    id : str, optional
        Column that names the sequence a row belongs to. Each word is a column's name; without it a column of
        a usual name is taken (`USUAL_NAMES`), and "" says there is none.
    time : str, optional
        Column with the time of the step: numbers or ISO dates. It is checked and is no channel.
    label : str, optional
        Column with the class, constant in each sequence or one per time step.
    group : str, optional
        Column with what a split must not cut, constant in each sequence.
    target : str or sequence of str, optional
        Column or columns of numbers to predict.
    known, static : sequence of str, optional
        Of series: columns known in advance of every step, and attributes that are constant in a series.
    kind : {"sequence", "series"}, default="sequence"
        Series are read onto the regular grid of their time stamps; see `recurra.readers.series`.
    text : str, optional
        Column with text: every row is then one record.
    source : str, optional
        Column with text to be turned into the text of ``target``: every row is then one pair.
    channels : sequence of str, optional
        The columns to use as channels; by default every column without another part.
    labels : path, optional
        File with one label a line, for a file with one text a line.
    layout : {"auto", "long", "wide", "lines"}, default="auto"
        Long: one row per time step. Lines: one text a line. Wide: one row per sequence of one channel, its steps in
        columns from left to right, empty cells at the end for shorter sequences. Auto: long if there is a time column, or
        an id column in which a value comes twice; wide otherwise.
    label_per : {"auto", "sequence", "step"}, default="auto"
        Auto: one label per sequence if it is constant in every sequence, else one per time step.
    sort : bool, default=False
        Put the rows of each sequence in order of time first.
    time_unit : {"ns", "us", "ms", "s", "min", "h", "d"}, optional
        Unit of a numeric time column; see `recurra.readers.clock.read_clock`.
    sample_rate_hz : float, optional
        Time steps per second, where no time column tells.
    encoding : str, default="utf-8"
        Of text files.
    delimiter : str, optional
        Separator of text files; found by itself.
    decimal : str, default="."
        Decimal mark of text files.
    thousands : str, optional
        Mark between groups of three digits; found by itself where it can be nothing else.
    header : {"auto", "first", "none"}, default="auto"
        Auto: the first row of a text file names the columns, and a row of numbers is refused. First: it names them
        whatever it holds. None: there are no names; the columns are called ``column_0``, ``column_1`` and so on.
    resample_hz : float, optional
        Bring signal files to this rate.
    channels_first : bool, default=False
        Matrices of MATLAB files are (channels, time).
    """

    id: str | None = None
    time: str | None = None
    label: str | None = None
    group: str | None = None
    target: str | Sequence[str] | None = None
    known: Sequence[str] | None = None
    static: Sequence[str] | None = None
    kind: str = "sequence"
    text: str | None = None
    source: str | None = None
    channels: Sequence[str] | None = None
    labels: Any = None
    layout: str = "auto"
    label_per: str = "auto"
    sort: bool = False
    time_unit: str | None = None
    sample_rate_hz: float | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    header: str = "auto"
    resample_hz: float | None = None
    channels_first: bool = False

    @classmethod
    def from_dict(cls, words: dict[str, Any], *, who: str) -> "TableWords":
        """Build from keywords; unknown ones are refused with the nearest known."""
        known = [field.name for field in fields(cls)]
        for word in words:
            if word not in known:
                raise UsageError(
                    f"load: a table takes no word {word!r} ({who}); it takes "
                    f"{listing(known, 20)}.{did_you_mean(word, known)}"
                )
        made = cls(**words)
        check_choice("load", "layout", made.layout, ["auto", "long", "wide", "lines"])
        check_choice("load", "kind", made.kind, ["sequence", "series"])
        check_choice("load", "label_per", made.label_per, ["auto", "sequence", "step"])
        if made.labels is not None and not isinstance(made.labels, str | os.PathLike):
            raise UsageError(
                "load: labels must be the path of a file of labels, one for each line of text; got "
                f"{type(made.labels).__name__}. Name the column of a table with label=."
            )
        if len(made.decimal) != 1 or (made.delimiter is not None and len(made.delimiter) != 1):
            raise UsageError(
                f"load: decimal and delimiter must be one character; got {made.decimal!r} and "
                f"{made.delimiter!r}."
            )
        check_choice("load", "header", made.header, ["auto", "first", "none"])
        if made.thousands is not None and (len(made.thousands) != 1 or made.thousands == made.decimal):
            raise UsageError(
                f"load: thousands must be one character, another than the decimal mark {made.decimal!r}; got "
                f"{made.thousands!r}."
            )
        return made
