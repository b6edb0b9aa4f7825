"""`TranslationModel`: a trained translator as data, what its model file holds, and the one path that answers."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from recurra import store
from recurra.checks import check_number, counted, listing, where
from recurra.errors import DataError, RecurraWarning, StoreError
from recurra.features.texts.symbols import END, Symbols, Text
from recurra.kernels.dispatch import current
from recurra.serving.beam_search import Found, search
from recurra.serving.decoder import Decoder, expected_shapes
from recurra.serving.models.manifest_check import whole

SCHEMA = 1
# In the manifest of every file since scores are divided, see `recurra.nn.heads.attention`.
SCALED = "attention_scaled"


@dataclass(frozen=True)
class Answer:
    """One answer to one source.

    Parameters
    ----------
    text : str
        The answer.
    symbols : tuple of str
        What it is made of.
    score : float
        What answers are ranked by: log-probability in nats over a power of the length, see ``length_penalty``.
    log_probability : float
        In nats.
    cut : bool
        Whether it had to stop at the greatest length before it came to its end.
    """

    text: str
    symbols: tuple[str, ...]
    score: float
    log_probability: float
    cut: bool

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Alignment:
    """Where the network looked while it wrote an answer.

    Parameters
    ----------
    source : tuple of str
        Symbols of the source, its marks included.
    target : tuple of str
        Symbols of the answer and, unless it was cut, the end.
    weights : ndarray of shape (target, source)
        Each row sums to one.
    log_probabilities : ndarray of shape (target,)
        Of each symbol of the answer, in nats.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: np.ndarray
    log_probabilities: np.ndarray


