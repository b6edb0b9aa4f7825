"""`Answer`: what a stream says after the rows so far."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import UsageError
from recurra.kernels.heads import pooling

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class Answer:
    """What the network says, in the words that apply to its task; the others are None.

    Parameters
    ----------
    model : FittedModel
        What answered.
    outputs : ndarray or None
        Of shape (outputs,), or (rows answered, outputs) where each row is answered; None before the first answer.
    steps : int
        Rows taken in so far.
    state : callable
        Gives the steps its stream has taken in by now, and the state as bytes.
    probabilities : ndarray, optional
        Where they are known already.

    Attributes
    ----------
    probabilities : ndarray or None
        float32 of shape (classes,), or (rows answered, classes) with a label per step.
    """

    def __init__(
        self,
        model: "FittedModel",
        outputs: np.ndarray | None,
        steps: int,
        state: Callable[[], tuple[int, bytes]],
        probabilities: np.ndarray | None = None,
    ) -> None:
        self._model = model
        self._outputs = outputs
        self._state = state
        self.steps = steps
        if probabilities is None and outputs is not None and model.task != "regression":
            probabilities = pooling.softmax(outputs)
        self.probabilities = probabilities

    @property
    def label(self) -> Any:
        """The class now, as ``predict`` gives it: of the sequence so far, or of the newest row answered."""
        if self._outputs is None or not len(self._outputs) or self._model.task == "regression":
            return None
        newest = self._outputs if self._model.task == "classification" else self._outputs[-1]
        return self._model.classes[int(newest.argmax())]

    @property
    def labels(self) -> np.ndarray | None:
        """With a label per step: the class of every row answered by this call, in order."""
        if self._outputs is None or self._model.task != "labeling":
            return None
        return self._model.classes[self._outputs.argmax(axis=1)]

    @property
    def value(self) -> Any:
        """Of a regressor: the number now, or an array of shape (targets,) with several; of the newest row answered."""
        newest = self._newest_numbers
        if newest is None:
            return None
        numbers = self._model.numbers(newest)[0]
        return numbers if numbers.ndim else float(numbers)

    @property
    def values(self) -> np.ndarray | None:
        """With a number per step and a look-ahead: those of every row answered by this call, in order."""
        if self._outputs is None or self._model.task != "regression" or self._outputs.ndim < 2:
            return None
        return self._model.numbers(self._outputs)

    @property
    def quantiles(self) -> np.ndarray | None:
        """Of a regressor with ``loss="quantile"``: its quantiles now, of shape (quantiles,) or (targets, quantiles)."""
        newest = self._newest_numbers
        return None if newest is None or not self._model.quantiles else self._model.quantiles_of(newest)[0]

    @property
    def row_quantiles(self) -> np.ndarray | None:
        """Beside `values` of a regressor with ``loss="quantile"``: the quantiles of each of them, in the last axis."""
        if self._outputs is None or self.values is None or not self._model.quantiles:
            return None
        return self._model.quantiles_of(self._outputs)

    @property
    def _newest_numbers(self) -> np.ndarray | None:
        """A regressor's outputs for the newest row answered: shape (1, outputs)."""
        if self._outputs is None or self._model.task != "regression" or not self._outputs.size:
            return None
        return np.atleast_2d(self._outputs)[-1:]

    @property
    def state(self) -> bytes:
        """The state of the stream after the last row of this answer.

        Raises
        ------
        UsageError
            If the stream has gone on since.
        """
        steps, data = self._state()
        if steps != self.steps:
            raise UsageError(
                f"Answer.state: the stream has gone on from step {self.steps} to step {steps}; "
                "take the state before the next step."
            )
        return data

    def __repr__(self) -> str:
        if self._outputs is None:
            return f"Answer(steps={self.steps}, nothing yet)"
        said = f"value={self.value!r}" if self._model.task == "regression" else f"label={self.label!r}"
        return f"Answer(steps={self.steps}, {said})"
