"""Lengths that grow."""

import numpy as np
import pytest
import torch

from recurra.batches.examples import Examples
from recurra.errors import UsageError
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy
from recurra.training.schedules.curriculum import Curriculum, as_curriculum, up_to


def rows(*pairs):
    return [{"length_limit": limit, "train_loss": loss} for limit, loss in pairs]


def test_limit_grows_by_half_where_the_loss_is_low_enough():
    curriculum = Curriculum(10, below=0.1, patience=3)
    assert curriculum.limit([], 100) == 10
    assert curriculum.limit([], 4) == 4
    assert curriculum.limit(rows((10, 0.2)), 100) == 10
    assert curriculum.limit(rows((10, 0.1)), 100) == 15
    assert curriculum.limit(rows((10, 0.05), (15, 0.4)), 100) == 15
    assert curriculum.limit(rows((90, 0.05)), 100) == 100


def test_limit_grows_in_any_case_when_patience_is_out():
    curriculum = Curriculum(10, below=0.1, patience=3)
    assert curriculum.limit(rows((10, 1.0), (10, 1.0)), 100) == 10
    assert curriculum.limit(rows((10, 1.0), (10, 1.0), (10, 1.0)), 100) == 15


def test_without_a_threshold_it_grows_after_every_epoch_and_always_by_a_step():
    assert Curriculum(10).limit(rows((10, 9.0)), 100) == 15
    assert Curriculum(1, factor=1.1).limit(rows((1, 9.0)), 100) == 2


def test_up_to():
    assert up_to(np.array([3, 9, 5]), 5).tolist() == [0, 2]
    assert up_to(np.array([3, 9, 5]), 1).tolist() == [0]


class Seen(Callback):
    def __init__(self):
        self.lengths = []

    def on_epoch_begin(self, run):
        self.lengths.append([])

    def on_batch_begin(self, run, batch):
        self.lengths[-1] += batch.inputs.lengths.tolist()


def ramp(n=40, longest=20):
    rng = np.random.default_rng(0)
    lengths = np.linspace(2, longest, n).astype(int)
    classes = rng.integers(0, 2, n)
    inputs = [
        (rng.normal(size=(k, 3)) * 0.1 + [2 * c - 1, 0, 0]).astype(np.float32)
        for k, c in zip(lengths, classes, strict=True)
    ]
    return Examples(inputs=inputs, targets=classes)


def config(**words):
    return TrainingConfig(
        **{"max_epochs": 6, "batch_size": 4, "learning_rate": 0.01, "curriculum": 5, **words}
    )


def test_epochs_hold_every_sequence_up_to_the_limit(make_network):
    seen, examples = Seen(), ramp()
    result = train(make_network(), examples, config=config(), loss=cross_entropy(), callbacks=[seen])
    assert [row["length_limit"] for row in result.history] == [5, 7, 10, 15, 20, 20]
    for row, lengths in zip(result.history, seen.lengths, strict=True):
        wanted = examples.lengths[examples.lengths <= row["length_limit"]]
        assert sorted(lengths) == sorted(wanted.tolist())


def test_validation_and_patience_wait_for_the_full_length(make_network):
    """Labels turned round: validation only gets worse, and patience 1 would stop after two epochs."""
    examples = ramp()
    turned = Examples(inputs=examples.inputs, targets=1 - examples.targets)
    long_only = turned.take(np.flatnonzero(turned.lengths > 12))
    words = {"config": config(patience=1, max_epochs=9), "loss": cross_entropy()}
    result = train(make_network(), examples, validation=long_only, **words)
    assert result.stopped == "patience"
    assert [row["length_limit"] for row in result.history] == [5, 7, 10, 15, 20, 20]
    assert ["valid_loss" in row for row in result.history] == [False, False, False, True, True, True]
    assert result.best_epoch == 5


def test_best_weights_where_the_full_length_was_never_reached(make_network):
    examples = ramp()
    network = make_network()
    result = train(network, examples, config=config(max_epochs=2), loss=cross_entropy(), validation=examples)
    assert result.best_epoch == 2


def test_a_run_that_was_stopped_goes_on_bit_for_bit(make_network):
    class Stop(Callback):
        def on_batch_end(self, run):
            if run.epoch == 3 and run.batch == 1:
                run.ask_to_stop()

    examples, words = ramp(), {"config": config(), "loss": cross_entropy()}
    whole, parts = make_network(), make_network()
    train(whole, examples, **words)
    first = train(parts, examples, callbacks=[Stop()], **words)
    again = make_network()
    train(again, examples, start=first.state, **words)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_curriculum_is_another_run(make_network):
    examples, loss = ramp(), cross_entropy()
    state = train(make_network(), examples, config=config(max_epochs=1), loss=loss).state
    with pytest.raises(UsageError, match="start was taken with other data"):
        train(make_network(), examples, config=config(curriculum=6), loss=loss, start=state)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0, r"Curriculum: start must be a whole number of at least 1; got 0"),
        ({"start": 5, "factor": 1}, r"factor must be a number greater than 1; got 1"),
        ({"start": 5, "belov": 1}, r"curriculum has no option 'belov'; .* Did you mean 'below'\?"),
        ({"below": 0.1}, r"curriculum needs 'start', the first length; got \{'below': 0\.1\}"),
        (
            "short",
            r"curriculum must be a first length, a dictionary with 'start' and its options, or None; got 'short'",
        ),
        (True, r"curriculum must be a first length"),
    ],
)
def test_messages(given, message):
    with pytest.raises(UsageError, match=message):
        TrainingConfig(curriculum=given)


def test_forms():
    assert as_curriculum(None) is None
    assert as_curriculum(7) == as_curriculum({"start": 7}) == as_curriculum(Curriculum(7)) == Curriculum(7)
