r"""Attention of one sequence over the steps of another: where to look for the next symbol.

A query :math:`s` (the decoder's state) is scored against every step :math:`m_j` of the memory (the encoder's output);
the softmax of the scores weighs the steps [1]_ [2]_:

.. math:: c = \sum_j \frac{e^{score(s, m_j)}}{\sum_k e^{score(s, m_k)}} \, m_j

==========  ===============================================================
"dot"       :math:`s \cdot m_j / \sqrt n`, the directions of m summed
"general"   :math:`s \cdot W m_j / \sqrt n`
"additive"  :math:`v \cdot \tanh(W m_j + U s)`
==========  ===============================================================

with n channels of s. The first two are divided by the root of n as in [3]_: they sum n products, and undivided the softmax
soon has nearly all its weight on one step and hardly learns another.

References
----------
.. [1] Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", 2014,
   arXiv:1409.0473 (additive).
.. [2] Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015,
   arXiv:1508.04025 (dot, general).
.. [3] Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurra.nn.layers.layouts import Steps, to_padded

KINDS = ("dot", "general", "additive")


@dataclass(frozen=True)
class Memory:
    """What is looked at: the encoder's steps, laid out once for all queries.

    Padding appears here only: a matrix product over (batch, query, memory) is worth its few empty rows, whose weight
    is exactly zero.

    Parameters
    ----------
    values : Tensor of shape (batch, memory_time, memory_size)
        What is summed.
    keys : Tensor of shape (batch, memory_time, key_size)
        What is scored.
    absent : BoolTensor of shape (batch, 1, memory_time)
        Where a sequence has ended.
    """

    values: Tensor
    keys: Tensor
    absent: Tensor

    def take(self, count: int) -> "Memory":
        """Return the memory of the first sequences."""
        return Memory(self.values[:count], self.keys[:count], self.absent[:count])


class Attention(nn.Module):
    """Attention of decoder states over encoder states.

    Parameters
    ----------
    kind : {"dot", "general", "additive"}
    query_size : int
        Channels of a query.
    memory_size : int
        Channels of a step of the memory; for "dot" a multiple of ``query_size``.
    """

    def __init__(self, kind: str, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.kind, self.query_size = kind, query_size
        self.weight = self.query_weight = self.score = None
        if kind != "dot":
            self.weight = nn.Parameter(torch.empty(query_size, memory_size))
        if kind == "additive":
            self.query_weight = nn.Parameter(torch.empty(query_size, query_size))
            self.score = nn.Parameter(torch.empty(query_size))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the weights, uniform after Glorot."""
        for weight in (self.weight, self.query_weight):
            if weight is not None:
                nn.init.xavier_uniform_(weight, generator=generator)
        if self.score is not None:
            nn.init.xavier_uniform_(self.score.detach()[None], generator=generator)

    def memory(self, values: Tensor, steps: Steps) -> Memory:
        """Lay out encoder states.

        Parameters
        ----------
        values : Tensor of shape (total_steps, memory_size)
            Sequence after sequence, each of at least one step.
        steps : Steps
            Their lengths.
        """
        time = int(steps.lengths.max())
        if self.weight is not None:
            keys = values @ self.weight.T
        else:
            keys = values.unflatten(1, (-1, self.query_size)).sum(1)
        if self.kind != "additive":
            keys = keys / self.query_size**0.5
        lengths = torch.from_numpy(steps.lengths).to(values.device)
        absent = torch.arange(time, device=values.device)[None, None] >= lengths[:, None, None]
        values, keys = (to_padded(part, steps, time=time, batch_first=True) for part in (values, keys))
        return Memory(values, keys, absent)

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Look.

        Parameters
        ----------
        queries : Tensor of shape (batch, query_time, query_size)
        memory : Memory
            Of as many sequences.

        Returns
        -------
        context : Tensor of shape (batch, query_time, memory_size)
        weights : Tensor of shape (batch, query_time, memory_time)
            Each row sums to one.
        """
        if self.kind == "additive":
            assert self.query_weight is not None
            assert self.score is not None
            both = memory.keys[:, None] + (queries @ self.query_weight.T)[:, :, None]
            scores = torch.tanh(both) @ self.score
        else:
            scores = queries @ memory.keys.transpose(1, 2)
        weights = scores.masked_fill(memory.absent, -torch.inf).softmax(-1)
        return weights @ memory.values, weights
