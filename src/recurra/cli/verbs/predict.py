"""``recurra predict``: predictions of a trained network as CSV or JSON lines; needs neither torch nor scikit-learn."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from recurra.checks import counted
from recurra.cli import flags, terminal_output
from recurra.errors import UsageError
from recurra.runs.answers.long_form import SEGMENT_COLUMNS, long_form
from recurra.runs.command_line import as_arguments
from recurra.runs.many_files.predicting import Files, predict_files
from recurra.runs.predict import Wanted, predicted
from recurra.runs.workers.replicas import replicated
from recurra.store import check_place, write_text

FORMATS = ("csv", "jsonl")
# Of files that are written; a device or a pipe has no suffix.
CSV_SUFFIXES, JSON_SUFFIXES = (".csv", ".txt", ""), (".jsonl", ".ndjson", ".json")


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra predict runs/demo new/ --proba -o predictions.csv",
        "recurra predict runs/demo monday.csv tuesday.csv",
        "recurra predict runs/demo 'big/**/*.parquet' --workers 2 -o answers/",
        "echo 1987 | recurra predict runs/roman -",
        "recurra predict runs/load load.csv --horizon 48",
        "recurra predict runs/walking night.edf --segments --min-duration-s 0.5",
        "cat steps.csv | recurra predict runs/gestures - --format jsonl",
    ),
)
@click.argument("run")
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "--output", "--out", "out", help="File to write.  [default: standard output]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes at once, each file into a file of its own below -o FOLDER/.",
)
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
    workers: int | None,
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
    options = flags.given(given)
    into_folder = out is not None and Path(out).is_dir() and not any(Path(one).is_dir() for one in data)
    if workers is not None or into_folder or (out is not None and out.endswith(("/", os.sep))):
        wanted = Wanted(proba, segments, min_duration_s, chunk, horizon, None, beam_size, n_best)
        return _many(run, data, out, form or "csv", wanted, options, workers or 1, as_json)
    suffix = "" if out is None else Path(out).suffix.lower()
    if form is None and suffix not in (*CSV_SUFFIXES, *JSON_SUFFIXES):
        raise UsageError(
            f"predict: answers are written as CSV or JSON lines; got {out!r}. Give a name that ends in .csv, which "
            "spreadsheets open, or in .jsonl, or say which with --format."
        )
    check_place(out)
    by_name = "jsonl" if suffix in JSON_SUFFIXES else "csv"
    progress = terminal_output.progress if sys.stderr.isatty() else None
    wanted = Wanted(proba, segments, min_duration_s, chunk, horizon, progress, beam_size, n_best)
    found = predicted(run, data, wanted, options)
    rows = found.rows
    text = as_text(rows, form or by_name, segments=segments)
    if out is None:
        return terminal_output.data(text)
    write_text(out, text)
    if as_json:
        return terminal_output.flat_json({"n_predicted": len(rows), "output": out})
    terminal_output.result(f"{counted(len(rows), 'prediction')} in {out}")
    if found.labelled and len(data) == 1 and data[0] != "-":
        return terminal_output.next_command("recurra", "eval", run, data[0], *as_arguments(options))
    return None


def _many(
    run: str,
    data: tuple[str, ...],
    out: str | None,
    form: str,
    wanted: Wanted,
    options: dict[str, Any],
    workers: int,
    as_json: bool,
) -> None:
    """Predict each file into a file of its own."""
    if out is None or "-" in data:
        raise UsageError(
            "predict: --workers predicts files into a folder; name the files, and give -o FOLDER/."
        )
    files = Files.of(data, Path(out), f".{form}")
    shown = terminal_output.progress if sys.stderr.isatty() else _no_progress
    with (
        replicated(click.get_current_context().obj["args"], workers),
        shown(len(files.answers), "files") as told,
    ):
        predict_files(
            run,
            files,
            Path(out),
            wanted=wanted,
            options=options,
            as_text=lambda rows: as_text(rows, form, segments=wanted.segments),
            told=told,
        )
    if as_json:
        return terminal_output.flat_json({"n_files": len(files.answers), "output": out})
    return terminal_output.result(f"Predictions of {counted(len(files.answers), 'file')} in {out}")


@contextmanager
def _no_progress(count: int, what: str) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def as_text(rows: list[dict[str, Any]], kind: str, *, segments: bool = False) -> str:
    """Return rows as CSV, one table whatever was answered, or as JSON lines; of no segment the names of its columns."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    flat = long_form(rows)
    out = io.StringIO(newline="")
    names = list(flat[0]) if flat else list(SEGMENT_COLUMNS if segments else ("name", "prediction"))
    writer = csv.DictWriter(out, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()
