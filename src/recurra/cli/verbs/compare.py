"""``recurra compare``: runs side by side, and whether their difference is more than noise."""

from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.next_steps import again
from recurra.runs.compare import compare

SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "exact_match",
    "skill",
    "rmse",
    "mae",
    "smape",
    "r2",
    "n_test",
    "train_seconds",
)


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples("recurra compare runs/lstm runs/gru runs/rnn --data new.csv"),
)
@click.argument("runs", nargs=-1, metavar="RUN RUN...")
@click.option("--data", help="Labelled data to judge all runs on.  [default: their test part]")
@click.option(
    "--json", "as_json", is_flag=True, help="Write one flat JSON object, each figure as RUN.FIGURE."
)
@flags.data_flags
def command(runs: tuple[str, ...], data: str | None, as_json: bool, **given: Any) -> None:
    """Put runs side by side on the same test sequences and say whether their difference is more than noise."""
    options = flags.given(given)
    found = compare(*runs, data=data, **options)
    if as_json:
        figures = {f"{run['name']}.{figure}": value for run in found.runs for figure, value in run.items()}
        tests = {f"{pair.first}.{pair.second}.p_value": pair.p_value for pair in found.pairs}
        return terminal_output.flat_json(
            {name: value for name, value in (figures | tests).items() if not name.endswith(".name")}
        )
    for run in found.runs:
        if run.get("n_trained_on"):
            terminal_output.warn(
                f"{run['name']} was trained on {run['n_trained_on']:,} of what all runs are judged on."
            )
    shown = [figure for figure in SHOWN if any(figure in run for run in found.runs)]
    rows = [[run["name"], *(_cell(run.get(figure)) for figure in shown)] for run in found.runs]
    first = found.runs[0]
    rows.append(["naive answer", *(_cell(first.get(f"{figure}_baseline")) for figure in shown)])
    terminal_output.table(["run", *shown], rows)
    terminal_output.result()
    terminal_output.result(str(found))
    best = next(
        run
        for run in runs
        if Path(run).resolve().name == found.runs[0]["name"] or run == found.runs[0]["name"]
    )
    return terminal_output.next_command("recurra", "eval", best, *again(data, options))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
