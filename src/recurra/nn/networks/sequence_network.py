"""A whole network: recurrent layers, pooling, a linear head; how it is described, built, and stored."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from recurra.checks import check_choice, check_number, check_values, did_you_mean, listing
from recurra.errors import ShapeError, UsageError
from recurra.kernels.cell import CELLS
from recurra.kernels.heads.pooling import POOLINGS, split_pooling
from recurra.nn.cells.layers_by_name import LAYERS
from recurra.nn.fronts.front import make_front
from recurra.nn.heads.crf import CRF
from recurra.nn.heads.linear_cross_entropy import fits, linear_cross_entropy
from recurra.nn.heads.pooling import AttentionPooling, last, maximum, mean
from recurra.nn.initialization import initialize
from recurra.nn.layers.dispatch import function_mode
from recurra.nn.networks.truncated_bptt import in_pieces
from recurra.nn.random_generators import OwnDraws, dropout
from recurra.options import Option
from recurra.ragged import Ragged

# Of the fields of `NetworkConfig` that have a range of their own.
_RANGES = {
    one.name: one
    for one in (
        Option("cell", None, kind="choice", choices=tuple(CELLS)),
        Option("bidirectional", False, kind="choice", choices=(False, True)),
        *(
            Option(size, 1, kind="int", low=1)
            for size in ("input_size", "hidden_size", "output_size", "num_layers")
        ),
        Option("dropout", 0.0, kind="float", low=0, high=1, high_open=True),
    )
}


@dataclass(frozen=True)
class NetworkConfig:
    """What a `SequenceNetwork` looks like; every field is checked when it is made.

    Raises
    ------
    UsageError
        If a field is not what its comment allows.
    """

    cell: str  # one of CELLS; "rnn_relu" has ReLU in place of tanh
    input_size: int  # channels of a step, at least 1
    hidden_size: int  # channels of the state in each direction, at least 1
    output_size: int  # numbers the head gives: classes, or targets, at least 1
    num_layers: int = 1  # recurrent layers, at least 1
    bidirectional: bool = False  # a second direction doubles what pooling and head see
    # "last", "mean", "max", "attention", or several joined such as "mean+max"; "none" gives an output for every step
    pooling: str = "last"
    dropout: float = 0.0  # probability in [0, 1) of zeroing a feature, between layers and before the head
    front: Mapping[str, Any] | None = (
        None  # trainable layers before the recurrence, see `recurra.nn.fronts.front`
    )
    crf: bool = False  # with pooling "none": labels depend on the one before, see `recurra.nn.heads.crf`
    # How many of the channels, the last, are of the whole sequence: they pass the front by and go to the recurrence at
    # every step, so that no distance makes it forget them and a head alone need not combine them with what was read.
    static_size: int = 0

    def __post_init__(self) -> None:
        who = "NetworkConfig"
        _check_pooling(who, self.pooling)
        check_values(who, vars(self), _RANGES)
        check_choice(who, "crf", self.crf, [False, True] if self.pooling == "none" else [False])
        check_number(who, "static_size", self.static_size, integer=True, low=0, high=self.input_size - 1)

    @property
    def features(self) -> int:
        """Channels of the recurrent output: hidden_size for each direction."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @cached_property
    def poolings(self) -> tuple[str, ...]:
        """The poolings whose results the head sees side by side; empty where it sees every step."""
        return () if self.pooling == "none" else tuple(self.pooling.split("+"))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold; without static inputs as earlier versions wrote it."""
        found = asdict(self)
        if not self.static_size:
            del found["static_size"]
        return found

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "NetworkConfig":
        """Return the configuration of a dictionary.

        Raises
        ------
        UsageError
            If a key is unknown, a field without default is absent, or a value is not allowed.
        """
        known = [field.name for field in fields(cls)]
        for key in config:
            if key not in known:
                raise UsageError(
                    f"NetworkConfig: unknown key {key!r}; known are {listing(known, len(known))}."
                    f"{did_you_mean(key, known)}"
                )
        absent = [name for name in ("cell", "input_size", "hidden_size", "output_size") if name not in config]
        if absent:
            raise UsageError(f"NetworkConfig: {listing(absent)} must be given; got only {listing(config)}.")
        return cls(**config)


class SequenceNetwork(nn.Module):
    """A front where there is one, recurrent layers, pooling over time, dropout and a linear head.

    Building one leaves torch's global generator as it was. The weights are torch's defaults until
    `initialize`; `build` does both.

    Parameters
    ----------
    config : NetworkConfig
        What it looks like.
    """

    initialization: str | None = None  # how `build` drew its weights, None where it did not
    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        # Rows after which backpropagation is cut in training; of the training, so not in the configuration.
        self.cut_after: int | None = None
        own = config.input_size - config.static_size
        seen_by_head = config.features * max(len(config.poolings), 1)
        self.front = None
        if config.front is not None:
            with OwnDraws(), torch.device("cpu"):
                self.front = make_front(config.front, own).to(torch.get_default_dtype())
        with torch.device("meta"):  # without weights, which are drawn at the end
            self.recurrent = LAYERS[config.cell](
                config.static_size + (own if self.front is None else self.front.output_size),
                config.hidden_size,
                num_layers=config.num_layers,
                bidirectional=config.bidirectional,
                # torch warns of a dropout that has no two layers to stand between.
                dropout=config.dropout if config.num_layers > 1 else 0.0,
            )
            self.pooling = AttentionPooling(config.features) if "attention" in config.poolings else None
            self.head = nn.Linear(seen_by_head, config.output_size)
        with torch.device("cpu"):
            self.crf = CRF(config.output_size) if config.crf else None
        for module in filter(None, (self.recurrent, self.pooling, self.head)):
            _give_memory(module)
        initialize(self, torch.Generator().manual_seed(0), initialization="torch")

    def forward(self, ragged: Ragged) -> Tensor:
        """Return the head's output.

        Parameters
        ----------
        ragged : Ragged
            Torch values of shape (total_steps, input_size).

        Returns
        -------
        Tensor of shape (batch, output_size), or (total_steps, output_size) with pooling "none"
            Logits or predicted numbers; with a ``crf`` what that gives.

        Raises
        ------
        ShapeError
            If the values do not have input_size channels.
        """
        return self.answer(dropout(self, self.features(ragged), self.config.dropout), ragged.lengths)

    def answer(self, features: Tensor, lengths: np.ndarray) -> Tensor:
        """Return the output for what the head sees, of sequences of these lengths."""
        scores: Tensor = self.head(features)
        return scores if self.crf is None else self.crf(Ragged(scores, lengths))

    def features(self, ragged: Ragged) -> Tensor:
        """Return what the head sees, without dropout: shape (batch or total_steps, features)."""
        return self.pooled(*self.run(ragged))

    def run(self, ragged: Ragged) -> tuple[Ragged, Tensor]:
        """Return the recurrent output, and its final state as `recurra.nn.LSTM` gives h_n."""
        ragged = self.read(ragged)
        if self.cut_after is not None and self.training:
            output, states = in_pieces(self.recurrent, ragged, self.cut_after)
        else:
            output, states = self.recurrent(ragged)
        return output, states[0] if isinstance(states, tuple) else states

    def outputs_and_loss(
        self, ragged: Ragged, loss: Any, targets: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs for a batch, and their cross entropy: where it can be, head and loss in one.

        Parameters
        ----------
        ragged : Ragged
            As for `forward`.
        loss : CrossEntropy
            See `recurra.training.losses`.
        targets, weights : Tensor of shape (rows,)
            As for the loss.

        Returns
        -------
        outputs : Tensor of shape (rows, output_size)
            Outside of the graph where it was done in one.
        loss : Tensor of shape ()
        """
        head, p = self.head, self.config.dropout
        if self.crf is not None or not _as_written(self) or not _as_written(head):
            outputs: Tensor = self(ragged)
            return outputs, loss(outputs, targets, weights)
        output, h_n = self.run(ragged)
        if self.config.pooling == "last" and p == 0:
            seen, parts = h_n, 2 if self.config.bidirectional else 1
        else:
            seen, parts = dropout(self, self.pooled(output, h_n), p)[None], 1
        if not fits(seen, parts, head, targets):
            outputs = self.answer(seen[0] if seen is not h_n else self.pooled(output, h_n), ragged.lengths)
            return outputs, loss(outputs, targets, weights)
        return linear_cross_entropy(seen, parts, head, targets, loss.row_weights(targets, weights, like=seen))

    def read(self, ragged: Ragged) -> Ragged:
        """Return what the recurrence reads: what the front gives, where there is one, with the static inputs behind."""
        if self.front is None:
            return ragged
        if not self.config.static_size:
            found: Ragged = self.front(ragged)
            return found
        own, static = ragged.values.tensor_split([-self.config.static_size], dim=1)
        found = self.front(ragged.replace(own))
        return found.replace(torch.cat([found.values, static], dim=1))

    def pooled(self, output: Ragged, h_n: Tensor) -> Tensor:
        """Return what the head sees of the recurrent output, (total_steps, features), and its final state."""
        if self.config.pooling == "none":
            return output.values
        parts = [self._pooled_by(name, output, h_n) for name in self.config.poolings]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _pooled_by(self, name: str, output: Ragged, h_n: Tensor) -> Tensor:
        if name == "last":
            return last(h_n, bidirectional=self.config.bidirectional)
        if name == "attention" and self.pooling is not None:
            return self.pooling(output)
        return mean(output) if name == "mean" else maximum(output)


