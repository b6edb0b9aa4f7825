"""The numpy prediction against the torch network (the third party), and promise 1: padding never changes an answer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.features.chain import Chain
from recurra.kernels.dispatch import describe, use
from recurra.nn.networks.sequence_network import NetworkConfig, build, to_arrays
from recurra.ragged import Ragged
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.prediction import expected_shapes, network_outputs, portions


@st.composite
def network_case(draw):
    """A random network as data, and random sequences for it."""
    seed = draw(st.integers(0, 2**32 - 1))
    config = NetworkConfig(
        cell=draw(st.sampled_from(["rnn", "lstm", "gru"])),
        input_size=draw(st.integers(1, 5)),
        hidden_size=draw(st.integers(1, 9)),
        output_size=draw(st.integers(1, 4)),
        num_layers=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        pooling=draw(st.sampled_from(["last", "mean", "max", "attention", "none"])),
    )
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    rng = np.random.default_rng(seed)
    network = build(config, seed=seed).eval()
    with torch.no_grad():  # biases start at zero; a test wants them to matter
        for parameter in network.parameters():
            parameter.add_(torch.from_numpy(rng.normal(0, 0.2, parameter.shape).astype(np.float32)))
    sequences = [rng.normal(size=(n, config.input_size)).astype(np.float32) for n in lengths]
    return network, sequences


def outputs_of(network, sequences):
    return network_outputs(network.config.to_dict(), to_arrays(network), Ragged.from_list(sequences))


@given(case=network_case())
@settings(max_examples=150, deadline=None)
def test_agrees_with_torch(case):
    network, sequences = case
    ragged = Ragged.from_list(sequences)
    with torch.no_grad():
        expected = network(ragged.replace(torch.from_numpy(ragged.values))).numpy()
    np.testing.assert_allclose(outputs_of(network, sequences), expected, rtol=1e-4, atol=1e-5)


# Promise 1: not one bit on the native path, 1e-6 on the reference.
@pytest.mark.parametrize(("which", "tolerance"), [("native", 0.0), ("reference", 1e-6)])
@given(case=network_case(), order=st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_sequence_alone_equals_itself_in_any_batch_in_any_order(which, tolerance, case, order):
    if which == "native" and not describe()["native"]:
        pytest.skip("the compiled extension is not there")
    network, sequences = case
    model = model_of(network, sequences)
    shuffled = list(range(len(sequences)))
    order.shuffle(shuffled)
    with use(which):
        together = model.predict_proba([sequences[i] for i in shuffled])
        for position, index in enumerate(shuffled):
            alone = model.predict_proba([sequences[index]])[0]
            np.testing.assert_allclose(together[position], alone, rtol=0, atol=tolerance)


def model_of(network, sequences):
    per_step = network.config.pooling == "none"
    manifest = {
        "estimator": "SequenceLabeler" if per_step else "SequenceClassifier",
        "params": {},
        "task": "labeling" if per_step else "classification",
        "network": network.config.to_dict(),
        "target": {"classes": list(range(network.config.output_size)), "dtype": "<i8"},
    }
    features = Chain.fit(sequences, scaling="zscore", missing="error")
    return FittedModel(manifest, features, to_arrays(network))


@given(case=network_case())
@settings(max_examples=50, deadline=None)
def test_expected_shapes_are_the_shapes(case):
    network, _ = case
    shapes = {name: array.shape for name, array in to_arrays(network).items()}
    assert expected_shapes(network.config.to_dict()) == shapes


@pytest.mark.parametrize("steps", [1, 5, 100])
def test_portions_keep_order_and_bound_memory(steps, monkeypatch):
    monkeypatch.setattr("recurra.serving.prediction.STEPS_AT_ONCE", steps)
    sequences = [np.full((n, 1), n) for n in (3, 1, 7, 2, 2)]
    found = list(portions(sequences))
    assert [len(s) for portion in found for s in portion] == [3, 1, 7, 2, 2]
    assert all(len(portion) == 1 or sum(map(len, portion)) <= steps for portion in found)
