"""Flags made from the words of Python: columns of the data, and the constructors of the estimators.

A flag that is not given is not passed on, so that every default is the one written in the constructor.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from recurra.errors import UsageError
from recurra.options import ESTIMATORS, OPTIONS, options_of


@dataclass(frozen=True)
class DataWord:
    """A word that says how data are read.

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


DATA_WORDS: Mapping[str, DataWord] = {
    "id": DataWord("Column that names the sequence a row belongs to."),
    "time": DataWord("Column with the time of each step; twice for a date and a time of day.", many=True),
    "label": DataWord("Column with the class, of the sequence or of each step."),
    "group": DataWord("Column with what a split must not cut in two, such as the person."),
    "target": DataWord(
        "Column of numbers to predict (may be given several times), or of the text to give.", many=True
    ),
    "known": DataWord(
        "Column known in advance of a series, such as the temperature; may be given several times.", many=True
    ),
    "static": DataWord("Column with an attribute of a whole series; may be given several times.", many=True),
    "kind": DataWord("What a table holds: sequences, or series to forecast.", choices=("sequence", "series")),
    "text": DataWord("Column with text; every row is then one record."),
    "source": DataWord("Column with text to turn into that of the column --target."),
    "channels": DataWord("Column to use as channel; may be given several times.", many=True),
    "labels": DataWord("File with one label a line, for a file with one text a line."),
    "layout": DataWord(
        "A row per time step (long) or per sequence (wide), or one text a line (lines).",
        choices=("auto", "long", "wide", "lines"),
    ),
    "label_per": DataWord(
        "Whether a label belongs to a sequence or a step.", choices=("auto", "sequence", "step")
    ),
    "sort": DataWord("Put the rows of each sequence in order of time first.", type=bool),
    "time_unit": DataWord(
        "Unit of a time column of numbers.", choices=("ns", "us", "ms", "s", "min", "h", "d")
    ),
    "time_format": DataWord(
        "How dates are written: 'day first', 'month first', excel, or '%d/%m/%Y %I:%M %p'."
    ),
    "time_zone": DataWord("Time zone of the stamps and answers, such as Europe/Berlin or +01:00."),
    "resample": DataWord("Bring series to this longer step, such as h or MS: means of the values."),
    "sample_rate_hz": DataWord("Time steps per second, where no column tells.", type=float),
    "encoding": DataWord("Encoding of text files."),
    "delimiter": DataWord("Separator of text files; found by itself."),
    "decimal": DataWord("Decimal mark of text files."),
    "thousands": DataWord(
        "Mark between groups of three digits in text files; found where it can be nothing else."
    ),
    "header": DataWord(
        "Whether the first row of a text file names the columns.", choices=("auto", "first", "none")
    ),
    "split_number": DataWord("Which official split, of data with several (UCF101, HMDB51).", type=int),
    "resample_hz": DataWord("Bring signal files of different rates to this one.", type=float),
    "channels_first": DataWord("Matrices of MATLAB files are (channels, time).", type=bool),
}

# Task -> kind of the data (`Dataset.kind`) -> module and class of its estimator.
TASKS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "classify": {
        "sequence": ("recurra.estimators.sequence_classifier", "SequenceClassifier"),
        "text": ("recurra.estimators.text_classifier", "TextClassifier"),
        "video": ("recurra.estimators.video_classifier", "VideoClassifier"),
    },
    "regress": {"sequence": ("recurra.estimators.sequence_regressor", "SequenceRegressor")},
    "label": {"sequence": ("recurra.estimators.sequence_labeler", "SequenceLabeler")},
    "translate": {"pairs": ("recurra.estimators.translator", "Translator")},
    "forecast": {"series": ("recurra.estimators.forecaster", "Forecaster")},
    "anomaly": {"sequence": ("recurra.estimators.anomaly_detector", "AnomalyDetector")},
}

# Tasks that learn from the sequences alone.
WITHOUT_LABELS = ("forecast", "anomaly")

# Words whose values are Python objects; they have no flag.
PYTHON_ONLY = ("network", "callbacks")

# The one word that has another name on the command line.
SEED = "random_state"


def can_be_written(word: str, value: Any) -> bool:
    """Whether a file can hold the value of a word as what it is."""
    if word in PYTHON_ONLY or isinstance(value, type):
        return False
    return not isinstance(value, Mapping) or all(isinstance(key, str) for key in value)


def flag_of(word: str) -> str:
    """Return the flag of a word of Python: ``hidden_size`` is ``--hidden-size``."""
    return "--seed" if word == SEED else "--" + word.replace("_", "-")


_VERB_WORDS = (
    "task",
    "test",
    "by",
    "force",
    "out",
    "seed",
    "proba",
    "segments",
    "min_duration_s",
    "chunk",
    "index",
    "method",
    "name",
    "look_ahead",
    "frame_size",
    "realtime",
    "state",
)
FLAG_WORDS: Mapping[str, str] = {
    word: flag_of(word) for word in (*DATA_WORDS, *OPTIONS, *_VERB_WORDS) if word not in PYTHON_ONLY
}


class SectionedCommand(click.Command):
    """Command whose help shows its flags under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, those of the command itself first."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def examples(*commands: str) -> str:
    """Return the lines below a help text, each a command to copy."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


class SectionedOption(click.Option):
    """Option that stands under a heading.

    Parameters
    ----------
    section : str
        The heading.
    """

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class Numbers(click.ParamType):
    """One number, or several with commas between them, or ``none``.

    Parameters
    ----------
    number : {int, float}
        Kind of number.
    """

    def __init__(self, number: type) -> None:
        self.number = number
        self.name = f"{'integer' if number is int else 'float'},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a list of numbers, or the string ``none``, which `given` turns into None."""
        if value == "none" or not isinstance(value, str):
            return value
        try:
            return [self.number(part) for part in value.split(",") if part.strip()]
        except ValueError:
            self.fail(f"{value!r} is no number, nor several with commas between them.", param, ctx)


