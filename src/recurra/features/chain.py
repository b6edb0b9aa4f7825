"""`Chain`: the features of a model in order, from a raw sequence to what the network reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from recurra.array_summaries import as_float32
from recurra.checks import counted, did_you_mean, where
from recurra.errors import DataError, StoreError, UsageError
from recurra.features.prepared_rows import KEPT_BYTES, PreparedRows
from recurra.features.rows.alignment import Alignment
from recurra.features.rows.deltas import Deltas
from recurra.features.rows.missing import FilledGaps, MissingMask
from recurra.features.rows.scaling import Scaling
from recurra.features.rows.streaming import ChainStream, FeatureStream
from recurra.features.static import beside_static
from recurra.features.texts.tokens import Words
from recurra.features.windows.heartbeats import BeatIntervals
from recurra.features.windows.sliding import Windows
from recurra.readers.large.mapped import keep_all, read_ahead

# Numbers that are scaled at once, of whole sequences: beyond them a second copy of the data would be felt.
PORTION = 2**22


class Feature(Protocol):
    """What every feature offers; fitting is its own class method, since each learns from something else."""

    def output_size(self, input_size: int) -> int:
        """Return the number of channels it gives for that many."""
        ...

    def transform(self, sequence: Any) -> np.ndarray:
        """Turn one array of shape (time, channels) into another; the first feature may read a text."""
        ...

    def stream(self, input_size: int) -> FeatureStream:
        """Return what takes in rows of that many channels chunk by chunk, with room for one sequence."""
        ...

    def to_manifest(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return a JSON-able configuration with a ``name``, and arrays."""
        ...


