"""``recurra predict``: predictions of a trained network as CSV or JSON lines; needs neither torch nor scikit-learn."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.errors import UsageError
from recurra.runs.answers.long_form import long_form
from recurra.runs.command_line import as_arguments
from recurra.runs.predict import Wanted, predicted
from recurra.store import write_text

FORMATS = ("csv", "jsonl")
# Of files that are written; a device or a pipe has no suffix.
CSV_SUFFIXES, JSON_SUFFIXES = (".csv", ".txt", ""), (".jsonl", ".ndjson", ".json")


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra predict runs/demo new/ --proba -o predictions.csv",
        "recurra predict runs/demo monday.csv tuesday.csv",
        "echo 1987 | recurra predict runs/roman -",
        "recurra predict runs/load load.csv --horizon 48",
        "recurra predict runs/walking night.edf --segments --min-duration-s 0.5",
        "cat steps.csv | recurra predict runs/gestures - --format jsonl",
    ),
)
@click.argument("run")
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", "--out", "out", help="File to write.  [default: standard output]")
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: by the file's name, else csv]")
@click.option("--proba", is_flag=True, help="Add the probability of every class.")
@click.option("--horizon", type=int, help="Steps ahead to forecast.  [default: as trained]")
@click.option(
    "--segments", is_flag=True, help="Labels per step, or anomalies, as segments from when to when."
)
@click.option(
    "--min-duration-s",
    type=float,
    default=0.0,
    help="Join shorter segments to a neighbour; of anomalies, drop them.",
)
@click.option(
    "--beam-size", type=int, help="Of a translator: beginnings kept at every step.  [default: as trained]"
)
@click.option("--n-best", type=int, default=1, help="Of a translator: answers to each source.  [default: 1]")
@click.option(
    "--chunk", type=int, help="Read recordings in chunks of so many steps; the answers are the same."
)
@click.option("--json", "as_json", is_flag=True, help="Write counts as one flat JSON object; needs -o.")
@flags.data_flags
def command(
    run: str,
    data: tuple[str, ...],
    out: str | None,
    form: str | None,
    proba: bool,
    segments: bool,
    min_duration_s: float,
    chunk: int | None,
    horizon: int | None,
    beam_size: int | None,
    n_best: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Predict with the network of RUN on DATA: files, a folder, or - for what comes on standard input.

    That is a table; for a network that reads texts also a text a line. Answers are one table: name, step and time of each
    row, and what is answered.
    """
    if as_json and out is None:
        raise UsageError(
            "predict: predictions and --json both want standard output; write the predictions with -o FILE."
        )
    suffix = "" if out is None else Path(out).suffix.lower()
    if form is None and suffix not in (*CSV_SUFFIXES, *JSON_SUFFIXES):
        raise UsageError(
            f"predict: answers are written as CSV or JSON lines; got {out!r}. Give a name that ends in .csv, which "
            "spreadsheets open, or in .jsonl, or say which with --format."
        )
    by_name = "jsonl" if suffix in JSON_SUFFIXES else "csv"
    progress = terminal_output.progress if sys.stderr.isatty() else None
    wanted = Wanted(proba, segments, min_duration_s, chunk, horizon, progress, beam_size, n_best)
    options = flags.given(given)
    found = predicted(run, data, wanted, options)
    rows = found.rows
    text = as_text(rows, form or by_name)
    if out is None:
        return terminal_output.data(text)
    write_text(out, text)
    if as_json:
        return terminal_output.flat_json({"n_predicted": len(rows), "output": out})
    terminal_output.result(f"{len(rows)} predictions in {out}")
    if found.labelled and len(data) == 1 and data[0] != "-":
        return terminal_output.next_command("recurra", "eval", run, data[0], *as_arguments(options))
    return None


def as_text(rows: list[dict[str, Any]], kind: str) -> str:
    """Return rows as CSV, one table whatever was answered, or as JSON lines."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    flat = long_form(rows)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(
        out, fieldnames=list(flat[0]) if flat else ["name", "prediction"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()
