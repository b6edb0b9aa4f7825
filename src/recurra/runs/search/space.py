"""Which options are searched, and where, by default and as a user says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recurra.checks import did_you_mean
from recurra.errors import UsageError
from recurra.options import Option, options_of
from recurra.runs.tasks import options_class


@dataclass(frozen=True)
class Range:
    """Where an option is searched.

    Parameters
    ----------
    low, high : int or float, optional
        Both ends, which are searched as well.
    log : bool
        Whether a doubling counts the same everywhere.
    choices : tuple, optional
        Values instead of a range.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    def suggested(self, trial: Any, name: str) -> Any:
        """Return the value that a trial of Optuna tries."""
        if self.choices:
            return trial.suggest_categorical(name, list(self.choices))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        if self.choices:
            return "|".join(str(choice) for choice in self.choices)
        return f"{self.low}..{self.high}{',log' if self.log else ''}"


# What usually matters, where it usually lies. An option that the task does not have is left out.
USUAL: Mapping[str, Range] = {
    "cell": Range(choices=("lstm", "gru")),
    "hidden_size": Range(16, 256, log=True),
    "num_layers": Range(1, 2),
    "dropout": Range(0.0, 0.5),
    "learning_rate": Range(0.0005, 0.01, log=True),
    "batch_size": Range(choices=(16, 32, 64)),
}
# Where a task needs others.
OF_TASK: Mapping[str, Mapping[str, Range]] = {
    "forecast": {"hidden_size": Range(8, 64, log=True), "num_layers": Range(choices=(1,))},
    "anomaly": {"hidden_size": Range(16, 64, log=True), "batch_size": Range(choices=(8, 16, 32))},
    "generate": {"hidden_size": Range(64, 512, log=True), "embedding_size": Range(16, 128, log=True)},
    "translate": {"hidden_size": Range(64, 256, log=True), "embedding_size": Range(32, 128, log=True)},
}


def space(task: str, kind: str, own: Iterable[str], fixed: Iterable[str]) -> dict[str, Range]:
    """Return the options that are searched, in order of their names.

    Parameters
    ----------
    task, kind : str
        Of the data, see `recurra.runs.tasks.TASKS`.
    own : iterable of str
        As a user writes them, ``hidden_size=16..256,log`` or ``cell=lstm|gru``: they take the place of the usual range, or
        join it.
    fixed : iterable of str
        Options that every trial has as given.

    Raises
    ------
    UsageError
        If one is no range, or none of the task's options, or both fixed and searched.
    """
    known = options_of(options_class(task, kind))
    fixed = set(fixed)
    usual = {**USUAL, **OF_TASK.get(task, {})}
    found = {name: where for name, where in usual.items() if name in known and name not in fixed}
    for text in own:
        name, where = _parsed(text, known)
        if name in fixed:
            raise UsageError(f"tune: {name} is both given and searched; leave it out of one of them.")
        found[name] = where
    return dict(sorted((name, where) for name, where in found.items() if len(where.choices) != 1))


def named(own: Iterable[str]) -> set[str]:
    """Return the names of the options that a user's ranges are of."""
    return {text.partition("=")[0].strip().replace("-", "_") for text in own}


def _parsed(text: str, known: Mapping[str, Option]) -> tuple[str, Range]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not value.strip():
        raise UsageError(
            f"tune: search must be a name and a range such as 'hidden_size=16..256,log' or 'cell=lstm|gru'; got {text!r}."
        )
    if name not in known or known[name].kind == "object":
        near = did_you_mean(name, [word for word, one in known.items() if one.kind != "object"])
        raise UsageError(f"tune: {name!r} is no option of the task that can be searched.{near}")
    option, (span, *words) = known[name], [part.strip() for part in value.split(",")]
    if "|" in span or option.kind in ("choice", "bool"):
        choices = tuple(_value(part.strip(), option, text) for part in value.split("|"))
        return name, Range(choices=choices)
    low, dots, high = span.partition("..")
    if not dots or words not in ([], ["log"]):
        raise UsageError(
            f"tune: {text!r} is no range: give two numbers such as {name}=1..8, and ',log' behind them."
        )
    ends = _value(low, option, text), _value(high, option, text)
    if ends[0] > ends[1] or (words and ends[0] <= 0):
        raise UsageError(
            f"tune: {text!r} is no range: its first number must not be above the second, and above 0 with log."
        )
    return name, Range(*ends, log=bool(words))


def _value(text: str, option: Option, whole: str) -> Any:
    """Return a value of an option from text, checked."""
    from recurra.fitting.option_checks import check_params

    kind = option.kind.removesuffix("s")
    try:
        value: Any = (
            {"true": True, "false": False}[text.lower()]
            if kind == "bool"
            else None
            if text == "none" and option.none
            else {"int": int, "float": float}.get(kind, str)(text)
        )
    except (KeyError, ValueError):
        raise UsageError(
            f"tune: {text!r} in {whole!r} is no value of {option.name} ({option.shown_type})."
        ) from None
    check_params("tune", {option.name: value}, {option.name: option})
    return value
