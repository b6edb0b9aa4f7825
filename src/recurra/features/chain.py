"""`Chain`: the features of a model in order, from a raw sequence to what the network reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from recurra.checks import did_you_mean
from recurra.errors import StoreError
from recurra.features.missing import MissingMask
from recurra.features.scaling import Scaling
from recurra.features.streaming import ChainStream, FeatureStream, as_float32


class Feature(Protocol):
    """What every feature offers; fitting is its own class method, since each learns from something else."""

    def output_size(self, input_size: int) -> int:
        """Return the number of channels it gives for that many."""
        ...

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Turn one array of shape (time, channels) into another."""
        ...

    def stream(self, input_size: int) -> FeatureStream:
        """Return what takes in rows of that many channels chunk by chunk, with room for one sequence."""
        ...

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return a JSON-able configuration with a ``name``, and arrays."""
        ...


FEATURES: Mapping[str, Any] = {Scaling.name: Scaling, MissingMask.name: MissingMask}


@dataclass(frozen=True)
class Chain:
    """Fitted features, applied one after the other.

    Parameters
    ----------
    steps : sequence of Feature
        In the order they are applied.
    n_channels : int
        Channels of a raw sequence; 0 where it is no array, such as a text.
    """

    steps: Sequence[Feature]
    n_channels: int

    @classmethod
    def fit(
        cls, sequences: Sequence[np.ndarray], weights: np.ndarray | None = None, *, scaling: str, missing: str
    ) -> Self:
        """Learn the features of a sequence estimator from the training part."""
        steps: list[Feature] = [Scaling.fit(sequences, weights, kind=scaling)]
        if missing == "mask":
            steps.append(MissingMask())
        return cls(steps, sequences[0].shape[1])

    @property
    def reads_numbers(self) -> bool:
        """Whether a raw sequence is an array; the first feature says so where it is not, by ``reads``."""
        return not self.steps or getattr(self.steps[0], "reads", "numbers") == "numbers"

    @property
    def input_size(self) -> int:
        """Channels the network reads."""
        size = self.n_channels
        for step in self.steps:
            size = step.output_size(size)
        return size

    def transform(self, sequence: np.ndarray) -> np.ndarray:
        """Return the float32 array of shape (time, input_size) that the network reads."""
        for step in self.steps:
            sequence = step.transform(sequence)
        return as_float32(sequence)

    def stream(self) -> ChainStream:
        """Return what takes in a sequence chunk by chunk and gives the same numbers as `transform`."""
        streams = []
        size = self.n_channels
        for step in self.steps:
            streams.append(step.stream(size))
            size = step.output_size(size)
        return ChainStream(streams)

    @property
    def only_scaling(self) -> Scaling | None:
        """The scaling, where nothing else is done to a row."""
        found = [step for step in self.steps if isinstance(step, Scaling)]
        return found[0] if len(found) == len(self.steps) == 1 else None

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what the model file keeps; arrays are named ``<position>.<array>``."""
        configs: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for position, step in enumerate(self.steps):
            config, own = step.to_manifest()
            configs.append(config)
            arrays |= {f"{position}.{name}": array for name, array in own.items()}
        return {"n_channels": self.n_channels, "steps": configs}, arrays

    @classmethod
    def from_manifest(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Rebuild from `to_manifest`.

        Raises
        ------
        StoreError
            If a feature is unknown here, as in a file of a newer version.
        """
        steps = []
        for position, entry in enumerate(config["steps"]):
            if entry["name"] not in FEATURES:
                hint = did_you_mean(entry["name"], FEATURES)
                raise StoreError(
                    f"model file: needs the feature {entry['name']!r}, which this version lacks.{hint}"
                )
            prefix = f"{position}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            steps.append(FEATURES[entry["name"]].from_manifest(entry, own))
        return cls(steps, int(config["n_channels"]))
