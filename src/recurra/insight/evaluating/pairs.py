"""A trained translator on pairs it has not seen becomes an `Evaluation`."""

from collections.abc import Sequence
from dataclasses import replace

from recurra.checks import counted
from recurra.evaluation.explanations.attention_map import AttentionMap
from recurra.evaluation.report.context import ReportContext, report_context
from recurra.evaluation.results.translation import TranslationEvaluation, evaluate_translation
from recurra.inputs.pairs import Pairs, as_text
from recurra.serving.models.translation import TranslationModel


def judge(
    model: TranslationModel,
    given: Pairs,
    *,
    baseline: Sequence[str] | None = None,
    context: ReportContext | None = None,
) -> TranslationEvaluation:
    """Judge a translator.

    Parameters
    ----------
    model : TranslationModel
    given : Pairs
        True answers.
    baseline : sequence of str, optional
        A naive answer to each source; the commonest training target by default.
    context : ReportContext, optional
        What the report should tell beside what the model knows.
    """
    params = model.manifest["params"]
    words = {word: params[word] for word in ("beam_size", "length_penalty")}
    answers = [best for (best,) in model.translate(given.sources, names=given.names, **words)]
    training = model.manifest["training"]

    def attention(index: int) -> AttentionMap:
        source = given.sources[index]
        found = model.align(source, list(answers[index].symbols))
        return AttentionMap(
            found.source, found.target, found.weights, found.log_probabilities, name=as_text(source)
        )

    evaluation = evaluate_translation(
        [as_text(target) for target in given.targets],
        [answer.text for answer in answers],
        level=model.target.level,
        sources=[as_text(source) for source in given.sources],
        cut=[answer.cut for answer in answers],
        baseline=[training["commonest"]] * len(given) if baseline is None else baseline,
        names=given.names,
        groups=given.groups,
        attention=attention,
        train_seconds=training["seconds"],
        context=report_context(model.manifest, context, describe(model), train_lengths=training["lengths"]),
    )
    naive = (
        f"always '{training['commonest']}', the commonest of the training part" if baseline is None else None
    )
    return replace(evaluation, naive_class=naive or "that of the method named beside the figures")


def describe(model: TranslationModel) -> str:
    """Return the network in one sentence."""
    network, size = model.manifest["network"], sum(int(w.size) for w in model.weights.values())
    layers = f"{network['num_layers']} layers of " if network["num_layers"] > 1 else ""
    direction = "bidirectional " if network["bidirectional"] else ""
    feeding = ", input feeding" if network["input_feeding"] else ""
    return (
        f"{layers}{direction}{network['cell'].upper()} encoder and decoder with {counted(network['hidden_size'], 'unit')}, "
        f"{network['attention']} attention{feeding}, {network['source_size']:,} source and {network['target_size']:,} "
        f"target symbols, {size:,} weights"
    )
