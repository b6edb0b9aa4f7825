"""The next token of a text: how a text generator is trained."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import as_texts, counted
from recurra.errors import DataError, MissingDataError
from recurra.features.chain import Chain
from recurra.features.texts.tokens import Words
from recurra.fitting.manifest import origin, plain_params, trained
from recurra.fitting.task import Member, Prepared, Start, Task, TrainingData
from recurra.fitting.text_inputs import warn_of_whole_sentences
from recurra.inputs.request import Request
from recurra.options import TextGeneratorOptions
from recurra.readers.files.encodings import read_text
from recurra.recipes import language
from recurra.serving.models.fitted_model import FittedModel

# Between two texts, so that one does not run into the next.
BETWEEN = "\n\n"
FEWEST_HELD_OUT = 500


def one_text(X: Any, who: str) -> str:
    """Return texts as one; those of a file where its path is given.

    Raises
    ------
    MissingDataError
        If a str of one line is no path of a file.
    DataError
        If there is nothing in them.
    """
    if isinstance(X, str) and "\n" in X.strip():
        raise DataError(
            f"{who}: X must be a list of texts, or the path of a text file; got one str of "
            f"{counted(len(X.splitlines()), 'line')}. Pass [text] for a single text."
        )
    texts: Iterable[str] = (
        [_of_file(Path(X), who)]
        if isinstance(X, str | os.PathLike) and str(X).strip()
        else as_texts(X, who=who)[0]
    )
    text = BETWEEN.join(texts)
    if not text.strip():
        raise DataError(f"{who}: the text is empty. Give one with at least two tokens.")
    return text


def _of_file(path: Path, who: str) -> str:
    """Return the text of a file.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    try:
        there = path.is_file()
    except (OSError, ValueError):  # too long for a path, or with a zero byte
        there = False
    if not there:
        shown = str(path) if len(str(path)) <= 60 else f"{str(path)[:57]}..."
        raise MissingDataError(
            f"{who}: X must be a list of texts, or the path of a text file; there is no file {shown!r}. "
            "Pass [text] for a single text."
        )
    return read_text(path)


@dataclass(frozen=True)
class LanguageTask(Task):
    """A network that foretells the next token of one long text."""

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the texts as one, and one to judge by where it is given."""
        text = one_text(request.X, start.who)
        judges = None if request.validation is None else one_text(request.validation, start.who)
        return TrainingData(text, text.splitlines(), judges=judges)

    def decide(self, options: TextGeneratorOptions, data: TrainingData, start: Start) -> dict[str, Any]:
        """Return the training that the length of the text asks for; a network that goes on is trained as it was."""
        if start.fitted is not None:
            kept = start.fitted.manifest["params"]
            return {
                name: kept[name]
                for name in language.DECIDED
                if name in kept and language.nothing_given(options)
            }
        return language.training_options(len(data.given)) if language.nothing_given(options) else {}

    def prepare(self, options: TextGeneratorOptions, data: TrainingData, start: Start) -> Prepared:
        """Split, learn the vocabulary from the part that trains, and describe network and model."""
        from recurra.training.language_modelling import LanguageNetwork, TextStreams, next_token_loss

        learn, judges = _split(options, data)
        fitted = start.fitted
        if fitted is None and options.tokens == "word":
            warn_of_whole_sentences(start.who, "tokens", learn.splitlines())
        words: Any = (
            Words.fit(
                [learn],
                level=options.tokens,
                lowercase=bool(options.lowercase),
                min_count=int(options.min_count),
                max_vocabulary=options.max_vocabulary,
            )
            if fitted is None
            else fitted.features.steps[0]
        )
        size = len(words.vocabulary)
        config = _network(options, size)
        params = plain_params(options)
        ids = words.numbers(learn)
        steps = len(ids) if options.tbptt is None else int(options.tbptt)
        examples = TextStreams.cut(ids, streams=int(options.batch_size), steps=steps)
        validation = None
        if judges is not None:
            # in stretches long enough for their first tokens, without a state, not to matter
            later = words.numbers(judges)
            stretches = min(int(options.batch_size), max(1, len(later) // FEWEST_HELD_OUT))
            validation = TextStreams.cut(later, streams=stretches, steps=len(later))
        counts = np.bincount(ids, minlength=size)

        def model(members: Sequence[Member]) -> FittedModel:
            (member,) = members
            manifest = {
                **origin(start),
                "params": params,
                "task": "generation",
                "target": {"counts": counts.tolist()},
                "network": config.to_dict(),
                "channel_names": None,
                "sample_rate_hz": None,
                "input": {"n_features_in": None, "feature_names_in": []},
                "training": trained(member.result) | language.told(start.decided),
            }
            return FittedModel(manifest, Chain([words], 0), LanguageNetwork.weights_of(member.weights))

        return Prepared(
            examples=examples,
            validation=validation,
            build=lambda number: LanguageNetwork.built(config, examples.streams, start.seed + number, fitted),
            loss=next_token_loss,
            model=model,
            params=params,
        )


def _network(options: TextGeneratorOptions, size: int) -> Any:
    """Describe the network for a vocabulary of so many tokens."""
    from recurra.nn.networks.sequence_network import NetworkConfig

    return NetworkConfig(
        cell=options.cell,
        input_size=1,
        hidden_size=int(options.hidden_size),
        output_size=size,
        num_layers=int(options.num_layers),
        pooling="none",
        dropout=float(options.dropout),
        front={"name": "embedding", "vocabulary": size, "size": int(options.embedding_size)},
    )


def _split(options: TextGeneratorOptions, data: TrainingData) -> tuple[str, str | None]:
    """Return the text to learn from, and its end, which decides early stopping; None where that is too short."""
    text, share = data.given, options.validation_fraction
    if data.judges is not None:
        return text, data.judges
    cut = int(len(text) * (1 - share))
    return (text[:cut], text[cut:]) if share and len(text) - cut >= FEWEST_HELD_OUT else (text, None)
