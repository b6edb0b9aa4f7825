"""Stages of an imported network that know where each sequence ends; every other stage sees rows alone."""

import torch
from torch import Tensor, nn

from recurra.errors import DataError

MERGES = ("concat", "sum", "mul", "ave")


class Stage(nn.Module):
    """Base: takes values (batch, time, channels) and lengths (batch,) or None, and returns both."""

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return what the next stage reads."""
        raise NotImplementedError


class Masked(Stage):
    """Rows whose channels all have one value are left out; they must stand at the end.

    Parameters
    ----------
    value : float
        The value that marks a row.
    """

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the values and what remains of the lengths."""
        return x, shorter(lengths, prefix(f"rows of {self.value:g}", (x != self.value).any(dim=-1)))


class Tokens(Stage):
    """Vectors of tokens; x is (batch, time), or (batch, time, 1).

    Parameters
    ----------
    embedding : Embedding
    masked : bool
        Whether token 0 marks the end.
    """

    def __init__(self, embedding: nn.Embedding, *, masked: bool) -> None:
        super().__init__()
        self.embedding, self.masked = embedding, masked

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (batch, time, size)."""
        tokens = (x.squeeze(-1) if x.ndim == 3 else x).long()
        if self.masked:
            lengths = shorter(lengths, prefix("tokens 0", tokens != 0))
        size = self.embedding.num_embeddings
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < size:
            raise DataError(
                f"ImportedNetwork: tokens must lie in 0 to {size - 1}; got {int(tokens.min())} to {int(tokens.max())}."
            )
        return self.embedding(tokens), lengths


class Recurrence(Stage):
    """A recurrent layer, answered for every row or by its last state.

    Parameters
    ----------
    layer : recurra.nn.LSTM, GRU or RNN
        With ``batch_first``.
    sequences : bool
        Whether it gives a row per step, zero after the end of a sequence; else its last state.
    merge : {"concat", "sum", "mul", "ave"}
        How two directions become one.
    """

    def __init__(self, layer: nn.RNNBase, *, sequences: bool, merge: str = "concat") -> None:
        super().__init__()
        self.layer, self.sequences, self.merge = layer, sequences, merge

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return (batch, time, channels), or (batch, channels)."""
        output, state = self.layer(x, lengths=lengths)
        if not self.sequences:
            h_n = state[0] if isinstance(state, tuple) else state
            output = torch.cat(list(h_n[-2:] if self.layer.bidirectional else h_n[-1:]), dim=-1)
        return self._merged(output), lengths

    def _merged(self, output: Tensor) -> Tensor:
        if not self.layer.bidirectional or self.merge == "concat":
            return output
        forward, backward = output.chunk(2, dim=-1)
        if self.merge == "mul":
            return forward * backward
        return forward + backward if self.merge == "sum" else (forward + backward) / 2


class OverTime(Stage):
    """The mean or the largest of each channel over the rows of a sequence.

    Parameters
    ----------
    which : {"mean", "max"}
    """

    def __init__(self, which: str) -> None:
        super().__init__()
        self.which = which

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return (batch, channels)."""
        if lengths is None:
            return x.mean(dim=1) if self.which == "mean" else x.amax(dim=1), None
        inside = within(lengths, x.shape[1])[..., None]
        if self.which == "max":
            return x.masked_fill(~inside, -torch.inf).amax(dim=1), lengths
        return (x * inside).sum(dim=1) / lengths.clamp(min=1)[:, None], lengths


class OverSteps(Stage):
    """A convolution over the steps of (batch, time, channels).

    Parameters
    ----------
    convolution : Conv1d
    before, after : int
        Rows of zeros put before and after.
    """

    def __init__(self, convolution: nn.Conv1d, *, before: int, after: int) -> None:
        super().__init__()
        self.convolution, self.before, self.after = convolution, before, after

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return (batch, time, filters); rows after the end of a sequence are zeros before."""
        if lengths is not None:
            x = x * within(lengths, x.shape[1])[..., None]
        padded = nn.functional.pad(x.transpose(1, 2), (self.before, self.after))
        found = self.convolution(padded).transpose(1, 2)
        return found, lengths


def within(lengths: Tensor, steps: int) -> Tensor:
    """Return which rows lie before the end of their sequence: bool of shape (batch, steps)."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def shorter(lengths: Tensor | None, found: Tensor) -> Tensor:
    """Return the smaller of two lengths for each sequence."""
    return found if lengths is None else torch.minimum(lengths, found)


def prefix(what: str, valid: Tensor) -> Tensor:
    """Return how many rows come before the first that is left out.

    Raises
    ------
    DataError
        If a row that counts stands behind one that does not.
    """
    lengths = valid.sum(dim=1)
    if not torch.equal(within(lengths, valid.shape[1]), valid):
        raise DataError(
            f"ImportedNetwork: {what} mark the end of a sequence, but some stand before other rows; put them at the end."
        )
    return lengths
