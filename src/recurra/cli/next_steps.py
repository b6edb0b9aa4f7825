"""The command to run next, made from the facts of this call; none where none could be run as typed."""

from collections.abc import Mapping
from typing import Any

from recurra.evaluation.report.page import is_signal
from recurra.runs.command_line import as_arguments
from recurra.runs.folder.opening import find_model


def after_training(run: Any) -> list[str]:
    """Return what to do with a run that was just trained.

    Parameters
    ----------
    run : Run
        What training made.
    """
    if run.evaluation is not None and can_be_explained(run.evaluation):
        worst = next(iter(run.evaluation.worst_positions()), 0)
        return ["recurra", "explain", str(run.path), "--index", str(worst)]
    return to_answer(str(run.path), None, {}, judged=run.evaluation is not None)


def after_judging(run: str, data: str | None, options: Mapping[str, Any], evaluation: Any) -> list[str]:
    """Return what to do with a network that was just judged.

    Parameters
    ----------
    run : str
        Run folder or model file, as it was typed.
    data : str or None
        What it was judged on; None for the run's own test part.
    options : mapping
        How the data are read.
    evaluation : Evaluation
        The result.
    """
    if can_be_explained(evaluation):
        worst = next(iter(evaluation.worst_positions()), 0)
        return ["recurra", "explain", run, *again(data, options, "target"), "--index", str(worst)]
    return to_answer(run, data, options, judged=False)


def again(data: str | None, options: Mapping[str, Any], *left_out: str) -> list[str]:
    """Return data and how they are read, as they are typed again; without options that the next verb does not take."""
    kept = {word: value for word, value in options.items() if word not in left_out}
    return [] if data is None else [data, *as_arguments(kept)]


def can_be_explained(evaluation: Any) -> bool:
    """Return whether `recurra explain` takes what was judged; labels of words are not explained."""
    if not evaluation.explainable:
        return False
    return (
        evaluation.task != "labeling" or not evaluation.sequences or bool(is_signal(evaluation.sequences[0]))
    )


def to_answer(run: str, data: str | None, options: Mapping[str, Any], *, judged: bool) -> list[str]:
    """Return the command that lets the network answer: on these data, or on those it was trained on."""
    _, _, config = find_model(run)
    if config.get("task") == "generate":
        return ["recurra", "generate", run, "--length", "300"]
    words = {**config.get("data_words", {}), **options}
    if words.get("known"):  # a forecast needs rows that lie ahead, which these data need not have
        return ["recurra", "eval", run] if judged else []
    source = data if data is not None else config.get("data")
    return ["recurra", "predict", run, *again(source, options)] if source else []
