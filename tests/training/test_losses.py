import numpy as np
import pytest
import torch

from recurra.errors import ShapeError
from recurra.training.losses import cross_entropy, mean_absolute_error, mean_squared_error

OUTPUTS = torch.tensor(np.random.default_rng(0).normal(size=(6, 3)), dtype=torch.float64)
CLASSES = torch.tensor([0, 2, 1, 1, 0, 2])
NUMBERS = torch.tensor(np.random.default_rng(1).normal(size=(6, 3)), dtype=torch.float64)
COUNTS = torch.tensor([1, 3, 2, 1, 4, 2])
LOSSES = [
    (cross_entropy(), CLASSES),
    (cross_entropy([1.0, 2.0, 0.5]), CLASSES),
    (mean_squared_error, NUMBERS),
    (mean_absolute_error, NUMBERS),
]


@pytest.mark.parametrize(("loss", "targets"), LOSSES)
def test_a_weight_of_three_is_the_same_row_three_times(loss, targets):
    outputs = OUTPUTS.clone().requires_grad_()
    weighted = loss(outputs, targets, COUNTS.double())
    repeated = loss(outputs.repeat_interleave(COUNTS, 0), targets.repeat_interleave(COUNTS, 0), None)
    torch.testing.assert_close(weighted, repeated)
    (ours,) = torch.autograd.grad(weighted, outputs)
    (expected,) = torch.autograd.grad(repeated, outputs)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(("loss", "targets"), LOSSES)
def test_equal_weights_of_any_size_are_no_weights(loss, targets):
    expected = loss(OUTPUTS, targets, None)
    torch.testing.assert_close(loss(OUTPUTS, targets, torch.full((6,), 0.3, dtype=torch.float64)), expected)


@pytest.mark.parametrize(("loss", "targets"), LOSSES)
def test_a_batch_of_weight_zero_teaches_nothing(loss, targets):
    outputs = OUTPUTS.clone().requires_grad_()
    value = loss(outputs, targets, torch.zeros(6, dtype=torch.float64))
    value.backward()
    assert value == 0
    assert (outputs.grad == 0).all()


def test_class_weights_agree_with_torch():
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(OUTPUTS, CLASSES, weight=weights)
    torch.testing.assert_close(cross_entropy([1.0, 2.0, 0.5])(OUTPUTS, CLASSES, None), expected)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ShapeError, match=r"outputs \(6, 1\) and targets \(6,\) must have the same shape"):
        mean_squared_error(OUTPUTS[:, :1], NUMBERS[:, 0], None)
    with pytest.raises(ShapeError, match=r"outputs must have shape \(rows=6, classes\); got \(5, 3\)"):
        cross_entropy()(OUTPUTS[:5], CLASSES, None)
