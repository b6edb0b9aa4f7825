"""Checks of what a user gives, and the one-sentence messages they fail with.

Every message says who complains, which value, the rule, what came, and what to do. Functions that only
build a message return it; functions named ``check_`` raise.
"""

import difflib
import importlib.util
import math
import os
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import DataError, MissingExtraError, RecurraWarning, UsageError

if TYPE_CHECKING:
    from recurra.options import Option


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or an empty string."""
    by_letters = {str(k).casefold(): str(k) for k in reversed(list(known))}  # "LSTM" is lstm
    near = difflib.get_close_matches(str(name).casefold(), by_letters, n=1, cutoff=0.6)
    return f" Did you mean {by_letters[near[0]]!r}?" if near else ""


def did_you_mean_file(name: str, known: Iterable[str]) -> str:
    """Return `did_you_mean` for names of files, whose ending says nothing of how near they are."""
    by_stem = {os.path.splitext(k)[0].casefold(): k for k in reversed(list(known))}
    stem = os.path.splitext(name)[0].casefold()
    near = difflib.get_close_matches(stem, by_stem, n=1, cutoff=0.6)
    return f" Did you mean {by_stem[near[0]]!r}?" if near and by_stem[near[0]] != name else ""


def listing(names: Iterable[object], limit: int = 8) -> str:
    """Return names as ``'a', 'b', 'c', ... (12 in all)``."""
    everything = [n.item() if isinstance(n, np.generic) else n for n in names]  # 'a', not np.str_('a')
    shown = ", ".join(repr(n) for n in everything[:limit])
    return shown if len(everything) <= limit else f"{shown}, ... ({len(everything)} in all)"


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with what is counted: ``1 value``, ``2 values``; ``several`` where no s makes the plural."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def check_choice(who: str, word: str, value: object, choices: Sequence[object]) -> None:
    """Raise UsageError unless ``value`` is one of ``choices``."""
    if value in choices:
        return
    hint = did_you_mean(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
    raise UsageError(f"{who}: {word} must be one of {listing(choices)}; got {value!r}.{hint}")


def check_number(
    who: str,
    word: str,
    value: Any,
    *,
    integer: bool = False,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Raise UsageError unless ``value`` is a number (not a bool) within the bounds, which are included unless open."""
    wanted = "a whole number" if integer else "a number"
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    rule = wanted
    if low is not None and high is not None:
        rule += f" in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
    elif low is not None:
        rule += f" {'greater than' if low_open else 'of at least'} {low:g}"
    fits = isinstance(value, kinds) and not isinstance(value, bool | np.bool_) and np.isfinite(value)
    if fits and low is not None:
        fits = value > low if low_open else value >= low
    if fits and high is not None:
        fits = value < high if high_open else value <= high
    if not fits:
        raise UsageError(f"{who}: {word} must be {rule}; got {value!r}.")


# Steps a second, from one in 30,000 years to one a picosecond: beyond that a file was misread.
SLOWEST_HZ, FASTEST_HZ = 1e-12, 1e12


def check_sample_rate(who: str, rate: Any) -> None:
    """Raise DataError unless a sample rate is None or a number above 0 that time can be counted with."""
    if rate is None:
        return
    try:
        number = math.nan if isinstance(rate, bool | np.bool_ | str | bytes) or np.ndim(rate) else float(rate)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not SLOWEST_HZ <= number <= FASTEST_HZ:
        raise DataError(
            f"{who}: the sample rate must be a number of steps a second, from {SLOWEST_HZ:g} to {FASTEST_HZ:g}; got "
            f"{shortened(rate)}. Correct it, or leave it out."
        )


def shortened(value: object, limit: int = 60) -> str:
    """Return how a value is written, cut where it is long."""
    written = " ".join(repr(value).split())
    return written if len(written) <= limit else written[: limit - 3] + "..."


