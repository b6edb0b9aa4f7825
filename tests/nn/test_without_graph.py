import copy

import numpy as np
import pytest
import torch

import recurra.kernels
from recurra.nn import GRU
from recurra.nn.network import NetworkConfig, build
from recurra.nn.without_graph import WithoutGraph
from recurra.ragged import Ragged

LENGTHS = [7, 1, 0, 12, 5]


def network(**changes):
    config = {"cell": "lstm", "input_size": 3, "hidden_size": 10, "output_size": 4}
    return build(NetworkConfig(**config | changes), seed=0).train()


def batch(seed=0):
    values = np.random.default_rng(seed).standard_normal((sum(LENGTHS), 3)).astype(np.float32)
    return Ragged(torch.from_numpy(values), LENGTHS)


def gradients(module):
    return {name: None if p.grad is None else p.grad.clone() for name, p in module.named_parameters()}


def by_graph(module, inputs, weights):
    module.zero_grad()
    torch.manual_seed(1)
    outputs = module(inputs)
    (outputs * weights).sum().backward()
    return outputs.detach(), gradients(module)


def by_two_calls(direct, module, inputs, weights):
    module.zero_grad()
    assert direct.applies(inputs.values)
    torch.manual_seed(1)
    outputs = direct.forward(inputs.values, inputs.lengths)
    direct.backward(weights)
    return outputs, gradients(module)


def assert_same(module, *, direct=None, seed=0):
    inputs, weights = batch(seed), torch.randn(len(LENGTHS), 4, generator=torch.Generator().manual_seed(2))
    outputs, expected = by_graph(module, inputs, weights)
    own, found = by_two_calls(direct or WithoutGraph(module), module, inputs, weights)
    torch.testing.assert_close(own, outputs)
    assert all(float(g.abs().max()) > 0 for g in expected.values())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_outputs_and_gradients_are_those_of_the_graph(cell, bidirectional, num_layers, dropout):
    assert_same(network(cell=cell, bidirectional=bidirectional, num_layers=num_layers, dropout=dropout))


def test_nothing_is_dropped_in_evaluation_mode():
    assert_same(network(num_layers=2, dropout=0.3).eval())


def test_little_memory_gives_the_same():
    module = network(bidirectional=True, num_layers=2)
    module.recurrent.memory = "sqrt"
    assert_same(module)


def test_it_goes_on_with_changed_weights_and_with_weights_that_lie_elsewhere():
    module = network()
    direct = WithoutGraph(module)
    assert_same(module, direct=direct)
    with torch.no_grad():
        module.head.weight.add_(1.0)
    assert_same(module, direct=direct, seed=1)
    module.recurrent.weight_hh_l0.data = module.recurrent.weight_hh_l0.data.clone() * 2
    assert_same(module, direct=direct)
    module.head.bias = torch.nn.Parameter(torch.ones(4))
    assert_same(module, direct=direct)


def frozen(module):
    module.recurrent.bias_hh_l0.requires_grad_(False)


def forward_hook(module):
    module.head.register_forward_hook(lambda *_: None)


def backward_hook(module):
    module.recurrent.register_full_backward_hook(lambda *_: None)


def tensor_hook(module):
    module.recurrent.weight_ih_l0.register_hook(lambda g: 2 * g)


def after_accumulation(module):
    module.head.bias.register_post_accumulate_grad_hook(lambda p: None)


def parametrized(module):
    torch.nn.utils.parametrizations.weight_norm(module.head, "weight")


def by_columns(module):
    module.head.weight.data = module.head.weight.data.t().contiguous().t()


def in_double(module):
    module.head.bias.data = module.head.bias.data.double()


def cut(module):
    module.cut_after = 3


def another_layer(module):
    module.recurrent = torch.nn.LSTM(3, 10)


@pytest.mark.parametrize(
    "change",
    [frozen, forward_hook, backward_hook, tensor_hook, after_accumulation, parametrized, by_columns, in_double,
     cut, another_layer],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_what_only_the_graph_can_do_is_left_to_it_also_when_it_comes_later(change):
    values, module = batch().values, network()
    direct = WithoutGraph(module)
    assert direct.applies(values)
    change(module)
    assert not direct.applies(values)
    assert not WithoutGraph(module).applies(values)


@pytest.mark.parametrize(
    "options", [{"pooling": "mean"}, {"pooling": "none"}, {"pooling": "none", "crf": True}]
)
def test_other_poolings_keep_their_graph(options):
    assert not WithoutGraph(network(**options)).applies(batch().values)


def test_a_subclass_or_a_network_of_the_users_own_keeps_its_graph():
    module = network()
    module.__class__ = type("Mine", (type(module),), {})
    assert not WithoutGraph(module).applies(batch().values)
    assert not WithoutGraph(GRU(3, 4)).applies(batch().values)


def test_the_reference_kernels_and_double_keep_their_graph():
    with recurra.kernels.use("reference"):
        assert not WithoutGraph(network()).applies(batch().values)
    assert not WithoutGraph(network().double()).applies(batch().values.double())


def test_a_hook_of_all_modules_is_called():
    module, seen = network(), []
    direct = WithoutGraph(module)
    assert direct.applies(batch().values)
    handle = torch.nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(m))
    try:
        assert not direct.applies(batch().values)
    finally:
        handle.remove()


def test_a_copy_of_a_network_has_gradients_of_its_own():
    module = network()
    assert_same(module)
    before = gradients(module)
    assert_same(copy.deepcopy(module), seed=3)
    torch.testing.assert_close(gradients(module), before, rtol=0, atol=0)
