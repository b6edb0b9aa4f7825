"""``recurra predict``: predictions of a trained network as CSV or JSON lines; needs neither torch nor scikit-learn."""

import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, run_folder, screen, series_predictions
from recurra.cli.reading import check_data_words, read_unlabelled
from recurra.errors import DataError, UsageError

FORMATS = ("csv", "jsonl")

# Steps from which a causal network reads in chunks and shows how far it is, and of a chunk.
_LONG, _CHUNK = 1_000_000, 100_000


def predict(
    run: Any,
    data: Any,
    *,
    proba: bool = False,
    segments: bool = False,
    min_duration_s: float = 0.0,
    chunk: int | None = None,
    horizon: int | None = None,
    **words: Any,
) -> list[dict[str, Any]]:
    """Predict with the network of a run.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    data : path, name of a data set, Dataset, DataFrame or list of arrays
        Sequences, with or without labels.
    proba : bool, default=False
        Whether each row also has the probability of every class.
    segments : bool, default=False
        Whether labels per step are given as segments, from when to when.
    min_duration_s : float, default=0.0
        Shorter segments become part of their longer neighbour.
    chunk : int, optional
        Read every sequence in chunks of so many steps, as a stream would; the answers are the same. A causal network
        does so by itself with long recordings, and shows how far it is.
    horizon : int, optional
        Steps ahead, of a network that forecasts; by default those it was trained for.
    **words
        How the data are read; by default as the training data were.

    Returns
    -------
    list of dict
        Of a forecast a row for each step ahead: ``name``, ``step``, ``time`` where there are time stamps, a column for
        each target and, with intervals, ``<target>_low`` and ``<target>_high``. Of anomalies a row for each time step:
        ``name``, ``step``, ``prediction`` (-1 for an anomaly, else 1) and ``score``, the higher the more anomalous.
        Otherwise a row per sequence: ``name``, ``prediction`` (a label, a number, a list of numbers, or a list with one
        per step), and with ``proba`` ``probabilities``, a dictionary (a list of them with a label per step). With
        ``segments``, ``segments`` instead of a prediction: dictionaries with ``label``, ``start_s`` and ``end_s``, and
        ``start`` and ``end`` in steps. Of a translator ``source``, ``prediction``, ``score`` and ``cut``, whether the
        answer had not come to its end.
    """
    from recurra.checks import as_sequences, as_texts

    check_data_words("predict", words)
    if min_duration_s and not segments:
        raise UsageError(
            "predict: min_duration_s= joins short segments; give segments=True too, or leave it out."
        )
    own = series_predictions.open_estimator(run)
    if own is not None:
        if proba:
            raise UsageError("predict: proba needs classes; this network gives numbers or marks.")
        _check_steps_only(segments, chunk, "forecasts or marks single steps")
        return series_predictions.rows(*own, data, words, horizon=horizon)
    if horizon is not None:
        raise UsageError("predict: horizon is for a network that forecasts.")
    model, config = run_folder.open_model(run)
    if "video" in model.manifest:
        _check_steps_only(segments, chunk, "reads clips")
        return _of_clips(run, _one_clip(data) or read_unlabelled(config, data, words), proba)
    if model.task == "translation":
        config = {"task": "translate", **config}  # a model file alone
    dataset = read_unlabelled(config, data, words)
    if model.task == "translation":
        if proba:
            raise UsageError("predict: proba needs classes; this network answers with texts.")
        _check_steps_only(segments, chunk, "answers with texts")
        return _answers(model, dataset)
    sequences: list[Any]
    if model.features.reads_numbers:
        sequences = as_sequences(dataset.X, names=dataset.names)
    else:
        sequences, _ = as_texts(dataset)
    with _reading(model, sequences, chunk) as model:
        return _rows(model, sequences, dataset.names, proba, segments, min_duration_s)


def _check_steps_only(segments: bool, chunk: int | None, network: str) -> None:
    """Raise UsageError at options of networks that read recordings step by step."""
    for word, given in (("segments", segments), ("chunk", chunk is not None)):
        if given:
            raise UsageError(f"predict: {word}= does nothing for a network that {network}; leave it out.")


