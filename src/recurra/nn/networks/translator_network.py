r"""`TranslatorNetwork`: an encoder reads the source, a decoder with attention writes the target symbol by symbol.

.. math::
    m &= encoder(source) \\
    s_t &= decoder(y_{t-1}, s_{t-1}), \qquad c_t = attention(s_t, m) \\
    a_t &= \tanh(W [s_t; c_t] + b), \qquad p(y_t) = softmax(V a_t + b')

as in [1]_. Without input feeding nothing of :math:`a_t` goes back into the decoder, so that with the true symbols at
hand (teacher forcing) it runs over all steps in one call of the kernels. With it the decoder reads
:math:`[y_{t-1}; a_{t-1}]`, one step after the other.

References
----------
.. [1] Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015,
   arXiv:1508.04025.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.checks import check_choice, check_number, listing
from recurra.errors import UsageError
from recurra.kernels.cell import PLAIN
from recurra.nn.cells.layers_by_name import LAYERS
from recurra.nn.heads.attention import KINDS, Attention, Memory
from recurra.nn.heads.log_likelihood import log_likelihood
from recurra.nn.initialization import initialize
from recurra.nn.layers.layouts import Steps, from_padded, to_padded
from recurra.nn.random_generators import OwnDraws, dropout
from recurra.ragged import Ragged

BEGIN = 1
SOURCE, TARGET = 0, 1

States = tuple[Tensor, ...]


@dataclass(frozen=True)
class TranslatorConfig:
    """What a `TranslatorNetwork` looks like; every field is checked when it is made.

    Raises
    ------
    UsageError
        If a field is not what its comment allows.
    """

    cell: str  # "rnn", "lstm" or "gru", in encoder and decoder
    source_size: int  # symbols of the source, special ones included
    target_size: int  # symbols of the target, special ones included
    embedding_size: int  # channels of an embedded symbol
    hidden_size: int  # units of the decoder, and of the encoder in each direction
    num_layers: int = 1  # of encoder and decoder
    bidirectional: bool = True  # whether the encoder reads backward too
    attention: str = "general"  # "dot", "general" or "additive"
    input_feeding: bool = False  # whether the decoder reads what it last attended to
    tie_embeddings: bool = False  # whether the embedding of the target is the output's matrix too
    dropout: float = 0.0  # probability in [0, 1) of zeroing a feature after every part

    def __post_init__(self) -> None:
        who = "TranslatorConfig"
        check_choice(who, "cell", self.cell, tuple(PLAIN))
        check_choice(who, "attention", self.attention, KINDS)
        for word in ("source_size", "target_size", "embedding_size", "hidden_size", "num_layers"):
            check_number(who, word, getattr(self, word), integer=True, low=1)
        for word in ("bidirectional", "input_feeding", "tie_embeddings"):
            check_choice(who, word, getattr(self, word), [False, True])
        check_number(who, "dropout", self.dropout, low=0, high=1, high_open=True)

    @property
    def memory_size(self) -> int:
        """Channels of the encoder's output."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def attended_size(self) -> int:
        """Channels of what the output layer sees."""
        return self.embedding_size if self.tie_embeddings else self.hidden_size

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "TranslatorConfig":
        """Return the configuration of a dictionary; UsageError at a field that does not exist."""
        known = [field.name for field in fields(cls)]
        unknown = [key for key in config if key not in known]
        if unknown:
            raise UsageError(
                f"TranslatorConfig: unknown key {unknown[0]!r}; known are {listing(known, len(known))}."
            )
        return cls(**config)


