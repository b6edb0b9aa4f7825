from dataclasses import replace

import numpy as np
import pytest
import torch

import recurra.kernels
from recurra.nn import GRU
from recurra.nn.network import NetworkConfig, build
from recurra.ragged import Ragged
from recurra.training.losses import (
    CrossEntropy,
    binary_cross_entropy,
    cross_entropy,
    mean_squared_error,
    observed,
)
from recurra.training.without_graph import WithoutGraph

LENGTHS = [7, 1, 0, 12, 5]


def network(**changes):
    config = {"cell": "lstm", "input_size": 3, "hidden_size": 10, "output_size": 4}
    return build(NetworkConfig(**config | changes), seed=0).train()


def batch(seed=0):
    values = np.random.default_rng(seed).standard_normal((sum(LENGTHS), 3)).astype(np.float32)
    return Ragged(torch.from_numpy(values), LENGTHS)


def gradients(module):
    return {name: None if p.grad is None else p.grad.clone() for name, p in module.named_parameters()}


def numbers():
    return np.random.default_rng(2).standard_normal((len(LENGTHS), 4)).astype(np.float32)


def made(module, loss=mean_squared_error):
    return WithoutGraph(module, loss, list(module.parameters()))


def by_graph(module, inputs, loss, targets, weights):
    module.zero_grad()
    torch.manual_seed(1)
    outputs = module(inputs)
    given = None if weights is None else torch.from_numpy(weights)
    value = loss(outputs, torch.from_numpy(targets), given)
    value.backward()
    return outputs.detach(), value.detach(), gradients(module)


def by_two_calls(direct, module, inputs, targets, weights):
    module.zero_grad()
    assert direct.applies(inputs.values)
    torch.manual_seed(1)
    outputs, value = direct.forward(inputs.values, inputs.lengths, targets, weights)
    arrays = direct.backward()
    assert all(g is p.grad for g, p in zip(arrays.tensors, module.parameters(), strict=True))
    return outputs, torch.tensor(value), gradients(module)


