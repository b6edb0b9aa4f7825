"""Text that the language model of a run writes, piece by piece as it is drawn."""

import shlex
from collections.abc import Iterator
from typing import Any

from recurra.errors import UsageError
from recurra.estimators.loading import load_model
from recurra.runs.folder.opening import find_model, task_of


def generate(run: Any, prompt: str = "", **options: Any) -> Iterator[str]:
    """Write on from a prompt with the network of a run.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    prompt : str
        What stands before.
    **options
        Those of `recurra.estimators.text_generator.TextGenerator.write`.

    Returns
    -------
    iterator of str
        Pieces of what follows.

    Raises
    ------
    UsageError
        If the network does not write text, or an option is out of range.
    """
    if task_of(run) != "generate":
        _, _, config = find_model(run)
        raise UsageError(
            f"generate: {run} holds a {config.get('estimator', 'network')}, which does not write text. "
            f"Use: recurra predict {shlex.quote(str(run))} DATA"
        )
    _, path, _ = find_model(run)
    pieces: Iterator[str] = load_model(path).write(prompt, **options)
    return pieces
