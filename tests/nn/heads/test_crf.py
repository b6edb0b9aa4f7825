"""The conditional random field: against every path counted one by one, numpy and torch, ragged batches."""

import itertools

import numpy as np
import pytest
import torch

from recurra.kernels.heads import crf as numpy_crf
from recurra.nn.heads.crf import CRF
from recurra.ragged import Ragged
from recurra.training.losses import chain_cross_entropy

LABELS = 3


def drawn(seed=0):
    """Return a field with weights that are not zero."""
    field = CRF(LABELS).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in field.parameters():
            weight.normal_(generator=generator)
    return field, {f"crf.{name}": w.detach().numpy() for name, w in field.named_parameters()}


def every_path(scores, weights):
    """Return the score of every path."""
    found = {}
    for path in itertools.product(range(LABELS), repeat=len(scores)):
        total = weights["crf.begin"][path[0]] + weights["crf.end"][path[-1]]
        total += sum(scores[t, label] for t, label in enumerate(path))
        total += sum(weights["crf.transitions"][pair] for pair in itertools.pairwise(path))
        found[path] = total
    return found


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_numpy_against_every_path(steps):
    _, weights = drawn()
    scores = np.random.default_rng(steps).normal(size=(steps, LABELS))
    paths = every_path(scores, weights)
    assert tuple(numpy_crf.best_path(scores, weights)) == max(paths, key=paths.get)
    mass = np.exp(np.array(list(paths.values())) - np.logaddexp.reduce(list(paths.values())))
    expected = np.zeros((steps, LABELS))
    for path, share in zip(paths, mass, strict=True):
        expected[np.arange(steps), path] += share
    np.testing.assert_allclose(numpy_crf.marginals(scores, weights), expected, atol=1e-6)


def test_likelihood_of_a_ragged_batch_against_every_path():
    field, weights = drawn(1)
    rng = np.random.default_rng(0)
    lengths = [3, 1, 5, 3]
    each = [rng.normal(size=(n, LABELS)) for n in lengths]
    labels = [rng.integers(0, LABELS, n) for n in lengths]
    before = [np.concatenate([own[:1], own[:-1]]) for own in labels]
    targets = torch.from_numpy(np.stack([np.concatenate(before), np.concatenate(labels)], axis=1))
    rows = field(Ragged(torch.from_numpy(np.concatenate(each)), lengths))
    expected = 0.0
    for scores, own in zip(each, labels, strict=True):
        paths = every_path(scores, weights)
        expected += np.logaddexp.reduce(list(paths.values())) - paths[tuple(own)]
    found = chain_cross_entropy()(rows, targets) * sum(lengths)
    np.testing.assert_allclose(found.item(), expected, rtol=1e-10)
    for scores, table in zip(each, torch.split(rows, lengths), strict=True):
        np.testing.assert_allclose(
            table.detach().numpy().reshape(-1, LABELS, LABELS),
            numpy_crf.conditionals(scores, weights),
            atol=1e-12,
        )


def test_gradients():
    field, _ = drawn(2)
    targets = torch.tensor([[0, 0], [0, 2], [1, 1], [1, 0], [0, 1]])

    def loss(scores, *weights):
        with torch.nn.utils.parametrize.cached():
            return chain_cross_entropy()(
                torch.func.functional_call(field, dict(zip(dict(field.named_parameters()), weights, strict=True)),
                                           (Ragged(scores, [2, 3]),)),
                targets,
            )  # fmt: skip

    scores = torch.randn(5, LABELS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(loss, (scores.requires_grad_(), *field.parameters()))
