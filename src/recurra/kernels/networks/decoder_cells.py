"""`Cells`: stacked layers, one step of any number of sequences, their states given and returned.

`recurra.kernels.networks.stack.StackStep` holds the states of a fixed batch; here they belong to the caller, who drops
sequences that have ended and copies those that branch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.kernels import native_calls
from recurra.kernels.cells.functions import FUNCTIONS
from recurra.kernels.networks.stack import layer_weights

States = tuple[np.ndarray, ...]


class Cells:
    """Layers upon each other in one direction.

    Parameters
    ----------
    cell : {"rnn", "rnn_relu", "lstm", "gru"}
    weights : mapping of str to array
        torch's names after ``prefix``.
    num_layers : int, default=1
    prefix : str, default=""
    """

    def __init__(
        self, cell: str, weights: Mapping[str, np.ndarray], *, num_layers: int = 1, prefix: str = ""
    ) -> None:
        self.cell = cell
        self._layers = [layer_weights(weights, layer=layer, prefix=prefix) for layer in range(num_layers)]
        dtype = self._layers[0]["weight_hh"].dtype
        self._packed: list[Any] | None = None
        if native_calls.runs_native(dtype):
            self._packed = [native_calls.pack(cell, named, dtype=dtype, back=False) for named in self._layers]

    def step(self, x: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        """Feed one step of each sequence.

        Parameters
        ----------
        x : array of shape (batch, input_size)
        states : tuple of arrays of shape (num_layers, batch, hidden_size)
            h, for the LSTM h and c.

        Returns
        -------
        output : array of shape (batch, hidden_size)
            The last layer's state.
        states : tuple of arrays
            After the step.
        """
        after = []
        for layer in range(len(self._layers)):
            new = self._layer(layer, x, [state[layer] for state in states])
            x = new[0]
            after.append(new)
        return x, tuple(np.stack(parts) for parts in zip(*after, strict=True))

    def _layer(self, layer: int, x: np.ndarray, states: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        named = self._layers[layer]
        if self._packed is not None:
            given = dict(zip(("h_0", "c_0"), states, strict=False))
            out = native_calls.forward(
                self.cell,
                x,
                lengths=np.ones(len(x), np.int64),
                directions=[named],
                states=[given],
                packed=[self._packed[layer]],
            )
            return tuple(state[0] for state in out[1:-1])
        return FUNCTIONS[self.cell].step(x, states, named)
