"""A linear answer from a summary of the whole sequence, mixed with that of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import StoreError
from recurra.features.texts.ngrams import NGrams
from recurra.kernels.heads import pooling
from recurra.serving.summaries import Summary, View

# What a linear map reads. Versions that know of no resampled rows refuse them by this name.
KINDS = ("ngrams", "summary", "resampled summary")
# The least probability that a network's answer may give to a class.
SUREST = np.float32(1e-3)


@dataclass(frozen=True)
class Wide:
    """The wide part of a model.

    Parameters
    ----------
    features : Summary or NGrams
        What the linear map reads: of the sequences that the network reads, or of the texts.
    weight : float32 array of shape (outputs, features)
    bias : float32 array of shape (outputs,)
    share : float
        Of this answer in the model's, in [0, 1].
    limits : float32 array of shape (2, outputs), optional
        The least and the largest answer, where answers are numbers.

    Notes
    -----
    For classes the two are mixed as logarithms of probabilities: a class that either rules out stays unlikely.
    """

    features: Summary | NGrams
    weight: np.ndarray
    bias: np.ndarray
    share: float
    limits: np.ndarray | None = None

    @property
    def reads_texts(self) -> bool:
        """Whether it reads texts, not what the network reads."""
        return isinstance(self.features, NGrams)

    def scores(self, sequences: Sequence[Any]) -> np.ndarray:
        """Return what the linear map answers: float32 of shape (sequences, outputs), each summed in one fixed order."""
        if isinstance(self.features, NGrams):
            out = np.empty((len(sequences), len(self.bias)), np.float32)
            for index, text in enumerate(sequences):
                places, values = self.features.entries(text)
                chosen = np.ascontiguousarray(self.weight[:, places])
                out[index] = pooling.linear(values[None], chosen, self.bias)[0]
        else:
            linear, features = pooling.Linear(self.weight, self.bias), self.features
            out = np.concatenate([linear(features.transform(rows)[None]) for rows in sequences])
        return out if self.limits is None else np.clip(out, *self.limits)

    def mixed(self, outputs: np.ndarray, sequences: Sequence[Any], *, probabilities: bool) -> np.ndarray:
        """Return the outputs of the model for those of its network.

        Parameters
        ----------
        outputs : float32 array of shape (sequences, outputs)
            Of the network, before softmax.
        sequences : list
            What this part reads.
        probabilities : bool
            Whether the outputs become probabilities by softmax, or are numbers.
        """
        own, share = self.scores(sequences), np.float32(self.share)
        if probabilities:
            # A network is soon sure of what it should not be; its say against a class ends here.
            outputs = np.log(np.maximum(pooling.softmax(outputs), SUREST))
        return share * own + (np.float32(1) - share) * outputs

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return a JSON-able description and arrays for a model file."""
        kind = "ngrams" if isinstance(self.features, NGrams) else _kind_of(self.features)
        arrays = {f"features.{name}": array for name, array in self.features.to_arrays().items()}
        arrays |= {"weight": self.weight, "bias": self.bias}
        if self.limits is not None:
            arrays["limits"] = self.limits
        return {"kind": kind, "share": self.share}, arrays

    @classmethod
    def from_manifest(
        cls,
        description: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        *,
        channels: int,
        outputs: int,
        static_size: int = 0,
    ) -> "Wide":
        """Return what `to_manifest` gave.

        Raises
        ------
        StoreError
            If it makes no sense for a network that reads so many channels and static inputs and has so many outputs.
        """
        own = {n.removeprefix("features."): a for n, a in arrays.items() if n.startswith("features.")}
        kind, share = description.get("kind"), description.get("share")
        if kind not in KINDS or type(share) is not float or not 0 <= share <= 1:
            raise StoreError(
                "the wide part must be of a known kind, with a share from 0 to 1. Update recurra."
            )
        features = (
            NGrams.from_arrays(own) if kind == "ngrams" else Summary.from_arrays(own, channels, static_size)
        )
        if isinstance(features, Summary) and kind != _kind_of(features):
            raise StoreError(f"the wide part says it is of kind {kind!r}, and its arrays say otherwise.")
        weight, bias, limits = (arrays.get(name) for name in ("weight", "bias", "limits"))
        shapes = {"weight": (outputs, features.size), "bias": (outputs,)}
        if limits is not None:
            shapes["limits"] = (2, outputs)
        for name, shape in shapes.items():
            array = arrays.get(name)
            if array is None or array.dtype != np.float32 or array.shape != shape:
                raise StoreError(f"the {name} of the wide part must be float32 of shape {shape}.")
            if not np.isfinite(array).all():
                raise StoreError(f"the {name} of the wide part must be finite numbers.")
        assert weight is not None
        assert bias is not None
        if limits is not None and not (limits[0] <= limits[1]).all():
            raise StoreError("the limits of the wide part must have the least answer first.")
        return cls(features, weight, bias, share, limits)


def _kind_of(features: Summary) -> str:
    return "summary" if features.view == View() else "resampled summary"
