"""A model that reads long sequences in chunks: little memory, a place to tell how far it is, the same bits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from recurra.array_summaries import check_finite
from recurra.checks import check_number
from recurra.errors import UsageError
from recurra.features.static import beside_static
from recurra.serving.inputs import Inputs, Readable
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.streams.ensemble import running
from recurra.serving.streams.stream import what_looks_ahead

Tell = Callable[[int], None]


@dataclass(frozen=True)
class ChunkedModel(FittedModel):
    """A causal model whose predictions run over every sequence chunk by chunk; made by `in_chunks`.

    Parameters
    ----------
    chunk : int
        Steps taken in at once, at least 1.
    tell : callable, optional
        Is given the steps of every chunk that is done.
    """

    chunk: int = 100_000
    tell: Tell | None = None

    def row_outputs(self, X: Readable) -> tuple[np.ndarray, list[int]]:
        """Return what `FittedModel.row_outputs` does."""
        inputs = Inputs.of(X)
        self.check(inputs)
        names, codes = inputs.names, self.static_codes(inputs.static)
        found = [
            self._one(
                sequence,
                [None if names is None else names[i]],
                None if codes is None else codes[i],
            )
            for i, sequence in enumerate(inputs.sequences)
        ]
        return np.concatenate([outputs for outputs, _ in found]), [rows for _, rows in found]

    def _one(
        self, sequence: np.ndarray, name: Sequence[str | None], code: np.ndarray | None
    ) -> tuple[np.ndarray, int]:
        features = self.features.stream()
        network = running(self)
        parts: list[np.ndarray] = []
        count = 0
        for first in range(0, len(sequence), self.chunk):
            piece = sequence[first : first + self.chunk]
            rows = features.push(piece)
            check_finite([rows], names=name, who="X as 32-bit numbers")
            rows = rows if code is None else beside_static(rows, code)
            states = np.empty((len(rows), network.state_size), np.float32)
            for index in range(len(rows)):
                states[index] = network.advance(rows[index : index + 1])[0]
            if self.per_step:
                parts.append(network.head(states))
            count += len(rows)
            if self.tell is not None:
                self.tell(len(piece))
        self.features.check_rows([np.empty(count)], name)
        return np.concatenate(parts) if self.per_step else network.outputs(), count


def in_chunks(model: FittedModel, chunk: int, tell: Tell | None = None) -> ChunkedModel:
    """Return a model that predicts the same, reading every sequence chunk by chunk.

    Raises
    ------
    UsageError
        If it cannot answer row by row, as a bidirectional network or one of the user's own, or ``chunk`` is below 1.
    """
    found = what_looks_ahead(model)
    if found is not None:
        reason, options = found
        raise UsageError(
            f"predict: chunk= reads row by row, as a stream does, and {reason}; leave chunk= out, or {options}."
        )
    check_number("predict", "chunk", chunk, integer=True, low=1)
    own = {field.name: getattr(model, field.name) for field in fields(FittedModel)}
    return ChunkedModel(**own, chunk=chunk, tell=tell)