# What would be called if head and loss were not one, and where hooks would be.
_CALLS = ("__call__", "_call_impl", "_wrapped_call_impl", "forward")
_METHODS = (*_CALLS, "answer", "features", "run", "read", "pooled", "_pooled_by")
_KINDS = (SequenceNetwork, nn.Linear)
_WRITTEN = [(kind, name, vars(kind).get(name)) for kind in (*_KINDS, nn.Module) for name in _METHODS]
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _as_written(module: nn.Module) -> bool:
    """Return whether calling a module does what this file and torch say: nothing is replaced, and nothing looks on."""
    own = vars(module)
    if type(module) not in _KINDS or not own.keys().isdisjoint(_METHODS):
        return False
    if any([own[name] or getattr(hooks, "_global" + name) for name in _HOOKS]):
        return False
    watched = torch._C._len_torch_function_stack() > 0 and function_mode()
    watched = watched or torch._C._len_torch_dispatch_stack() > 0
    if watched or torch._C._autograd._top_saved_tensors_default_hooks(False) is not None:
        return False
    replaced = any([vars(kind).get(name) is not written for kind, name, written in _WRITTEN])
    return not replaced and not torch.is_autocast_enabled("cpu")


class MeanNetwork(nn.Module):
    """Several networks whose mean answers; see `recurra.serving.streams.ensemble.mean_of`.

    Parameters
    ----------
    members : sequence of Module
        Networks of the same outputs.
    probabilities : bool
        Whether softmax makes probabilities of the outputs: the logarithm of their mean is returned.
    """

    def __init__(self, members: Sequence[nn.Module], *, probabilities: bool) -> None:
        super().__init__()
        self.members, self.probabilities = nn.ModuleList(members), probabilities

    def forward(self, inputs: Ragged) -> Tensor:
        """Return outputs, one row for each row of a member's."""
        outputs = torch.stack([member(inputs) for member in self.members])
        if not self.probabilities:
            return outputs.mean(dim=0)
        return torch.logsumexp(outputs.log_softmax(dim=-1), dim=0) - math.log(len(outputs))


