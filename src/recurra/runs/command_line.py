"""Options as the command line and ``config.json`` write them: the command that repeats a run is made of these."""

from collections.abc import Mapping
from typing import Any

from recurra.runs.data.options import DATA_OPTIONS

# Options whose values are Python objects; they have no flag.
PYTHON_ONLY = ("network", "callbacks")


SEED = "random_state"
BUDGET = "budget_s"
# Options that have another name on the command line.
OWN_FLAGS = {SEED: "--seed", BUDGET: "--budget"}


def can_be_written(name: str, value: Any) -> bool:
    """Whether a file can hold the value of an option as what it is."""
    if name in PYTHON_ONLY or isinstance(value, type):
        return False
    return not isinstance(value, Mapping) or all(isinstance(key, str) for key in value)


def flag_of(name: str) -> str:
    """Return the flag of an option of Python: ``hidden_size`` is ``--hidden-size``."""
    return OWN_FLAGS.get(name) or "--" + name.replace("_", "-")


def as_arguments(options: Mapping[str, Any]) -> list[str]:
    """Return options as they are given on the command line; those it cannot give are left out."""
    out: list[str] = []
    for name, value in options.items():
        if name in PYTHON_ONLY or (
            isinstance(value, type) or (callable(value) and not isinstance(value, str))
        ):
            continue
        if isinstance(value, bool):
            if value or name not in DATA_OPTIONS:
                out.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
        elif isinstance(value, list | tuple) and name not in DATA_OPTIONS:
            out += [flag_of(name), ",".join(str(number) for number in value)]
        elif isinstance(value, list | tuple):
            for item in value:
                out += [flag_of(name), one_name(name, str(item)) if len(value) == 1 else str(item)]
        elif not isinstance(value, dict):
            out += [flag_of(name), "none" if value is None else one_name(name, str(value))]
    return out


def one_name(option: str, value: str) -> str:
    """Return a value that is given alone so that it is not taken apart at commas, where the option takes several."""
    several = option in DATA_OPTIONS and DATA_OPTIONS[option].many
    if not several or not ("," in value or value.startswith('"')):
        return value
    return '"' + value.replace('"', '""') + '"'
