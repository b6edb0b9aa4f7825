"""``recurra train``: data to a trained, judged and saved network in a run folder."""

from pathlib import Path
from typing import Any

import click

from recurra.checks import counted
from recurra.cli import flags, terminal_output
from recurra.cli.messages import in_flags
from recurra.cli.next_steps import after_training
from recurra.runs.execute import Run
from recurra.runs.folder.files import MODEL, REPORT
from recurra.runs.plan import default_folder
from recurra.runs.tasks import TASKS
from recurra.runs.train import train
from recurra.runs.workers.launching import launch_workers
from recurra.runs.workers.team import follows, is_worker
from recurra.training.distributed.shards import USUAL_SHARDS, check_workers


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra train japanese-vowels -o runs/demo --seed 0",
        "recurra train recordings/ -o runs/first",
        "recurra train pairs.csv --task translate --source decimal --target roman",
        "recurra train load.csv --task forecast --target MW --time date --horizon 24",
        "recurra train steps.csv --id recording --label gesture --group person --test new.csv",
    ),
)
@click.argument("data")
@click.option("-o", "--output", "--out", "out", help="Run folder.  [default: runs/ and the name of the data]")
@click.option("--task", type=flags.Task(list(TASKS)), help="What to learn.  [default: what the labels say]")
@click.option(
    "--test",
    metavar="FILE|SHARE|0",
    help="What to judge on.  [default: the data's own split, else 0.2 with no group on both sides]",
)
@click.option("--by", type=click.Choice(["group", "time", "record"]), help="How a share is held out.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that train together on this machine; the weights are the same for any number of them.",
)
@click.option("--force", is_flag=True, help="Replace the run in the folder once the new one is whole.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write metrics.json, flat, as the only line on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary of the data.")
@flags.data_flags
@flags.option_flags
def command(data: str, as_json: bool, quiet: bool, workers: int | None, **given: Any) -> int | None:
    """Train a network on DATA, judge it and save it in a run folder.

    DATA is a folder with one sub-folder per class, a folder with labels.csv, a table with a row per time step or per
    sequence, a .ts, .npy or .npz file, or the name of a data set (recurra datasets).
    """
    own = {word: given.pop(word) for word in ("out", "task", "test", "by", "force")}
    options = flags.given(given)
    if workers is not None and not is_worker():
        options.setdefault("shards", USUAL_SHARDS)
        check_workers(workers, options["shards"])
        if workers > 1:
            folder = default_folder(data) if own["out"] is None else Path(own["out"])
            return launch_workers(click.get_current_context().obj["args"], workers, folder)
    quiet = quiet or follows()
    if quiet:
        options.setdefault("verbose", 0)
    else:
        terminal_output.how_to_stop()
    if int(options.get("verbose", 1)) > 1:
        terminal_output.log_to_stderr()
    run = train(data, tell=None if quiet else tell_on_screen, **own, **options)
    if follows():
        return None
    if as_json:
        terminal_output.flat_json(run.metrics)
    else:
        show(run, quiet)
    return None


def tell_on_screen(line: str) -> None:
    """Show a line about what happens, on standard error."""
    head, _, rest = line.partition(": ")
    terminal_output.warn(in_flags(rest)) if head == "Warning" else terminal_output.say(in_flags(line))


def show(run: Run, quiet: bool) -> None:
    """Show what came of a run, and what to do next."""
    training = run.estimator.model_.manifest["training"]
    if not quiet:
        terminal_output.say(
            f"Trained {counted(training['epochs'], 'epoch')} in {training['seconds']:.1f} s, seed {run.metrics['seed']}."
        )
    if run.evaluation is None:
        terminal_output.result("Trained on everything; nothing was held out to judge it on.")
        terminal_output.result(f"Model:  {run.path / MODEL}")
        return terminal_output.next_command(*after_training(run))
    terminal_output.result(run.evaluation.summary())
    if run.evaluation.explainable:
        context = run.evaluation.context
        # What the estimator warned of was shown as it came; the rest only where it was told on the way.
        own = f"{type(run.estimator).__name__}: "
        told = {warning for warning in context.warnings if not quiet or warning.startswith(own)}
        told |= set() if quiet else set(context.leaks or ())
        for finding in run.evaluation.findings():
            if finding not in told:
                terminal_output.warn(in_flags(finding))
    terminal_output.result(f"Report: {run.path / REPORT}")
    return terminal_output.next_command(*after_training(run))
