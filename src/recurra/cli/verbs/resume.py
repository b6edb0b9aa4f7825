"""``recurra resume``: go on with a run that was interrupted or killed, to the end it would have had."""

from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.verbs.train import show, tell_on_screen
from recurra.runs.resume import resume_run
from recurra.runs.workers.launching import launch_workers
from recurra.runs.workers.team import follows, is_worker


@click.command(cls=flags.SectionedCommand, epilog=flags.examples("recurra resume runs/first"))
@click.argument("run")
@click.argument("data", required=False)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that go on together, as many as there are shards at most.",
)
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
    workers: int | None,
) -> int | None:
    """Go on with RUN where it was interrupted or killed; it ends with the weights it would have ended with.

    Everything is taken from the run folder. DATA need only be given if the data have moved; data that have changed are
    refused.
    """
    if workers is not None and workers > 1 and not is_worker():
        return launch_workers(click.get_current_context().obj["args"], workers, Path(run))
    quiet = quiet or follows()
    options: dict[str, Any] = {"verbose": 0} if quiet else {}
    own = {"device": device, "checkpoint_dir": checkpoint_dir, "cache_dir": cache_dir}
    options |= {name: value for name, value in own.items() if value is not None}
    if not quiet:
        terminal_output.how_to_stop()
    done = resume_run(run, data, tell=(lambda line: None) if quiet else tell_on_screen, **options)
    if follows():
        return None
    if as_json:
        terminal_output.flat_json(done.metrics)
    else:
        show(done, quiet)
    return None
