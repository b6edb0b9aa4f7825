"""Symbols to symbols: how a translator is trained."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from recurra.batches.splits import content_keys, held_out
from recurra.features.texts.symbols import Symbols
from recurra.fitting.manifest import kept_lengths, origin, plain_params, trained
from recurra.fitting.task import Member, Prepared, Start, Task, TrainingData
from recurra.fitting.text_inputs import warn_of_whole_sentences
from recurra.inputs.pairs import Pairs, as_text, read_pairs
from recurra.inputs.request import Request
from recurra.inputs.sequences import validation_pair
from recurra.options import TranslatorOptions
from recurra.serving.models.translation import SCALED, TranslationModel

# An answer may be this many times as long as the longest target of the training.
LONGER = 2


@dataclass(frozen=True)
class PairTask(Task):
    """An encoder and a decoder on pairs of texts."""

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the pairs, merged and in order of their content."""
        who, judges = start.who, None
        given = read_pairs(who, request.X, request.y, request.groups, request.sample_weight)
        if request.validation is not None:
            judges = read_pairs(who, *validation_pair(who, request.validation), None, None)
        return TrainingData(given.merged(), [as_text(source) for source in given.sources], judges=judges)

    def prepare(self, options: TranslatorOptions, data: TrainingData, start: Start) -> Prepared:
        """Split, learn the vocabularies from the part that trains, and describe network and model."""
        learn, judges = data.given, data.judges
        if judges is None:
            learn, judges = _split(options, learn, start.seed)
        source, target = _vocabularies(options, learn, start)
        examples = learn.examples(source, target)
        params = plain_params(options)
        return Prepared(
            examples=examples,
            validation=None if judges is None else judges.examples(source, target),
            build=partial(_build, options, start, (len(source), len(target))),
            loss=_loss(float(options.label_smoothing)),
            score=_scores,
            model=lambda members: _model(members, start, learn, (source, target), params, examples),
            params=params,
            identity={SCALED: options.attention != "additive"},
        )


def _split(options: TranslatorOptions, given: Pairs, seed: int) -> tuple[Pairs, Pairs | None]:
    """Return the part to learn from and the part that decides early stopping, if there is one."""
    parts = held_out(
        len(given),
        lambda: content_keys([as_text(source) for source in given.sources]),
        given.groups,
        fraction=options.validation_fraction,
        fewest_groups=0,
        seed=seed,
    )
    return (given, None) if parts is None else (given.take(parts[0]), given.take(parts[1]))


def _vocabularies(options: TranslatorOptions, given: Pairs, start: Start) -> tuple[Symbols, Symbols]:
    if start.fitted is not None:
        return start.fitted.source, start.fitted.target
    for word, texts in (("source_level", given.sources), ("target_level", given.targets)):
        if getattr(options, word) == "word" and all(isinstance(text, str) for text in texts):
            warn_of_whole_sentences(start.who, word, [as_text(text) for text in texts])
    size, marks = options.vocabulary_size, bool(options.source_marks)
    return (
        Symbols.fit(given.sources, level=options.source_level, size=size, marks=marks),
        Symbols.fit(given.targets, level=options.target_level, size=size),
    )


def _build(options: TranslatorOptions, start: Start, sizes: tuple[int, int], number: int) -> Any:
    """Return a network with its first weights, or those to go on from."""
    from recurra.nn.networks.translator_network import (
        TranslatorConfig,
        build_translator,
        translator_from_arrays,
    )

    config = TranslatorConfig(
        cell=options.cell,
        source_size=sizes[0],
        target_size=sizes[1],
        embedding_size=int(options.embedding_size),
        hidden_size=int(options.hidden_size),
        num_layers=int(options.num_layers),
        bidirectional=bool(options.bidirectional),
        attention=options.attention,
        input_feeding=bool(options.input_feeding),
        tie_embeddings=bool(options.tie_embeddings),
        dropout=float(options.dropout),
    )
    network = build_translator(config, seed=start.seed + number, sampling=float(options.scheduled_sampling))
    if start.fitted is not None:
        network.load_state_dict(translator_from_arrays(config, start.fitted.weights).state_dict())
    return network


def _model(
    members: Sequence[Member],
    start: Start,
    given: Pairs,
    symbols: tuple[Symbols, Symbols],
    params: dict[str, Any],
    examples: Any,
) -> TranslationModel:
    """Turn the trained module into the fitted model."""
    (member,) = members
    network: Any = member.network
    weights = dict(member.weights)
    if network.config.tie_embeddings:
        del weights["head.weight"]
    source, target = symbols
    read = examples.lengths - examples.targets.astype(np.int64) - (2 if source.marks else 0)
    longest = int(examples.targets.max()) - 1
    if start.fitted is not None:  # going on with other data does not make answers shorter
        longest = max(longest, start.fitted.max_length // LONGER)
    manifest = {
        **origin(start),
        "params": params,
        "task": "translation",
        "network": network.config.to_dict(),
        "max_length": LONGER * longest,
        "training": {
            "lengths": kept_lengths(read),
            "commonest": Counter(as_text(text) for text in given.targets).most_common(1)[0][0],
            **trained(member.result),
        },
    }
    return TranslationModel(manifest, source, target, weights)


def _loss(smoothing: float) -> Any:
    """Return the mean over target symbols of the negative log-likelihood, smoothed."""

    def loss(outputs: Any, targets: Any, weights: Any = None) -> Any:
        # The columns are those of `TranslatorNetwork.forward`, summed over each target.
        likelihood = (1 - smoothing) * outputs[:, 0] + smoothing * outputs[:, 1]
        if weights is None:
            return -likelihood.sum() / targets.sum()
        return -(weights * likelihood).sum() / (weights * targets).sum().clamp_min(1e-30)

    return loss


def _scores(outputs: np.ndarray, examples: Any) -> dict[str, float]:
    """Return the share of targets, and of their symbols, that are found symbol by symbol.

    Where every symbol is the most probable one after the true ones before, greedy decoding finds the whole target: the
    share of targets is that of its exact answers.
    """
    right, count = outputs[:, 2], outputs[:, 3]
    return {
        "exact_match": float((right == count).mean()),
        "symbol_accuracy": float(right.sum() / count.sum()),
    }
