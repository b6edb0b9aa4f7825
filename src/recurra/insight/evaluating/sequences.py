"""A fitted model on labelled data becomes an `Evaluation`, with what the report should tell about the training."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from recurra.checks import counted
from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.report.context import ReportContext, report_context
from recurra.evaluation.results.cases import CaseEvaluation
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression, with_coverage
from recurra.evaluation.results.step_regression import evaluate_step_regression
from recurra.features.static import Cell
from recurra.insight.explanations.sequences import trace_raw
from recurra.serving.inputs import Inputs
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.streams.ensemble import count_of

# Prefixes whose answers are asked for one drawn mistake: a curve as fine as a screen shows.
TRACE_POINTS = 120


def evaluate(
    model: FittedModel,
    inputs: Inputs,
    y: Any,
    *,
    groups: Any = None,
    context: ReportContext | None = None,
) -> CaseEvaluation:
    """Judge a fitted model.

    Parameters
    ----------
    inputs : Inputs
        Raw values, names and static inputs.
    y : array-like
        True labels: one a sequence, several numbers, or an array per sequence.
    groups : sequence, optional
        One per sequence; intervals are over them where given.
    context : ReportContext, optional
        What the report should tell beside what the model knows.
    """
    training, sequences = model.manifest["training"], inputs.sequences
    told: dict[str, Any] = {
        "names": inputs.names,
        "sequences": sequences if model.features.reads_numbers else _token_lists(model, sequences),
        "groups": groups,
        "train_seconds": training["seconds"],
        "context": _told(model, context, inputs),
    }
    if model.task == "regression":
        baseline = NumberBaseline.from_dict(training["baseline"])
        target = model.manifest["target"]
        judge: Any = evaluate_regression
        if target.get("per_step"):
            del told["sequences"]
            judge = evaluate_step_regression
        found = judge(y, model.predict(inputs), baseline=baseline, **told)
        if not (quantiles := target.get("quantiles", ())):
            return found
        answers = model.predict_quantiles(inputs)
        if target.get("per_step"):
            answers = np.concatenate(list(answers))
        return with_coverage(found, answers.reshape(*found.y_true.shape, len(quantiles)), quantiles)
    classes = model.classes
    counts = tuple(training["baseline"]["counts"])
    told |= {"classes": classes, "baseline": ClassBaseline(tuple(classes.tolist()), counts)}
    proba = model.predict_proba(inputs)
    if model.task == "labeling":
        return evaluate_labeling(y, list(proba), **told)
    if not model.features.reads_numbers:
        return evaluate_classification(y, proba, **told)

    def trace(index: int) -> np.ndarray:
        return prefix_probabilities(
            model, sequences[index], None if inputs.static is None else inputs.static[index]
        )

    return evaluate_classification(y, proba, trace=trace, **told)


def _token_lists(model: FittedModel, texts: Sequence[Any]) -> list[list[str]]:
    """Return the words of each text, which count as its steps."""
    reader: Any = model.features.steps[0]
    return [list(reader.tokens(text)) for text in texts]


def prefix_probabilities(
    model: FittedModel, sequence: np.ndarray, static: Sequence[Cell] | None = None
) -> np.ndarray:
    """Return what the model answers after each step: shape (time, classes), row t after t + 1 steps.

    A long sequence is asked at `TRACE_POINTS` places; the rows between hold the last answer.
    """
    steps = len(sequence)
    first = min(model.features.least_steps, steps)  # before it, the first answer stands in
    asked = np.unique(np.linspace(first, steps, min(steps, TRACE_POINTS)).astype(int))
    beside = None if static is None else [static] * len(asked)
    answers = model.predict_proba(Inputs([sequence[:n] for n in asked], static=beside))
    latest = np.searchsorted(asked, np.arange(1, steps + 1), side="right") - 1
    return answers[np.maximum(latest, 0)]


def _told(model: FittedModel, context: ReportContext | None, inputs: Inputs) -> ReportContext:
    """Fill in what the caller left out from what the model knows about its training."""
    manifest, training = model.manifest, model.manifest["training"]
    counts: Mapping[Any, int] = {}
    if model.task != "regression":
        counts = dict(zip(model.classes.tolist(), map(int, training["baseline"]["counts"]), strict=True))
    return report_context(
        manifest,
        context,
        describe_network(model),
        train_lengths=training["lengths"],
        train_counts=counts,
        channel_names=manifest["channel_names"],
        sample_rate_hz=manifest["sample_rate_hz"],
        inside=None
        if manifest["network"] is None or not model.features.reads_numbers
        else partial(_inside, model, inputs),
    )


def _inside(model: FittedModel, inputs: Inputs, index: int, name: str) -> tuple[str, str]:
    """Return the drawing of gates and states over one of some raw sequences, and what they say."""
    beside = None if inputs.static is None else [inputs.static[index]]
    found = trace_raw(model, inputs.sequences[index], name, beside)
    return found.plot().element, found.summary()


def describe_network(model: FittedModel) -> str:
    """Return the network in one sentence."""
    size = sum(int(w.size) for w in model.weights.values())
    network, members = model.manifest["network"], count_of(model.manifest)
    several = f"{members} members: " if members > 1 else ""
    if network is None:
        return f"{several}own network, {size:,} weights"
    layers = f"{network['num_layers']} layers of " if network["num_layers"] > 1 else ""
    direction = "bidirectional " if network["bidirectional"] else ""
    pooling = "an answer per step" if network["pooling"] == "none" else f"{network['pooling']} pooling"
    static = network.get("static_size", 0)
    inputs = f"{counted(network['input_size'], 'input')}{f', {static} of them static' if static else ''}"
    return (
        f"{several}{layers}{direction}{network['cell'].upper()} with {counted(network['hidden_size'], 'unit')}, {pooling}, "
        f"{inputs}, {counted(network['output_size'], 'output')}, {size:,} weights"
    )
