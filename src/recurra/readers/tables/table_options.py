"""What the user may say about a table: the words of `recurra.load`, and the column names taken unsaid."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from recurra.checks import check_choice, check_sample_rate, did_you_mean
from recurra.errors import UsageError
from recurra.options import LAYOUTS

# Column names taken without being told, compared without case.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "sequence_id", "sequence", "series_id", "record_id", "case_id", "recording"),
    "time": ("time", "timestamp", "datetime", "date", "time_s", "time_ms", "seconds"),
    "label": ("label", "class"),
    "group": ("group", "subject", "subject_id"),
    "target": ("target",),
    "text": ("text",),
}

# Which words act on which layout of a table. A word that is given and not here is refused, see `check_given`.
DELIMITED = (
    "encoding",
    "delimiter",
    "decimal",
    "thousands",
    "header",
)  # read from a text file with separators
LONG = (
    "id", "time", "label", "group", "target", "channels", "layout", "label_per", "sort", "time_unit", "time_format",
    "time_zone", "sample_rate_hz", "kind", "static",
)  # fmt: skip
WIDE = ("id", "time", "label", "group", "target", "channels", "layout", "sample_rate_hz", "kind", "static")
TEXTS = ("text", "id", "label", "group", "target", "label_per")
PAIRS = ("source", "target", "group", "id")
SERIES = (
    "id", "time", "target", "known", "static", "channels", "sort", "time_unit", "time_format", "time_zone",
    "resample", "kind",
)  # fmt: skip
LINES = ("labels", "layout", "encoding", "label_per")

# What callers may ask of tables, alone or in a folder; no words for users, and of other data there are none.
KEPT = ("keep_stamps", "time_spelling")


class UnusedWordError(UsageError):
    """A word was given that changes nothing of how such data are read.

    Attributes
    ----------
    words : tuple of str
        Which.
    """

    words: tuple[str, ...] = ()


def refuse(words: Iterable[str], takes: Iterable[str], who: str, *, advice: str = "") -> None:
    """Raise UnusedWordError at the first of some words that is not among those that act.

    Parameters
    ----------
    words : iterable of str
        Given by the user.
    takes : iterable of str
        Those that act.
    who : str
        What is read, for the message: ``new.wav, a sound file``.
    advice : str
        A sentence on what to do instead.
    """
    known = list(dict.fromkeys(takes))
    idle = sorted(word for word in words if word not in known)
    if not idle:
        return
    # A word of other data is no slip of the pen, unless of its plural.
    meant = idle[0] + "s" in known or idle[0] not in {field.name for field in fields(TableOptions)}
    near = did_you_mean(idle[0], known) if meant else ""
    # Not quoted, with a sign behind it, so that the command line shows them as flags.
    listed = ", ".join(f"{word}=" for word in known)
    error = UnusedWordError(
        f"load: {idle[0]}= does not apply to {who}; it takes {listed or 'no words'}."
        f"{f' {advice}' if advice else ''}{near}"
    )
    error.words = tuple(idle)
    raise error


@dataclass(frozen=True)
class TableOptions:
    """What the user says about a table.

    Parameters
    ----------
    id : str, optional
        Column that names the sequence a row belongs to. Each word is a column's name; without it a column of
        a usual name is taken (`USUAL_NAMES`), and "" says there is none.
    time : str or sequence of str, optional
        Column with the time of the step: numbers, dates or durations; or a column of dates and one of times of day, or of
        a year and its month, quarter or week. It is checked and is no channel.
    label : str, optional
        Column with the class, constant in each sequence or one per time step.
    group : str, optional
        Column with what a split must not cut, constant in each sequence.
    target : str or sequence of str, optional
        Column or columns of numbers to predict.
    known : sequence of str, optional
        Of series: columns known in advance of every step.
    static : str or sequence of str, optional
        Columns that are constant in each sequence or series, such as an age: static inputs, no channels. Several may
        stand in one string with commas between them.
    kind : {"sequence", "series"}, default="sequence"
        Series are read onto the regular grid of their time stamps; see `recurra.readers.tables.series`.
    text : str, optional
        Column with text: every row is then one record.
    source : str, optional
        Column with text to be turned into the text of ``target``: every row is then one pair.
    channels : sequence of str, optional
        The columns to use as channels; by default every column without another part.
    labels : path, optional
        File with one label a line, for a file with one text a line.
    layout : {"auto", "long", "wide", "lines", "paragraphs", "tokens"}, default="auto"
        Long: one row per time step. Lines: one text a line. Paragraphs: texts parted by empty lines. Tokens: a word a
        line, its label in another column and empty lines between sentences. Wide: one row per sequence of one channel,
        its steps in columns from left to right, empty cells at the end for shorter sequences. Auto: long if there is a
        time column, or an id column in which a value comes twice; wide otherwise.
    label_per : {"auto", "sequence", "step"}, default="auto"
        Auto: one label per sequence if it is constant in every sequence, else one per time step; of texts, one per word
        where every label has as many parts as its text has words.
    sort : bool, default=False
        Put the rows of each sequence in order of time first.
    time_unit : {"ns", "us", "ms", "s", "min", "h", "d"}, optional
        Unit of a numeric time column; see `recurra.readers.tables.time_columns.read_clock`.
    time_format : str, optional
        How dates are written: "day first", "month first", a format such as ``%d/%m/%Y %I:%M %p``, or "excel" for the day
        numbers of a spreadsheet.
    time_zone : str, optional
        Time zone of the stamps that carry none, and of the answers: "Europe/Berlin", "UTC" or "+01:00".
    resample : str, optional
        Bring series to this longer step, such as "h" or "MS": the mean of the values in each.
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
    keep_stamps : bool, default=False
        Keep the time of every step of a long table as it is written, see `recurra.records.Record`.
    time_spelling : str, optional
        What the numbers of the time column of a like table were found to spell, see `recurra.records.Dataset`.
    given : frozenset of str
        Which of these words the user gave, by name; those that do not act on the data are refused.
    """

    id: str | None = None
    time: str | Sequence[str] | None = None
    label: str | None = None
    group: str | None = None
    target: str | Sequence[str] | None = None
    known: Sequence[str] | None = None
    static: str | Sequence[str] | None = None
    kind: str = "sequence"
    text: str | None = None
    source: str | None = None
    channels: Sequence[str] | None = None
    labels: Any = None
    layout: str = "auto"
    label_per: str = "auto"
    sort: bool = False
    time_unit: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    resample: str | None = None
    sample_rate_hz: float | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    header: str = "auto"
    resample_hz: float | None = None
    channels_first: bool = False
    keep_stamps: bool = False
    time_spelling: str | None = None
    given: frozenset[str] = frozenset()

    @property
    def target_names(self) -> list[str]:
        """The columns of ``target``."""
        if not self.target:
            return []
        return [self.target] if isinstance(self.target, str) else list(self.target)

    def check_given(self, takes: Iterable[str], who: str, *, advice: str = "") -> None:
        """Raise UnusedWordError if a word was given that does not act; see `refuse`."""
        refuse(self.given, takes, who, advice=advice)

    def without_given(self, *words: str) -> "TableOptions":
        """Return the words with these no longer to be checked: they have acted."""
        return replace(self, given=self.given.difference(words))

    @classmethod
    def from_dict(cls, words: dict[str, Any], *, who: str) -> "TableOptions":
        """Build from keywords; unknown ones are refused with the nearest known."""
        refuse(
            [word for word in words if word not in KEPT],
            [field.name for field in fields(cls) if field.name not in ("given", *KEPT)],
            f"{who}, a table or folder",
        )
        told = frozenset(w for w, value in words.items() if value is not None and w not in KEPT)
        made = cls(**words, given=told)
        check_sample_rate("load", made.sample_rate_hz)
        check_choice("load", "layout", made.layout, LAYOUTS)
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
        for word in ("channels", "target", "known", "static"):
            names = getattr(made, word)
            twice = [
                n for n, count in Counter(() if isinstance(names, str) else names or ()).items() if count > 1
            ]
            if twice:
                raise UsageError(f"load: {word} names {twice[0]!r} twice. Name each column once.")
        check_choice("load", "header", made.header, ["auto", "first", "none"])
        if made.thousands is not None and (len(made.thousands) != 1 or made.thousands == made.decimal):
            raise UsageError(
                f"load: thousands must be one character, another than the decimal mark {made.decimal!r}; got "
                f"{made.thousands!r}."
            )
        return made
