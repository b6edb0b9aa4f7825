"""`Examples`: sequences with their targets and weights, and the ragged batches cut from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recurra.batches.bucketing import plan
from recurra.checks import counted, where
from recurra.errors import DataError, ShapeError
from recurra.features.prepared_rows import PreparedRows
from recurra.ragged import Ragged
from recurra.readers.large.mapped import MAPPINGS, read_ahead

Targets = np.ndarray | Sequence[np.ndarray]


@dataclass(frozen=True)
class Batch:
    """Some of the examples, joined without padding.

    Parameters
    ----------
    inputs : Ragged
        numpy float32 values of shape (total_steps, input_size).
    targets : ndarray of shape (rows,) or (rows, targets)
        One row per sequence; with targets per step, one row per time step.
    weights : ndarray of shape (rows,) or None
        float32, one for each row of targets: a step's weight is that of its sequence.
    indices : ndarray of shape (batch,)
        int64, which examples these are.
    """

    inputs: Ragged
    targets: np.ndarray
    weights: np.ndarray | None
    indices: np.ndarray


@dataclass(frozen=True, eq=False)
class Examples:
    """What a network is trained on or judged by.

    Parameters
    ----------
    inputs : sequence of ndarray of shape (time, input_size)
        float32, one for each sequence, each with its own time of at least one step.
    targets : ndarray of shape (n,) or (n, targets), or sequence of ndarray
        int64 class indices, or float32 numbers; a sequence of arrays holds one entry per time step.
    weights : ndarray of shape (n,), optional
        float32, at least 0. A weight of two counts like the same sequence given twice.
    names : sequence of str, optional
        What messages call the sequences.

    Raises
    ------
    ShapeError
        If the parts disagree in number, or targets per step with the steps of their sequence.
    DataError
        If there is no sequence.
    """

    inputs: Sequence[np.ndarray]
    targets: Targets
    weights: np.ndarray | None = None
    names: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        n = len(self.inputs)
        if n == 0:
            raise DataError("Examples: needs at least one sequence; got none.")
        for word in ("targets", "weights", "names"):
            part = getattr(self, word)
            if part is not None and len(part) != n:
                raise ShapeError(f"Examples: {word} must have one entry per sequence ({n}); got {len(part)}.")
        if not self.per_step:
            return
        for index, (steps, target) in enumerate(zip(self.lengths, self.targets, strict=True)):
            if len(target) != steps:
                raise ShapeError(
                    f"Examples: {where(index, self.names)} has {counted(steps, 'time step')} but "
                    f"{counted(len(target), 'target')}. Give one target for each time step."
                )

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def per_step(self) -> bool:
        """Whether there is one target per time step instead of one per sequence."""
        return not isinstance(self.targets, np.ndarray) or self.targets.dtype.kind == "O"

    @cached_property
    def lengths(self) -> np.ndarray:
        """Time steps of each sequence: int64 array of shape (n,)."""
        told = getattr(self.inputs, "lengths", None)  # of inputs that are made when they are asked for
        if told is not None:
            return np.asarray(told, dtype=np.int64)
        return np.array([len(sequence) for sequence in self.inputs], dtype=np.int64)

    @property
    def input_size(self) -> int:
        """Features per time step."""
        return int(self.inputs[0].shape[1])

    def take(self, indices: Sequence[int] | np.ndarray) -> "Examples":
        """Return these examples in this order, sharing memory where numpy can."""
        where_to = np.asarray(indices, dtype=np.int64)
        chosen = where_to.tolist()
        targets: Targets = (
            self.targets[where_to]
            if isinstance(self.targets, np.ndarray)
            else [self.targets[i] for i in chosen]
        )
        return Examples(
            inputs=self._inputs_of(where_to),
            targets=targets,
            weights=None if self.weights is None else self.weights[where_to],
            names=None if self.names is None else [self.names[i] for i in chosen],
        )

    def in_pieces(self, rows: int) -> "Examples":
        """Return the same rows as examples of at most so many; a longer one is cut into pieces of nearly equal length.

        Only for targets per step: a piece has those of its own rows, and the weight and name of its sequence.
        """
        inputs, targets, owners = [], [], []
        for index in range(len(self)):
            pieces = -(-int(self.lengths[index]) // rows)
            inputs += np.array_split(self.inputs[index], pieces)
            targets += np.array_split(self.targets[index], pieces)
            owners += [index] * pieces
        return Examples(
            inputs=inputs,
            targets=targets,
            weights=None if self.weights is None else self.weights[owners],
            names=None if self.names is None else [self.names[i] for i in owners],
        )

    def plan(self, batch_size: int, *, seed: int, epoch: int, shuffle: bool = True) -> list[np.ndarray]:
        """Return the batches of one epoch as indices; see `recurra.batches.bucketing.plan`."""
        return plan(self.lengths, batch_size, seed=seed, epoch=epoch, shuffle=shuffle)

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return how many batches `plan` gives."""
        return -(-len(self.lengths) // batch_size)

    def rows(self, indices: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return targets and weights row by row, as in a `Batch` of these examples; of all by default."""
        return self._rows(np.arange(len(self)) if indices is None else indices)

    def batch(self, indices: np.ndarray) -> Batch:
        """Return these examples as one batch, in this order."""
        # Joining the arrays took 8 us for 27 sequences of 12 channels; gathering rows of one flat copy of all
        # data took 14 us, and the memory for that copy.
        targets, weights = self._rows(indices)
        inputs = Ragged.from_list(list(self._inputs_of(indices)))
        return Batch(inputs=inputs, targets=targets, weights=weights, indices=indices)

    def _inputs_of(self, indices: np.ndarray) -> Sequence[np.ndarray]:
        if isinstance(self.inputs, PreparedRows):
            return self.inputs.take(indices)
        chosen = [self.inputs[i] for i in indices.tolist()]
        return list(read_ahead(chosen)) if MAPPINGS else chosen

    def _rows(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        weights = None if self.weights is None else self.weights[indices]
        if isinstance(self.targets, np.ndarray) and not self.per_step:
            return self.targets[indices], weights
        targets = np.concatenate([self.targets[i] for i in indices.tolist()])
        return targets, None if weights is None else np.repeat(weights, self.lengths[indices])
