"""Whole networks: against torch.nn and each sequence alone; built from a seed; to arrays and back."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import RecurraError, ShapeError, UsageError
from recurra.nn import NetworkConfig, SequenceNetwork, build, from_arrays, initialize, to_arrays, to_ragged

POOLINGS = ["last", "mean", "max", "attention", "none", "mean+max", "attention+last"]


@st.composite
def configs(draw):
    return NetworkConfig(
        cell=draw(st.sampled_from(["rnn", "lstm", "gru"])),
        input_size=draw(st.integers(1, 4)),
        hidden_size=draw(st.integers(1, 9)),
        output_size=draw(st.integers(1, 4)),
        num_layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        pooling=draw(st.sampled_from(POOLINGS)),
        dropout=draw(st.sampled_from([0.0, 0.5])),
    )


def config(**changes) -> NetworkConfig:
    return dataclasses.replace(NetworkConfig("lstm", input_size=3, hidden_size=4, output_size=2), **changes)


def draw_parts(lengths, channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, channels, generator=generator) for n in lengths]


def pooled(name, network, output, h_n):
    if name == "last":
        return h_n[-2:].reshape(-1) if network.config.bidirectional else h_n[-1]
    if name == "attention":
        p = network.pooling
        return torch.softmax(torch.tanh(output @ p.weight.T + p.bias) @ p.context, 0) @ output
    return output.mean(0) if name == "mean" else output.amax(0)


def alone(network: SequenceNetwork, x: torch.Tensor) -> torch.Tensor:
    """Compute the network for one sequence with torch.nn's layer and plain loops."""
    config = network.config
    theirs = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[config.cell](
        config.input_size,
        config.hidden_size,
        num_layers=config.num_layers,
        bidirectional=config.bidirectional,
    )
    theirs.load_state_dict(network.recurrent.state_dict())
    output, states = theirs(x)
    h_n = states[0] if config.cell == "lstm" else states
    if config.pooling == "none":
        features = output
    else:
        features = torch.cat([pooled(name, network, output, h_n) for name in config.pooling.split("+")])
    return features @ network.head.weight.T + network.head.bias


@settings(max_examples=100, deadline=None)
@given(
    config=configs(), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=7), seed=st.integers(0, 999)
)
def test_every_network_gives_what_torch_gives_for_each_sequence_alone(config, lengths, seed):
    network = build(config, seed=seed).eval()
    parts = draw_parts(lengths, config.input_size, seed)
    with torch.no_grad():
        found = network(to_ragged(parts))
        wanted = [alone(network, part) for part in parts]
        singles = [network(to_ragged([part])) for part in parts]
    wanted = torch.cat(wanted) if config.pooling == "none" else torch.stack(wanted)
    assert found.shape == (sum(lengths) if config.pooling == "none" else len(parts), config.output_size)
    torch.testing.assert_close(found, wanted, rtol=1.3e-6, atol=1e-5)
    torch.testing.assert_close(found, torch.cat(singles), rtol=1e-6, atol=1e-6)


def test_a_configuration_goes_to_json_and_back():
    first = config(pooling="attention", dropout=0.25, bidirectional=True)
    assert NetworkConfig.from_dict(json.loads(json.dumps(first.to_dict()))) == first


