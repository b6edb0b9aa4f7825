"""``recurra eval``: judge a trained network on its test part, or on new data."""

from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.messages import in_flags
from recurra.cli.next_steps import after_judging
from recurra.runs.evaluate import evaluate, page_name, page_path


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples("recurra eval runs/demo", "recurra eval runs/gestures new.csv --name march"),
)
@click.argument("run")
@click.argument("data", required=False)
@click.option("--name", help="Of the files eval-NAME.html and eval-NAME.json.  [default: that of the data]")
@click.option("--json", "as_json", is_flag=True, help="Write the figures as one flat JSON object.")
@flags.data_flags
def command(run: str, data: str | None, name: str | None, as_json: bool, **given: Any) -> None:
    """Judge the network of RUN on its test part, or on labelled DATA, and add a page to the run folder.

    RUN may be a model file; DATA are then needed, and the page is written beside it.
    """
    options = flags.given(given)
    evaluation = evaluate(run, data, name=name, **options)
    if as_json:
        if evaluation.context.trained_on:
            terminal_output.warn(evaluation.context.trained_on)
        return terminal_output.flat_json(evaluation.metrics)
    report = page_path(run, page_name(data, name))
    terminal_output.say(f"Judged on: {evaluation.context.split}")
    terminal_output.result(evaluation.summary())
    if evaluation.explainable:
        for finding in evaluation.findings():
            terminal_output.warn(in_flags(finding))
    terminal_output.result(f"Report: {report}")
    return terminal_output.next_command(*after_judging(run, data, options, evaluation))
