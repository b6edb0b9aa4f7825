"""``recurra explain``: which values of one sequence speak for its prediction."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, run_folder, screen
from recurra.cli.reading import check_data_words, judged_part
from recurra.errors import UsageError

SUFFIXES = (".png", ".svg", ".json")


def explain(
    run: Any,
    data: Any = None,
    *,
    index: int = 0,
    method: str = "gradient_times_input",
    target: Any = None,
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
    method : {"gradient_times_input"}
        How it is found out.
    target : label or int, optional
        What to explain; the predicted class by default.
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
    from recurra.estimators.loading import load_model

    check_data_words("explain", words)
    folder = run_folder.open_run(run)
    config = folder.config()
    dataset, _ = judged_part(folder, config, data, words, labelled=False)
    if not 0 <= index < len(dataset):
        raise UsageError(f"explain: index must be in 0..{len(dataset) - 1}; got {index}.")
    estimator = load_model(folder / run_folder.MODEL)
    known = (
        {str(label): label for label in estimator.classes_.tolist()} if hasattr(estimator, "classes_") else {}
    )
    return estimator.explain(dataset[index].values, method=method, target=known.get(str(target), target))


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples("recurra explain runs/demo --index 3 -o why.svg"),
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
@click.option("--method", default="gradient_times_input", show_default=True, help="How it is found out.")
@click.option(
    "--for", "target", help="Class, or number of the output, to explain.  [default: the predicted class]"
)
@click.option(
    "-o", "--output", "--out", "out", help="PNG, SVG or JSON file.  [default: figures/explain-N.svg in RUN]"
)
@click.option("--json", "as_json", is_flag=True, help="Write name, target and file as one flat JSON object.")
@partial(flags.data_flags, leave_out=("target",))
def command(
    run: str,
    data: str | None,
    index: int,
    method: str,
    target: str | None,
    out: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Show which values of one sequence speak for, and which against, its prediction by the network of RUN."""
    folder = run_folder.open_run(run)
    path = Path(out) if out is not None else folder / run_folder.FIGURES / f"explain-{index}.svg"
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"explain: the file must end in {', '.join(SUFFIXES)}; got {path.name!r}.")
    found = explain(run, data, index=index, method=method, target=target, **flags.given(given))
    if out is None:
        path.parent.mkdir(exist_ok=True)
    _write(found, path)
    if as_json:
        return screen.flat_json(
            {"index": index, "target": found.target, "method": method, "output": str(path)}
        )
    screen.result(found.summary())
    screen.result(f"Picture: {path}" if path.suffix.lower() != ".json" else f"Values: {path}")
    return screen.next_command(
        "recurra", "explain", run, *([data] if data else []), "--index", str(index + 1)
    )


def _write(found: Any, path: Path) -> None:
    """Write the picture, or with a name ending in ``.json`` the values, in one step."""
    import io

    from recurra.store import write_bytes, write_text

    kind = path.suffix.lower()
    if kind == ".json":
        write_text(path, json.dumps(found.to_dict(), default=str) + "\n")
    else:
        buffer = io.BytesIO()
        found.plot().savefig(buffer, format=kind[1:], bbox_inches="tight", dpi=160)
        write_bytes(path, buffer.getvalue())