WRONG = {
    "unknown": (
        {"cell": "lstm", "hiden_size": 3},
        "NetworkConfig: unknown key 'hiden_size'; known are 'cell', 'input_size', 'hidden_size', "
        "'output_size', 'num_layers', 'bidirectional', 'pooling', 'dropout', 'front', 'crf', "
        "'static_size'. Did you mean 'hidden_size'?",
    ),
    "absent": (
        {"cell": "lstm", "input_size": 3},
        "NetworkConfig: 'hidden_size', 'output_size' must be given; got only 'cell', 'input_size'.",
    ),
    "cell": (
        {"cell": "ltsm", "input_size": 3, "hidden_size": 3, "output_size": 3},
        "NetworkConfig: cell must be one of 'rnn', 'rnn_relu', 'lstm', 'gru', 'lstm_peephole', 'lstm_norm', 'gru_norm', "
        "'gru_before'; got 'ltsm'. Did you mean 'lstm'?",
    ),
    "size": (
        {"cell": "lstm", "input_size": 3, "hidden_size": 0, "output_size": 3},
        "NetworkConfig: hidden_size must be a whole number of at least 1; got 0.",
    ),
    "dropout": (
        {"cell": "lstm", "input_size": 3, "hidden_size": 3, "output_size": 3, "dropout": 1.0},
        "NetworkConfig: dropout must be a number in [0, 1); got 1.0.",
    ),
    "pooling": (
        {"cell": "lstm", "input_size": 3, "hidden_size": 3, "output_size": 3, "pooling": "average"},
        "NetworkConfig: pooling must be one of 'last', 'mean', 'max', 'attention', 'none'; got 'average'.",
    ),
    "bidirectional": (
        {"cell": "lstm", "input_size": 3, "hidden_size": 3, "output_size": 3, "bidirectional": "yes"},
        "NetworkConfig: bidirectional must be one of False, True; got 'yes'.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_configurations_are_named(case):
    given, message = WRONG[case]
    with pytest.raises(UsageError) as caught:
        NetworkConfig.from_dict(given)
    assert str(caught.value).startswith(message)


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (build(config(pooling="attention"), seed=s) for s in (1, 1, 2))
    SequenceNetwork(config())
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[name])
    assert not torch.equal(one.head.weight, other.head.weight)
    torch.manual_seed(6)
    for name, weight in build(config(pooling="attention"), seed=1).state_dict().items():
        assert torch.equal(weight, one.state_dict()[name])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_that_was_not_initialized_has_torchs_weights(dtype):
    torch.set_default_dtype(dtype)
    try:
        networks = [
            SequenceNetwork(config(pooling="mean+attention", hidden_size=16, num_layers=2, front=front))
            for front in (None, {"name": "patches", "size": 5})
            for _ in range(2)
        ]
    finally:
        torch.set_default_dtype(torch.float32)
    for one, two in (networks[:2], networks[2:]):
        assert not any(weight.is_meta for weight in one.state_dict().values())
        for weight in one.recurrent.parameters():
            assert weight.dtype is dtype
            assert weight.std() > 0
            assert weight.abs().max() <= 16**-0.5
        assert one.head.weight.abs().max() <= one.head.in_features**-0.5
        for name, weight in one.state_dict().items():
            assert torch.equal(weight, two.state_dict()[name]), name


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_initial_weights(cell, gates):
    network = build(
        config(cell=cell, hidden_size=16, num_layers=2, bidirectional=True, pooling="attention"), seed=0
    )
    for name, weight in network.recurrent.named_parameters():
        parts = weight.detach().chunk(gates)
        for number, part in enumerate(parts):
            if name.startswith("weight_hh"):
                torch.testing.assert_close(part @ part.T, torch.eye(16))
            elif name.startswith("weight_ih"):
                bound = (6 / (part.shape[0] + part.shape[1])) ** 0.5
                assert 0.8 * bound < part.abs().max() <= bound
            else:
                remembers = cell == "lstm" and number == 1 and name.startswith("bias_ih")
                assert (part == (1.0 if remembers else 0.0)).all()
    assert (network.head.bias == 0).all()
    assert (network.pooling.bias == 0).all()
    assert network.pooling.context.abs().min() > 0
    assert 0 < network.head.weight.abs().max() <= (6 / (32 + 2)) ** 0.5


def test_initialize_forgets_what_was_there():
    network = SequenceNetwork(config())
    initialize(network, torch.Generator().manual_seed(3))
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(7.0)
    initialize(network, torch.Generator().manual_seed(3))
    for name, weight in build(config(), seed=3).state_dict().items():
        assert torch.equal(weight, network.state_dict()[name])


def test_dropout_before_the_head_while_training_only():
    network = build(config(dropout=0.5, hidden_size=64, output_size=64), seed=0)
    with torch.no_grad():
        network.head.weight.copy_(torch.eye(64))
    ragged = to_ragged(draw_parts([5] * 100, 3))
    whole = network.eval()(ragged)
    dropped = network.train()(ragged)
    assert torch.equal(network.eval()(ragged), whole)
    share = (dropped == 0).double().mean()
    assert abs(share - 0.5) < 0.03  # 6,400 draws: the standard error is 0.006
    torch.testing.assert_close(dropped[dropped != 0], 2 * whole[dropped != 0])


def test_dropout_between_layers_reaches_the_recurrent_layers():
    assert build(config(dropout=0.5, num_layers=2), seed=0).recurrent.dropout == 0.5


@settings(max_examples=30, deadline=None)
@given(config=configs())
def test_arrays_carry_the_whole_network(config):
    network = build(config, seed=0).double().eval()
    arrays = to_arrays(network)
    for array in arrays.values():
        array.flags.writeable = False  # as those of a file may be
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = from_arrays(config, arrays).eval()
    x = to_ragged([part.double() for part in draw_parts([4, 2], config.input_size)])
    assert torch.equal(again(x), network(x))
    assert list(arrays) == list(network.state_dict())


def test_arrays_are_copies():
    network = build(config(), seed=0)
    arrays = to_arrays(network)
    arrays["head.bias"] += 1
    assert (network.head.bias == 0).all()
    again = from_arrays(config(), arrays)
    arrays["head.bias"] += 1
    assert (again.head.bias == 1).all()


def test_names_of_the_weights():
    names = set(to_arrays(build(config(pooling="attention"), seed=0)))
    assert names == {
        *(f"recurrent.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
        *("pooling.weight", "pooling.bias", "pooling.context"),
        *("head.weight", "head.bias"),
    }


def change(**changes):
    arrays = to_arrays(build(config(), seed=0))
    arrays.update({key.replace("__", "."): value for key, value in changes.items()})
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (
            change(head__bias=None),
            UsageError,
            "from_arrays: a network of this configuration needs the weight 'head.bias'; got ",
        ),
        (
            change(head__bais=np.zeros(2, np.float32)),
            UsageError,
            "from_arrays: a network of this configuration has no weight 'head.bais'; got ",
        ),
        (
            change(head__bias=np.zeros(3, np.float32)),
            ShapeError,
            "from_arrays: head.bias must have shape (2,); got (3,). "
            "Use the configuration it was trained with.",
        ),
        (
            change(head__bias=np.zeros(2, np.float64)),
            UsageError,
            "from_arrays: weights must be all float32 or all float64; got 'float32', 'float64'.",
        ),
    ],
)
def test_wrong_arrays_are_named(arrays, error, message):
    with pytest.raises(RecurraError) as caught:
        from_arrays(config(), arrays)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, error)


@pytest.mark.parametrize("pooling", ["mean+mean", "mean+median", "none+mean", "+"])
def test_poolings_side_by_side_are_checked(pooling):
    with pytest.raises(UsageError, match="once each, joined by"):
        config(pooling=pooling)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"cell": "gru", "num_layers": 2, "bidirectional": True, "pooling": "attention"},
        {"pooling": "none", "crf": True},
        {"front": {"name": "embedding", "vocabulary": 11, "size": 4}, "input_size": 1},
    ],
)
def test_weights_lie_in_memory_whatever_device_is_the_default(words):
    """The device "meta" stands for a graphics card: what is made there cannot be read as an array."""
    expected = to_arrays(build(config(**words), seed=4))
    torch.set_default_device("meta")
    try:
        found = to_arrays(build(config(**words), seed=4))
    finally:
        torch.set_default_device(None)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
