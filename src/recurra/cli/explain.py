"""``recurra explain``: which values of one sequence speak for its prediction."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, run_folder, screen
from recurra.cli.reading import check_data_words, judged_part
from recurra.errors import UsageError

DEFAULT_METHOD = "integrated_gradients"
SUFFIXES = (".png", ".svg", ".json")
CLOUD_SUFFIXES = (".png", ".svg")


def explain(
    run: Any,
    data: Any = None,
    *,
    index: int = 0,
    method: str = "integrated_gradients",
    target: Any = None,
    step: int | None = None,
    **words: Any,
) -> Any:
    """Explain one prediction of the network of a run.

    Parameters
    ----------
    run : path
        Run folder.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        The run's own test part by default.
    index : int, default=0
        Which sequence of what ``evaluate`` judges on, from 0.
    method : {"integrated_gradients", "occlusion", "gradient_times_input"}
        How it is found out.
    target : label or int, optional
        What to explain; the predicted class by default.
    step : int, optional
        With a label per time step: the step whose label is explained.
    **words
        How the data are read; by default as the training data were.

    Returns
    -------
    Explanation

    Raises
    ------
    UsageError
        If there is no such sequence or class.
    """
    estimator, sequence, _ = _chosen(run, data, index, words)
    return _explained(estimator, sequence, method, target, step)


def _chosen(run: Any, data: Any, index: int, words: dict[str, Any]) -> tuple[Any, Any, str]:
    """Return the estimator of a run, one sequence, and what to call it."""
    from recurra.estimators.loading import load_model

    check_data_words("explain", words)
    folder = run_folder.open_run(run)
    config = folder.config()
    dataset, _ = judged_part(folder, config, data, words, who="explain", labelled=False)
    if not 0 <= index < len(dataset):
        raise UsageError(f"explain: index must be in 0..{len(dataset) - 1}; got {index}.")
    record = dataset[index]
    return load_model(folder / run_folder.MODEL), record.values, record.name or f"sequence {index}"


def _explained(estimator: Any, sequence: Any, method: str, target: Any, step: int | None) -> Any:
    if estimator.model_.task == "translation":
        how = "attention" if method == DEFAULT_METHOD else method
        return estimator.explain(sequence, method=how, target=target)
    known = (
        {str(label): label for label in estimator.classes_.tolist()} if hasattr(estimator, "classes_") else {}
    )
    return estimator.explain(sequence, method=method, target=known.get(str(target), target), step=step)


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra explain runs/demo --index 3 -o why.svg",
        "recurra explain runs/reports --wordcloud words.svg",
    ),
)
@click.argument("run")
@click.argument("data", required=False)
@click.option(
    "--index",
    type=int,
    default=0,
    show_default=True,
    help="Which sequence of the test part or of DATA, from 0.",
)
@click.option(
    "--method",
    default="integrated_gradients",
    show_default=True,
    help="integrated_gradients, occlusion or gradient_times_input.",
)
@click.option(
    "--step", type=int, help="With a label per time step: the step to explain, from 0.  [default: all]"
)
@click.option(
    "--for", "target", help="Class, or number of the output, to explain.  [default: the predicted class]"
)
@click.option(
    "-o", "--output", "--out", "out", help="PNG, SVG or JSON file.  [default: figures/explain-N.svg in RUN]"
)
@click.option(
    "--wordcloud",
    type=click.Path(dir_okay=False),
    help="PNG or SVG file: draw the words that speak for each class instead, for networks that read text.",
)
@click.option("--json", "as_json", is_flag=True, help="Write name, target and file as one flat JSON object.")
@partial(flags.data_flags, leave_out=("target",))
def command(
    run: str,
    data: str | None,
    index: int,
    method: str,
    target: str | None,
    step: int | None,
    out: str | None,
    wordcloud: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Show which values of one sequence speak for, and which against, its prediction by the network of RUN.

    Beside the picture a second one, its name ending in -inside.svg, shows every gate and state over time.
    """
    if wordcloud is not None:
        return _word_cloud(run, data, Path(wordcloud), flags.given(given), as_json)
    folder = run_folder.open_run(run)
    path = Path(out) if out is not None else folder.to_write(f"{run_folder.FIGURES}/explain-{index}.svg")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"explain: the file must end in {', '.join(SUFFIXES)}; got {path.name!r}.")
    estimator, sequence, name = _chosen(run, data, index, flags.given(given))
    found = _explained(estimator, sequence, method, target, step)
    if out is None:
        path.parent.mkdir(exist_ok=True)
    _write(found, path)
    inside = _write_inside(estimator, sequence, name, path)
    if as_json:
        facts = {
            "index": index,
            "target": " ".join(found.target) if isinstance(found.target, tuple) else found.target,
            "method": found.method,
            "error": found.error,
            "output": str(path),
        }
        return screen.flat_json(facts | ({"inside": str(inside[0])} if inside else {}))
    screen.result(found.summary())
    screen.result(f"Picture: {path}" if path.suffix.lower() != ".json" else f"Values: {path}")
    if inside:
        screen.result(inside[1])
        screen.result(f"Gates and states: {inside[0]}")
    return screen.next_command(
        "recurra", "explain", run, *([data] if data else []), "--index", str(index + 1)
    )


def _word_cloud(run: str, data: str | None, path: Path, words: dict[str, Any], as_json: bool) -> None:
    """Draw the words of what the network is judged on, sized by how far they speak for their class."""
    from recurra.estimators.loading import load_model

    if path.suffix.lower() not in CLOUD_SUFFIXES:
        raise UsageError(f"explain: a word cloud must end in {', '.join(CLOUD_SUFFIXES)}; got {path.name!r}.")
    check_data_words("explain", words)
    folder = run_folder.open_run(run)
    dataset, _ = judged_part(folder, folder.config(), data, words, who="explain", labelled=False)
    estimator = load_model(folder / run_folder.MODEL)
    if not hasattr(estimator, "word_cloud"):
        raise UsageError(
            f"explain: {run} holds a {type(estimator).__name__}; word clouds are for networks that read text."
        )
    _save(estimator.word_cloud(dataset), path)
    if as_json:
        return screen.flat_json({"output": str(path), "texts": len(dataset)})
    screen.result(f"Picture: {path}")
    return screen.next_command("recurra", "explain", run, *([data] if data else []))


def _write_inside(estimator: Any, sequence: Any, name: str, path: Path) -> tuple[Path, str] | None:
    """Write the gates and states beside the explanation; return file and summary, None for a user's own network."""
    if estimator.model_.manifest["network"] is None or estimator.model_.task == "translation":
        return None
    if not estimator.model_.features.reads_numbers:
        return None
    trace = estimator.trace(sequence, name=name)
    inside = path.with_name(f"{path.stem}-inside.svg")
    trace.plot().save(inside)
    return inside, trace.summary()


def _write(found: Any, path: Path) -> None:
    """Write the picture, or with a name ending in ``.json`` the values, in one step."""
    from recurra.store import write_text

    if path.suffix.lower() == ".json":
        write_text(path, json.dumps(found.to_dict(), default=str) + "\n")
    else:
        _save(found.plot(), path)


def _save(figure: Any, path: Path) -> None:
    """Write a figure as PNG or SVG in one step."""
    import io

    from recurra.store import write_bytes

    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:], bbox_inches="tight", dpi=160)
    write_bytes(path, buffer.getvalue())
