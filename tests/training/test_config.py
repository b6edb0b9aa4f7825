import pytest
import torch

from recurra.errors import UsageError
from recurra.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        ("max_epochs", 0, "max_epochs must be a whole number of at least 1; got 0"),
        ("batch_size", 2.5, "batch_size must be a whole number of at least 1; got 2.5"),
        ("optimizer", "adm", "optimizer must be one of .*; got 'adm'. Did you mean 'adam'?"),
        ("optimizer", torch.nn.Linear, "subclass of torch.optim.Optimizer; got the class Linear"),
        ("optimizer", torch.optim.LBFGS, "LBFGS evaluates the loss several times a step"),
        ("learning_rate", 0.0, "learning_rate must be a number greater than 0; got 0.0"),
        ("lr_schedule", "cosin", "lr_schedule must be one of .*Did you mean 'cosine'?"),
        ("weight_decay", -1, "weight_decay must be a number of at least 0; got -1"),
        ("grad_clip", 0, "grad_clip must be a number greater than 0; got 0"),
        ("patience", 0, "patience must be a whole number of at least 1; got 0"),
        ("seed", -1, "seed must be a whole number"),
        ("device", "gpu7", "device must be a torch device such as 'cpu' or 'cuda'; got 'gpu7'"),
        ("verbose", 3, "verbose must be one of 0, 1, 2; got 3"),
    ],
)
def test_a_wrong_value_is_refused_in_words(word, value, message):
    with pytest.raises(UsageError, match=message):
        TrainingConfig(**{word: value})


def test_weight_decay_needs_an_optimizer_that_takes_it():
    class Bare(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            return None

    TrainingConfig(optimizer=Bare)
    with pytest.raises(UsageError, match=r"Bare takes no weight_decay; got 0\.1"):
        TrainingConfig(optimizer=Bare, weight_decay=0.1)


def test_dictionary_there_and_back():
    config = TrainingConfig(optimizer="sgd", lr_schedule={"name": "step", "gamma": 0.5}, patience=3)
    assert TrainingConfig.from_dict(config.to_dict()) == config
    with pytest.raises(UsageError, match="'learn_rate' is no setting.*Did you mean 'learning_rate'?"):
        TrainingConfig.from_dict({"learn_rate": 0.1})
    assert (
        TrainingConfig(optimizer=torch.optim.Adagrad).to_dict()["optimizer"] == "torch.optim.adagrad.Adagrad"
    )
