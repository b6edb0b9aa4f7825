"""The same bits for any number of workers, and the same gradient as of the whole batch."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from every_task import TASKS
from recurra.training.config import TrainingConfig
from recurra.training.distributed.agent import launch
from recurra.training.distributed.sharded_step import ShardedStep
from recurra.training.distributed.workers import Workers
from recurra.training.loop import train
from recurra.training.losses import cross_entropy
from together import all_of

TESTS = Path(__file__).parents[2]
PROGRAM = TESTS / "together.py"


def by_workers(workers, cases, folder):
    """Return what so many processes make of the cases."""
    out = folder / f"{workers}.json"
    command = [sys.executable, str(PROGRAM), str(out), *(" ".join(case) for case in cases)]
    outcome = launch(command, workers, environment={"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"})
    assert outcome.code == 0
    return json.loads(out.read_text())


def test_two_processes_give_the_bits_of_one(tmp_path):
    cases = [("SequenceClassifier", "lstm"), ("TextGenerator", "gru")]
    assert by_workers(2, cases, tmp_path) == all_of(cases)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3, 4])
def test_every_estimator_gives_the_same_bits_for_any_number_of_workers(workers, tmp_path):
    cases = [(name, cell) for name in TASKS for cell in ("lstm", "gru")]
    assert by_workers(workers, cases, tmp_path) == all_of(cases)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("shards", [2, 3, 4, 9])
def test_the_gradient_is_that_of_the_whole_batch(make_network, make_examples, per_step, shards):
    weights = np.random.default_rng(1).uniform(0, 2, 7).astype(np.float32)
    examples = make_examples(n=7, per_step=per_step, weights=weights)
    network, loss = make_network(per_step=per_step).double(), cross_entropy([0.5, 3.0])
    indices = np.array([5, 0, 3, 6, 1, 2, 4])
    batch = examples.batch(indices)
    tensors = [torch.from_numpy(array) for array in (batch.targets, batch.weights)]
    network.float()
    whole = loss(network(batch.inputs.replace(torch.from_numpy(batch.inputs.values))), *tensors)
    whole.backward()
    expected = [parameter.grad.clone() for parameter in network.parameters()]
    step = ShardedStep(
        network,
        examples,
        shards=shards,
        workers=Workers(),
        seeded=torch.manual_seed,
        device=torch.device("cpu"),
    )
    outputs, targets, own = step.forward(indices, 0)
    found = loss(outputs, torch.from_numpy(targets), torch.from_numpy(own))
    found.backward()
    step.backward()
    torch.testing.assert_close(found, whole)
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_one_shard_is_what_it_always_was_and_shards_draw_apart(make_network, make_examples):
    def weights(**options):
        network = make_network(dropout=0.5)
        config = TrainingConfig(max_epochs=2, batch_size=10, **options)
        train(network, make_examples(), config=config, loss=cross_entropy())
        return [parameter.detach().clone() for parameter in network.parameters()]

    def same(a, b):
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(weights(), weights(shards=1))
    assert same(weights(shards=3), weights(shards=3))
    assert not same(weights(shards=3), weights(shards=4))


class Normed(torch.nn.Module):
    """Normalizes by the mean and the deviation of a batch, and keeps running ones."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.last = torch.nn.Linear(3, 2)

    def forward(self, ragged):
        return self.last(self.norm(ragged.values))


def test_running_statistics_are_the_mean_of_those_of_the_shards(make_examples):
    examples = make_examples(n=8, per_step=True)
    network, parts = Normed(), []
    step = ShardedStep(
        network,
        examples,
        shards=2,
        workers=Workers(),
        seeded=torch.manual_seed,
        device=torch.device("cpu"),
    )
    outputs, _, _ = step.forward(np.arange(8), 0)
    outputs.sum().backward()
    step.backward()
    for part in step._parts:
        alone = Normed()
        alone(examples.batch(part).inputs.replace(torch.from_numpy(examples.batch(part).inputs.values)))
        parts.append(alone.norm.running_mean)
    torch.testing.assert_close(network.norm.running_mean, sum(parts) / 2)
    assert network.norm.num_batches_tracked == 1