@dataclass(frozen=True)
class TranslationModel:
    """A trained translator with its vocabularies.

    Parameters
    ----------
    manifest : dict
        JSON-able: ``estimator``, ``params``, ``task``, ``network`` and what is known about training.
    source, target : Symbols
        Vocabulary of each side.
    weights : mapping of str to ndarray
        The network's state dict, float32.
    """

    manifest: Mapping[str, Any]
    source: Symbols
    target: Symbols
    weights: Mapping[str, np.ndarray]
    _decoders: dict[str, Decoder] = field(default_factory=dict, repr=False, compare=False)

    @property
    def task(self) -> str:
        """Always "translation"."""
        return "translation"

    @property
    def max_length(self) -> int:
        """Most symbols of an answer: twice as many as the longest target of the training had."""
        return int(self.manifest["max_length"])

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle takes along: decoders, which hold compiled weights, are made anew."""
        return self.__dict__ | {"_decoders": {}}

    @property
    def decoder(self) -> Decoder:
        """The network as it runs now, on the native kernels or the reference."""
        kernels = current()
        if kernels not in self._decoders:
            self._decoders[kernels] = Decoder(self.manifest["network"], self.weights)
        return self._decoders[kernels]

    def read(self, texts: Sequence[Text], names: Sequence[str | None] | None = None) -> list[np.ndarray]:
        """Return the symbols of sources; warns of those never seen in training.

        Raises
        ------
        DataError
            If a source is empty.
        """
        encoded = self._encode(texts, names)
        unseen = [i for i, symbols in enumerate(encoded) if not symbols.all()]
        if unseen:
            pieces = (zip(self._pieces(texts[i]), encoded[i], strict=True) for i in unseen)
            names_of = sorted({str(name) for pairs in pieces for name, number in pairs if not number})
            warnings.warn(
                f"X: {len(unseen)} of {counted(len(texts), 'source')} {'holds' if len(unseen) == 1 else 'hold'} symbols "
                f"never seen in training ({listing(names_of, 5)}); they are read as unknown.",
                RecurraWarning,
                stacklevel=4,
            )
        return encoded

    def _encode(self, texts: Sequence[Text], names: Sequence[str | None] | None = None) -> list[np.ndarray]:
        encoded = [self.source.encode(text) for text in texts]
        least = 3 if self.source.marks else 1
        empty = [index for index, symbols in enumerate(encoded) if len(symbols) < least]
        if empty:
            raise DataError(
                f"X: {where(empty[0], names)} is empty; a source needs at least one symbol. Leave it out."
            )
        return encoded

    def _pieces(self, text: Text) -> list[str]:
        """Return what stands for each symbol that is read, the marks included."""
        pieces = self.source.pieces(text)
        return ["(begin)", *pieces, "(end)"] if self.source.marks else pieces

    def translate(
        self,
        texts: Sequence[Text],
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: float = 1.0,
        max_length: int | None = None,
        names: Sequence[str | None] | None = None,
    ) -> list[list[Answer]]:
        """Return the ``n_best`` answers to each source, the best first.

        Parameters
        ----------
        texts : sequence of str, or of sequences of str
        beam_size : int, default=1
            Beginnings kept at every step; 1 takes the best symbol at each.
        n_best : int, default=1
            At most ``beam_size``.
        length_penalty : float, default=1.0
            Answers are ranked by log-probability over length to this power; 0 prefers short ones.
        max_length : int, optional
            Most symbols of an answer; by default twice as many as the longest of the training.

        Raises
        ------
        DataError
            If a source is empty.
        UsageError
            If a number is out of its range.
        """
        check_number("translate", "beam_size", beam_size, integer=True, low=1)
        check_number("translate", "n_best", n_best, integer=True, low=1, high=beam_size)
        check_number("translate", "length_penalty", length_penalty, low=0)
        if max_length is not None:
            check_number("translate", "max_length", max_length, integer=True, low=1)
        found = search(
            self.decoder,
            self.read(texts, names),
            beam_size=beam_size,
            length_penalty=length_penalty,
            max_length=max_length or self.max_length,
        )
        return [[self._answer(one, length_penalty) for one in answers[:n_best]] for answers in found]

    def _answer(self, found: Found, length_penalty: float) -> Answer:
        names = tuple(self.target.names[n] for n in found.symbols)
        score = found.score(length_penalty)
        return Answer(self.target.decode(found.symbols), names, score, found.log_probability, found.cut)

    def searching(self, beam_size: int | None, n_best: int, length_penalty: float | None) -> dict[str, Any]:
        """Return how `translate` is to search: as trained where None is given, and wide enough for ``n_best``."""
        params = self.manifest["params"]
        check_number("translate", "n_best", n_best, integer=True, low=1)
        return {
            "beam_size": max(int(params["beam_size"]), n_best) if beam_size is None else beam_size,
            "n_best": n_best,
            "length_penalty": params["length_penalty"] if length_penalty is None else length_penalty,
        }

    def predict(
        self,
        texts: Sequence[Text],
        names: Sequence[str | None] | None = None,
        *,
        beam_size: int | None = None,
        n_best: int = 1,
        length_penalty: float | None = None,
    ) -> np.ndarray:
        """Return the best answer to each source as text: object array of shape (sources,), or (sources, n_best).

        Where a search found fewer, the last is given again. Answers that had to be cut are named in a warning.
        """
        found = self.translate(texts, names=names, **self.searching(beam_size, n_best, length_penalty))
        answers = [answer for own in found for answer in [*own, *own[-1:] * (n_best - len(own))]]
        cut = sum(answer.cut for answer in answers)
        if cut:
            warnings.warn(
                f"predict: {cut} of {counted(len(answers), 'answer')} did not end within "
                f"{counted(self.max_length, 'symbol')}, twice the longest of the training, and "
                f"{'was' if cut == 1 else 'were'} cut there; translate() marks which.",
                RecurraWarning,
                stacklevel=3,
            )
        out = np.empty(len(answers), dtype=object)
        out[:] = [answer.text for answer in answers]
        return out if n_best == 1 else out.reshape(len(found), n_best)

    def align(self, source: Text, target: Text | None = None) -> Alignment:
        """Return where the network looks while it writes an answer, its own by default.

        Parameters
        ----------
        source : str or sequence of str
        target : str or sequence of symbols, optional
            Any answer, for instance the true one.
        """
        (symbols,) = self._encode([source])
        if target is None:
            params = self.manifest["params"]
            words = {word: params[word] for word in ("beam_size", "length_penalty")}
            ((best, *_),) = search(self.decoder, [symbols], max_length=self.max_length, **words)
            answer = np.array([*best.symbols, *([] if best.cut else [END])], dtype=np.int64)
        else:
            answer = np.append(self.target.encode(target), END)
        state, last = self.decoder.read([symbols]), self.decoder.begin(1)
        weights, logs = [], []
        for symbol in answer:
            scores, state, looked = self.decoder.write(last, state)
            weights.append(looked[:, 0, 0])
            shifted = scores[0] - scores[0].max()
            logs.append(shifted[symbol] - np.log(np.exp(shifted).sum()))
            last = np.array([symbol])
        names = [self.target.names[n] for n in answer]
        ends = tuple(["(end)" if n == END else name for n, name in zip(answer, names, strict=True)])
        return Alignment(tuple(self._pieces(source)), ends, np.array(weights), np.array(logs))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of everything that decides an answer."""
        facts = [self.manifest["network"], self.source.to_manifest(), self.target.to_manifest()]
        digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
        for name, array in sorted(self.weights.items()):
            digest.update(f"\0{name}{array.dtype.str}{array.shape}\0".encode() + array.tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; the old file or the new one is there after a crash, whole."""
        vocabularies = {"source": self.source.to_manifest(), "target": self.target.to_manifest()}
        facts = {"kind": "model", "schema": SCHEMA, "vocabularies": vocabularies, SCALED: True}
        manifest = {**self.manifest, **facts}
        store.save(path, whole(manifest), {f"network.{name}": array for name, array in self.weights.items()})

    @classmethod
    def from_parts(cls, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "TranslationModel":
        """Return the model of a file's content, checked: it allocates nothing that the file merely claims."""
        vocabularies, network = manifest["vocabularies"], manifest["network"]
        source, target = (Symbols.from_manifest(vocabularies[side]) for side in ("source", "target"))
        weights = {name.removeprefix("network."): array for name, array in arrays.items()}
        _check_network(network, weights)
        if network["attention"] != "additive" and manifest.get(SCALED) is not True:
            raise StoreError(
                "its attention is not divided by the root of its width, as it was early in 0.1.0. Train it anew."
            )
        if network["source_size"] != len(source) or network["target_size"] != len(target):
            raise StoreError("the vocabularies do not fit the network. Use a backup.")
        return cls(manifest, source, target, weights)


def _check_network(network: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    if network["num_layers"] > len(weights):  # before anything is made for every layer it claims
        raise StoreError(
            f"the network claims {network['num_layers']} layers, the file holds {len(weights)} weights."
        )
    expected = expected_shapes(network)
    if set(expected) != set(weights):
        odd = min(set(expected) ^ set(weights))
        raise StoreError(
            f"the weight {odd!r} {'is missing' if odd in expected else 'does not belong to this network'}."
        )
    for name, shape in expected.items():
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            raise StoreError(
                f"the weight {name!r} must be float32 of shape {shape}; got {weights[name].dtype} of "
                f"{weights[name].shape}."
            )
