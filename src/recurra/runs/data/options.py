"""The options that say how data are read: name, kind of value, and the sentence that tells what each does."""

from collections.abc import Mapping
from dataclasses import dataclass

from recurra.options import LAYOUTS


@dataclass(frozen=True)
class DataOption:
    """An option that says how data are read.

    Parameters
    ----------
    help : str
        One line.
    choices : tuple of str
        If only these are allowed.
    many : bool
        May be given several times.
    type : type
        str, float or bool; a bool is a flag without a value.
    """

    help: str
    choices: tuple[str, ...] = ()
    many: bool = False
    type: type = str


DATA_OPTIONS: Mapping[str, DataOption] = {
    "id": DataOption("Column that names the sequence a row belongs to."),
    "time": DataOption("Column with the time of each step; twice for a date and a time of day.", many=True),
    "label": DataOption("Column with the class, of the sequence or of each step."),
    "group": DataOption("Column with what a split must not cut in two, such as the person."),
    "target": DataOption(
        "Column of numbers to predict (several with commas or one at a time), or of the text to give.",
        many=True,
    ),
    "known": DataOption(
        "Column known in advance of a series, such as the temperature; several with commas or one at a time.",
        many=True,
    ),
    "static": DataOption(
        "Column with a value of a whole sequence or series, such as an age; several with commas or given again.",
        many=True,
    ),
    "kind": DataOption(
        "What a table holds: sequences, or series to forecast.", choices=("sequence", "series")
    ),
    "text": DataOption(
        "Column with text; every row is then one record. Of sentences in columns, that of the words."
    ),
    "source": DataOption("Column with text to turn into that of the column --target."),
    "channels": DataOption("Columns to use as channels, a,b,c or one at a time.", many=True),
    "labels": DataOption("File with one label a line, for a file with one text a line."),
    "layout": DataOption(
        "A row per time step (long) or per sequence (wide), a text a line (lines) or between empty lines (paragraphs), "
        "or a word a line (tokens).",
        choices=LAYOUTS,
    ),
    "label_per": DataOption(
        "Whether a label belongs to a sequence or a step.", choices=("auto", "sequence", "step")
    ),
    "sort": DataOption("Put the rows of each sequence in order of time first.", type=bool),
    "time_unit": DataOption(
        "Unit of a time column of numbers.", choices=("ns", "us", "ms", "s", "min", "h", "d")
    ),
    "time_format": DataOption(
        "How dates are written: 'day first', 'month first', excel, or '%d/%m/%Y %I:%M %p'."
    ),
    "time_zone": DataOption("Time zone of the stamps and answers, such as Europe/Berlin or +01:00."),
    "resample": DataOption("Bring series to this longer step, such as h or MS: means of the values."),
    "sample_rate_hz": DataOption("Time steps per second, where no column tells.", type=float),
    "encoding": DataOption("Encoding of text files."),
    "delimiter": DataOption("Separator of text files; found by itself."),
    "decimal": DataOption("Decimal mark of text files."),
    "thousands": DataOption(
        "Mark between groups of three digits in text files; found where it can be nothing else."
    ),
    "header": DataOption(
        "Whether the first row of a text file names the columns.", choices=("auto", "first", "none")
    ),
    "split_number": DataOption("Which official split, of data with several (UCF101, HMDB51).", type=int),
    "resample_hz": DataOption("Bring signal files of different rates to this one.", type=float),
    "on_disk": DataOption(
        "Whether the values of many tables, such as 'data/*.parquet', lie in a file of the cache: where they take more "
        "than a quarter of memory (auto), always, never, or until the end (temporary).",
        choices=("auto", "always", "never", "temporary"),
    ),
    "channels_first": DataOption("Matrices of MATLAB files are (channels, time).", type=bool),
}
