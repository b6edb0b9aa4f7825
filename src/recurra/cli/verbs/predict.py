"""``recurra predict``: predictions of a trained network as CSV or JSON lines; needs neither torch nor scikit-learn."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.errors import UsageError
from recurra.runs.predict import predict
from recurra.store import write_text

FORMATS = ("csv", "jsonl")
# Of files that are written; a device or a pipe has no suffix.
CSV_SUFFIXES, JSON_SUFFIXES = (".csv", ".txt", ""), (".jsonl", ".ndjson", ".json")


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra predict runs/demo new/ --proba -o predictions.csv",
        "echo 1987 | recurra predict runs/roman -",
        "recurra predict runs/load load.csv --horizon 48",
        "recurra predict runs/walking night.edf --segments --min-duration-s 0.5",
        "cat steps.csv | recurra predict runs/gestures - --format jsonl",
    ),
)
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", "--out", "out", help="File to write.  [default: standard output]")
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: by the file's name, else csv]")
@click.option("--proba", is_flag=True, help="Add the probability of every class.")
@click.option("--horizon", type=int, help="Steps ahead to forecast.  [default: as trained]")
@click.option("--segments", is_flag=True, help="Labels per step as segments, from when to when.")
@click.option("--min-duration-s", type=float, default=0.0, help="Join shorter segments to a neighbour.")
@click.option(
    "--chunk", type=int, help="Read recordings in chunks of so many steps; the answers are the same."
)
@click.option("--json", "as_json", is_flag=True, help="Write counts as one flat JSON object; needs -o.")
@flags.data_flags
def command(
    run: str,
    data: str,
    out: str | None,
    form: str | None,
    proba: bool,
    segments: bool,
    min_duration_s: float,
    chunk: int | None,
    horizon: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Predict with the network of RUN on DATA, a file, a folder, or - for a table on standard input."""
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
    how: dict[str, Any] = {
        "proba": proba,
        "segments": segments,
        "min_duration_s": min_duration_s,
        "chunk": chunk,
        "horizon": horizon,
        "progress": terminal_output.progress if sys.stderr.isatty() else None,
    }
    rows = predict(run, data, **how, **flags.given(given))
    text = as_text(rows, form or by_name)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return None
    write_text(out, text)
    if as_json:
        return terminal_output.flat_json({"n_predicted": len(rows), "output": out})
    terminal_output.result(f"{len(rows)} predictions in {out}")
    return terminal_output.next_command("recurra", "eval", run, data)


def as_text(rows: list[dict[str, Any]], kind: str) -> str:
    """Return rows as CSV (a label per step gives a line per step) or as JSON lines."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    flat = [line for row in rows for line in (_csv_lines(row) if "step" not in row else [row])]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(
        out, fieldnames=list(flat[0]) if flat else ["name", "prediction"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _csv_lines(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "segments" in row:
        yield from ({"name": row["name"], **one} for one in row["segments"])
        return
    answer, shares = row["prediction"], row.get("probabilities")
    if "cut" in row:
        yield dict(row)
        return
    if isinstance(answer, list) and any(isinstance(number, float) for number in answer):
        yield {"name": row["name"], **{f"prediction_{i + 1}": number for i, number in enumerate(answer)}}
    elif isinstance(answer, list):
        for step, label in enumerate(answer):
            named = {f"p_{name}": share for name, share in shares[step].items()} if shares else {}
            yield {"name": row["name"], "step": step, "prediction": label, **named}
    else:
        named = {f"p_{name}": share for name, share in shares.items()} if shares else {}
        yield {"name": row["name"], "prediction": answer, **named}