def assert_same(module, *, direct=None, seed=0, loss=mean_squared_error, targets=None, weights=None):
    inputs, targets = batch(seed), numbers() if targets is None else targets
    expected = by_graph(module, inputs, loss, targets, weights)
    found = by_two_calls(direct or made(module, loss), module, inputs, targets, weights)
    for g in expected[-1].values():
        assert (float(g.nan_to_num(nan=1).abs().max()) > 0) == (weights is None or bool(weights.any()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_outputs_and_gradients_are_those_of_the_graph(cell, bidirectional, num_layers, dropout):
    assert_same(network(cell=cell, bidirectional=bidirectional, num_layers=num_layers, dropout=dropout))


@pytest.mark.parametrize("class_weights", [None, [1.0, 0.5, 0.0, 3.0]])
@pytest.mark.parametrize(
    "weights",
    [None, [0.5, 1.0, 0.0, 2.0, 0.1], [0.0] * 5, [1.0, -0.5, 1.0, 1.0, 1.0], [1.0, np.nan, 1.0, 1.0, 1.0]],
)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_cross_entropy_is_that_of_the_graph(class_weights, weights, dropout):
    module = network(bidirectional=True, dropout=dropout)
    with torch.no_grad():
        module.head.weight.mul_(30)  # scores far apart
    given = None if weights is None else np.array(weights, np.float32)
    targets = np.array([3, 0, 1, 2, 1])
    assert_same(module, loss=cross_entropy(class_weights), targets=targets, weights=given)


@pytest.mark.parametrize("bad", [4, -1])
@pytest.mark.parametrize("class_weights", [None, [1.0, 0.5, 0.0, 3.0]])
def test_a_class_that_is_not_there_is_refused(bad, class_weights):
    module, inputs = network(), batch()
    direct = made(module, cross_entropy(class_weights))
    assert direct.applies(inputs.values)
    with pytest.raises(IndexError):
        direct.forward(inputs.values, inputs.lengths, np.array([0, 1, bad, 0, 0]), None)


def test_a_number_that_is_none_shows_in_the_loss_and_in_its_own_outputs_alone():
    module, inputs = network(), batch()
    inputs.values[0] = torch.nan
    direct = made(module, cross_entropy())
    assert direct.applies(inputs.values)
    outputs, value = direct.forward(inputs.values, inputs.lengths, np.zeros(5, np.int64), None)
    assert np.isnan(value)
    assert outputs.isnan().all(1).tolist() == [True, False, False, False, False]


def test_batches_of_other_sizes_follow_one_another():
    module = network()
    direct = made(module)
    assert_same(module, direct=direct)
    values, lengths, targets = torch.ones(3, 3), np.array([1, 2]), np.ones((2, 4), np.float32)
    assert direct.forward(values, lengths, targets, None)[0].shape == (2, 4)
    direct.backward()
    assert_same(module, direct=direct)


def test_nothing_is_dropped_in_evaluation_mode():
    assert_same(network(num_layers=2, dropout=0.3).eval())


def test_little_memory_gives_the_same():
    module = network(bidirectional=True, num_layers=2)
    module.recurrent.memory = "sqrt"
    assert_same(module)


def test_it_goes_on_with_changed_weights_and_with_weights_that_lie_elsewhere():
    module = network()
    direct = made(module)
    assert_same(module, direct=direct)
    with torch.no_grad():
        module.head.weight.add_(1.0)
    assert_same(module, direct=direct, seed=1)
    module.recurrent.weight_hh_l0.data = module.recurrent.weight_hh_l0.data.clone() * 2
    assert_same(module, direct=direct)
    module.head.bias.grad.data = torch.ones(4)
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


def turned(module):
    module.recurrent.weight_hh_l0.data = module.recurrent.weight_hh_l0.data.t()  # same address, same size


def own_forward(module):
    module.head.forward = torch.nn.Linear(10, 4).forward


def another_pooling(module):
    module.config = replace(module.config, pooling="mean")


def a_front(module):
    module.front = torch.nn.Identity()


def another_parameter(module):
    module.head.bias = torch.nn.Parameter(torch.ones(4))


def another_layer(module):
    module.recurrent = torch.nn.LSTM(3, 10)


@pytest.mark.parametrize(
    "change",
    [frozen, forward_hook, backward_hook, tensor_hook, after_accumulation, parametrized, by_columns, in_double,
     cut, turned, own_forward, another_pooling, a_front, another_parameter, another_layer],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_what_only_the_graph_can_do_is_left_to_it_also_when_it_comes_later(change):
    values, module = batch().values, network(cell="rnn")
    direct = made(module)
    assert direct.applies(values)
    change(module)
    assert not direct.applies(values)
    if change is not another_parameter:  # for which a new optimizer would do
        assert not made(module).applies(values)


def test_what_is_not_all_trained_by_the_optimizer_keeps_its_graph():
    module = network()
    first, *others = module.parameters()
    assert not WithoutGraph(module, mean_squared_error, others).applies(batch().values)
    assert not WithoutGraph(module, mean_squared_error, [*others, first]).applies(batch().values)


@pytest.mark.parametrize(
    "options", [{"pooling": "mean"}, {"pooling": "none"}, {"pooling": "none", "crf": True}]
)
def test_other_poolings_keep_their_graph(options):
    assert not made(network(**options)).applies(batch().values)


def test_a_subclass_or_a_network_of_the_users_own_keeps_its_graph():
    module = network()
    module.__class__ = type("Mine", (type(module),), {})
    assert not made(module).applies(batch().values)
    assert not made(GRU(3, 4)).applies(batch().values)


def test_the_reference_kernels_and_double_keep_their_graph():
    with recurra.kernels.use("reference"):
        assert not made(network()).applies(batch().values)
    assert not made(network().double()).applies(batch().values.double())


def test_a_hook_of_all_modules_is_called():
    module, seen = network(), []
    direct = made(module)
    assert direct.applies(batch().values)
    handle = torch.nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(m))
    try:
        assert not direct.applies(batch().values)
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("loss", "outputs", "shape"),
    [
        (binary_cross_entropy, 1, (5,)),
        (observed("quantile", (0.1, 0.5, 0.9)), 3, (5, 1)),
        (observed("gaussian"), 2, (5, 1)),
    ],
)
def test_losses_of_numbers_are_those_of_the_graph(loss, outputs, shape):
    targets = np.random.default_rng(3).uniform(size=shape).astype(np.float32)
    assert_same(network(output_size=outputs), loss=loss, targets=targets)


class Smooth(CrossEntropy):
    def __call__(self, outputs, targets, weights=None):
        return torch.nn.functional.cross_entropy(outputs, targets, label_smoothing=0.3)


@pytest.mark.parametrize("loss", [Smooth(None), lambda outputs, targets, weights: outputs.square().sum()])
def test_a_loss_of_the_users_own_keeps_its_graph(loss):
    # it may read the weights of the network, or keep or change what it is given
    assert not made(network(), loss).applies(batch().values)


@pytest.mark.parametrize(
    "values",
    [
        torch.zeros(25, 1),
        torch.zeros(25, 5),
        torch.zeros(25, 3).double(),
        torch.zeros(3, 25).t(),
        torch.zeros(5, 5, 3),
    ],
)
def test_an_input_that_is_not_the_networks_is_left_to_it_also_when_it_comes_later(values):
    direct = made(network())
    assert not direct.applies(values)
    assert direct.applies(batch().values)
    assert not direct.applies(values)


def test_other_kernels_autocast_and_no_gradients_are_noticed_later():
    direct, values = made(network()), batch().values
    assert direct.applies(values)
    with recurra.kernels.use("reference"):
        assert not direct.applies(values)
    with torch.autocast("cpu"):
        assert not direct.applies(values)
    with torch.no_grad():
        assert not direct.applies(values)
    assert direct.applies(values)


def test_nothing_is_prepared_where_the_kernels_do_not_run():
    direct = made(network())
    with recurra.kernels.use("reference"):
        assert not direct.applies(batch().values)
    assert direct._prepared is None


def test_a_large_head_is_left_to_torchs_threads():
    assert made(network(output_size=6553)).applies(batch().values)
    assert not made(network(output_size=6554)).applies(batch().values)