def check_values(who: str, values: Mapping[str, Any], options: "Mapping[str, Option]") -> None:
    """Raise UsageError at the first value that is out of the range of the option of its name; other names are passed by."""
    for name, value in values.items():
        if name in options:
            _check_value(who, options[name], value)


def by_hand(values: Mapping[str, Any], options: "Mapping[str, Option]", names: Iterable[str]) -> list[str]:
    """Return those of the names whose values are not the options' defaults; one without a value has its default."""

    def same(value: Any, default: Any) -> bool:
        several = isinstance(value, list | tuple) and isinstance(default, list | tuple)
        return bool(list(value) == list(default) if several else value is default or value == default)

    return [name for name in names if name in values and not same(values[name], options[name].default)]


@dataclass(frozen=True)
class Condition:
    """Options that act only where another one has certain values.

    Parameters
    ----------
    names : tuple of str
        The options.
    other : str
        The option that decides.
    acts : callable (values of all options) -> bool
    told : str
        Where they act, after "act only" in the message.
    """

    names: tuple[str, ...]
    other: str
    acts: Callable[[Mapping[str, Any]], bool]
    told: str


def _network_reads_it(params: Mapping[str, Any]) -> bool:
    """Return whether a front end acts: a network of the user's gets the windows of one, but not its convolutions."""
    return params["network"] is None or "convolutions" not in str(params["frontend"])


_TRAINED_ALREADY = "with an image network that is trained already"
_OWN_LAYERS = "without network=, which is as you made it"
CONDITIONS = (
    Condition(("quantiles",), "loss", lambda p: p["loss"] == "quantile", "with loss='quantile'"),
    Condition(("train_vectors", "extra_words"), "vectors", lambda p: p["vectors"] is not None, "with vectors="),
    Condition(("smooth",), "method", lambda p: p["method"] != "planted", "with method='autoencoder' or 'forecaster'"),
    Condition(("quantile",), "contamination", lambda p: p["contamination"] is None, "without contamination="),
    Condition(("frames",), "rate_hz", lambda p: p["rate_hz"] is None, "without rate_hz="),
    Condition(("scaling",), "backbone", lambda p: p["backbone"] != "small-cnn", _TRAINED_ALREADY),
    Condition(("frontend",), "network", _network_reads_it, _OWN_LAYERS),
    Condition(
        ("bidirectional", "initialization", "pooling", "tbptt", "causal", "input_dropout"),
        "network", lambda p: p["network"] is None, _OWN_LAYERS,
    ),
)  # fmt: skip


def idle(params: Mapping[str, Any], options: "Mapping[str, Option]") -> list[tuple[list[str], Condition]]:
    """Return options that are given and change nothing beside the others, each with what it would need."""
    asked = [one for one in CONDITIONS if one.other in params]
    found = [(by_hand(params, options, one.names), one) for one in asked]
    return [(given, one) for given, one in found if given and not one.acts(params)]


def warn_of_idle(who: str, params: Mapping[str, Any], options: "Mapping[str, Option]") -> None:
    """Warn of options that change nothing."""
    for given, where in idle(params, options):
        warnings.warn(_in_words(who, params, given, where), RecurraWarning, stacklevel=5)


def check_none_idle(
    who: str, params: Mapping[str, Any], options: "Mapping[str, Option]", searched: Collection[str] = ()
) -> None:
    """Raise UsageError at the first option that changes nothing: whoever gives it believes in what it does.

    Parameters
    ----------
    searched : collection of str
        Options of which other values are tried as well, beside which it may act.
    """
    for given, where in idle(params, options):
        if where.other not in searched:
            raise UsageError(_in_words(who, params, given, where))


def without_idle(params: Mapping[str, Any], options: "Mapping[str, Option]") -> dict[str, Any]:
    """Return the options that act; one that is not given has its default."""
    whole = {**{name: one.default for name, one in options.items()}, **params}
    names = {name for given, _ in idle(whole, options) for name in given}
    return {name: value for name, value in params.items() if name not in names}


