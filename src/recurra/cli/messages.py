"""Messages of the library in the words of the command line: the verb that was typed, and its flags."""

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
from collections.abc import Mapping

import click

from recurra.cli.flags import FLAG_OF
from recurra.options import ESTIMATORS, OPTIONS
from recurra.runs.command_line import one_name
from recurra.runs.tasks import TASKS

# Functions of Python that verbs call, by which their messages begin; so do those of estimators.
_CALLED = (
    "load", "split", "look", "train", "tune", "evaluate", "predict", "forecast", "segments", "translate", "explain",
    "stream", "export", "generate", "compare", "resume", "TrainingConfig", *ESTIMATORS,
)  # fmt: skip
_CALLER = re.compile(rf"(?:(?:{'|'.join(_CALLED)})(?:\.\w+)?: )+")
# What a message says of the options it begins with, which stand bare: "chunk must be a whole number".
_SUBJECT = re.compile(
    r"(?<=: )([a-z_]+(?:(?:, | and )[a-z_]+)*)(?= (?:must be|needs|paces|answers|is for|are for|is the column|names) )"
)
_LISTED = re.compile(r"(?<=; it takes )((?:--[a-z-]+, )*--[a-z-]+)")
_TASK_OF: Mapping[str, str] = {name: task for task, kinds in TASKS.items() for name in kinds.values()}


def in_flags(message: str, verb: str | None = None) -> str:
    """Return a message of the library in the words of the command line: ``missing='mask'`` is ``--missing mask``.

    Parameters
    ----------
    message : str
        As Python would show it.
    verb : str, optional
        The verb that was typed, by default that of the running command: the message begins with it, and the options are
        called as its flags are.
    """
    if verb is None:
        context = click.get_current_context(silent=True)
        verb = "" if context is None else str(context.info_name)
    message, own = _called_by(message, verb), _own_flags(verb)
    message = re.sub(r"(?<![\w.\[(])([a-z_]+)=(\{[^{}]*\})", _as_json, message)
    message = re.sub(
        r"""(?<![\w.\[('"])([a-z_]+)=(?:'([^']*)'|"([^"\n]*)"|(True|False|\d[\d.]*(?:e[+-]?\d+)?\b))?(?=[\s,.;:)]|$)""",
        _as_flag,
        message,
    )
    message = _LISTED.sub(lambda found: _of_verb(found.group(1), set(own.values())), message)
    # A word with a low line is a name of Python wherever it stands, unless it is quoted or part of a path.
    return re.sub(
        r"""(?<![\w.\[('"/=-])[a-z]+(?:_[a-z]+)+(?![\w=(\[/'"-]|\.\w)""",
        lambda found: own.get(found.group(0), FLAG_OF.get(found.group(0), found.group(0))),
        message,
    )


def _called_by(message: str, verb: str) -> str:
    """Return a message that begins with a function of Python with the verb in its place, and its subject as a flag."""
    own = _own_flags(verb)
    caller = _CALLER.match(message)
    if not own or caller is None or os.path.exists(message.partition(":")[0]):
        return message
    rest = message[caller.end() :]
    for name, task in _TASK_OF.items():
        rest = re.sub(rf"\b([Uu])se {name}\b", rf"\1se a network trained with --task {task}", rest)

    def flags(found: re.Match[str]) -> str:
        words = re.split(", | and ", found.group(1))
        if not all(word in own for word in words):
            return found.group(0)
        return re.sub("[a-z_]+", lambda word: own.get(word.group(0), word.group(0)), found.group(1))

    return _SUBJECT.sub(flags, f"{verb}: {rest}", count=1)


def _of_verb(listed: str, own: set[str]) -> str:
    """Return those of some flags that a verb has."""
    flags = listed.split(", ")
    return ", ".join(flag for flag in flags if flag in own or not own) or "none"


def _own_flags(verb: str) -> dict[str, str]:
    """Return the flags of a verb by the names of Python, and by their own."""
    file = f"recurra.cli.verbs.{verb}"
    if not verb.isidentifier() or importlib.util.find_spec(file) is None:
        return {}
    own: dict[str, str] = {}
    for option in importlib.import_module(file).command.params:
        long = [flag for flag in option.opts if flag.startswith("--")]
        if isinstance(option, click.Option) and long:
            name = str(option.name)
            flag = FLAG_OF[name] if FLAG_OF.get(name) in long else long[0]
            own |= {flag[2:].replace("-", "_"): flag, name: flag}
    return own


def _as_flag(found: re.Match[str]) -> str:
    word, single, double, number = found.groups()
    value = single if double is None else double
    value = number if value is None else value
    if word not in FLAG_OF:
        return found.group(0)
    if value == "False" and word in OPTIONS and OPTIONS[word].kind == "bool":
        return f"--no-{FLAG_OF[word][2:]}"
    if value is None or value == "True":
        return FLAG_OF[word]
    value = one_name(word, value)
    # A comma or a stop would be read as part of the sentence.
    quoted = shlex.quote(value) if any(sign.isalnum() for sign in value) else f"'{value}'"
    return f"{FLAG_OF[word]} {quoted}"


def _as_json(found: re.Match[str]) -> str:
    try:
        value = ast.literal_eval(found.group(2))
    except (ValueError, SyntaxError):
        return found.group(0)
    word = found.group(1)
    return f"{FLAG_OF[word]} {shlex.quote(json.dumps(value))}" if word in FLAG_OF else found.group(0)
