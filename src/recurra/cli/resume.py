"""``recurra resume``: go on with a run that was interrupted or killed, to the end it would have had."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recurra.checks import listing
from recurra.cli import flags, parts, run_folder, screen
from recurra.cli.reading import check_data_words
from recurra.cli.train import Plan, Run, Tell, carry_out, show, tell_on_screen
from recurra.errors import DataError, MissingDataError, StoreError, UsageError

# What may be given again; everything else is what it was.
_FREE = ("callbacks", "cache_dir", "checkpoint_dir", "device", "verbose")


def go_on(run: Any, data: Any = None, *, test: Any = None, tell: Tell, **words: Any) -> Run:
    """Go on with a run; see ``resume`` of `recurra.train`.

    Parameters
    ----------
    run : path
        Run folder.
    data, test : optional
        Where they were objects of Python, or files that have moved since.
    **words
        Those that were objects of Python (``network``, ...), ``callbacks``, ``device``, ``verbose``; and
        ``checkpoint_dir`` and ``cache_dir`` where they lie outside of the run folder: a configuration may come from
        anywhere, and nothing is written or deleted where it says.

    Raises
    ------
    MissingDataError
        If there is no run, or its data are gone.
    UsageError
        If the run is finished, or another process trains into it, or a word is given that it has decided, or one is
        missing.
    DataError
        If the data have changed.
    """
    folder = Path(run)
    _begun(folder)
    with run_folder.owned(folder):
        return _go_on(folder, data, test=test, tell=tell, words=words)


def _go_on(folder: Path, data: Any, *, test: Any, tell: Tell, words: dict[str, Any]) -> Run:
    begun = _begun(folder)
    config = begun.config()
    try:
        plan, needed = _plan(folder, config, data, parts.test_of(test))
        begin = flags.estimator_class(plan.task, plan.kind)
        digest, begun_words = config["data_digest"], dict(config["words"])
        known = flags.defaults(plan.task, plan.kind)
        if foreign := [word for word in begun_words if word not in known]:
            raise KeyError(foreign[0])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise StoreError(
            f"{begun / run_folder.CONFIG}: is damaged: {error!r} is missing or makes no sense. Train again with force=True."
        ) from None
    _check_words(folder, words, needed, begun_words)
    begun_words |= _places(begun, begun_words, words)
    estimator = begin(**{**begun_words, **words, flags.SEED: plan.seed})
    dataset = parts.load_again(config) if data is None else parts.load_like(data, plan.data_words, {})
    how = {"test": plan.test, "by": plan.by, "seed": plan.seed, "words": plan.data_words}
    for keys in parts.split_keys({**config, "data": parts.place(plan.source)}, dataset):
        divided = parts.divide(dataset, **how, keys=keys)
        if parts.fingerprint(divided) == digest:
            return carry_out(plan, dataset, estimator, tell, divided=divided)
    raise DataError(
        f"{plan.source if config['data'] else 'data'}: has changed since {folder} was begun, so it cannot go on. "
        "Restore the data, or begin anew with force=True."
    )


def _places(
    begun: run_folder.RunFolder, stored: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where checkpoints and features are kept: in the run folder, or where this call says.

    Raises
    ------
    UsageError
        If checkpoints are outside, and this call does not say so.
    """
    out: dict[str, Any] = {}
    for word in ("checkpoint_dir", "cache_dir"):
        if stored.get(word) is None or word in given:
            continue
        place = (begun.path / str(stored[word])).resolve()
        if place.is_relative_to(begun.path.resolve()):
            out[word] = str(place)
        elif word == "cache_dir":  # features that are not found are computed
            out[word] = None
        else:
            raise UsageError(
                f"resume: {begun / run_folder.CONFIG} says that checkpoints are kept in {place}, outside of the run folder; "
                f"recurra writes and deletes there only if you say so: give checkpoint_dir={str(place)!r}."
            )
    return out


def _begun(folder: Path) -> run_folder.RunFolder:
    begun = run_folder.unfinished(folder)
    if begun is not None:
        return begun
    if (folder / run_folder.MODEL).is_file():
        raise UsageError(
            f"resume: {folder} is finished; there is nothing to go on with. Train another run with out=."
        )
    if folder.is_dir():
        raise MissingDataError(f"{folder}: no run was begun there: it has no {run_folder.CONFIG}. Train one.")
    raise MissingDataError(f"{folder}: there is no such run. Train one first: recurra train DATA -o RUN.")


def _plan(folder: Path, config: Mapping[str, Any], data: Any, test: Any) -> tuple[Plan, list[str]]:
    """Return the plan as it was, and the words that only Python can give again."""
    if data is None and config["data"] is None:
        raise UsageError(f"resume: {folder} was trained on objects of Python; give the same data= again.")
    given_test = config["test"] == "given in Python"
    if given_test and test is None:
        raise UsageError(f"resume: {folder} was judged on objects of Python; give the same test= again.")
    if type(config["seed"]) is not int or config["seed"] < 0:
        raise ValueError("seed")
    check_data_words("resume", config["data_words"])
    plan = Plan(
        source=config["data"] if data is None else data,
        folder=folder,
        task=config["task"],
        seed=config["seed"],
        data_words=dict(config["data_words"]),
        words=dict(config["words"]),
        test=config["test"] if test is None else test,
        by=config["by"],
        kind=config.get("kind", "sequence"),  # runs begun by the first builds name none
        begun_with=str(config["command"]),
    )
    return plan, list(config["python_words"])


def _check_words(folder: Path, words: Mapping[str, Any], needed: list[str], begun: Mapping[str, Any]) -> None:
    foreign = [word for word in words if word not in _FREE and word not in needed]
    if foreign:
        raise UsageError(
            f"resume: {folder} has decided {listing(foreign)} already; leave that out, or begin a new run."
        )
    absent = [word for word in needed if word not in words and word != "callbacks"]
    if absent:
        raise UsageError(
            f"resume: {folder} was begun with {listing(absent)} given in Python; give the same again."
        )


@click.command(cls=flags.SectionedCommand, epilog=flags.examples("recurra resume runs/first"))
@click.argument("run")
@click.argument("data", required=False)
@click.option("--device", help="torch device to go on with.  [default: that of the run]")
@click.option("--checkpoint-dir", help="Where the run keeps its checkpoints, if outside of its folder.")
@click.option("--cache-dir", help="Where features of clips are kept, if elsewhere than usual.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write metrics.json, flat, as the only line on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary of the data.")
def command(
    run: str,
    data: str | None,
    device: str | None,
    checkpoint_dir: str | None,
    cache_dir: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Go on with RUN where it was interrupted or killed; it ends with the weights it would have ended with.

    Everything is taken from the run folder. DATA need only be given if the data have moved; data that have changed are
    refused.
    """
    words: dict[str, Any] = {"verbose": 0} if quiet else {}
    own = {"device": device, "checkpoint_dir": checkpoint_dir, "cache_dir": cache_dir}
    words |= {word: value for word, value in own.items() if value is not None}
    if not quiet:
        screen.how_to_stop()
    done = go_on(run, data, tell=(lambda line: None) if quiet else tell_on_screen, **words)
    if as_json:
        return screen.flat_json(done.metrics)
    return show(done, quiet)
