"""``recurra tune``: options searched for, the best trained again and judged once."""

import shlex
from typing import Any

import click

from recurra.checks import counted
from recurra.cli import flags, terminal_output
from recurra.cli.verbs.train import show, tell_on_screen
from recurra.runs.command_line import as_arguments
from recurra.runs.search.tune import tune
from recurra.runs.tasks import TASKS
from recurra.runs.workers.replicas import replicated


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra tune japanese-vowels -o runs/search --trials 20 --workers 2",
        "recurra tune recordings/ --budget 30m --search 'hidden_size=16..256,log' --search 'cell=lstm|gru'",
    ),
)
@click.argument("data")
@click.option(
    "-o", "--output", "--out", "out", help="Folder of the search.  [default: runs/ and the name of the data]"
)
@click.option("--task", type=flags.Task(list(TASKS)), help="What to learn.  [default: what the labels say]")
@click.option(
    "--trials", type=int, default=50, help="Trainings in all; the first has the defaults.  [default: 50]"
)
@click.option(
    "--search", multiple=True, help="Range of an option, such as hidden_size=16..256,log or cell=lstm|gru."
)
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Processes at once.  [default: 1]")
@click.option(
    "--test",
    metavar="FILE|SHARE",
    help="What to judge the best on.  [default: the data's own split, else 0.2 with no group on both sides]",
)
@click.option("--by", type=click.Choice(["group", "time", "record"]), help="How a share is held out.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write the figures of the best as the only line on standard output.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@flags.data_flags
@flags.option_flags
def command(data: str, as_json: bool, quiet: bool, workers: int, **given: Any) -> None:
    """Search for options with which a network on DATA does better, train the best again, and judge it once.

    The first trial has the defaults; another is the best only where it is better than that by more than chance.

    Trials are judged inside the training part. The same command goes on with a search that was ended, and joins one that is
    under way, from another machine too where that sees the folder.
    """
    own = {word: given.pop(word) for word in ("out", "task", "trials", "search", "test", "by")}
    options = flags.given(given)
    if "random_state" in options:
        own["seed"] = options.pop("random_state")
    with replicated(click.get_current_context().obj["args"], workers):
        found = tune(data, tell=None if quiet else tell_on_screen, **own, **options)
    if found.run is None:
        return terminal_output.result(f"Done: {found!r}; its best run is in {found.path / 'best'}.")
    if as_json:
        return terminal_output.flat_json(found.run.metrics)
    show(found.run, quiet)
    words = shlex.join(as_arguments(found.best["parameters"])) or "the defaults"
    terminal_output.result(
        f"Trained again, of {counted(len(found.trials), 'trial')}: trial {found.best['trial'] + 1}, {words}. {found.why}"
    )
    return terminal_output.result(f"Search: {found.path / 'search.html'}")