@contextlib.contextmanager
def _reading(model: Any, sequences: list[Any], chunk: int | None) -> Iterator[Any]:
    """Give the model, or one that reads in chunks and shows how far it is."""
    from recurra.serving.chunked import in_chunks

    steps = sum(map(len, sequences))
    network = model.manifest["network"]
    numbers = model.features.reads_numbers and network is not None and not network["bidirectional"]
    long = steps >= _LONG and numbers
    if chunk is None and not long:
        yield model
    elif not (long and sys.stderr.isatty()):
        yield in_chunks(model, _CHUNK if chunk is None else chunk)
    else:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"{steps:,} steps", total=steps)
            yield in_chunks(model, _CHUNK if chunk is None else chunk, lambda done: bar.advance(task, done))


def _rows(
    model: Any, sequences: list[Any], names: list[str], proba: bool, segments: bool, min_duration_s: float
) -> list[dict[str, Any]]:
    if segments:
        found = model.segments(sequences, names, min_duration_s=min_duration_s)
        return [
            {"name": name, "segments": [asdict(one) for one in own]}
            for name, own in zip(names, found, strict=True)
        ]
    predicted = model.predict(sequences, names)
    rows: list[dict[str, Any]] = [
        {"name": name, "prediction": _plain(answer)} for name, answer in zip(names, predicted, strict=True)
    ]
    if proba:
        if model.task == "regression":
            raise UsageError("predict: proba needs classes; this network predicts numbers.")
        classes = [str(label) for label in model.classes.tolist()]
        for row, shares in zip(rows, model.predict_proba(sequences, names), strict=True):
            row["probabilities"] = _shares(classes, shares)
    return rows


def _one_clip(data: Any) -> Any:
    """Return a folder of images as the one clip it is to a network that reads clips; None for anything else."""
    from recurra.readers.clips import is_clip
    from recurra.records import Dataset, Record

    if not isinstance(data, str | Path) or not Path(data).is_dir() or not is_clip(Path(data)):
        return None
    return Dataset([Record(str(data), name=Path(data).resolve().name)], kind="video", source=str(data))


def _of_clips(run: Any, dataset: Any, proba: bool) -> list[dict[str, Any]]:
    """Predict with the estimator of a run, which needs onnxruntime or torch for its image network."""
    from recurra.estimators.loading import load_model

    estimator = load_model(run_folder.model_file(run))
    answers = zip(dataset.names, estimator.predict(dataset), strict=True)
    rows: list[dict[str, Any]] = [{"name": name, "prediction": _plain(answer)} for name, answer in answers]
    if proba:
        classes = [str(label) for label in estimator.classes_.tolist()]
        for row, shares in zip(rows, estimator.predict_proba(dataset), strict=True):
            row["probabilities"] = _shares(classes, shares)
    return rows


def _answers(model: Any, dataset: Any) -> list[dict[str, Any]]:
    if dataset.kind not in ("pairs", "text"):
        raise DataError(
            f"predict: {dataset.source or 'the data'} holds {dataset.kind} records; this network reads texts. Name "
            "their column with source=."
        )
    params = model.manifest["params"]
    how = {word: params[word] for word in ("beam_size", "length_penalty")}
    answers = model.translate(dataset.X, names=dataset.names, **how)
    return [
        {
            "name": name,
            "source": source,
            "prediction": best.text,
            "score": round(best.score, 6),
            "cut": best.cut,
        }
        for name, source, (best,) in zip(dataset.names, dataset.X, answers, strict=True)
    ]


def _plain(answer: Any) -> Any:
    return answer.tolist() if hasattr(answer, "tolist") else answer


def _shares(classes: list[str], shares: Any) -> Any:
    if shares.ndim == 1:
        return dict(zip(classes, (round(float(share), 7) for share in shares), strict=True))
    return [_shares(classes, step) for step in shares]


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
    by_name = "jsonl" if out is not None and Path(out).suffix in (".jsonl", ".ndjson", ".json") else "csv"
    how: dict[str, Any] = {
        "proba": proba,
        "segments": segments,
        "min_duration_s": min_duration_s,
        "chunk": chunk,
        "horizon": horizon,
    }
    rows = predict(run, data, **how, **flags.given(given))
    text = as_text(rows, form or by_name)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return None
    from recurra.store import write_text

    write_text(out, text)
    if as_json:
        return screen.flat_json({"n_predicted": len(rows), "output": out})
    screen.result(f"{len(rows)} predictions in {out}")
    return screen.next_command("recurra", "eval", run, data)
