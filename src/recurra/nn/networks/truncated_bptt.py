"""Truncated backpropagation through time: the state goes on, the gradient does not.

References
----------
.. [1] R. J. Williams and J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
   Trajectories", Neural Computation 2(4), 490-501, 1990.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.ragged import Ragged


def in_pieces(recurrent: Any, ragged: Ragged, size: int) -> tuple[Ragged, Any]:
    """Return what a recurrent layer of one direction gives, with the gradient cut every ``size`` rows.

    The numbers are those of the whole; a sequence that has ended keeps its state.

    Parameters
    ----------
    recurrent : RNN, LSTM or GRU of `recurra.nn`
        One direction.
    ragged : Ragged
        Torch values of shape (total_rows, input_size).
    size : int
        Rows between cuts, at least 1.

    Returns
    -------
    output : Ragged
        Of shape (total_rows, hidden_size).
    states : as the layer returns them
        After each sequence's last row.
    """
    lengths = ragged.lengths
    firsts = ragged.offsets[:-1]
    hx: Any = None
    pieces: list[Tensor] = []
    places: list[np.ndarray] = []
    for begin in range(0, int(lengths.max(initial=0)), size):
        taken = np.clip(lengths - begin, 0, size)
        shift = firsts + begin - (np.cumsum(taken) - taken)
        rows = np.repeat(shift, taken) + np.arange(int(taken.sum()))
        output, hx = recurrent(Ragged(ragged.values[torch.from_numpy(rows)], taken), hx)
        hx = _detached(hx)
        pieces.append(output.values)
        places.append(rows)
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return ragged.replace(torch.cat(pieces)[order]), hx


def _detached(states: Any) -> Any:
    return tuple(state.detach() for state in states) if isinstance(states, tuple) else states.detach()