def _in_words(who: str, params: Mapping[str, Any], given: Sequence[str], where: Condition) -> str:
    told = ", ".join(f"{name}={params[name]!r}" for name in given)
    acts, changes, them = ("acts", "changes", "it") if len(given) == 1 else ("act", "change", "them")
    return f"{who}: {told} {acts} only {where.told} and {changes} nothing here. Leave {them} out."


def checked_numbers(who: str, params: Mapping[str, Any], options: "Mapping[str, Option]") -> dict[str, Any]:
    """Return what `python_numbers` does, for options whose values are in their ranges, and of which none is idle.

    An idle one is told in a warning where there is a folder of checkpoints: what an earlier version began can go on.
    """
    found = python_numbers(params, options)
    whole = {**params, **found}
    check_values(who, whole, options)
    (check_none_idle if params.get("checkpoint_dir") is None else warn_of_idle)(who, whole, options)
    return found


def python_numbers(values: Mapping[str, Any], options: "Mapping[str, Option]") -> dict[str, Any]:
    """Return the options that numpy's numbers or arrays are given for, with Python's numbers in their place."""

    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.generic | np.ndarray) else value

    found = {}
    for name, option in options.items():
        value = values.get(name)
        if option.kind.removesuffix("s") not in ("int", "float", "bool"):
            continue
        if isinstance(value, np.generic | np.ndarray):
            found[name] = plain(value)
        elif isinstance(value, list | tuple) and any(isinstance(one, np.generic) for one in value):
            found[name] = type(value)(map(plain, value))
    return found


def _check_value(who: str, option: "Option", value: Any) -> None:
    if (value is None and option.none) or (option.also and isinstance(value, option.also)):
        return
    name, number = option.name, option.kind.removesuffix("s")
    if name == "pooling" and isinstance(value, list | tuple):
        if not value or len(set(value)) < len(value):
            raise UsageError(f"{who}: pooling must name at least one way, each once; got {value!r}.")
        for one in value:
            check_choice(who, name, one, [way for way in option.choices if "+" not in way])
        return
    if option.auto and isinstance(value, str) and option.kind != "choice":
        check_choice(who, name, value, (*[True, False] * (option.kind == "bool"), "auto"))
        return
    if number in ("int", "float"):
        many = isinstance(value, list | tuple)
        if option.kind != number and not many and not isinstance(value, int | float):
            raise UsageError(f"{who}: {name} must be a number or a list of numbers; got {value!r}.")
        for one in value if many and option.kind != number else [value]:
            check_number(
                who,
                name,
                one,
                integer=number == "int",
                low=option.low,
                high=option.high,
                low_open=option.low_open,
                high_open=option.high_open,
            )
    elif option.kind == "bool" and type(value).__name__ not in ("bool", "bool_"):
        rule = "True, False or 'auto'" if option.auto else "True or False"
        raise UsageError(f"{who}: {name} must be {rule}; got {value!r}.")
    elif option.kind == "choice":
        check_choice(who, name, value, (*option.choices, *["auto"] * option.auto, *[None] * option.none))


def missing_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """Return the error for an optional package that is not installed."""
    return MissingExtraError(f"{purpose} needs the package {package}: pip install 'recurra[{extra}]'")


def check_torch(who: str) -> None:
    """Raise MissingExtraError unless torch is installed, which training and gradients need; predicting does not."""
    try:
        found = importlib.util.find_spec("torch") is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise MissingExtraError(
            f"{who} needs the package torch, which is not installed: pip install torch. Without it a saved model "
            "predicts, evaluates and streams."
        )


def where(index: int, names: Sequence[str | None] | None = None) -> str:
    """Return ``sequence 3`` or ``sequence 3 ('rec_07')``."""
    name = names[index] if names is not None and index < len(names) else None
    return f"sequence {index}" + (f" ({name!r})" if name else "")


