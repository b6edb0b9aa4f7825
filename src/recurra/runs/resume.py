"""A run that was interrupted or killed goes on, to the end it would have had."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.array_summaries import Findings
from recurra.checks import listing
from recurra.errors import DataError, MissingDataError, StoreError, UsageError
from recurra.records import RunData
from recurra.runs.command_line import SEED
from recurra.runs.data import sources
from recurra.runs.data.identity import fingerprint, split_keys
from recurra.runs.data.split import divide, test_of
from recurra.runs.execute import Run, Tell, execute, follow
from recurra.runs.folder.files import CONFIG, MODEL, RunFolder
from recurra.runs.folder.ownership import owned, unfinished
from recurra.runs.plan import Plan, Prepared, checked
from recurra.runs.tasks import defaults, estimator_class
from recurra.runs.workers.team import follows, team

# Options that may differ from those the run was begun with; every other one stays what it was.
_FREE = ("callbacks", "cache_dir", "checkpoint_dir", "device", "verbose")


def resume_run(run: Any, data: Any = None, *, test: Any = None, tell: Tell, **options: Any) -> Run:
    """Go on with a run; see ``resume`` of `recurra.train`.

    Parameters
    ----------
    run : path
        Run folder.
    data, test : optional
        Where they were objects of Python, or files that have moved since.
    tell : callable
        Is given each line about what happens.
    **options
        Those that were objects of Python (``network``, ...), ``callbacks``, ``device``, ``verbose``; and
        ``checkpoint_dir`` and ``cache_dir`` where they lie outside of the run folder: a configuration may come from
        anywhere, and nothing is written or deleted where it says.

    Raises
    ------
    MissingDataError
        If there is no run, or its data are gone.
    UsageError
        If the run is finished, or another process trains into it, or an option is given that it has decided, or one
        is missing.
    DataError
        If the data have changed.
    """
    folder = Path(run)
    _begun(folder)
    if follows():
        return follow(_prepare_again(folder, data, test, options))
    with owned(folder):
        return execute(_prepare_again(folder, data, test, options), tell)


def _prepare_again(folder: Path, data: Any, test: Any, options: dict[str, Any]) -> Prepared:
    """Return what the run was begun with, from its configuration and what this call gives."""
    begun = _begun(folder)
    config = begun.config()
    try:
        plan, needed = _plan(folder, config, data, test_of(test))
        estimator_of_task = estimator_class(plan.task, plan.kind)
        digest, stored = config["data_digest"], dict(plan.options)
        known = defaults(plan.task, plan.kind)
        if foreign := [name for name in stored if name not in known]:
            raise KeyError(foreign[0])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise StoreError(
            f"{begun / CONFIG}: is damaged: {error!r} is missing or makes no sense. Train again with force=True."
        ) from None
    _check_options(folder, options, needed)
    stored |= storage_places(begun, stored, options)
    estimator = estimator_of_task(**{**stored, **options, SEED: plan.seed})
    team({"shards": estimator.shards})
    again = sources.load_again(config) if data is None else sources.load_like(data, plan.data_options, {})
    dataset = RunData.of(again, Findings())
    there = None if dataset.channel_names is None else list(dataset.channel_names)
    if (
        named := config.get("channel_names", there)
    ) != there:  # which the digest of their values does not tell
        raise DataError(
            f"{plan.source if config['data'] else 'data'}: its channels are {listing(there or ['nothing'])}; {folder} "
            f"was begun with {listing(named or ['nothing'])}. Restore the names, or begin anew with force=True."
        )
    how = {"test": plan.test, "by": plan.by, "seed": plan.seed, "options": plan.data_options}
    for keys in split_keys({**config, "data": sources.place(plan.source)}, dataset):
        split = divide(dataset, **how, keys=keys)
        if fingerprint(split) == digest:
            return checked(Prepared(plan, dataset, split, estimator, goes_on=True))
    raise DataError(
        f"{plan.source if config['data'] else 'data'}: has changed since {folder} was begun, so it cannot go on. "
        "Restore the data, or begin anew with force=True."
    )


def storage_places(begun: RunFolder, stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return where checkpoints and features are kept: in the run folder, or where this call says.

    Raises
    ------
    UsageError
        If checkpoints are outside, and this call does not say so.
    """
    out: dict[str, Any] = {}
    for name in ("checkpoint_dir", "cache_dir"):
        if stored.get(name) is None or name in given:
            continue
        place = (begun.path / str(stored[name])).resolve()
        if place.is_relative_to(begun.path.resolve()):
            out[name] = str(place)
        elif name == "cache_dir":  # features that are not found are computed
            out[name] = None
        else:
            raise UsageError(
                f"resume: {begun / CONFIG} says that checkpoints are kept in {place}, outside of the run folder; "
                f"recurra writes and deletes there only if you say so: give checkpoint_dir={str(place)!r}."
            )
    return out


def _begun(folder: Path) -> RunFolder:
    """Return the run that was begun and is not finished, which is in the folder or grows beside it."""
    begun = unfinished(folder)
    if begun is not None:
        return begun
    if (folder / MODEL).is_file():
        raise UsageError(
            f"resume: {folder} is finished; there is nothing to go on with. Train another run with out=."
        )
    if folder.is_dir():
        raise MissingDataError(f"{folder}: no run was begun there: it has no {CONFIG}. Train one.")
    if folder.exists():
        raise UsageError(
            f"resume: {folder} is a file; a training goes on in the run folder it began in. A model file holds no "
            "training to go on with."
        )
    raise MissingDataError(f"{folder}: there is no such run. Train one first: recurra train DATA -o RUN.")


def _plan(folder: Path, config: Mapping[str, Any], data: Any, test: Any) -> tuple[Plan, list[str]]:
    """Return the plan as it was, and the options that only Python can give again."""
    if data is None and config["data"] is None:
        raise UsageError(f"resume: {folder} was trained on objects of Python; give the same data= again.")
    given_test = config["test"] == "given in Python"
    if given_test and test is None:
        raise UsageError(f"resume: {folder} was judged on objects of Python; give the same test= again.")
    if type(config["seed"]) is not int or config["seed"] < 0:
        raise ValueError("seed")
    sources.check_data_options("resume", config["data_words"])
    plan = Plan(
        source=config["data"] if data is None else data,
        folder=folder,
        task=config["task"],
        seed=config["seed"],
        data_options=dict(config["data_words"]),
        options=dict(config["words"]),
        test=config["test"] if test is None else test,
        by=config["by"],
        kind=config.get("kind", "sequence"),  # runs begun by the first builds name none
        begun_with=str(config["command"]),
    )
    return plan, list(config["python_words"])


def _check_options(folder: Path, options: Mapping[str, Any], needed: list[str]) -> None:
    """Raise UsageError at an option that the run has decided, or where one is missing that only Python can give."""
    foreign = [name for name in options if name not in _FREE and name not in needed]
    if foreign:
        raise UsageError(
            f"resume: {folder} has decided {listing(foreign)} already; leave that out, or begin a new run."
        )
    absent = [name for name in needed if name not in options and name != "callbacks"]
    if absent:
        raise UsageError(
            f"resume: {folder} was begun with {listing(absent)} given in Python; give the same again."
        )
