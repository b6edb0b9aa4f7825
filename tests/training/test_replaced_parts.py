"""Whatever is replaced in a network or hooked into it, training computes the network that predicts."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import recurra
from recurra.batches.examples import Examples
from recurra.nn.networks.sequence_network import NetworkConfig, SequenceNetwork, build
from recurra.ragged import Ragged
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy

LOSS = cross_entropy()


def network(**changes):
    config = {"cell": "gru", "input_size": 3, "hidden_size": 8, "output_size": 2}
    return build(NetworkConfig(**config | changes), seed=0)


def method_of_the_instance(module, patch):
    plain = module.features
    module.features = lambda ragged: -3 * plain(ragged)


def method_of_the_class(module, patch):
    plain = SequenceNetwork.features
    patch.setattr(SequenceNetwork, "features", lambda self, ragged: -3 * plain(self, ragged))


def forward_of_the_instance(module, patch):
    plain = module.forward
    module.forward = lambda ragged: plain(ragged) ** 2


def forward_of_the_class(module, patch):
    plain = SequenceNetwork.forward
    patch.setattr(SequenceNetwork, "forward", lambda self, ragged: plain(self, ragged) ** 2)


def forward_of_linear(module, patch):
    plain = torch.nn.Linear.forward
    patch.setattr(torch.nn.Linear, "forward", lambda self, x: 2 * plain(self, x))


def forward_of_the_layer(module, patch):
    plain = module.recurrent.forward
    module.recurrent.forward = lambda x, *args, **options: tuple(
        part * 2 if isinstance(part, torch.Tensor) else part.replace(part.values * 2)
        for part in plain(x, *args, **options)
    )


def call_of_the_class(module, patch):
    plain = SequenceNetwork.__call__
    patch.setattr(SequenceNetwork, "__call__", lambda self, ragged: plain(self, ragged) - 3)
    patch.setattr(SequenceNetwork, "_call_impl", lambda self, ragged: self.forward(ragged).sin())


def subclass(module, patch):
    class Mine(SequenceNetwork):
        def forward(self, ragged):
            return super().forward(ragged).tanh()

    module.__class__ = Mine


def forward_hook(module, patch):
    module.head.register_forward_hook(lambda _, args, output: output * 2)


def forward_hook_of_the_layer(module, patch):
    module.recurrent.register_forward_hook(lambda _, args, output: (output[0], output[1] * 2))


def forward_hook_of_the_network(module, patch):
    module.register_forward_hook(lambda _, args, output: output * 2)


def forward_pre_hook(module, patch):
    module.register_forward_pre_hook(lambda _, args: args[0].replace(args[0].values * 2))


def forward_pre_hook_of_the_head(module, patch):
    module.head.register_forward_pre_hook(lambda _, args: args[0] * 2)


def hook_of_all_modules(module, patch):
    def hook(one, args, output):
        return output * 2 if one is module.head else None

    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    return contextlib.closing(type("Handle", (), {"close": handle.remove}))


def backward_hook(module, patch):
    module.head.register_full_backward_hook(lambda _, given, got: (3 * given[0],))


def backward_pre_hook(module, patch):
    module.head.register_full_backward_pre_hook(lambda _, got: (3 * got[0],))


def hook_of_a_weight(module, patch):
    module.recurrent.weight_ih_l0.register_hook(lambda g: 3 * g)


def hook_after_accumulation(module, patch):
    def triple(p):
        p.grad = 3 * p.grad

    module.head.weight.register_post_accumulate_grad_hook(triple)


def parametrization(module, patch):
    parametrizations.weight_norm(module.head, "weight")
    module.head.parametrizations.weight.original0.data *= 2


def parametrization_of_the_layer(module, patch):
    class Double(torch.nn.Module):
        def forward(self, x):
            return 2 * x

    torch.nn.utils.parametrize.register_parametrization(module.recurrent, "weight_hh_l0", Double())


def frozen_part(module, patch):
    module.recurrent.requires_grad_(False)


def frozen_bias(module, patch):
    module.head.bias.requires_grad_(False)


def another_head(module, patch):
    module.head = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))


def another_layer(module, patch):
    module.recurrent = recurra.nn.GRU(3, 8, bias=False)


def another_pooling(module, patch):
    module.config = replace(module.config, pooling="mean")


def shared_weight(module, patch):
    module.recurrent.weight_hh_l0 = torch.nn.Parameter(module.recurrent.weight_ih_l0.data.mean(1, True) * 8)
    module.recurrent.weight_hh_l0.data = module.recurrent.weight_hh_l0.data.repeat(1, 8).contiguous()


def weight_by_columns(module, patch):
    module.head.weight.data = (2 * module.head.weight.data).t().contiguous().t()


def saved_tensors(module, patch):
    return torch.autograd.graph.saved_tensors_hooks(
        lambda t: t, lambda t: 2 * t if t.is_floating_point() else t
    )


class Doubled(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        return 2 * result if function is torch.nn.functional.linear else result


def function_mode(module, patch):
    return Doubled()


class Shifted(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        return result + 1 if function is torch.ops.aten._log_softmax.default else result


def dispatch_mode(module, patch):
    return Shifted()


def nothing(module, patch):
    module.head.bias.data[0] += 1


CHANGES = [
    nothing,
    method_of_the_instance, method_of_the_class, forward_of_the_instance, forward_of_the_class, forward_of_linear,
    forward_of_the_layer, call_of_the_class, subclass, forward_hook, forward_hook_of_the_layer,
    forward_hook_of_the_network, forward_pre_hook, forward_pre_hook_of_the_head, hook_of_all_modules, backward_hook,
    backward_pre_hook, hook_of_a_weight, hook_after_accumulation, parametrization, parametrization_of_the_layer,
    frozen_part, frozen_bias, another_head, another_layer, another_pooling, shared_weight, weight_by_columns,
    saved_tensors, function_mode, dispatch_mode,
]  # fmt: skip


def by_the_graph(module, batch):
    """Return loss and norm of the gradients as torch computes them when the network is called."""
    module.zero_grad(set_to_none=True)
    loss = LOSS(
        module(batch.inputs.replace(torch.from_numpy(batch.inputs.values))), torch.from_numpy(batch.targets)
    )
    loss.backward()
    gradients = [p.grad.double().norm() for p in module.parameters() if p.grad is not None]
    return loss.item(), torch.stack(gradients).norm().item()


class Watch(Callback):
    """Of every batch what torch computes, and what training did."""

    def __init__(self):
        self.expected, self.found = [], []

    def on_batch_begin(self, run, batch):
        self.expected.append(by_the_graph(run.network, batch))

    def on_batch_end(self, run):
        self.found.append((run.last_loss, run.last_grad_norm))


def examples():
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((n, 3)).astype(np.float32) for n in rng.integers(1, 12, 24)]
    return Examples(inputs, np.array([x.mean() > 0 for x in inputs], np.int64))


CONFIG = TrainingConfig(max_epochs=3, batch_size=24, learning_rate=0.01, optimizer="sgd")

# While training goes on weights keep their names: the best ones are put back at its end.
OTHER_WEIGHTS = (parametrization, parametrization_of_the_layer, another_head, another_layer, shared_weight)


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_is_replaced_or_hooked_in_is_trained(change, monkeypatch):
    first, module, watch = examples().batch(np.arange(24)), network(), Watch()
    plain = by_the_graph(network(), first)
    with change(module, monkeypatch) or contextlib.nullcontext():
        assert not np.allclose(by_the_graph(module, first), plain, rtol=1e-3)
        train(module, examples(), config=CONFIG, loss=LOSS, callbacks=[watch])
    assert len(watch.found) == 3
    np.testing.assert_allclose(watch.found, watch.expected, rtol=1e-5)


@pytest.mark.parametrize("change", [c for c in CHANGES if c not in OTHER_WEIGHTS], ids=lambda f: f.__name__)
def test_what_comes_while_training_goes_on_is_trained(change, monkeypatch):
    module, watch = network(), Watch()
    with contextlib.ExitStack() as stack:

        class Change(Callback):
            def on_epoch_begin(self, run):
                if run.epoch == 2:
                    stack.enter_context(change(module, monkeypatch) or contextlib.nullcontext())

        train(module, examples(), config=CONFIG, loss=LOSS, callbacks=[Change(), watch])
    assert len(watch.found) == 3
    np.testing.assert_allclose(watch.found, watch.expected, rtol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        method_of_the_instance,
        forward_of_the_layer,
        forward_hook,
        forward_pre_hook,
        parametrization,
        another_head,
    ],
    ids=lambda f: f.__name__,
)
def test_an_estimator_predicts_by_the_network_it_trained(change, monkeypatch):
    rng = np.random.default_rng(0)
    X = [rng.normal(i % 2, size=(8, 3)) for i in range(60)]
    y = [i % 2 for i in range(60)]

    def mine(input_size, output_size):
        module = network(input_size=input_size, output_size=output_size)
        change(module, monkeypatch)
        return module

    classifier = recurra.SequenceClassifier(
        network=mine, max_epochs=15, learning_rate=0.02, random_state=0, verbose=0, validation_fraction=0
    ).fit(X, y)
    assert classifier.score(X, y) > 0.9


def test_a_ragged_batch_reaches_the_replaced_method():
    module, seen = network(), []
    plain = module.features
    module.features = lambda ragged: seen.append(type(ragged)) or plain(ragged)
    train(module, examples(), config=TrainingConfig(max_epochs=1, batch_size=24), loss=LOSS)
    assert seen == [Ragged]
