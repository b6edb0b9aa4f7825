"""Convolutions over whole sequences of unequal length, before the recurrence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.checks import check_choice, check_number
from recurra.errors import UsageError
from recurra.ragged import Ragged

LAYER_WORDS = ("filters", "kernel", "dilation")
# Share of a batch in the statistics that a prediction uses; torch's own default.
MOMENTUM = 0.1


class BatchNorm(nn.Module):
    """Batch normalization over the rows of a ragged batch, which holds valid steps only.

    Parameters
    ----------
    channels : int
        Channels of a row.

    References
    ----------
    .. [1] Ioffe and Szegedy, "Batch Normalization", ICML 2015, arXiv:1502.03167.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, rows: Tensor) -> Tensor:
        """Return rows of shape (total_steps, channels), normalized: by their own mean and variance in training, by what
        was seen in training otherwise.
        """
        # A single row has no variance.
        own = self.training and len(rows) > 1
        return nn.functional.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, own, MOMENTUM
        )


class Convolutions(nn.Module):
    """Layers of convolution, batch normalization and ReLU that give one row for each step.

    A convolution sees zeros before the first and after the last step of a sequence, never another sequence; a sequence
    may be shorter than the kernel.

    Parameters
    ----------
    description : mapping
        ``layers``, a list of mappings with ``filters``, ``kernel`` (steps seen) and ``dilation`` (steps from one seen to
        the next), each at least 1; ``causal``, whether a step sees only what came before it.
    input_size : int
        Channels of a step.

    References
    ----------
    .. [1] Wang, Yan and Oates, "Time Series Classification from Scratch with Deep Neural Networks", IJCNN 2017,
       arXiv:1611.06455: three such layers.
    .. [2] Karim et al., "LSTM Fully Convolutional Networks for Time Series Classification", IEEE Access 6, 2018,
       arXiv:1709.05206: such layers and a recurrence.
    """

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "Convolutions"
        layers = description.get("layers")
        if not isinstance(layers, list | tuple) or not layers:
            raise UsageError(f"{who}: layers must be a list of at least one layer; got {layers!r}.")
        check_choice(who, "causal", description.get("causal"), [False, True])
        self.causal = bool(description["causal"])
        self.dilations: list[int] = []
        self.weights, self.biases, self.norms = nn.ParameterList(), nn.ParameterList(), nn.ModuleList()
        size = input_size
        for layer in layers:
            for word in LAYER_WORDS:
                check_number(who, word, layer.get(word), integer=True, low=1)
            filters, kernel, dilation = (int(layer[word]) for word in LAYER_WORDS)
            self.weights.append(torch.empty(filters, size, kernel))
            self.biases.append(torch.empty(filters))
            self.norms.append(BatchNorm(filters))
            self.dilations.append(dilation)
            size = filters
        self.output_size = size

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights after He et al., for ReLU; biases are 0."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(bias)

    def forward(self, ragged: Ragged) -> Ragged:
        """Return a row for each step: values of shape (total_steps, filters of the last layer)."""
        rows: Tensor = ragged.values
        spans = [(w.shape[2] - 1) * d for w, d in zip(self.weights, self.dilations, strict=True)]
        gap = max(spans)
        # Between two sequences lie enough rows of zeros for the widest kernel, so that one convolution does them all.
        places = np.arange(len(rows)) + gap * (1 + np.repeat(np.arange(len(ragged)), ragged.lengths))
        where = torch.from_numpy(places).to(rows.device)
        total = len(rows) + gap * (len(ragged) + 1)
        for weight, bias, norm, dilation, span in zip(
            self.weights, self.biases, self.norms, self.dilations, spans, strict=True
        ):
            apart = rows.new_zeros(total, rows.shape[1]).index_copy(0, where, rows)
            found = nn.functional.conv1d(apart.T[None], weight, bias, dilation=dilation)[0].T
            before = span if self.causal else span // 2
            rows = norm(found.index_select(0, where - before)).relu()
        return ragged.replace(rows)
