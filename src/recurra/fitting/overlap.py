"""What an estimator remembers of its training data, and what an evaluation says where it is judged on them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from recurra.array_summaries import Findings
from recurra.batches.training_digests import TrainedOn

# Beside a model file in a run folder.
FILE = "trained-on.recurra"


def remember(
    estimator: Any,
    values: Sequence[Any],
    *,
    resume: bool = False,
    series: bool = False,
    static: Sequence[Any] | None = None,
    findings: Findings | None = None,
) -> None:
    """Set ``trained_on_``: digests of what was learned from, as it was read and before any feature.

    Parameters
    ----------
    resume : bool, default=False
        Whether what was learned from before counts too.
    series : bool, default=False
        Whether these are series, of which every stretch counts. Stretches of sequences cost more than reading them, and
        are left to ``recurra train``, which keeps them in the run folder.
    static : sequence, optional
        Static inputs of each.
    findings : Findings, optional
        Where digests are kept.
    """
    found = TrainedOn.of_values(values, series=series, stretches=series, static=static, findings=findings)
    estimator.trained_on_ = found.joined(getattr(estimator, "trained_on_", None) if resume else None)


def told(
    estimator: Any,
    evaluation: Any,
    values: Sequence[Any],
    things: str = "",
    *,
    left_out: bool = False,
    static: Sequence[Any] | None = None,
) -> Any:
    """Return the evaluation with how much of its data was trained on, where the estimator knows.

    Parameters
    ----------
    values : sequence
        What was judged on, as read.
    things : {"sequences", "texts", "clips", "sources", "steps"}, optional
        What is counted; by default what the model reads.
    left_out : bool
        Whether what was trained on is not among what was judged.
    static : sequence, optional
        Static inputs of each of ``values``.
    """
    known = getattr(estimator, "trained_on_", None)
    if known is None:  # loaded from a model file alone
        return evaluation
    found = known.overlap(values, things=things or _read_by(estimator.model_), static=static)
    sentence = found.sentence
    if sentence and left_out:
        sentence = f"{sentence.split(': ')[0]}: they are left out, only what came after is judged."
    return replace(
        evaluation,
        metrics={**evaluation.metrics, "n_trained_on": found.known},
        context=replace(evaluation.context, trained_on=sentence),
    )


def _read_by(model: Any) -> str:
    if "video" in model.manifest:
        return "clips"
    return "sequences" if model.features.reads_numbers else "texts"