FEATURES: Mapping[str, Any] = {
    feature.name: feature
    for feature in (Scaling, MissingMask, FilledGaps, Windows, Deltas, BeatIntervals, Words)
}


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
        cls,
        sequences: Sequence[np.ndarray],
        weights: np.ndarray | None = None,
        *,
        scaling: str,
        missing: str,
        features: Sequence[Feature] = (),
        rows: Windows | None = None,
        names: Sequence[str | None] | None = None,
        complete: bool = False,
    ) -> Self:
        """Learn the features of a sequence estimator from the training part.

        Parameters
        ----------
        sequences, weights
            As in `Scaling.fit`.
        scaling, missing : str
            As in the estimators.
        features : sequence of Feature
            What is computed from the raw values, before they are scaled; see `recurra.features.registry`.
        rows : Windows, optional
            What the network's front reads at once, of what is scaled.
        names : sequence of str, optional
            Of the sequences, for messages.
        complete : bool, default=False
            Whether the sequences are known to miss no value.

        Raises
        ------
        UsageError
            If missing values are to be marked and features computed from them.
        DataError
            If a sequence is too short for the features.
        """
        if missing == "mask" and features:
            raise UsageError(
                "missing='mask' marks missing values step by step and cannot stand beside features=, which need all of "
                "them. Pass missing='fill', with which the last value stands in."
            )
        channels = sequences[0].shape[1]
        made = list(sequences)
        before: list[Feature] = [
            *([FilledGaps.fit(sequences, weights)] if missing == "fill" else []),
            *features,
        ]
        if before:
            raw = cls(before, channels)
            raw.check_lengths(sequences, names)
            made = _kept(_applied(before, own) for own in read_ahead(made))
            raw.check_rows(made, names)
        steps: list[Feature] = [
            *before,
            Scaling.fit(made, weights, kind=scaling, complete=complete and not before),
        ]
        if missing == "mask":
            steps.append(MissingMask())
        if rows is not None:
            steps.append(rows)
        found = cls(steps, channels)
        if rows is not None:  # what is computed before has been checked
            found.check_lengths(sequences, names)
        return found

    @property
    def alignment(self) -> Alignment | None:
        """Which steps a row stands for; None where rows come irregularly, as heartbeats do."""
        whole = Alignment(1, 1)
        for step in self.steps:
            if hasattr(step, "alignment"):  # of others a row stands for its step
                if step.alignment is None:
                    return None
                whole = whole.then(step.alignment)
        return whole

    @property
    def keeps_steps(self) -> bool:
        """Whether there is a row for every step."""
        return self.alignment == Alignment(1, 1)

    @property
    def least_steps(self) -> int:
        """Steps of a sequence that surely give a row."""
        alignment = self.alignment
        if alignment is not None:
            return alignment.window
        return max(int(getattr(step, "least_steps", 1)) for step in self.steps)

    def check_lengths(self, sequences: Sequence[np.ndarray], names: Sequence[str | None] | None) -> None:
        """Raise DataError naming the first sequence that is too short to give a row."""
        alignment = self.alignment
        if alignment is None or alignment == Alignment(1, 1):
            return
        for index, sequence in enumerate(sequences):
            if len(sequence) < alignment.window:
                raise DataError(
                    f"features: {where(index, names)} has {counted(len(sequence), 'step')}, fewer than the "
                    f"{alignment.window} of the first row. Leave it out, or choose a shorter window."
                )

    def check_rows(self, rows: Sequence[np.ndarray], names: Sequence[str | None] | None) -> None:
        """Raise DataError naming the first sequence that gave no row."""
        for index, found in enumerate(rows if self.alignment is None else ()):
            if not len(found):
                raise DataError(
                    f"features: {where(index, names)} gave no row: there is not one heartbeat in it. Leave it out."
                )

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
        return as_float32(_applied(self.steps, sequence))

    def transform_all(self, sequences: Sequence[Any]) -> list[np.ndarray]:
        """Return what `transform` gives for each sequence; rows that are only scaled are scaled all at once."""
        scaling = self.only_scaling
        if scaling is None:
            return _kept(self.transform(sequence) for sequence in read_ahead(list(sequences)))
        out: list[np.ndarray] = []
        first, rows = 0, 0
        for index, sequence in enumerate(sequences):
            rows += len(sequence)
            if rows * self.n_channels >= PORTION or index + 1 == len(sequences):
                joined = np.concatenate(sequences[first : index + 1])
                ready, begin = as_float32(scaling.transform(joined)), 0
                for own in sequences[first : index + 1]:
                    out.append(ready[begin : begin + len(own)])
                    begin += len(own)
                first, rows = index + 1, 0
        return out

    def rows(
        self,
        sequences: Sequence[Any],
        names: Sequence[str | None] | None = None,
        beside: np.ndarray | None = None,
    ) -> Sequence[np.ndarray]:
        """Return what the network reads of each sequence: what `transform` gives, and what stands beside every row.

        Of many steps the rows are made when they are asked for, see `PreparedRows`.

        Parameters
        ----------
        sequences : sequence
            Raw ones, checked.
        names : sequence of str, optional
            For messages.
        beside : ndarray of float32, shape (sequences, columns), optional
            Static inputs of each.

        Raises
        ------
        DataError
            Naming the first sequence that gives no row.
        """
        only_scaled = self.only_scaling is not None
        columns = self.n_channels if only_scaled else self.input_size
        columns += 0 if beside is None else beside.shape[1]
        many = 4 * sum(map(len, sequences)) * columns > KEPT_BYTES
        if many and self.reads_numbers and self.keeps_steps:

            def make(sequence: np.ndarray, place: int) -> np.ndarray:
                own = self.transform(sequence)
                return own if beside is None else beside_static(own, beside[place])

            return PreparedRows(sequences, make)
        made = self.transform_all(sequences)
        if not only_scaled:
            self.check_rows(made, names)
        if beside is None:
            return made
        return [beside_static(own, code) for own, code in zip(made, beside, strict=True)]

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


def _kept(rows: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return rows of features in memory, or in a file where they are many."""
    return keep_all(rows, _folder, in_memory=KEPT_BYTES // 4)


def _folder() -> Path:
    # What can download takes longer to load than a small model does.
    from recurra.datasets.fetch import cache_folder

    return cache_folder() / "rows"


def _applied(steps: Sequence[Feature], sequence: np.ndarray) -> np.ndarray:
    for step in steps:
        sequence = step.transform(sequence)
    return sequence
