"""`Answers`: what many streams say after a row each."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.checks import counted
from recurra.errors import UsageError
from recurra.kernels.heads import pooling

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class Answers:
    """One answer per row given, in the same order; what does not apply to the task is None.

    Parameters
    ----------
    model : FittedModel
        What answered.
    names : list of str
        Whose rows they were.
    outputs : ndarray of shape (n, outputs)
    ready : ndarray of bool, shape (n,)
        False where a feature waits for more rows; labels and numbers there mean nothing.
    steps : ndarray of int64, shape (n,)
        Rows each stream has taken in so far.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n, classes), or None
    """

    def __init__(
        self,
        model: "FittedModel",
        names: list[str],
        outputs: np.ndarray,
        ready: np.ndarray,
        steps: np.ndarray,
    ) -> None:
        self._model = model
        self._outputs = outputs
        self.names = names
        self.ready = ready
        self.steps = steps
        self.probabilities = None if model.task == "regression" else pooling.softmax(outputs)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class of each: array of shape (n,)."""
        if self._model.task == "regression":
            return None
        return self._model.classes[self._outputs.argmax(axis=1)]

    @cached_property
    def values(self) -> np.ndarray | None:
        """Of a regressor: numbers of shape (n,), or (n, targets) with several."""
        return self._model.numbers(self._outputs) if self._model.task == "regression" else None

    @cached_property
    def quantiles(self) -> np.ndarray | None:
        """Of a regressor with ``loss="quantile"``: quantiles of shape (n, quantiles), or (n, targets, quantiles)."""
        return self._model.quantiles_of(self._outputs) if self._model.quantiles else None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Any:
        """Return the newest label or number of a stream; None where it is not ready."""
        if name not in self._index:
            raise UsageError(f"Answers: {name!r} had no row in this step.")
        index = self._index[name]
        found = self.values if self.labels is None else self.labels
        return found[index] if found is not None and self.ready[index] else None

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def __repr__(self) -> str:
        return f"Answers({counted(len(self), 'row')} of {counted(len(set(self.names)), 'stream')})"
