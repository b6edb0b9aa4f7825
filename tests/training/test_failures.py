import pickle

import numpy as np
import pytest
import torch

from recurra.batches.examples import Examples
from recurra.errors import TrainingError
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.failures import FailedTrainingError, is_out_of_memory
from recurra.training.loop import train
from recurra.training.losses import cross_entropy, mean_squared_error

CONFIG = TrainingConfig(max_epochs=5, batch_size=8, learning_rate=0.02)


class Remember(Callback):
    def __init__(self):
        self.weights, self.errors = {}, []

    def on_train_begin(self, run):
        self.weights[0] = {k: v.clone() for k, v in run.network.state_dict().items()}

    def on_epoch_end(self, run):
        self.weights[len(run.history)] = {k: v.clone() for k, v in run.network.state_dict().items()}

    def on_error(self, run, error):
        self.errors.append(error)


class Spoil(Callback):
    """Spoil the inputs of one sequence from an epoch on, as a broken reader would."""

    def __init__(self, epoch, index, value):
        self.epoch, self.index, self.value = epoch, index, value

    def on_batch_begin(self, run, batch):
        if run.epoch == self.epoch and self.index in batch.indices:
            place = batch.indices.tolist().index(self.index)
            batch.inputs[place][0, 0] = self.value


def fails(network, examples, *callbacks, config=CONFIG, loss=None, validation=None):
    seen = Remember()
    with pytest.raises(TrainingError) as caught:
        train(
            network,
            examples,
            config=config,
            loss=loss or cross_entropy(),
            validation=validation,
            callbacks=[seen, *callbacks],
        )
    assert seen.errors == [caught.value]
    return caught.value, seen


def kept(network, weights):
    return all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_nan_in_the_data_names_epoch_batch_and_the_sequence_and_keeps_the_last_good_weights(
    make_network, make_examples
):
    network = make_network()
    error, seen = fails(network, make_examples(), Spoil(3, 17, np.nan))
    assert f"the loss became NaN in epoch 3, batch {error.batch};" in str(error)
    assert "inputs are not finite in sequence 17 ('rec_17')." in str(error)
    assert "The network keeps the weights of epoch 2." in str(error)
    assert "Lower learning_rate (now 0.02), lower grad_clip (now 1), or check these sequences" in str(error)
    assert error.indices == (17,)
    assert error.epoch == 3
    assert kept(network, seen.weights[2])
    assert error.result.stopped == "non_finite"
    assert len(error.result.history) == 2
    assert error.result.state is None


def test_in_the_first_epoch_the_first_weights_are_kept(make_network, make_examples):
    network = make_network()
    error, seen = fails(network, make_examples(), Spoil(1, 3, np.inf))
    assert "The network keeps the weights it began with." in str(error)
    assert kept(network, seen.weights[0])


def test_with_validation_the_best_weights_are_kept(make_network, make_examples):
    network = make_network()
    validation = make_examples(seed=1)
    turned = Examples(inputs=validation.inputs, targets=1 - validation.targets)  # gets worse with every epoch
    error, seen = fails(network, make_examples(), Spoil(4, 3, np.nan), validation=turned)
    assert "The network keeps the best weights, of epoch 1." in str(error)
    assert error.result.best_epoch == 1
    assert kept(network, seen.weights[1])


def test_exploding_training_names_the_batch_and_advises_clipping(make_network, make_examples):
    examples = make_examples(n=16)
    numbers = Examples(inputs=examples.inputs, targets=np.ones((16, 2), np.float32), names=examples.names)
    config = TrainingConfig(batch_size=8, optimizer="sgd", learning_rate=1e30, grad_clip=None)
    error, _ = fails(make_network(), numbers, config=config, loss=mean_squared_error)
    assert "set grad_clip=1.0" in str(error)
    assert "Lower learning_rate (now 1e+30)" in str(error)
    assert len(error.indices) == 8
    assert "... (8 in all)" in str(error)


def test_a_gradient_that_is_not_finite_is_caught_before_it_reaches_the_weights(make_network, make_examples):
    def loss(outputs, targets, weights):
        return (outputs - outputs.detach()).abs().sqrt().sum()  # 0, with the gradient of a square root at 0

    network = make_network()
    error, seen = fails(network, make_examples(), loss=loss)
    assert "the gradient became NaN in epoch 1, batch 1; in the batch were sequence" in str(error)
    assert kept(network, seen.weights[0])


def test_validation_that_is_not_finite_names_its_sequence(make_network, make_examples):
    validation = make_examples(n=10, seed=1)
    validation.inputs[4][0, 1] = np.nan
    error, _ = fails(make_network(), make_examples(), validation=validation)
    assert "the validation loss became NaN in epoch 1; inputs are not finite in sequence 4 ('rec_04')" in str(
        error
    )
    assert error.batch == 0


def test_a_number_to_learn_that_is_not_finite_is_named(make_network, make_examples):
    examples = make_examples(n=16)
    targets = np.ones((16, 2), np.float32)
    targets[5, 1] = np.inf
    error, _ = fails(
        make_network(),
        Examples(inputs=examples.inputs, targets=targets, names=examples.names),
        loss=mean_squared_error,
    )
    assert "the loss became infinite in epoch 1" in str(error)
    assert "targets are not finite in sequence 5 ('rec_05')" in str(error)


def test_a_network_that_fails_on_one_sequence_names_it(make_network, make_examples):
    class Fragile(make_network):
        def forward(self, ragged):
            outputs = super().forward(ragged)
            return torch.where(torch.from_numpy(ragged.lengths == 8)[:, None], torch.nan, outputs)

    examples = make_examples()
    error, _ = fails(Fragile(), examples)
    assert "the network's output is not finite for sequence" in str(error)
    assert {int(examples.lengths[i]) for i in error.indices} == {8}


def test_out_of_memory_names_the_batch_size_that_fits(make_network, make_examples):
    class Hungry(make_network):
        most = 3

        def forward(self, ragged):
            if len(ragged) > self.most:
                torch.empty(2**62, dtype=torch.uint8)  # really asks torch's allocator
            return super().forward(ragged)

    network = Hungry()
    error, seen = fails(network, make_examples())
    assert "out of memory in epoch 1, batch 1, with 8 sequences of" in str(error)
    assert "Use batch_size=2, which fits." in str(error)
    assert error.reason == "out_of_memory"
    assert error.result.stopped == "out_of_memory"
    assert error.__cause__ is not None
    assert kept(network, seen.weights[0])
    greedy = Hungry()
    greedy.most = 0
    alone, _ = fails(greedy, make_examples(), config=TrainingConfig(batch_size=4))
    assert "One sequence alone does not fit: cut it into shorter ones" in str(alone)


def test_numpys_and_cudas_words_for_no_memory_are_known():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**62, np.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_other_errors_of_a_network_stay_as_they_are(make_network, make_examples):
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        train(make_network(input_size=5), make_examples(), config=CONFIG, loss=cross_entropy())
    assert not isinstance(caught.value, TrainingError)
    assert caught.value.__cause__ is None


def test_the_error_survives_a_parallel_search():
    error = FailedTrainingError("words", reason="non_finite", epoch=2, batch=3, indices=(4,))
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.reason, back.epoch, back.batch, back.indices) == (
        "words",
        "non_finite",
        2,
        3,
        (4,),
    )
