"""``recurra explain``: which values of one sequence speak for its prediction."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.next_steps import again
from recurra.runs.explain import DEFAULT_METHOD, ExplanationFiles, write_explanation, write_word_cloud


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
    default=DEFAULT_METHOD,
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
    "-o",
    "--output",
    "--out",
    "out",
    help="PNG, SVG, PDF or JSON file.  [default: figures/explain-N.svg in RUN]",
)
@click.option(
    "--wordcloud",
    type=click.Path(dir_okay=False),
    help="PNG, SVG or PDF file: draw the words that speak for each class instead, for networks that read text.",
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
    options = flags.given(given)
    command = ["recurra", "explain", run, *again(data, options)]
    if wordcloud is not None:
        flags.refuse_typed(
            ["index", "method", "step", "target", "out"], "beside --wordcloud, which draws all texts"
        )
        n_texts = write_word_cloud(run, data, Path(wordcloud), **options)
        if as_json:
            return terminal_output.flat_json({"output": str(Path(wordcloud)), "texts": n_texts})
        terminal_output.result(f"Picture: {Path(wordcloud)}")
        return terminal_output.next_command(*command)
    how: dict[str, Any] = {"out": out, "index": index, "method": method, "target": target, "step": step}
    written = write_explanation(run, data, **how, **options)
    if as_json:
        return terminal_output.flat_json(_facts(written, index))
    terminal_output.result(written.explanation.summary())
    terminal_output.result(
        f"{'Values' if written.path.suffix.lower() == '.json' else 'Picture'}: {written.path}"
    )
    if written.inside is not None:
        terminal_output.result(written.inside_summary)
        terminal_output.result(f"Gates and states: {written.inside}")
    return terminal_output.next_command(*command, *_another(written, index))


def _another(written: ExplanationFiles, index: int) -> list[str]:
    """Return the words that explain another sequence, or the only one in another way."""
    if written.others:
        return ["--index", str((index + 1) % (written.others + 1))]
    ways = {"integrated_gradients": "occlusion", "attention": "attention"}
    return ["--method", ways.get(written.explanation.method, "integrated_gradients")]


def _facts(written: ExplanationFiles, index: int) -> dict[str, Any]:
    found = written.explanation
    facts = {
        "index": index,
        "target": " ".join(found.target) if isinstance(found.target, tuple) else found.target,
        "method": found.method,
        "error": found.error,
        "output": str(written.path),
    }
    return facts if written.inside is None else {**facts, "inside": str(written.inside)}
