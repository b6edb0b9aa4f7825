import numpy as np
import pytest
import torch

from recurra.batches.examples import Examples


class MeanNetwork(torch.nn.Module):
    """Two linear layers with dropout on every time step, then the mean of each sequence unless ``per_step``."""

    def __init__(self, input_size=3, output_size=2, dropout=0.0, per_step=False):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = torch.nn.Linear(input_size, 8)
            self.last = torch.nn.Linear(8, output_size)
        self.dropout = torch.nn.Dropout(dropout)
        self.per_step = per_step

    def forward(self, ragged):
        hidden = self.dropout(torch.tanh(self.first(ragged.values)))
        if self.per_step:
            return self.last(hidden)
        lengths = torch.from_numpy(ragged.lengths)
        owner = torch.repeat_interleave(torch.arange(len(ragged)), lengths)
        sums = torch.zeros(len(ragged), hidden.shape[1]).index_add(0, owner, hidden)
        return self.last(sums / lengths[:, None])


def separable(n=40, seed=0, per_step=False, weights=None):
    """Sequences of two classes whose first channel lies around -1 or 1."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, n)
    inputs = [
        (rng.normal(size=(int(rng.integers(1, 9)), 3)) * 0.5 + [2 * c - 1, 0, 0]).astype(np.float32)
        for c in classes
    ]
    targets = [np.full(len(x), c) for x, c in zip(inputs, classes, strict=True)] if per_step else classes
    return Examples(inputs=inputs, targets=targets, weights=weights, names=[f"rec_{i:02d}" for i in range(n)])


@pytest.fixture
def make_network():
    return MeanNetwork


@pytest.fixture
def make_examples():
    return separable
