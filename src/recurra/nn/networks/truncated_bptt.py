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
from torch.utils.checkpoint import checkpoint

from recurra.ragged import Ragged

# Numbers that the gates of a step take for each unit of a layer, and for how many of them a piece is computed again on the
# way back: one more forward pass, which is worth it where they would take a gigabyte.
_GATES, _MOST_KEPT = 6, 1 << 28


def in_pieces(recurrent: Any, ragged: Ragged, size: int) -> tuple[Ragged, Any]:
    """Return what a recurrent layer of one direction gives, with the gradient cut every ``size`` rows.

    The numbers are those of the whole; a sequence that has ended keeps its state. Of very many rows only the pieces'
    outputs and states are kept, and a piece is computed again when its gradient is.

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
    again = _is_again(recurrent, len(ragged.values))
    follows = torch.empty(0, requires_grad=True)  # so that there is a way back, though rows have no gradient
    for begin in range(0, int(lengths.max(initial=0)), size):
        taken = np.clip(lengths - begin, 0, size)
        shift = firsts + begin - (np.cumsum(taken) - taken)
        rows = np.repeat(shift, taken) + np.arange(int(taken.sum()))
        values = ragged.values[torch.from_numpy(rows)]

        def piece(_: Tensor, values: Tensor, hx: Any, taken: np.ndarray = taken) -> tuple[Tensor, Any]:
            output, states = recurrent(Ragged(values, taken), hx)
            return output.values, states

        # The other kind of checkpoint lets go of what torch saves, and the kernels keep their gates themselves.
        output, hx = (
            checkpoint(piece, follows, values, hx, use_reentrant=True, preserve_rng_state=False)
            if again
            else piece(follows, values, hx)
        )
        hx = _detached(hx)
        pieces.append(output)
        places.append(rows)
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return ragged.replace(torch.cat(pieces)[order]), hx


def _is_again(recurrent: Any, rows: int) -> bool:
    """Whether pieces are computed again; never where something is drawn at random, which would be drawn anew."""
    draws = getattr(recurrent, "recurrent_dropout", 0) or (recurrent.num_layers > 1 and recurrent.dropout)
    kept = rows * recurrent.hidden_size * recurrent.num_layers * _GATES
    return kept > _MOST_KEPT and not draws and getattr(recurrent, "variant", None) is None


def _detached(states: Any) -> Any:
    return tuple(state.detach() for state in states) if isinstance(states, tuple) else states.detach()