def _check_pooling(who: str, pooling: Any) -> None:
    """Raise UsageError unless it is "none", a pooling, or several joined by +."""
    if isinstance(pooling, str) and "+" in pooling:
        try:
            split_pooling(pooling)
        except ValueError as error:
            raise UsageError(f"{who}: {error}; got {pooling!r}.") from None
    else:
        check_choice(who, "pooling", pooling, [*POOLINGS, "none"])


def build(
    config: NetworkConfig, *, seed: int, initialization: str = "default", max_length: int | None = None
) -> SequenceNetwork:
    """Return an initialised network; equal seeds give equal weights, no global generator is touched.

    ``initialization`` and ``max_length`` are those of `recurra.nn.initialization.initialize`.
    """
    network = SequenceNetwork(config).float()
    generator = torch.Generator().manual_seed(seed)
    initialize(network, generator, initialization=initialization, max_length=max_length)
    network.initialization = initialization
    return network


def to_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of a network's weights as numpy arrays, by the names of its state dict."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def from_arrays(config: NetworkConfig, arrays: Mapping[str, np.ndarray]) -> SequenceNetwork:
    """Return the network of a configuration with these weights, copied; their dtype becomes the network's.

    Raises
    ------
    UsageError
        If a weight is absent, unknown, or of another dtype than the rest.
    ShapeError
        If a weight has not the shape the configuration asks for.
    """
    network = SequenceNetwork(config)
    expected = network.state_dict()
    for name in [*arrays, *expected]:
        if name not in expected or name not in arrays:
            problem = f"has no weight {name!r}" if name not in expected else f"needs the weight {name!r}"
            raise UsageError(
                f"from_arrays: a network of this configuration {problem}; got {listing(arrays)}."
                f"{did_you_mean(name, expected) if name not in expected else ''}"
            )
        if tuple(arrays[name].shape) != tuple(expected[name].shape):
            raise ShapeError(
                f"from_arrays: {name} must have shape {tuple(expected[name].shape)}; got "
                f"{arrays[name].shape}. Use the configuration it was trained with."
            )
    dtypes = {array.dtype.name for array in arrays.values()}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise UsageError(
            f"from_arrays: weights must be all float32 or all float64; got {listing(sorted(dtypes))}."
        )
    network = network.to(getattr(torch, dtypes.pop()))
    network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return network


def _give_memory(module: nn.Module) -> None:
    """Lay weights made on the device "meta" into memory, as they come.

    `torch.nn.Module.to_empty` does the same through a function of torch that loads sympy: half a second of every first fit.
    """
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype, device="cpu")))
