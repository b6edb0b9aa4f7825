"""A linear head and its cross entropy in one, against torch's operations one after the other."""

import itertools

import numpy as np
import pytest
import torch

import oracles
import recurra
from recurra.nn.heads import linear_cross_entropy as module
from recurra.nn.heads.linear_cross_entropy import fits, linear_cross_entropy
from recurra.nn.heads.pooling import last
from recurra.training.losses import cross_entropy

pytestmark = oracles.needs_native

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def drawn(parts, layers, rows, size, classes, *, dtype=torch.float32, bias=True):
    torch.manual_seed(rows * size + classes)
    seen = torch.randn(layers * parts, rows, size, dtype=dtype, requires_grad=True)
    head = torch.nn.Linear(parts * size, classes, bias=bias).to(dtype)
    return seen, head, torch.randint(0, classes, (rows,)), torch.rand(rows, dtype=dtype) + 0.1


def by_torch(seen, parts, head, targets, weights):
    outputs = head(last(seen, bidirectional=parts == 2))
    return outputs, cross_entropy()(outputs, targets, weights)


def gradients(loss, seen, head):
    wanted = [p for p in (seen, *head.parameters()) if p.requires_grad]
    return torch.autograd.grad(loss, wanted, retain_graph=True)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_loss_and_gradients_are_torchs(dtype, weighted):
    shapes = itertools.product((1, 2), (1, 2), (1, 5, 27), (1, 7, 16, 100), (2, 9, 17, 24), (False, True))
    for parts, layers, rows, size, classes, bias in shapes:
        seen, head, targets, weights = drawn(parts, layers, rows, size, classes, dtype=dtype, bias=bias)
        given = (seen, parts, head, targets, weights if weighted else None)
        assert fits(*given[:4])
        (outputs, loss), (expected, other) = linear_cross_entropy(*given), by_torch(*given)
        found = [outputs, loss, *gradients(3 * loss, seen, head)]
        for one, two in zip(found, [expected, other, *gradients(3 * other, seen, head)], strict=True):
            torch.testing.assert_close(one, two, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_a_second_backward_pass_gives_the_gradients_of_its_own_factor():
    seen, head, targets, weights = drawn(2, 1, 5, 7, 3)
    _, loss = linear_cross_entropy(seen, 2, head, targets, weights)
    first = gradients(3 * loss, seen, head)
    for one, two in zip(gradients(-2 * loss, seen, head), first, strict=True):
        torch.testing.assert_close(one, two * -2 / 3)


def test_what_is_frozen_gets_no_gradient():
    seen, head, targets, _ = drawn(1, 1, 5, 7, 3)
    head.weight.requires_grad_(False)
    _, loss = linear_cross_entropy(seen, 1, head, targets, None)
    loss.backward()
    assert head.weight.grad is None
    assert head.bias.grad.abs().sum() > 0
    assert seen.grad.abs().sum() > 0


def test_rows_that_all_weigh_nothing_teach_nothing():
    seen, head, targets, weights = drawn(1, 1, 5, 7, 3)
    outputs, loss = linear_cross_entropy(seen, 1, head, targets, 0 * weights)
    assert loss == by_torch(seen, 1, head, targets, 0 * weights)[1] == 0
    assert all((g == 0).all() for g in gradients(loss, seen, head))
    assert outputs.abs().sum() > 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_one_in_the_loss(bad):
    seen, head, targets, _ = drawn(1, 1, 5, 7, 3)
    seen.data[0, 3, 2] = bad
    _, loss = linear_cross_entropy(seen, 1, head, targets, None)
    assert not loss.isfinite()


def test_large_scores_stay_in_range():
    seen, head, targets, _ = drawn(1, 1, 6, 7, 3)
    head.weight.data *= 1e4
    (_, loss), (_, other) = (
        linear_cross_entropy(seen, 1, head, targets, None),
        by_torch(seen, 1, head, targets, None),
    )
    torch.testing.assert_close(loss, other)


@pytest.mark.parametrize("target", [-1, -100, 3])
def test_a_target_that_is_no_class_is_refused(target):
    seen, head, targets, _ = drawn(1, 1, 5, 7, 3)
    targets[2] = target
    with pytest.raises(IndexError, match=rf"must be in \[0, 3\); got {target}"):
        linear_cross_entropy(seen, 1, head, targets, None)


def test_what_does_not_fit_is_left_to_torch():
    seen, head, targets, _ = drawn(1, 1, 5, 7, 3)
    assert fits(seen, 1, head, targets)
    assert not fits(seen, 1, head, targets[:4])
    assert not fits(seen.double(), 1, head, targets)
    assert not fits(seen[..., :6], 1, head, targets)
    assert not fits(seen, 1, head, targets.double())
    with recurra.kernels.use("reference"):
        assert not fits(seen, 1, head, targets)


@pytest.mark.parametrize(
    "options", [{}, {"pooling": "mean+max"}, {"dropout": 0.4}, {"class_weight": "balanced"}]
)
def test_an_estimator_learns_the_same_by_either_way(options, monkeypatch):
    rng, calls, together = np.random.default_rng(0), [], module._apply
    X = [rng.normal(i % 3, size=(4 + i % 5, 2)) for i in range(30)]
    y, weights = ["abc"[i % 3] for i in range(30)], rng.permutation(np.linspace(1, 2, 30))

    def losses():
        classifier = recurra.SequenceClassifier(
            hidden_size=6, bidirectional=True, max_epochs=3, random_state=0, verbose=0, wide=False, **options
        ).fit(X, y, sample_weight=weights if options else None)
        return [row["train_loss"] for row in classifier.history_]

    monkeypatch.setattr(module, "_apply", lambda *given: calls.append(1) or together(*given))
    found = losses()
    assert len(calls) >= 3
    calls.clear()
    monkeypatch.setattr(module, "MOST_PRODUCTS", 0)
    np.testing.assert_allclose(losses(), found, rtol=1e-5)
    assert not calls
