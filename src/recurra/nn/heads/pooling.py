"""From the outputs of every step to one vector a sequence: last, mean, max, attention.

All work on flat ragged rows and add up each sequence's rows in their order, so that a sequence's vector does
not depend on its batch mates. A sequence without steps gives zeros (with "last", its initial state).
"""

import torch
from torch import Tensor

from recurra.nn.layers.layouts import Steps, ragged_values
from recurra.ragged import Ragged


def last(h_n: Tensor, *, bidirectional: bool) -> Tensor:
    """Return the final state of each direction of the last layer.

    Parameters
    ----------
    h_n : Tensor of shape (num_layers * num_directions, batch, hidden_size)
        As a recurrent layer returns it.
    bidirectional : bool
        Whether there are two directions.

    Returns
    -------
    Tensor of shape (batch, num_directions * hidden_size)
        The second direction's state is the one after the first step, where it has read everything.
    """
    # Not two selections and their concatenation: with their gradients those are several times as many operations.
    if not bidirectional:
        return h_n[-1]
    last_layer = h_n if len(h_n) == 2 else h_n[-2:]
    return last_layer.transpose(0, 1).flatten(1)


def mean(ragged: Ragged) -> Tensor:
    """Return the mean of each sequence's rows: values (total_steps, channels) to (batch, channels)."""
    values = ragged_values("pooling.mean", ragged)
    counts = torch.from_numpy(ragged.lengths).clamp(min=1).to(values)
    return _sum(values, _sequence(ragged), len(ragged)) / counts[:, None]


def maximum(ragged: Ragged) -> Tensor:
    """Return the largest value of each sequence and channel: (total_steps, channels) to (batch, channels).

    Where several steps share the largest value, its gradient is divided among them evenly.
    """
    values = ragged_values("pooling.maximum", ragged)
    return _max(values, _sequence(ragged), len(ragged))


class AttentionPooling(torch.nn.Module):
    r"""Weighted mean of a sequence's rows, with weights that are learned.

    .. math::

        s_t = v \cdot \tanh(W h_t + b), \quad a_t = \exp(s_t) / \sum_k \exp(s_k), \quad p = \sum_t a_t h_t

    Parameters
    ----------
    channels : int
        Channels C of the rows; :math:`W` (``weight``) has shape (C, C), :math:`b` (``bias``) and :math:`v`
        (``context``) have shape (C,).

    References
    ----------
    .. [1] Yang et al., "Hierarchical Attention Networks for Document Classification", NAACL 2016.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(channels, channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))
        self.context = torch.nn.Parameter(torch.zeros(channels))

    def attention(self, ragged: Ragged) -> Tensor:
        """Return the weight of every step, shape (total_steps,); those of one sequence sum to 1."""
        values = ragged_values("AttentionPooling", ragged)
        sequence, batch = _sequence(ragged), len(ragged)
        scores = torch.tanh(torch.nn.functional.linear(values, self.weight, self.bias)) @ self.context
        # The largest score of a sequence is taken off so that no exponential overflows; it cancels out.
        peaks = _max(scores.detach()[:, None], sequence, batch)[:, 0]
        exponentials = (scores - peaks.index_select(0, sequence)).exp()
        return exponentials / _sum(exponentials, sequence, batch).index_select(0, sequence)

    def forward(self, ragged: Ragged) -> Tensor:
        """Return the weighted mean of each sequence: values (total_steps, channels) to (batch, channels)."""
        weighted = self.attention(ragged)[:, None] * ragged.values
        return _sum(weighted, _sequence(ragged), len(ragged))


def _sequence(ragged: Ragged) -> Tensor:
    device = ragged.values.device
    return torch.from_numpy(Steps(ragged.lengths, device).sequence).to(device)


def _sum(values: Tensor, sequence: Tensor, batch: int) -> Tensor:
    return values.new_zeros(batch, *values.shape[1:]).index_add(0, sequence, values)


def _max(values: Tensor, sequence: Tensor, batch: int) -> Tensor:
    # Not include_self=False from zeros: torch's backward (2.13) counts a start value equal to the maximum.
    start = values.new_full((batch, values.shape[1]), -torch.inf)
    largest = start.scatter_reduce(0, sequence[:, None].expand_as(values), values, reduce="amax")
    empty = torch.ones(batch, dtype=torch.bool, device=values.device).index_fill(0, sequence, False)
    return largest.masked_fill(empty[:, None], 0.0)
