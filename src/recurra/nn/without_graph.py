"""The gradient of a plain small network without a graph: one call forward, one call back.

To record a graph and to walk back over it takes torch about a millisecond for a network of ten weight arrays, whatever
their size: half of what a training step on short sequences takes. The numbers are those of the graph.
"""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules import module as torch_module

from recurra.kernels.dispatch import native_module
from recurra.nn import bridge
from recurra.nn.gru import GRU
from recurra.nn.lstm import LSTM
from recurra.nn.network import SequenceNetwork
from recurra.nn.recurrent import all_weights
from recurra.nn.rnn import RNN

# A head of more weights is worth torch's threads, and long enough for the graph not to matter.
SMALL_HEAD = 1 << 16


class WithoutGraph:
    """A network whose gradient is computed by two calls; `applies` says when.

    The gradients are written into the same tensors each time: whoever wants to keep one copies it.

    Parameters
    ----------
    network : Module
        Recurrent layers, pooling "last", dropout, a linear head: see `recurra.nn.network.SequenceNetwork`.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        self._network: Any = network
        self._prepared: _Prepared | None = None
        self._pass: _Pass | None = None

    def applies(self, values: Tensor) -> bool:
        """Return whether these two calls do all that the graph would: native kernels, nothing hooked in or frozen."""
        if self._prepared is None or not self._prepared.holds():
            fits = type(self._network) is SequenceNetwork and _is_plain(self._network)
            self._prepared = _Prepared(self._network) if fits and bridge.runs_native(values, ()) else None
        return self._prepared is not None

    def forward(self, values: Tensor, lengths: np.ndarray) -> Tensor:
        """Return the network's output, (batch, output_size), for ragged values of shape (total_steps, input_size)."""
        assert self._prepared is not None
        network, recurrent, h_n = self._network, self._prepared.recurrent, values
        call = bridge.Call(network.config.cell, lengths, None, None, recurrent.memory)
        layers = []
        for index, weights in enumerate(self._prepared.weights):
            noise = _noise(values, recurrent.dropout if index and recurrent.training else 0.0)
            x = values if noise is None else values * noise
            values, h_n, _, kept = bridge.forward_pass(call, x, None, None, weights, save=True)
            layers.append((x, noise, values, kept))
        directions, batch, size = h_n.shape
        features = values.new_empty(batch, directions * size)
        noise = _noise(features, network.config.dropout if network.training else 0.0)
        if noise is not None:  # the features side by side, as one direction
            h_n = (h_n.transpose(0, 1).flatten(1) * noise)[None]
        self._pass = _Pass(call, layers, h_n.shape, features, noise)
        return self._prepared.head_scores(h_n, features)

    def backward(self, gradient: Tensor) -> None:
        """Set the ``grad`` of every parameter from the gradient of the output that `forward` gave; once."""
        assert self._prepared is not None
        assert self._pass is not None
        done, self._pass = self._pass, None
        by_output: Tensor | None = None
        by_states: Tensor | None = self._prepared.head_gradients(gradient, done)
        layers = zip(done.layers, self._prepared.weights, self._prepared.gradients, strict=True)
        for index, ((x, noise, output, kept), weights, into) in reversed([*enumerate(layers)]):
            wanted = [torch.empty_like(x) if index else None, None, None, *into]
            given = (by_output, by_states, None)
            bridge.backward_pass(done.call, kept, x, output, None, None, weights, given, wanted)
            by_output, by_states = wanted[0], None
            if noise is not None and by_output is not None:
                by_output *= noise
        for parameter, its_gradient in self._prepared.pairs:
            if parameter.grad is not its_gradient:
                parameter.grad = its_gradient


class _Pass(NamedTuple):
    """What the backward pass needs of a forward pass."""

    call: bridge.Call
    layers: list[tuple[Tensor, Tensor | None, Tensor, bridge.Kept]]  # input, its dropout, output, gates
    shape: Sequence[int]  # of what the head was given: (directions, batch, size)
    features: Tensor  # the same side by side, (batch, directions * size)
    noise: Tensor | None  # dropout of the features


