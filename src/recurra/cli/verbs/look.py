"""``recurra look``: what is in the data, what to watch out for, and settings to begin with."""

import json
import shlex
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.messages import in_flags
from recurra.inspection.control_characters import printable_json
from recurra.runs.look import look
from recurra.runs.tasks import TASKS


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra look recordings/", "recurra look steps.csv --id recording --label gesture"
    ),
)
@click.argument("data")
@click.option(
    "--task", type=flags.Task(list(TASKS)), help="What training would learn.  [default: what the data say]"
)
@click.option("--test", metavar="FILE|SHARE", help="What training would judge on, to look for leaks.")
@click.option("--by", type=click.Choice(["group", "time", "record"]), help="How a share would be held out.")
@click.option("--json", "as_json", is_flag=True, help="Write one flat JSON object.")
@flags.data_flags
def command(
    data: str, task: str | None, test: str | None, by: str | None, as_json: bool, **given: Any
) -> None:
    """Show what is in DATA: counts, lengths, channels, classes, missing values, possible leaks, suggested settings."""
    found = look(data, task=task, test=test, by=by, **flags.given(given))
    if as_json:
        return click.echo(printable_json(json.dumps(found.to_dict(), ensure_ascii=False)))
    for line in found.lines():
        if line.startswith("Classes: "):
            terminal_output.result("Classes:")
            terminal_output.bars(found.class_counts)
        elif not line.startswith(("Settings ", "Next: ")):  # they are in the command
            terminal_output.result(in_flags(line))
    return terminal_output.next_command(*shlex.split(found.next_command))
