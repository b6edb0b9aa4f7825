"""Flags made from the options of Python: how data are read, and the constructors of the estimators.

A flag that is not given is not passed on, so that every default is the one written in the constructor.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import click

from recurra.errors import UsageError
from recurra.options import OPTIONS
from recurra.runs.command_line import BUDGET, PYTHON_ONLY, SEED, flag_of
from recurra.runs.data.options import DATA_OPTIONS
from recurra.runs.folder.task_names import TASK_NAMES
from recurra.runs.tasks import all_defaults

# Options of the verbs themselves.
_OF_VERBS = (
    "task",
    "test",
    "workers",
    "trials",
    "search",
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
    "to",
    "data",
    "opset",
    "longest",
    "weights_file",
    "int8",
    "port",
)


FLAG_OF: Mapping[str, str] = {
    word: flag_of(word) for word in (*DATA_OPTIONS, *OPTIONS, *_OF_VERBS) if word not in PYTHON_ONLY
}


class Task(click.Choice[str]):
    """The name of a task; what textbooks call it is taken as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name that a run has for it."""
        return super().convert(TASK_NAMES.get(value, value), param, ctx)


class SectionedCommand(click.Command):
    """Command whose help shows its flags under headings, and which says what its one argument is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of a call; one argument too many is answered with what is meant."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            outputs = [p.opts[0] for p in self.get_params(ctx) if p.name == "out"]
            if outputs and error.message.startswith("Got unexpected extra argument"):
                names = [p.make_metavar(ctx) for p in self.get_params(ctx) if isinstance(p, click.Argument)]
                extra = error.message.partition("(")[2].rstrip(")")
                told = f"takes {' '.join(names)}, and where to write with {outputs[0]}"
                sentence = f"{ctx.command_path} {told}; got {extra} as well."
                raise click.UsageError(sentence, ctx) from None
            raise

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


class Duration(click.ParamType):
    """A time in seconds, or with a unit: 90, 90s, 2m or 1h."""

    name = "TIME"
    units: ClassVar[Mapping[str, float]] = {"s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return seconds."""
        if not isinstance(value, str) or value == "none":
            return value
        text, unit = (value[:-1], value[-1]) if value[-1:] in self.units else (value, "s")
        try:
            return float(text) * self.units[unit]
        except ValueError:
            return self.fail(f"{value!r} is no time. Give seconds, or 90s, 2m, 1h.", param, ctx)


class Joined(click.Choice[str]):
    """One of several words, or some of them with commas between: ``mean,max`` is ``mean+max``."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the words joined as the library joins them."""
        return super().convert(value.replace(",", "+"), param, ctx)


def data_flags(command: Callable[..., Any], *, leave_out: Sequence[str] = ()) -> Callable[..., Any]:
    """Add the flags that say how data are read."""
    for word, about in reversed(
        [(word, about) for word, about in DATA_OPTIONS.items() if word not in leave_out]
    ):
        option = click.option(
            flag_of(word),
            word,
            cls=SectionedOption,
            section="How the data are read",
            type=click.Choice(about.choices, case_sensitive=False)
            if about.choices
            else (None if about.type is bool else about.type),
            is_flag=about.type is bool,
            multiple=about.many,
            default=None,
            help=about.help,
        )
        command = option(command)
    return command


def option_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for every option of the estimators that the command line can give."""
    for word in reversed([word for word in OPTIONS if word not in PYTHON_ONLY]):
        command = click.option(*_declaration(word), **_facts(word))(command)
    return command


def _declaration(word: str) -> tuple[str, ...]:
    flag = flag_of(word)
    return (f"{flag}/--no-{flag[2:]}", word) if OPTIONS[word].kind == "bool" else (flag, word)


def _facts(word: str) -> dict[str, Any]:
    about = OPTIONS[word]
    named = ["auto"] * about.auto + ["none"] * about.none
    kind: Any = str
    if about.kind in ("ints", "floats"):
        kind = Numbers(int if about.kind == "ints" else float)
    elif about.kind in ("int", "float"):
        number = int if about.kind == "int" else float
        kind = NumberOr(number, named) if named else number
    elif about.kind == "choice":
        kind = (Joined if word == "pooling" else click.Choice)([*about.choices, *named], case_sensitive=False)
    elif about.kind == "bool":
        kind = None
    elif word == SEED:
        kind = int
    if word == BUDGET:
        kind = Duration()
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


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, as words of Python."""
    out: dict[str, Any] = {}
    for word, value in flags.items():
        if value is None or value == () or (word in DATA_OPTIONS and value is False):
            continue
        if isinstance(value, tuple):
            value = _at_commas(value[0]) if len(value) == 1 and word in DATA_OPTIONS else list(value)
            value = value[0] if word in ("target", "time") and len(value) == 1 else value
        out[word] = None if value == "none" and _takes_none(word) else value
    return out


def _at_commas(names: str) -> list[str]:
    """Return names given with commas between, ``a,b,"c, d"``; a name in quotation marks may hold a comma."""
    return (
        [name.strip() for name in next(csv.reader([names], skipinitialspace=True), [names])]
        if names
        else [names]
    )


def refuse_typed(words: Sequence[str], why: str) -> None:
    """Raise UsageError at the first of some flags of the running command that was typed.

    Parameters
    ----------
    words : sequence of str
        Names of parameters of the command.
    why : str
        When they do nothing: ``without --realtime``.
    """
    context = click.get_current_context()
    flag_by_name = {option.name: option.opts[-1] for option in context.command.params}
    for word in words:
        if context.get_parameter_source(word) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"{context.info_name}: {flag_by_name[word]} does nothing {why}; leave it out.")


def _takes_none(word: str) -> bool:
    if word in DATA_OPTIONS:
        return False
    return word in OPTIONS and OPTIONS[word].none