class TranslatorNetwork(nn.Module):
    """Encoder, decoder and attention.

    Parameters
    ----------
    config : TranslatorConfig
        What it looks like.
    sampling : float, default=0.0
        Scheduled sampling: share of the true symbols that the decoder is not told in training, and reads its own
        guesses instead [1]_. The guesses of all steps come from a first pass with the true symbols, so that the second
        is one call over time as well [2]_.

    References
    ----------
    .. [1] Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", 2015,
       arXiv:1506.03099.
    .. [2] Duckworth et al., "Parallel Scheduled Sampling", 2019, arXiv:1906.04331.
    """

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def __init__(self, config: TranslatorConfig, *, sampling: float = 0.0) -> None:
        super().__init__()
        self.config, self.sampling = config, sampling
        c = config
        with OwnDraws(), torch.device("cpu"):
            self.source = nn.Embedding(c.source_size, c.embedding_size)
            self.target = nn.Embedding(c.target_size, c.embedding_size)
            layers = {"num_layers": c.num_layers, "dropout": c.dropout if c.num_layers > 1 else 0.0}
            self.encoder = LAYERS[c.cell](
                c.embedding_size, c.hidden_size, bidirectional=c.bidirectional, **layers
            )
            fed = c.attended_size if c.input_feeding else 0
            self.decoder = LAYERS[c.cell](c.embedding_size + fed, c.hidden_size, **layers)
            self.bridge = nn.ModuleList(
                nn.Linear(c.memory_size, c.hidden_size) for _ in range(len(PLAIN[c.cell].states))
            )
            self.attention = Attention(c.attention, query_size=c.hidden_size, memory_size=c.memory_size)
            self.combine = nn.Linear(c.hidden_size + c.memory_size, c.attended_size)
            self.head = nn.Linear(c.attended_size, c.target_size)
        if c.tie_embeddings:
            self.head.weight = self.target.weight

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all weights anew: recurrent ones as `recurra.nn.initialize` does, embeddings with unit variance."""
        for layer in (self.encoder, self.decoder):
            initialize(layer, generator)
        for linear in (*self.bridge, self.combine, self.head):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
        self.attention.initialize(generator)
        nn.init.normal_(self.source.weight, generator=generator)
        # A tied embedding is scaled up where it is read, so that as an output it begins small.
        nn.init.normal_(self.target.weight, std=1 / self._scale, generator=generator)
        # A symbol never seen in training is read as nothing at all.
        with torch.no_grad():
            self.source.weight[0] = 0

    @property
    def _scale(self) -> float:
        return math.sqrt(self.config.embedding_size) if self.config.tie_embeddings else 1.0

    def forward(self, pairs: Ragged) -> Tensor:
        """Judge the targets, given their sources and, at each step, the true symbols before (teacher forcing).

        Parameters
        ----------
        pairs : Ragged
            int64 values of shape (total_steps, 2): a symbol, and 0 if it is of the source or 1 if of the target. Of
            every pair the source comes first; the target ends with the end symbol.

        Returns
        -------
        Tensor of shape (batch, 4)
            For each pair, summed over the target: log-probability of the true symbols, mean log-probability of all
            symbols, symbols whose probability is the greatest (0 in training), symbols.
        """
        source, target, previous = _sides(pairs)
        memory, states = self.encode(source)
        attended = self.decode(self._told(previous, target, memory, states), memory, states)
        scores = self.head(self._drop(attended.values))
        of_target, mean = log_likelihood(scores, target.values)
        right = (
            torch.zeros_like(mean) if self.training else (scores.argmax(1) == target.values).to(mean.dtype)
        )
        rows = torch.stack([of_target, mean, right, torch.ones_like(mean)], dim=1)
        sequence = torch.from_numpy(np.repeat(np.arange(len(target)), target.lengths)).to(rows.device)
        return rows.new_zeros(len(target), 4).index_add(0, sequence, rows)

    def encode(self, source: Ragged) -> tuple[Memory, States]:
        """Return the memory of source symbols, int64 of shape (total_steps,), and the decoder's first states."""
        embedded = self._drop(F.embedding(source.values, self.source.weight))
        output, final = self.encoder(source.replace(embedded))
        last = final[0] if isinstance(final, tuple) else final
        directions = 2 if self.config.bidirectional else 1
        joined = last.unflatten(0, (-1, directions)).transpose(1, 2).flatten(2)
        states = tuple(torch.tanh(bridge(joined)) for bridge in self.bridge)
        steps = Steps(source.lengths, embedded.device)
        return self.attention.memory(self._drop(output.values), steps), states

    def decode(self, previous: Ragged, memory: Memory, states: States) -> Ragged:
        """Return what the output layer sees after each symbol: values of shape (total_steps, attended_size)."""
        looked_up = F.embedding(previous.values, self.target.weight) * self._scale
        embedded = previous.replace(self._drop(looked_up))
        if self.config.input_feeding:
            return self._feed(embedded, memory, states)
        output, _ = self.decoder(embedded, states if len(states) > 1 else states[0])
        steps = Steps(previous.lengths, embedded.values.device)
        time = int(steps.lengths.max())
        queries = self._drop(output.values)
        context, _ = self.attention(to_padded(queries, steps, time=time, batch_first=True), memory)
        rows = from_padded(context, steps, batch_first=True)
        return previous.replace(torch.tanh(self.combine(torch.cat([queries, rows], 1))))

    def _feed(self, embedded: Ragged, memory: Memory, states: States) -> Ragged:
        """Decode step by step, each reading what the one before attended to."""
        steps = Steps(embedded.lengths, embedded.values.device)
        order = torch.from_numpy(steps.order).to(embedded.values.device)
        memory = Memory(memory.values[order], memory.keys[order], memory.absent[order])
        states = tuple(s[:, order] for s in states)
        fed = embedded.values.new_zeros(len(embedded), self.config.attended_size)
        out = []
        for rows in steps.pack(embedded.values).split(steps.batch_sizes):
            n = len(rows)
            states, memory, fed = tuple(s[:, :n] for s in states), memory.take(n), fed[:n]
            x = Ragged(torch.cat([rows, fed], 1), np.ones(n, dtype=np.int64))
            output, after = self.decoder(
                x, tuple(s.contiguous() for s in states) if len(states) > 1 else states[0]
            )
            states = after if isinstance(after, tuple) else (after,)
            query = self._drop(output.values)
            context, _ = self.attention(query[:, None], memory)
            fed = torch.tanh(self.combine(torch.cat([query, context[:, 0]], 1)))
            out.append(fed)
        return embedded.replace(steps.unpack(torch.cat(out)))

    def _told(self, previous: Ragged, target: Ragged, memory: Memory, states: States) -> Ragged:
        """Return the symbols the decoder reads: the true ones, some replaced by its own guesses."""
        if not self.training or not self.sampling:
            return previous
        with torch.no_grad():
            guesses = self.head(self.decode(previous, memory, states).values).argmax(1)
        # The guess for a symbol stands where the symbol would be read: one step later.
        shifted = torch.cat([guesses[:1], guesses[:-1]])
        chosen = torch.rand(len(shifted), generator=self.generator, device=shifted.device) < self.sampling
        first = torch.from_numpy(target.offsets[:-1]).to(shifted.device)
        chosen[first] = False
        return previous.replace(torch.where(chosen, shifted, previous.values))

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(self, values, self.config.dropout)