class NumberOr(click.ParamType):
    """A number, or one of a few names: ``none`` for None, or ``auto``.

    Parameters
    ----------
    number : {int, float}
        Kind of number.
    names : list of str
        The names.
    """

    def __init__(self, number: type, names: Sequence[str]) -> None:
        self.number, self.names = number, tuple(names)
        self.name = "|".join(["integer" if number is int else "float", *names])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or the name; `given` turns ``none`` into None."""
        if value in self.names or isinstance(value, self.number):
            return value
        try:
            return self.number(value)
        except ValueError:
            names = [f"nor {name}" for name in self.names]
            self.fail(f"{value!r} is neither a number {' '.join(names)}.", param, ctx)


def data_flags(command: Callable[..., Any], *, leave_out: Sequence[str] = ()) -> Callable[..., Any]:
    """Add the flags that say how data are read."""
    for word, about in reversed(
        [(word, about) for word, about in DATA_WORDS.items() if word not in leave_out]
    ):
        option = click.option(
            flag_of(word),
            word,
            cls=SectionedOption,
            section="How the data are read",
            type=click.Choice(about.choices)
            if about.choices
            else (None if about.type is bool else about.type),
            is_flag=about.type is bool,
            multiple=about.many,
            default=None,
            help=about.help,
        )
        command = option(command)
    return command


def word_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for every constructor word of the estimators that the command line can give."""
    for word in reversed([word for word in OPTIONS if word not in PYTHON_ONLY]):
        command = click.option(*_declaration(word), **_option(word))(command)
    return command


def _declaration(word: str) -> tuple[str, ...]:
    flag = flag_of(word)
    return (f"{flag}/--no-{flag[2:]}", word) if OPTIONS[word].kind == "bool" else (flag, word)


def _option(word: str) -> dict[str, Any]:
    about = OPTIONS[word]
    named = ["auto"] * about.auto + ["none"] * about.none
    kind: Any = str
    if about.kind in ("ints", "floats"):
        kind = Numbers(int if about.kind == "ints" else float)
    elif about.kind in ("int", "float"):
        number = int if about.kind == "int" else float
        kind = NumberOr(number, named) if named else number
    elif about.kind == "choice":
        kind = click.Choice([*about.choices, *named])
    elif about.kind == "bool":
        kind = None
    elif word == SEED:
        kind = int
    return {
        "cls": SectionedOption,
        "section": "Network and training",
        "type": kind,
        "default": None,
        "help": f"{about.help}  [default: {_shown_default(word)}]",
    }


def _shown_default(word: str) -> str:
    if word == SEED:
        return "a new one, which is written down"
    value, *others = [words[word] for words in all_defaults() if word in words]
    if any(type(other) is not type(value) or other != value for other in others):
        return "by task"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(str(number) for number in value) or "nothing"
    return "none" if value is None else str(value)


def estimator_class(task: str, kind: str) -> Any:
    """Return the estimator of a task on data of a kind."""
    module, name = TASKS[task][kind]
    return getattr(importlib.import_module(module), name)


def defaults(task: str, kind: str) -> dict[str, Any]:
    """Return the options of an estimator with their defaults."""
    _, name = TASKS[task][kind]
    return {option.name: option.default for option in options_of(ESTIMATORS[name]).values()}


def all_defaults() -> list[dict[str, Any]]:
    """Return `defaults` of every estimator, in order of the table."""
    return [defaults(task, kind) for task, kinds in TASKS.items() for kind in kinds]


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, as words of Python."""
    out: dict[str, Any] = {}
    for word, value in flags.items():
        if value is None or value == () or (word in DATA_WORDS and value is False):
            continue
        if isinstance(value, tuple):
            value = list(value)
            value = value[0] if word in ("target", "time") and len(value) == 1 else value
        out[word] = None if value == "none" and _takes_none(word) else value
    return out


def _takes_none(word: str) -> bool:
    if word in DATA_WORDS:
        return False
    return word in OPTIONS and OPTIONS[word].none


def divide(who: str, words: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return words of the data and words of the estimators.

    Raises
    ------
    UsageError
        If a word is neither.
    """
    from recurra.checks import did_you_mean

    for word in words:
        if word not in DATA_WORDS and word not in OPTIONS:
            raise UsageError(
                f"{who}: there is no word {word!r}.{did_you_mean(word, [*DATA_WORDS, *OPTIONS])}"
            )
    return (
        {word: value for word, value in words.items() if word in DATA_WORDS},
        {word: value for word, value in words.items() if word in OPTIONS},
    )


def as_arguments(words: Mapping[str, Any]) -> list[str]:
    """Return words as they are given on the command line; those it cannot give are left out."""
    out: list[str] = []
    for word, value in words.items():
        if word in PYTHON_ONLY or (
            isinstance(value, type) or (callable(value) and not isinstance(value, str))
        ):
            continue
        if isinstance(value, bool):
            if value or word not in DATA_WORDS:
                out.append(flag_of(word) if value else f"--no-{flag_of(word)[2:]}")
        elif isinstance(value, list | tuple) and word not in DATA_WORDS:
            out += [flag_of(word), ",".join(str(number) for number in value)]
        elif isinstance(value, list | tuple):
            for item in value:
                out += [flag_of(word), str(item)]
        elif not isinstance(value, dict):
            out += [flag_of(word), "none" if value is None else str(value)]
    return out
