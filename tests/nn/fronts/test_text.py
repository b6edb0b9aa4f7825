"""The front of texts: the same numbers from torch and numpy, each spelling read once, gradients where they belong."""

import numpy as np
import pytest
import torch

from recurra.kernels.fronts.text import distinct_spellings, runs_of_letters
from recurra.nn.networks.sequence_network import NetworkConfig, build, from_arrays, to_arrays
from recurra.ragged import Ragged
from recurra.serving.prediction import expected_shapes, network_outputs
from recurra.serving.streams.stateful_network import RunningNetwork

WIDTH = 6


def config(words=9, size=4, letters=8, dropout=0.0, subwords=0):
    first = 1 if words else size
    front = {
        "name": "text",
        "words": words,
        "size": size,
        "letters": letters,
        "letter_size": 3,
        "spelling": 5,
        "dropout": dropout,
        "subwords": subwords,
        "subword_size": 2,
    }
    return NetworkConfig(
        cell="gru",
        input_size=first + (WIDTH if letters or subwords else 0),
        hidden_size=5,
        output_size=3,
        front=front,
    )


def rows(rng, n, config):
    front = config.front
    out = rng.normal(size=(n, config.input_size)).astype(np.float32)
    if front["words"]:
        out[:, 0] = rng.integers(0, front["words"], n)
    if front["letters"] or front["subwords"]:
        lengths = rng.integers(1, WIDTH + 1, n)
        codes = rng.integers(1, front["letters"] or 8, (n, WIDTH))
        codes[np.arange(WIDTH) >= lengths[:, None]] = 0
        out[:, -WIDTH:] = codes
    return out


@pytest.mark.parametrize(
    "config",
    [
        config(),
        config(words=0),
        config(letters=0),
        config(words=0, size=0),
        config(subwords=50),
        config(words=0, letters=0, subwords=50),
    ],
    ids=repr,
)
def test_torch_and_numpy_agree_and_batch_mates_change_no_bit(config):
    network = build(config, seed=3).eval()
    if network.front.subwords is not None:
        with torch.no_grad():
            network.front.subwords[1:].normal_(generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    texts = [rows(rng, n, config) for n in (4, 1, 7)]
    weights = to_arrays(network)
    assert {name: array.shape for name, array in weights.items()} == expected_shapes(config.to_dict())
    inputs = Ragged.from_list(texts)
    with torch.no_grad():
        expected = network(inputs.replace(torch.from_numpy(inputs.values))).numpy()
    found = network_outputs(config.to_dict(), weights, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for text, answer in zip(texts, found, strict=True):
        np.testing.assert_array_equal(
            network_outputs(config.to_dict(), weights, Ragged.from_list([text]))[0], answer
        )
    running = RunningNetwork(config.to_dict(), weights)
    for row in texts[0]:
        running.advance(row[None])
    np.testing.assert_array_equal(running.outputs()[0], found[0])
    assert from_arrays(config, weights).config == config


def test_a_spelling_is_read_once():
    codes = np.array([[1, 2, 0], [1, 0, 0], [1, 2, 0], [3, 2, 1]])
    flat, lengths, back = distinct_spellings(codes)
    assert sorted(lengths.tolist()) == [1, 2, 3]
    pieces = np.split(flat, np.cumsum(lengths)[:-1])
    assert [pieces[k].tolist() for k in back] == [[1, 2], [1], [1, 2], [3, 2, 1]]


def test_runs_of_letters_are_those_of_the_spelling():
    abc, ab, twice = np.array([1, 2, 3, 0]), np.array([1, 2, 0, 0]), np.array([3, 1, 2, 0])
    runs, counts = runs_of_letters(np.stack([abc, ab, twice]), 2**20)
    assert counts.tolist() == [6, 3, 6]  # a b c ab bc abc; a b ab
    found = [set(row[row > 0].tolist()) for row in runs]
    assert found[1] < found[0]
    assert found[1] < found[2]
    assert len(found[0] & found[2]) == 4  # a b c ab, wherever they stand
    assert runs_of_letters(np.zeros((1, 4)), 8)[1].tolist() == [1]  # never a division by nothing
    assert runs_of_letters(np.arange(1, 7)[None], 8)[1].tolist() == [
        6 + 5 + 4 + 3 + 2
    ]  # of five letters at most
    few = runs_of_letters(np.arange(1, 27)[None], 3)[0]
    assert set(few.ravel().tolist()) == {1, 2}


def test_only_runs_that_were_read_learn():
    network = build(config(letters=0, subwords=1000), seed=0)
    assert network.front.subwords.abs().sum() == 0
    row = np.zeros((1, 1 + WIDTH), np.float32)
    row[0, :4] = [2, 3, 7, 0]
    network(Ragged(torch.from_numpy(row), [1])).sum().backward()
    runs, _ = runs_of_letters(row[:, 1:], 1000)
    read = sorted(set(runs[runs > 0].tolist()))
    assert network.front.subwords.grad.abs().sum(dim=1).nonzero().flatten().tolist() == read


def test_gradients_reach_the_words_and_letters_that_were_read():
    network = build(config(), seed=0)
    row = np.zeros((1, 1 + WIDTH), np.float32)
    row[0, :4] = [2, 3, 7, 0]
    network(Ragged(torch.from_numpy(row), [1])).sum().backward()
    assert network.front.words.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [2]
    assert network.front.letters.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [3, 7]
    assert network.front.words[0].abs().sum() == 0  # the unknown word begins as nothing


def test_dropout_only_in_training():
    network = build(config(dropout=0.5), seed=0)
    inputs = Ragged(torch.from_numpy(rows(np.random.default_rng(0), 5, network.config)), [5])
    assert not torch.equal(network.front(inputs).values, network.front(inputs).values)
    network.eval()
    assert torch.equal(network.front(inputs).values, network.front(inputs).values)
