"""How far gradients reach, recorded while training, and the warning in words."""

import numpy as np
import pytest
import torch

from recurra.batches.examples import Examples
from recurra.errors import TrainingWarning
from recurra.nn import NetworkConfig, build
from recurra.nn.networks.hidden_gradients import Setting
from recurra.training import gradient_record
from recurra.training.config import TrainingConfig
from recurra.training.gradient_record import GradientRecord, gradient_warning
from recurra.training.loop import train
from recurra.training.losses import mean_squared_error


def history(**last):
    return [
        {"epoch": 1, "train_loss": 1.0},
        {"epoch": 2, "train_loss": 0.99, "gradient_length": 400.0, "gradient_growth": 1.0, **last},
    ]


def test_vanishing_is_said_with_what_to_do():
    assert gradient_warning(history(gradient_horizon=31.0), Setting("rnn", "last")) == (
        "train: gradients vanish: after 31 of 400 steps only 1 % is left (epoch 2), and the loss has hardly fallen. Take "
        "cell='lstm' or 'gru', initialization='identity', a pooling over all steps (pooling='mean' or 'attention'), "
        "lengths that grow (curriculum), or shorter sequences."
    )


def test_exploding_is_said_with_what_to_do():
    assert gradient_warning(history(gradient_growth=12345.6), Setting("rnn", "last", "identity")) == (
        "train: gradients explode: on their way back they grow 12,346 times (epoch 2). Set grad_clip=1.0, lower "
        "learning_rate, take initialization='default' (orthogonal), or cut the sequences into shorter ones."
    )


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("pooling", ["last", "mean", "last+attention", "none"])
@pytest.mark.parametrize("initialization", [None, "default", "chrono", "identity", "torch"])
@pytest.mark.parametrize("grad_clip", [None, 0.5])
def test_nothing_is_advised_that_is_so_already(cell, pooling, initialization, grad_clip):
    setting = Setting(cell, pooling, initialization, grad_clip)
    advice = setting.against_vanishing() + setting.against_explosion()
    assert ("cell=" in advice) == (cell in ("rnn", "rnn_relu"))
    assert ("pooling=" in advice) == (pooling == "last")
    assert f"initialization='{initialization}'" not in advice
    if cell not in ("lstm", "gru"):
        assert "chrono" not in advice
    assert ("ower grad_clip (now 0.5)" if grad_clip else "et grad_clip=1.0") in advice


@pytest.mark.parametrize(
    ("rows", "pooling"),
    [
        (history(gradient_horizon=300.0), "last"),  # reaches far enough
        (history(), "last"),  # arrives at the first step
        (history(gradient_horizon=31.0), "mean"),  # need not travel
        (history(gradient_horizon=31.0, train_loss=0.5), "last"),  # learns all the same
        (history()[:1], "last"),  # nothing recorded
        (history(gradient_horizon=31.0)[1:], "last"),  # one epoch: whether the loss falls cannot be seen
    ],
)
def test_silence(rows, pooling):
    assert gradient_warning(rows, Setting("lstm", pooling)) is None


def examples(n=24, length=60, scale=1.0):
    rng = np.random.default_rng(0)
    return Examples(
        inputs=list(scale * rng.normal(size=(n, length, 2)).astype(np.float32)),
        targets=rng.normal(size=(n, 1)).astype(np.float32),
    )


def made(factor):
    network = build(NetworkConfig("rnn", 2, 8, 1), seed=0)
    with torch.no_grad():
        network.recurrent.weight_hh_l0.mul_(factor)
        network.recurrent.weight_ih_l0.mul_(0.01)
    return network


def config(**words):
    return TrainingConfig(**{"max_epochs": 17, "batch_size": 1, "learning_rate": 1e-5, **words})


def test_training_warns_and_records():
    with pytest.warns(TrainingWarning, match="gradients vanish: after 7 of 60 steps only 1 % is left"):
        result = train(made(0.5), examples(), config=config(), loss=mean_squared_error)
    recorded = [row["epoch"] for row in result.history if "gradient_length" in row]
    assert recorded == [17]  # four of 24 sequences, once in 17 epochs, are 1 % of the steps
    assert result.history[16]["gradient_horizon"] == 7


def test_explosion_warns():
    with pytest.warns(TrainingWarning, match="gradients explode"):
        # Without input the state stays at zero, where tanh has slope 1.
        train(
            made(1.5),
            examples(scale=np.float32(0)),
            config=config(learning_rate=1e-12),
            loss=mean_squared_error,
        )


def test_recording_changes_no_weight(monkeypatch):
    with_record, without = made(1.0), made(1.0)
    train(with_record, examples(), config=config(), loss=mean_squared_error)
    monkeypatch.setattr(GradientRecord, "of_epoch", lambda self, run, limit: {})
    train(without, examples(), config=config(), loss=mean_squared_error)
    for one, other in zip(with_record.parameters(), without.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_record_is_cheap():
    """It looks at few sequences, once in so many batches: its time steps are under 3 % of those trained on."""
    assert gradient_record.SEQUENCES / (32 * gradient_record.BATCHES_APART) < 0.03
    many = np.full(16_000, 30)
    assert GradientRecord(9, many).epochs_apart == 6
    assert GradientRecord(500, many).epochs_apart == 1
    # Four sequences of 1,000 steps beside 400 of 10: half of all steps, so once in 50 epochs.
    assert GradientRecord(500, np.array([10] * 400 + [1000] * 4)).epochs_apart == 50


def test_a_network_of_ones_own_is_left_alone(make_network):
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(60)]
    own = Examples(inputs=inputs, targets=np.zeros((60, 2), np.float32))
    result = train(make_network(), own, config=config(max_epochs=2), loss=mean_squared_error)
    assert not any("gradient_length" in row for row in result.history)
