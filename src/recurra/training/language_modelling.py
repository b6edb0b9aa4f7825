"""Training on one long text: parallel streams, truncated backpropagation, a state that is carried on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.batches.examples import Examples
from recurra.errors import DataError
from recurra.kernels.cell import CELLS
from recurra.nn.networks.sequence_network import NetworkConfig, SequenceNetwork, build, from_arrays
from recurra.nn.random_generators import dropout
from recurra.ragged import Ragged

State = tuple[Tensor, ...] | None


def cut_into_streams(ids: np.ndarray, streams: int) -> np.ndarray:
    """Cut a text into streams of equal length that are read side by side, each a stretch of it.

    Parameters
    ----------
    ids : int64 array of shape (tokens,)
        The text.
    streams : int
        Wanted; fewer where the text is too short for two tokens each.

    Returns
    -------
    int64 array of shape (streams, steps + 1)
        Each stretch with the token after it, so that every token but the first is predicted once; up to streams - 1
        tokens at the end are left out.
    """
    if len(ids) < 2:
        raise DataError(f"a text to learn from must have at least 2 tokens; got {len(ids)}. Give more text.")
    rows = min(streams, len(ids) - 1)
    steps = (len(ids) - 1) // rows
    return np.stack([ids[row * steps : row * steps + steps + 1] for row in range(rows)])


@dataclass(frozen=True, eq=False)
class TextStreams(Examples):
    """Pieces of the streams of a text: a batch holds the same piece of all streams, and batches come in order.

    An input row holds a token, the one after it, and whether the text begins there; targets are the tokens after.

    Parameters
    ----------
    streams : int
        Read side by side.
    """

    streams: int = 1

    @classmethod
    def cut(cls, ids: np.ndarray, *, streams: int, steps: int) -> "TextStreams":
        """Return the pieces of a text.

        Parameters
        ----------
        ids : int64 array of shape (tokens,)
        streams : int
            See `cut_into_streams`.
        steps : int
            Of a piece, after which the gradient is cut [1]_.

        References
        ----------
        .. [1] R. Williams and J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
           Trajectories", Neural Computation 2(4), 1990.
        """
        whole = cut_into_streams(ids, streams)
        pieces: list[np.ndarray] = []
        for first in range(0, whole.shape[1] - 1, steps):
            for stream in whole:
                tokens = stream[first : first + steps + 1].astype(np.float32)
                begins = np.full(len(tokens) - 1, float(first == 0), np.float32)
                pieces.append(np.stack([tokens[:-1], tokens[1:], begins], axis=1))
        return cls(pieces, [piece[:, 1].astype(np.int64) for piece in pieces], streams=len(whole))

    def plan(self, batch_size: int, *, seed: int, epoch: int, shuffle: bool = True) -> list[np.ndarray]:
        """Return the batches of one epoch: the same in each."""
        return list(np.arange(len(self)).reshape(-1, self.streams))

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return how many batches `plan` gives."""
        return len(self) // self.streams


class LanguageNetwork(torch.nn.Module):
    """A network with an answer per step that reads the streams of a text, and gives the nats of every next token.

    Parameters
    ----------
    network : SequenceNetwork
        With an embedding as its front.
    streams : int
        Read side by side in training; the state of each goes on from piece to piece.

    Attributes
    ----------
    sequences : Tensor of shape (n,) or None
        Which streams the next call reads; None for all.
    """

    def __init__(self, network: SequenceNetwork, streams: int) -> None:
        super().__init__()
        self.network = network
        config = network.config
        for number in range(len(CELLS[config.cell].states)):
            zeros = torch.zeros(
                config.num_layers, streams, config.hidden_size, dtype=torch.float32, device="cpu"
            )
            self.register_buffer(f"state_{number}", zeros)  # with the weights in every checkpoint
        self.sequences: Tensor | None = None

    @classmethod
    def built(cls, config: NetworkConfig, streams: int, seed: int, fitted: Any = None) -> "LanguageNetwork":
        """Return a network with its first weights, or with those of a fitted model."""
        network = build(config, seed=seed) if fitted is None else from_arrays(config, fitted.weights)
        return cls(network, streams)

    @staticmethod
    def weights_of(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the weights of the network alone."""
        begin = "network."
        return {name.removeprefix(begin): w for name, w in weights.items() if name.startswith(begin)}

    def forward(self, inputs: Ragged) -> Tensor:
        """Return nats, shape (total_steps,), of rows as `TextStreams` has them; all sequences have the same length."""
        streams = len(inputs.lengths)
        rows = inputs.values.reshape(streams, -1, inputs.values.shape[1])
        tokens = torch.cat([rows[:, :, 0], rows[:, -1:, 1]], dim=1)
        begins = bool(rows[0, 0, 2])
        buffers = self.states_of_sequences
        chosen = slice(None) if self.sequences is None else self.sequences
        before = None if begins else tuple(buffer[:, chosen].clone() for buffer in buffers)
        nats, after = step_nats(self.network, tokens, before)
        if self.training:
            for buffer, state in zip(buffers, after, strict=True):
                buffer[:, chosen] = state.detach()
        return nats

    @property
    def states_of_sequences(self) -> list[Tensor]:
        """The states that go on from piece to piece, each of shape (num_layers, streams, hidden_size)."""
        return list(self.buffers(recurse=False))


def step_nats(network: SequenceNetwork, piece: Tensor, state: State) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the nats of each next token of a piece (streams, steps + 1), row by row, and the state after it."""
    rows, steps = piece.shape[0], piece.shape[1] - 1
    values = piece[:, :-1].reshape(-1, 1).to(network.head.weight.dtype)
    assert network.front is not None
    read = network.front(Ragged(values, [steps] * rows))
    share = network.config.dropout
    read = read.replace(dropout(network, read.values, share))
    hx: Any = None if state is None else state if len(state) > 1 else state[0]
    output, after = network.recurrent(read, hx)
    logits = network.head(dropout(network, output.values, share))
    nats = F.cross_entropy(logits, piece[:, 1:].reshape(-1).long(), reduction="none")
    return nats, after if isinstance(after, tuple) else (after,)


def next_token_loss(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean of the nats that a `LanguageNetwork` gives."""
    return outputs.mean()
