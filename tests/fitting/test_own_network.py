"""What a network of the user's may answer: nothing else is learned from without a word."""

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import ShapeError, UsageError
from recurra.nn.heads.pooling import mean as mean_pooling

WORDS = {"max_epochs": 2, "random_state": 0, "verbose": 0, "validation_fraction": 0.25}
X = [np.random.default_rng(k).normal(size=(4 + k % 3, 2)) for k in range(16)]
CLASSES = np.arange(16) % 2
NUMBERS = np.array([x.sum() for x in X])


def network(change):
    """Return a function that builds a linear network, whose answers go through ``change``."""

    class Linear(torch.nn.Module):
        def __init__(self, input_size, output_size):
            super().__init__()
            self.linear = torch.nn.Linear(input_size, output_size)

        def forward(self, ragged):
            return change(mean_pooling(ragged.replace(self.linear(ragged.values))))

    return Linear


CHANGES = {
    "flat": lambda a: a[:, 0],
    "turned round": lambda a: a.T,
    "for one alone": lambda a: a[:1],
    "more outputs": lambda a: torch.cat([a, a], dim=1),
    "none": lambda a: a[:, :0],
    "another axis": lambda a: a.unsqueeze(-1),
    "scalar": lambda a: a.sum(),
    "tuple": lambda a: (a, a),
    "dictionary": lambda a: {"logits": a},
    "nothing": lambda a: None,
    "array": lambda a: a.detach().numpy(),
}
TASKS = {"SequenceClassifier": CLASSES, "SequenceRegressor": NUMBERS}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", TASKS)
def test_an_answer_of_another_shape_is_refused(name, change):
    """A classifier with four outputs for two classes trained, and answered with four; a tuple ended in a riddle."""
    estimator = getattr(recurra, name)(network=network(CHANGES[change]), **WORDS)
    with pytest.raises(
        ShapeError, match=rf"{name}: network must answer with a tensor of shape \(rows=\d+, outputs="
    ):
        estimator.fit(X, TASKS[name])


DETACHED = {
    "detach": lambda a: a.detach(),
    "numpy": lambda a: torch.from_numpy(a.detach().numpy()),
    "rounded": lambda a: a.argmax(1, keepdim=True).float().expand(-1, a.shape[1]),
    "new": lambda a: torch.zeros(a.shape),
}


@pytest.mark.parametrize("change", DETACHED)
@pytest.mark.parametrize("name", TASKS)
def test_an_answer_without_a_gradient_is_refused(name, change):
    estimator = getattr(recurra, name)(network=network(DETACHED[change]), **WORDS)
    with pytest.raises(UsageError, match=f"{name}: network gives an answer without a gradient"):
        estimator.fit(X, TASKS[name])


@pytest.mark.parametrize("change", [lambda a: a, lambda a: a * 2, lambda a: a.clone().T.contiguous().T])
@pytest.mark.parametrize("name", TASKS)
def test_an_answer_of_the_shape_that_is_asked_for_is_learned_from(name, change):
    fitted = getattr(recurra, name)(network=network(change), **WORDS).fit(X, TASKS[name])
    assert fitted.history_[-1]["train_loss"] < fitted.history_[0]["train_loss"]