# Units of time in seconds, the longest first.
_UNITS = {"week": 604_800, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}
# Those of the calendar are of unequal length: the mean over 400 years, of which a series of some years is within 1 %.
_CALENDAR = {"year": 31_556_952, "month": 2_629_746}


def rate_in_words(rate_hz: float) -> str:
    """Return how often there is a step: "50 steps a second", "one step a day", "a step every 15 minutes"."""
    if rate_hz > 0.9:
        return f"{rate_hz:g} {'step' if rate_hz == 1 else 'steps'} a second"
    seconds = 1 / rate_hz
    whole_days = abs(seconds / 86_400 - round(seconds / 86_400)) < 0.001
    for long, size in _CALENDAR.items():
        times = round(seconds / size)
        near = 0.001 if whole_days and long == "month" else 0.003
        if times and abs(seconds / (times * size) - 1) < near:
            return f"one step a {long}" if times == 1 else f"a step every {times} {long}s"
    fits = (unit for unit, size in _UNITS.items() if abs(seconds / size - round(seconds / size)) < 0.001)
    unit = next((unit for unit in fits if seconds > 0.9 * _UNITS[unit]), None)
    unit = unit or next(unit for unit, size in _UNITS.items() if seconds >= size)
    count = seconds / _UNITS[unit]
    if abs(count - 1) < 0.001:
        return f"one step {'an' if unit == 'hour' else 'a'} {unit}"
    return f"a step every {count:.4g} {unit}s"


def duration_in_words(seconds: float) -> str:
    """Return a time in the longest unit of which there are two: "0.35 seconds", "36 hours", "14 days"."""
    unit = next((unit for unit, size in _UNITS.items() if unit != "week" and seconds >= 2 * size), "second")
    return f"{seconds / _UNITS[unit]:.3g} {unit}s"


