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
from recurra.training.losses import CrossEntropy, Loss, reads_outputs_alone, value_and_gradient
from recurra.training.optimizers import Arrays

# A head of more weights is worth torch's threads, and long enough for the graph not to matter.
SMALL_HEAD = 1 << 16

INT64 = np.dtype(np.int64)


class WithoutGraph:
    """A network whose gradient is computed by two calls; `applies` says when.

    Outputs and gradients are written into the same tensors each time: whoever wants to keep one copies it.

    Parameters
    ----------
    network : Module
        Recurrent layers, pooling "last", dropout, a linear head: see `recurra.nn.network.SequenceNetwork`.
    loss : function
        One of `recurra.training.losses`; with any other this does not apply.
    parameters : list of Parameter
        Those that are trained. Where they are not all that the network has, in its order, this does not apply.
    """

    def __init__(self, network: torch.nn.Module, loss: Loss, parameters: list[torch.nn.Parameter]) -> None:
        self._network: Any = network
        self._loss = loss
        self._trained = parameters
        self._prepared: _Prepared | None = None
        self._pass: _Pass | None = None

    def applies(self, values: Tensor) -> bool:
        """Return whether these two calls can stand for the graph with this input.

        They cannot where another loss, hooks, frozen or replaced parts ask for torch's own way, nor for an input that
        the network refuses: it has the words for that.
        """
        if not _is_read(values):  # first: where kernels never run, nothing is prepared
            return False
        if self._prepared is None or not self._prepared.holds():
            fits = type(self._network) is SequenceNetwork and reads_outputs_alone(self._loss)
            plain = fits and _is_plain(self._network, self._trained)
            self._prepared = _Prepared(self._network) if plain else None
        return self._prepared is not None and values.shape[1] == self._prepared.recurrent.input_size

    def forward(
        self, values: Tensor, lengths: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[Tensor, float]:
        """Return the network's output, (batch, output_size), and its loss, for ragged values (total_steps, input_size)."""
        assert self._prepared is not None
        network, recurrent, h_n = self._network, self._prepared.recurrent, values
        call = bridge.Call(network.config.cell, lengths, None, None, recurrent.memory)
        layers = []
        for index, of_layer in enumerate(self._prepared.weights):
            noise = _noise(values, recurrent.dropout if index and recurrent.training else 0.0)
            x = values if noise is None else values * noise
            values, h_n, _, kept = bridge.forward_pass(call, x, None, None, of_layer, save=True)
            layers.append((x, noise, values, kept))
        noise = None
        if network.config.dropout and network.training:  # the states side by side, as one direction
            side_by_side = h_n.transpose(0, 1).flatten(1)
            noise = _noise(side_by_side, network.config.dropout)
            h_n = (side_by_side if noise is None else side_by_side * noise)[None]
        outputs, value, by_states = self._prepared.head(h_n, self._loss, targets, weights)
        self._pass = _Pass(call, layers, by_states, noise)
        return outputs, value

    def backward(self) -> Arrays:
        """Set the ``grad`` of every parameter from what `forward` kept, once; return them, in the parameters' order."""
        assert self._prepared is not None
        assert self._pass is not None
        done, self._pass = self._pass, None
        by_output: Tensor | None = None
        by_states: Tensor | None = done.by_states
        if done.noise is not None:
            directions = len(self._prepared.weights[-1])
            by_states = (
                (done.by_states[0] * done.noise).unflatten(1, (directions, -1)).transpose(0, 1).contiguous()
            )
        layers = zip(done.layers, self._prepared.weights, self._prepared.gradients, strict=True)
        for index, ((x, noise, output, kept), weights, into) in reversed([*enumerate(layers)]):
            wanted = [torch.empty_like(x) if index else None, None, None, *into]
            given = (by_output, by_states, None)
            bridge.backward_pass(done.call, kept, x, output, None, None, weights, given, wanted)
            by_output, by_states = wanted[0], None
            if noise is not None and by_output is not None:
                by_output *= noise
        return self._prepared.set_gradients()


class _Pass(NamedTuple):
    """What the backward pass needs of a forward pass."""

    call: bridge.Call
    layers: list[tuple[Tensor, Tensor | None, Tensor, bridge.Kept]]  # input, its dropout, output, gates
    by_states: Tensor  # the gradient of what the head was given
    noise: Tensor | None  # dropout of that


class _Prepared:
    """The parts of a network, looked up once, and the tensors for its gradients."""

    def __init__(self, network: Any) -> None:
        self.recurrent, self._modules, self._config = network.recurrent, _modules(network), network.config
        self._types = [type(m) for m in self._modules]
        self._watched = [d for m in self._modules for d in _hooks(m)]
        self.weights = all_weights(self.recurrent)
        self._parameters = Arrays(_parameters(network))
        of = {p: torch.empty_like(p, requires_grad=False) for p in self._parameters.tensors}
        self._gradients = Arrays([*of.values()])
        self.gradients = [
            [None if w is None else of[w] for one in layer for w in one] for layer in self.weights
        ]
        weight, bias = network.head.weight, network.head.bias
        self._head = [weight.data_ptr(), bias.data_ptr()]
        self._of_head = [of[weight].data_ptr(), of[bias].data_ptr()]
        self._outputs = weight.new_empty(0, len(weight))
        self._by_states = weight.new_empty(0)

    def holds(self) -> bool:
        """Return whether everything still is where it was, is trained, and nobody asks to be called on the way."""
        network = self._modules[0]
        now = _parameters(network)
        return (
            not any(self._watched)
            and _is_uncut(network)
            and network.config is self._config
            and list(map(type, self._modules)) == self._types
            and self._parameters.are(now)
            and self._gradients.are(self._gradients.tensors)
            and _nobody_waits(self._modules, now)
        )

    def head(
        self, states: Tensor, loss: Loss, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[Tensor, float, Tensor]:
        """Return the head's output, its loss, and the gradient of the states; fill the gradients of the head."""
        directions, batch, size = states.shape
        if self._by_states.shape != states.shape:
            self._outputs = states.new_empty(batch, self._outputs.shape[1])
            self._by_states = torch.empty_like(states)
        outputs, by_states = self._outputs, self._by_states
        sizes = (False, batch, directions, size, outputs.shape[1])
        given = (states.data_ptr(), *self._head)
        into = (*self._of_head, by_states.data_ptr())
        native = native_module()
        if isinstance(loss, CrossEntropy) and targets.dtype is INT64 and targets.shape == (batch,):
            rows = loss.rows(targets, weights)
            value = native.head_in_one(
                *sizes, *given, np.ascontiguousarray(targets), rows, outputs.data_ptr(), *into
            )
            if value is not None:
                return outputs, value, by_states
        features = states.new_empty(batch, directions * size)
        native.head_scores(*sizes, *given, features.data_ptr(), outputs.data_ptr())
        value, gradient = value_and_gradient(loss, outputs, targets, weights)
        native.head_gradients(*sizes, gradient.data_ptr(), features.data_ptr(), self._head[0], *into)
        return outputs, value, by_states

    def set_gradients(self) -> Arrays:
        """Make the gradients those of the parameters, and return them."""
        for parameter, gradient in zip(self._parameters.tensors, self._gradients.tensors, strict=True):
            if parameter.grad is not gradient:
                parameter.grad = gradient
        return self._gradients


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


def _is_plain(network: SequenceNetwork, trained: list[torch.nn.Parameter]) -> bool:
    if not _is_uncut(network) or network.config.pooling != "last":
        return False
    modules, parameters = _modules(network), _parameters(network)
    return (
        type(network.recurrent) in (LSTM, GRU, RNN)
        and type(network.head) is torch.nn.Linear
        and len(list(network.parameters())) == len(parameters) == len(trained)
        and all(map(operator.is_, parameters, trained))
        and network.head.weight.numel() <= SMALL_HEAD
        and not any(hooks for module in modules for hooks in _hooks(module))
        and _nobody_waits(modules, parameters)
        and all(p.dtype is torch.float32 and p.is_cpu and p.is_contiguous() for p in parameters)
    )


def _is_uncut(network: Any) -> bool:
    return network._modules.get("front") is None and network.cut_after is None


def _nobody_waits(modules: Sequence[Any], parameters: Sequence[Any]) -> bool:
    """Return whether all are trained, and nobody waits for a gradient or stands in for a module's own ``forward``."""
    return (
        not any(
            [not p.requires_grad or p._backward_hooks or p._post_accumulate_grad_hooks for p in parameters]
        )
        and not any(["forward" in module.__dict__ for module in modules])
        and not torch_module._has_any_global_hook()
    )


def _is_read(values: Tensor) -> bool:
    """Return whether the kernels read such values as they are, and torch would record what happens to them."""
    return (
        values.dtype is torch.float32
        and values.ndim == 2
        and values.is_contiguous()
        and bridge.runs_native(values, ())
        and torch.is_grad_enabled()
    )


def _noise(like: Tensor, dropout: float) -> Tensor | None:
    """Return what dropout multiplies by, drawn as torch draws it; None for nothing."""
    if dropout == 0 or not like.numel():
        return None
    return torch.empty_like(like).bernoulli_(1 - dropout).div_(1 - dropout)