class _Prepared:
    """The parts of a network, looked up once, and the tensors for its gradients."""

    def __init__(self, network: Any) -> None:
        self.recurrent, self._modules = network.recurrent, _modules(network)
        self._types = [type(m) for m in self._modules]
        self._hooks = [h for m in self._modules for h in _hooks(m)]
        self.weights = all_weights(self.recurrent)
        self._parameters = _parameters(network)
        self._addresses = [p.data_ptr() for p in self._parameters]
        of = {p: torch.empty_like(p, requires_grad=False) for p in self._parameters}
        self.pairs = list(of.items())
        self.gradients = [
            [None if w is None else of[w] for one in layer for w in one] for layer in self.weights
        ]
        self._weight, self._bias = network.head.weight, network.head.bias
        self._head_gradients = [of[self._weight], of[self._bias]]
        self._both = 2 if network.config.bidirectional else 1

    def holds(self) -> bool:
        """Return whether everything still is where it was, is trained, and nobody asks to be called on the way."""
        return (
            not any(self._hooks)
            and self._modules[0].cut_after is None
            and list(map(type, self._modules)) == self._types
            and len(now := _parameters(self._modules[0])) == len(self._parameters)
            and all(map(operator.is_, now, self._parameters))
            and list(map(Tensor.data_ptr, self._parameters)) == self._addresses
            and _are_trained(self._parameters)
            and not torch_module._has_any_global_hook()
        )

    def head_scores(self, states: Tensor, features: Tensor) -> Tensor:
        """Return the head's output, and leave the states side by side in ``features``."""
        (directions, batch, size), outputs = states.shape, len(self._weight)
        scores = features.new_empty(batch, outputs)
        native_module().head_scores(
            False, batch, directions, size, outputs, states.data_ptr(), self._weight.data_ptr(), self._bias.data_ptr(),
            features.data_ptr(), scores.data_ptr(),
        )  # fmt: skip
        return scores

    def head_gradients(self, gradient: Tensor, done: _Pass) -> Tensor:
        """Fill the gradients of the head, and return that of the last layer's final states."""
        directions, batch, size = done.shape
        by_states = gradient.new_empty(done.shape)
        by_weight, by_bias = self._head_gradients
        native_module().head_gradients(
            False, batch, directions, size, len(by_bias), gradient.data_ptr(), done.features.data_ptr(),
            self._weight.data_ptr(), by_weight.data_ptr(), by_bias.data_ptr(), by_states.data_ptr(),
        )  # fmt: skip
        if done.noise is None:
            return by_states
        return (by_states[0] * done.noise).view(batch, self._both, -1).transpose(0, 1).contiguous()


def _modules(network: Any) -> list[Any]:
    return [network, network.recurrent, network.head]


def _parameters(network: Any) -> list[Any]:
    modules = network._modules
    return [*modules["recurrent"]._parameters.values(), *modules["head"]._parameters.values()]


def _hooks(module: torch.nn.Module) -> list[dict[int, Any]]:
    return [
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    ]


def _is_plain(network: SequenceNetwork) -> bool:
    if network.front is not None or network.cut_after is not None or network.config.pooling != "last":
        return False
    modules, parameters = _modules(network), _parameters(network)
    return (
        type(network.recurrent) in (LSTM, GRU, RNN)
        and type(network.head) is torch.nn.Linear
        and len(list(network.parameters())) == len(parameters)
        and network.head.weight.numel() <= SMALL_HEAD
        and not any(hooks for module in modules for hooks in _hooks(module))
        and not torch_module._has_any_global_hook()
        and _are_trained(parameters)
        and all(p.dtype is torch.float32 and p.is_cpu and p.is_contiguous() for p in parameters)
    )


def _are_trained(parameters: Sequence[Any]) -> bool:
    """Return whether all are trained and nobody waits for a gradient."""
    return (
        all([p.requires_grad for p in parameters])
        and not any([p._backward_hooks for p in parameters])
        and not any([p._post_accumulate_grad_hooks for p in parameters])
    )


def _noise(like: Tensor, dropout: float) -> Tensor | None:
    """Return what dropout multiplies by, drawn as torch draws it; None for nothing."""
    if dropout == 0 or not like.numel():
        return None
    return torch.empty_like(like).bernoulli_(1 - dropout).div_(1 - dropout)