# How many times as fast steps are than they seem where their times count these units, and were read as seconds.
_COUNTED_IN = {"ms": 1e3, "us": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
_COUNTED_IN_WORDS = {
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "min": "minutes",
    "h": "hours",
}


def _other_rate(rate_hz: float) -> str:
    return f"{rate_hz:g}" if rate_hz > 0.9 else rate_in_words(rate_hz)


def check_rate(who: str, fitted_hz: float | None, given_hz: float | None) -> None:
    """Raise DataError if data are sampled at another rate than those a network was trained on, by more than 1 %."""
    if fitted_hz is None or given_hz is None or abs(given_hz - fitted_hz) <= 0.01 * fitted_hz:
        return
    unit = next(
        (unit for unit, times in _COUNTED_IN.items() if abs(given_hz * times / fitted_hz - 1) <= 0.01), None
    )
    advice = (
        ""
        if unit is None
        else f"If the times of the table count {_COUNTED_IN_WORDS[unit]}, give time_unit='{unit}'. Else resample "
    )
    raise DataError(
        f"{who}: the network was trained on {rate_in_words(fitted_hz)}, these data have {_other_rate(given_hz)}. "
        f"{advice or 'Resample '}them to {fitted_hz:g} Hz, for signal files with resample_hz={fitted_hz:g}."
    )


def are_token_lists(X: Any) -> bool:
    """Return whether X is a list of lists of words, or a Dataset of kind "tokens"."""
    if hasattr(X, "records") and hasattr(X, "kind"):
        return bool(X.kind == "tokens")
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or hasattr(X, "columns") or not len(X):
        return False
    first = next(iter(X))
    return isinstance(first, list | tuple | np.ndarray) and len(first) > 0 and isinstance(first[0], str)


def as_token_lists(X: Any, *, who: str = "X") -> tuple[list[list[str]], list[str] | None]:
    """Return sentences as lists of words, and their names where X is a Dataset.

    Parameters
    ----------
    X : Dataset of kind "tokens", or list or object array of lists of str

    Raises
    ------
    DataError
        If a sentence is a text instead, is empty, or holds something that is no word; named by its place.
    """
    names = None
    if hasattr(X, "records") and hasattr(X, "kind"):
        if X.kind != "tokens":
            raise DataError(f"{who}: needs sentences as lists of words; got a Dataset of kind {X.kind!r}.")
        X, names = X.X, X.names
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or not len(X):
        raise DataError(
            f"{who}: expected a list of lists of words; got {X!r:.40}. Give at least one sentence."
        )
    out = []
    for index, sentence in enumerate(X):
        place = where(index, names).replace("sequence", "sentence")
        if not isinstance(sentence, list | tuple | np.ndarray):
            raise DataError(
                f"{who}: {place} must be a list of words; got {sentence!r:.40} of type {type(sentence).__name__}. "
                "Cut a text into words with split()."
            )
        if not len(sentence):
            raise DataError(f"{who}: {place} is empty; it needs at least one word. Remove it and its labels.")
        for at, word in enumerate(sentence):
            if not isinstance(word, str):
                raise DataError(
                    f"{who}: {place}: word {at} must be a str; got {word!r:.40} of type {type(word).__name__}. "
                    "Turn it into text with str()."
                )
            check_whole_characters(word, who, f"{place}: word {at}")
        out.append([str(word) for word in sentence])
    return out, names


# What reads texts -> what learns the same of signals.
OF_SIGNALS = {"TextClassifier": "SequenceClassifier", "TextRegressor": "SequenceRegressor"}


def _what(value: Any) -> str:
    """Return in a few words what stands where a text should."""
    shape = getattr(value, "shape", ())
    return f"an array of shape {shape}" if shape else f"{value!r:.40} of type {type(value).__name__}"


def _as_text(value: Any, who: str) -> str:
    """Return what to do with what stands where a text should."""
    if isinstance(value, list | tuple) and value and all(isinstance(word, str) for word in value):
        return "Join the words of each with ' '.join(words)."
    if getattr(value, "ndim", 0) and who in OF_SIGNALS:
        return f"Use {OF_SIGNALS[who]} for numbers over time."
    return "Turn it into text, or leave it out."


def check_whole_characters(text: str, who: str, place: str) -> None:
    """Raise DataError at a lone surrogate: half of a character, which no file of text and no tokenizer can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{who}: {place} holds {text[error.start]!r}, half of a character. It was read with a wrong encoding: read it "
            "anew, or pass text.encode('utf-8', 'replace').decode()."
        ) from None


def as_texts(X: Any, *, who: str = "X") -> tuple[list[str], list[str] | None]:
    """Return texts as a list of str, and their names where X is a Dataset.

    Parameters
    ----------
    X : Dataset of kind "text", or list, tuple, array or Series of str

    Raises
    ------
    DataError
        If it is a single text, is empty, or holds something that is no text or a text without a sign in it; named by its
        place.
    """
    names = None
    if hasattr(X, "records") and hasattr(X, "kind"):
        if X.kind != "text":
            other = (
                f" Use {OF_SIGNALS[who]} for signals." if X.kind == "sequence" and who in OF_SIGNALS else ""
            )
            raise DataError(f"{who}: needs texts; got a Dataset of kind {X.kind!r}.{other}")
        X, names = X.X, X.names
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or not hasattr(X, "__iter__"):
        raise DataError(
            f"{who}: expected a list of texts; got {type(X).__name__}. Pass [text] for a single one."
        )
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1:  # a table with one column of texts
        X = np.asarray(X)[:, 0]
    texts = list(X)
    if not texts:
        raise DataError(f"{who}: found 0 texts (samples), a minimum of 1 is required. Give at least one.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"{who}: {where(index, names).replace('sequence', 'text')} must be a str; got "
                f"{_what(text)}. {_as_text(text, who)}"
            )
        if not text.strip():
            raise DataError(
                f"{who}: {where(index, names).replace('sequence', 'text')} is empty; a text needs at least one word. "
                "Remove it or its label."
            )
        check_whole_characters(text, who, where(index, names).replace("sequence", "text"))
    return [str(text) for text in texts], names