def _sides(pairs: Ragged) -> tuple[Ragged, Ragged, Ragged]:
    """Return the source, the target, and the target as the decoder reads it, one step behind."""
    symbols, side = pairs.values[:, 0], pairs.values[:, 1].cpu().numpy()
    sequence = np.repeat(np.arange(len(pairs)), pairs.lengths)
    lengths = np.bincount(sequence[side == TARGET], minlength=len(pairs))
    rows = torch.from_numpy(np.flatnonzero(side == TARGET)).to(symbols.device)
    source = Ragged(
        symbols[torch.from_numpy(np.flatnonzero(side == SOURCE)).to(rows.device)], pairs.lengths - lengths
    )
    target = Ragged(symbols[rows], lengths)
    before = symbols[rows - 1]
    before[torch.from_numpy(target.offsets[:-1]).to(rows.device)] = BEGIN
    return source, target, target.replace(before)


def build_translator(config: TranslatorConfig, *, seed: int, sampling: float = 0.0) -> TranslatorNetwork:
    """Return an initialised network; equal seeds give equal weights, no global generator is touched."""
    network = TranslatorNetwork(config, sampling=sampling)
    network.initialize(torch.Generator().manual_seed(seed))
    return network


def translator_from_arrays(config: TranslatorConfig, arrays: Mapping[str, np.ndarray]) -> TranslatorNetwork:
    """Return the network of a configuration with these weights, copied.

    Raises
    ------
    UsageError
        If names or shapes do not fit.
    """
    network = TranslatorNetwork(config)
    named = {name: torch.tensor(array, device="cpu") for name, array in arrays.items()}
    if config.tie_embeddings:
        named.setdefault("head.weight", named["target.weight"])
    try:
        network.load_state_dict(named)
    except RuntimeError as error:
        raise UsageError(f"translator_from_arrays: the weights do not fit: {error}") from None
    return network
