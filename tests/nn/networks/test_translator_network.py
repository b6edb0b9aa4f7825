"""The encoder and decoder in torch: what does not depend on the batch, and gradients against torch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.errors import UsageError
from recurra.features.texts import symbols
from recurra.nn.heads.attention import Attention
from recurra.nn.heads.log_likelihood import log_likelihood
from recurra.nn.layers.layouts import Steps
from recurra.nn.networks import translator_network
from recurra.nn.networks.translator_network import TranslatorConfig, build_translator
from recurra.ragged import Ragged

CONFIG = {
    "cell": "lstm",
    "source_size": 9,
    "target_size": 8,
    "embedding_size": 5,
    "hidden_size": 6,
}


def pair(source, target):
    rows = [(s, 0) for s in source] + [(t, 1) for t in target]
    return np.array(rows, dtype=np.int64)


PAIRS = [pair([3, 4, 5, 6, 7], [3, 2]), pair([8], [4, 5, 6, 7, 3, 2]), pair([4, 4], [2])]


def rows_of(network, pairs):
    batch = Ragged.from_list(pairs)
    return network(Ragged(torch.from_numpy(batch.values), batch.lengths))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
@pytest.mark.parametrize("feeding", [False, True])
def test_a_pair_does_not_depend_on_the_batch(cell, attention, feeding):
    config = CONFIG | {"cell": cell, "attention": attention, "input_feeding": feeding, "num_layers": 2}
    network = build_translator(TranslatorConfig(**config), seed=0).eval()
    together = rows_of(network, PAIRS)
    alone = torch.cat([rows_of(network, [one]) for one in PAIRS])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(rows_of(network, PAIRS[::-1]), together.flip(0))
    assert together[:, 3].tolist() == [2, 6, 1]


@pytest.mark.parametrize("feeding", [False, True])
def test_gradients_do_not_depend_on_the_batch(feeding):
    config = TranslatorConfig(**CONFIG, input_feeding=feeding, tie_embeddings=True)

    def gradients(batches):
        network = build_translator(config, seed=0)
        for batch in batches:
            rows_of(network, batch)[:, 0].sum().backward()
        return {name: p.grad for name, p in network.named_parameters()}

    together, alone = gradients([PAIRS]), gradients([[one] for one in PAIRS])
    assert all(g is not None for g in together.values())
    for name, gradient in together.items():
        torch.testing.assert_close(gradient, alone[name], rtol=1e-4, atol=1e-5)


def test_input_feeding_changes_the_answer_only_through_what_is_fed():
    fed = build_translator(TranslatorConfig(**CONFIG, input_feeding=True), seed=0).eval()
    plain = build_translator(TranslatorConfig(**CONFIG), seed=0).eval()
    weights = fed.state_dict()
    weights["decoder.weight_ih_l0"][:, CONFIG["embedding_size"] :] = 0
    fed.load_state_dict(weights)
    weights["decoder.weight_ih_l0"] = weights["decoder.weight_ih_l0"][:, : CONFIG["embedding_size"]]
    plain.load_state_dict(weights)
    torch.testing.assert_close(rows_of(fed, PAIRS), rows_of(plain, PAIRS))


def test_likelihood_is_that_of_log_softmax():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(7, 11, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(11, (7,), generator=generator)
    of_target, mean = log_likelihood(scores, targets)
    logs = F.log_softmax(scores, 1)
    torch.testing.assert_close(of_target, logs.gather(1, targets[:, None])[:, 0])
    torch.testing.assert_close(mean, logs.mean(1))
    assert torch.autograd.gradcheck(lambda s: log_likelihood(s, targets), scores)


def test_scheduled_sampling_changes_what_the_decoder_reads_in_training_only():
    config = TranslatorConfig(**CONFIG)
    told, own = build_translator(config, seed=0), build_translator(config, seed=0, sampling=1.0)
    with torch.random.fork_rng():
        assert not torch.allclose(rows_of(told, PAIRS)[1], rows_of(own, PAIRS)[1])
        # one symbol and the end: the first is read after the begin symbol, whatever was guessed
        first = [pair([3, 4], [2])]
        torch.testing.assert_close(rows_of(told, first), rows_of(own, first))
    torch.testing.assert_close(rows_of(told.eval(), PAIRS), rows_of(own.eval(), PAIRS))


def test_building_touches_no_global_generator():
    before = torch.random.get_rng_state()
    one, other = (build_translator(TranslatorConfig(**CONFIG), seed=s) for s in (0, 0))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_both_towers_mean_the_same_symbol_by_begin():
    assert translator_network.BEGIN == symbols.BEGIN


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"attention": "genral"}, "attention must be one of 'dot', 'general', 'additive'; got 'genral'"),
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1; got 0"),
        ({"input_feeding": 1.5}, "input_feeding must be one of False, True; got 1.5"),
    ],
)
def test_a_wrong_field_is_named(words, message):
    with pytest.raises(UsageError, match=f"TranslatorConfig: {message}"):
        TranslatorConfig(**CONFIG | words)


@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_training_begins_by_looking_everywhere(kind):
    attention = Attention(kind, query_size=256, memory_size=512)
    attention.initialize(torch.Generator().manual_seed(0))
    values, queries = torch.rand(20, 512) - 0.5, torch.rand(1, 30, 256) - 0.5
    memory = attention.memory(values, Steps(np.array([20]), values.device))
    _, weights = attention(queries, memory)
    assert float(weights.detach().max()) < 0.25  # evenly spread: 0.05
