"""``recurra generate``: text from a language model, as it is drawn."""

import sys
from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.errors import UsageError
from recurra.runs.answers.generate import generate


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra generate runs/novel --prompt 'It is a truth' --length 400 --temperature 0.7 --seed 0",
        "echo 'It is a truth' | recurra generate runs/novel --prompt -",
    ),
)
@click.argument("run")
@click.option(
    "--prompt", default="", help="What stands before; - reads it from standard input.  [default: nothing]"
)
@click.option(
    "--length", type=click.IntRange(min=0), help="Characters, pieces or words to write.  [default: 500]"
)
@click.option(
    "--temperature", type=float, help="Below 1 the likely becomes likelier; 0 takes it.  [default: 1]"
)
@click.option("--top-k", type=int, help="Draw from so many of the likeliest only.")
@click.option("--top-p", type=float, help="Draw from the likeliest that together have this probability.")
@click.option("--seed", type=int, help="Decides what is drawn.  [default: a new one]")
@click.option(
    "--json", "as_json", is_flag=True, help="Write prompt and text as one flat JSON object at the end."
)
def command(run: str, prompt: str, seed: int | None, as_json: bool, **given: Any) -> None:
    """Write text with the language model of RUN; it comes as it is drawn."""
    if seed is not None and seed < 0:
        raise UsageError(f"generate: seed must be a whole number of at least 0; got {seed}.")
    options = {word: value for word, value in given.items() if value is not None}
    if prompt == "-":
        prompt = sys.stdin.buffer.read().decode("utf-8", errors="replace").removesuffix("\n")
    pieces = generate(run, prompt, random_state=seed, **options)
    if as_json:
        return terminal_output.flat_json({"prompt": prompt, "text": "".join(pieces)})
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return None
