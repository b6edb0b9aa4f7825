import os
import random
import signal

import numpy as np
import pytest
import torch

from recurra import store
from recurra.batches.examples import Examples
from recurra.errors import UsageError
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy, mean_squared_error
from recurra.training.state import TrainingState

LOSS = cross_entropy()


def config(**words):
    return TrainingConfig(**{"max_epochs": 5, "batch_size": 8, "learning_rate": 0.02, **words})


def accuracy(outputs, examples):
    return {"accuracy": (outputs.argmax(1) == examples.targets).mean()}


def turned(examples):
    """Labels turned round: the better training goes, the worse validation gets."""
    return Examples(inputs=examples.inputs, targets=1 - examples.targets)


def weights_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Moments(Callback):
    """Write down what was called; take the state after each batch; ask to stop where told."""

    def __init__(self, stop_after=None):
        self.stop_after, self.calls, self.states, self.weights = stop_after, [], [], {}

    def on_train_begin(self, run):
        self.calls.append("train_begin")

    def on_epoch_begin(self, run):
        self.calls.append("epoch_begin")

    def on_batch_begin(self, run, batch):
        assert run.state() is None
        self.calls.append("batch_begin")

    def on_batch_end(self, run):
        self.calls.append("batch_end")
        self.states.append(run.state())
        if len(self.states) == self.stop_after:
            run.ask_to_stop()

    def on_epoch_end(self, run):
        self.calls.append("epoch_end")
        self.weights[run.history[-1]["epoch"]] = weights_of(run.network)

    def on_train_end(self, run, result):
        self.calls.append("train_end")

    def on_interrupt(self, run):
        self.calls.append("interrupt")
        self.states.append(run.state())

    def on_error(self, run, error):
        self.calls.append("error")


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", torch.optim.Adagrad])
def test_a_separable_problem_is_learned(make_network, make_examples, optimizer):
    network = make_network()
    result = train(
        network,
        make_examples(),
        config=config(optimizer=optimizer, max_epochs=30),
        loss=LOSS,
        validation=make_examples(seed=1),
        score=accuracy,
    )
    first, last = result.history[0], result.history[-1]
    assert last["train_loss"] < first["train_loss"] / 2
    assert last["valid_accuracy"] == 1
    assert result.stopped == "max_epochs"
    assert not network.training


def test_labels_per_step_and_numbers_are_learned(make_network, make_examples):
    labelled = train(
        make_network(per_step=True), make_examples(per_step=True), config=config(max_epochs=30), loss=LOSS
    )
    assert labelled.history[-1]["train_loss"] < 0.2
    examples = make_examples()
    numbers = np.stack([x.mean(axis=0)[:2] for x in examples.inputs])
    numbered = train(
        make_network(),
        Examples(inputs=examples.inputs, targets=numbers),
        config=config(max_epochs=60),
        loss=mean_squared_error,
        validation=Examples(inputs=examples.inputs, targets=numbers),
    )
    assert numbered.history[-1]["valid_loss"] < numbered.history[0]["valid_loss"] / 10


def test_history_says_how_training_went(make_network, make_examples):
    result = train(
        make_network(),
        make_examples(),
        config=config(lr_schedule={"name": "step", "step_size": 2, "gamma": 0.5}, grad_clip=0.3),
        loss=LOSS,
        validation=make_examples(seed=1),
        score=accuracy,
    )
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5]
    assert [row["learning_rate"] for row in result.history] == pytest.approx([0.02, 0.02, 0.01, 0.01, 0.005])
    for row in result.history:
        assert list(row) == [
            *["epoch", "train_loss", "valid_loss", "valid_accuracy", "learning_rate", "grad_norm_median"],
            *["grad_norm_max", "clipped_share", "seconds", "steps_per_second", "padding_share"],
        ]
        assert 0 < row["grad_norm_median"] <= row["grad_norm_max"]
        assert 0 <= row["padding_share"] < 1
        assert row["steps_per_second"] > 0
        assert all(isinstance(figure, int | float) for figure in row.values())
    assert result.history[0]["clipped_share"] > 0
    assert result.train_seconds >= sum(row["seconds"] for row in result.history)


def test_train_loss_is_the_mean_over_sequences_at_a_learning_rate_of_nearly_nothing(
    make_network, make_examples
):
    rng = np.random.default_rng(0)
    examples = make_examples(n=21, weights=rng.uniform(0.1, 3, 21).astype(np.float32))
    result = train(make_network(), examples, config=config(learning_rate=1e-30, max_epochs=1), loss=LOSS)
    whole = examples.batch(np.arange(21))
    network = make_network()
    outputs = network(whole.inputs.replace(torch.from_numpy(whole.inputs.values)))
    expected = LOSS(outputs, torch.from_numpy(whole.targets), torch.from_numpy(whole.weights))
    assert result.history[0]["train_loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_weight_of_two_trains_like_the_sequence_twice(make_network, make_examples):
    examples = make_examples(n=10)
    counts = np.array([1, 2, 1, 3, 1, 1, 2, 1, 1, 1])
    weighted, repeated = make_network(), make_network()
    # One batch of everything: the same mean; cut into batches, a repeated sequence would be met at other times.
    settings = config(batch_size=100, max_epochs=10)
    given = Examples(inputs=examples.inputs, targets=examples.targets, weights=counts.astype(np.float32))
    train(weighted, given, config=settings, loss=LOSS)
    train(repeated, examples.take(np.repeat(np.arange(10), counts)), config=settings, loss=LOSS)
    for name, tensor in weighted.state_dict().items():
        torch.testing.assert_close(tensor, repeated.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_same_seed_same_weights_and_other_seed_other_weights(make_network, make_examples):
    def run(seed):
        network = make_network(dropout=0.5)
        train(network, make_examples(), config=config(seed=seed), loss=LOSS)
        return weights_of(network)

    one = run(7)
    torch.rand(100)  # what the global generator does is of no matter
    assert same(one, run(7))
    assert not same(one, run(8))


def test_every_epoch_meets_every_sequence_once_in_an_order_of_its_own(make_network, make_examples):
    class Meet(Callback):
        def __init__(self):
            self.met = {}

        def on_batch_begin(self, run, batch):
            self.met.setdefault(run.epoch, []).extend(batch.indices.tolist())

    meet = Meet()
    train(make_network(), make_examples(), config=config(), loss=LOSS, callbacks=[meet])
    assert all(sorted(met) == list(range(40)) for met in meet.met.values())
    assert len({tuple(met) for met in meet.met.values()}) == 5


def test_global_generators_are_untouched(make_network, make_examples):
    class Drawing(Callback):
        def on_batch_end(self, run):
            drawn.append(torch.rand(3))

    drawn = []
    torch.manual_seed(7)
    python_before = random.getstate()
    numpy_before = np.random.get_state()  # noqa: NPY002
    train(make_network(dropout=0.5), make_examples(), config=config(), loss=LOSS, callbacks=[Drawing()])
    torch_after = torch.get_rng_state()
    torch.manual_seed(7)  # but for the callback, which is the caller's and draws as the caller would
    assert all(torch.equal(one, torch.rand(3)) for one in drawn)
    assert torch.equal(torch.get_rng_state(), torch_after)
    assert random.getstate() == python_before
    assert np.random.get_state()[1].tolist() == numpy_before[1].tolist()  # noqa: NPY002


def test_what_a_callback_draws_changes_nothing(make_network, make_examples):
    class Drawing(Callback):
        def on_batch_end(self, run):
            torch.rand(3)

        def on_batch_begin(self, run, batch):
            torch.rand(5)

    one, other = make_network(dropout=0.5), make_network(dropout=0.5)
    train(one, make_examples(), config=config(), loss=LOSS)
    train(other, make_examples(), config=config(), loss=LOSS, callbacks=[Drawing()])
    assert same(one.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("optimizer", "lr_schedule", "validated"),
    [
        ("adam", {"name": "plateau", "patience": 0}, True),
        ("adamw", "onecycle", True),
        ("sgd", "cosine", False),
        ("rmsprop", "constant", False),
    ],
)
def test_resuming_after_any_batch_is_bit_exact(
    make_network, make_examples, tmp_path, optimizer, lr_schedule, validated
):
    words = {
        "config": config(
            optimizer=optimizer,
            lr_schedule=lr_schedule,
            max_epochs=4,
            patience=2 if validated else None,
            seed=3,
        ),
        "loss": LOSS,
        "validation": turned(make_examples(n=9, seed=1)) if validated else None,
    }
    moments = Moments()
    network = make_network(dropout=0.3)
    whole = train(network, make_examples(n=20), callbacks=[moments], **words)
    assert len(moments.states) >= 6
    for number, state in enumerate(moments.states):
        store.save(tmp_path / "state", state.manifest, state.arrays)
        again = make_network(dropout=0.3)
        for parameter in again.parameters():
            torch.nn.init.zeros_(parameter)
        resumed = train(
            again, make_examples(n=20), start=TrainingState(*store.load(tmp_path / "state")), **words
        )
        assert same(again.state_dict(), network.state_dict()), number
        assert resumed.best_epoch == whole.best_epoch
        assert resumed.stopped == whole.stopped
        timed = ("seconds", "steps_per_second")
        for row, expected in zip(resumed.history, whole.history, strict=True):
            assert {k: row[k] for k in row if k not in timed} == {
                k: expected[k] for k in row if k not in timed
            }
        for name in resumed.state.arrays:
            np.testing.assert_array_equal(resumed.state.arrays[name], whole.state.arrays[name])


def test_a_finished_run_goes_on_for_more_epochs(make_network, make_examples):
    whole, parts = make_network(dropout=0.3), make_network(dropout=0.3)
    train(whole, make_examples(), config=config(max_epochs=5), loss=LOSS)
    first = train(parts, make_examples(), config=config(max_epochs=2), loss=LOSS)
    train(parts, make_examples(), config=config(max_epochs=5), loss=LOSS, start=first.state)
    assert same(whole.state_dict(), parts.state_dict())


def test_start_with_other_data_or_another_network_is_refused(make_network, make_examples):
    state = train(make_network(), make_examples(), config=config(max_epochs=1), loss=LOSS).state
    with pytest.raises(UsageError, match="other data, batch_size, seed or optimizer"):
        train(make_network(), make_examples(seed=5), config=config(), loss=LOSS, start=state)
    with pytest.raises(UsageError, match="other data, batch_size, seed or optimizer"):
        train(make_network(), make_examples(), config=config(seed=5), loss=LOSS, start=state)
    with pytest.raises(UsageError, match="another network"):
        train(make_network(output_size=4), make_examples(), config=config(), loss=LOSS, start=state)


def test_early_stopping_keeps_the_best_weights(make_network, make_examples):
    validation = make_examples(n=12, seed=1)
    network, moments = make_network(), Moments()
    result = train(
        network,
        make_examples(),
        config=config(max_epochs=50, patience=3),
        loss=LOSS,
        validation=turned(validation),
        callbacks=[moments],
    )
    losses = [row["valid_loss"] for row in result.history]
    assert result.stopped == "patience"
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) == result.best_epoch + 3
    assert same(network.state_dict(), moments.weights[result.best_epoch])
    assert not same(network.state_dict(), moments.weights[len(losses)])


def test_without_validation_the_last_weights_are_kept_and_patience_waits_for_nothing(
    make_network, make_examples
):
    network, moments = make_network(), Moments()
    result = train(network, make_examples(), config=config(patience=1), loss=LOSS, callbacks=[moments])
    assert (result.best_epoch, result.stopped) == (5, "max_epochs")
    assert same(network.state_dict(), moments.weights[5])


def test_callbacks_are_called_in_order_and_may_stop(make_network, make_examples):
    moments = Moments(stop_after=3)
    result = train(make_network(), make_examples(n=16), config=config(), loss=LOSS, callbacks=[moments])
    epoch = ["batch_begin", "batch_end"]
    assert moments.calls == [
        "train_begin", "epoch_begin", *epoch, *epoch, "epoch_end", "epoch_begin", *epoch, "train_end"
    ]  # fmt: skip
    assert result.stopped == "callback"
    assert len(result.history) == 1


def test_a_run_stopped_by_a_callback_goes_on_bit_for_bit(make_network, make_examples):
    whole, parts = make_network(dropout=0.3), make_network(dropout=0.3)
    train(whole, make_examples(n=16), config=config(), loss=LOSS)
    first = train(parts, make_examples(n=16), config=config(), loss=LOSS, callbacks=[Moments(stop_after=3)])
    train(parts, make_examples(n=16), config=config(), loss=LOSS, start=first.state)
    assert same(whole.state_dict(), parts.state_dict())


def test_ctrl_c_ends_after_the_batch_with_a_state_to_go_on_from(make_network, make_examples):
    class Press(Callback):
        def on_batch_begin(self, run, batch):
            if (run.epoch, run.batch) == (2, 1):
                os.kill(os.getpid(), signal.SIGINT)

    words = {"config": config(), "loss": LOSS, "validation": make_examples(seed=1)}
    whole, parts, moments = make_network(dropout=0.3), make_network(dropout=0.3), Moments()
    train(whole, make_examples(), **words)
    with pytest.raises(KeyboardInterrupt):
        train(parts, make_examples(), callbacks=[Press(), moments], **words)
    assert moments.calls[-2:] == ["batch_end", "interrupt"]
    assert same(parts.state_dict(), moments.weights[1])  # the best validated
    assert not parts.training
    train(parts, make_examples(), start=moments.states[-1], **words)
    assert same(whole.state_dict(), parts.state_dict())


class PressAtTheEnd(Callback):
    """Ctrl-C after the last batch, where nothing of training is left that could be ended."""

    def __init__(self, moment):
        self.moment = moment

    def on_epoch_end(self, run):
        if self.moment == "epoch" and run.epoch > 5:
            os.kill(os.getpid(), signal.SIGINT)
        if self.moment == "callback":
            run.ask_to_stop()
            os.kill(os.getpid(), signal.SIGINT)

    def on_train_end(self, run, result):
        if self.moment == "train":
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("moment", ["epoch", "train", "callback", "score"])
def test_ctrl_c_after_the_last_batch_is_not_lost(make_network, make_examples, moment):
    """What would come next is another member, or the next fit in a loop of the user's."""
    scored = []

    def score(outputs, examples):
        scored.append(1)
        if moment == "score" and len(scored) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return accuracy(outputs, examples)

    words = {"config": config(), "loss": LOSS, "validation": make_examples(seed=1), "score": score}
    whole, network, moments = make_network(), make_network(), Moments()
    train(whole, make_examples(), **{**words, "score": accuracy})
    with pytest.raises(KeyboardInterrupt):
        train(network, make_examples(), callbacks=[PressAtTheEnd(moment), moments], **words)
    assert moments.calls[-1] == "train_end"  # it is whole: a checkpoint says so
    assert moment == "callback" or same(network.state_dict(), whole.state_dict())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_within_a_batch_leaves_weights_of_a_finished_epoch(make_network, make_examples):
    class Impatient(Callback):
        def on_batch_begin(self, run, batch):
            if (run.epoch, run.batch) == (2, 1):
                with torch.no_grad():
                    run.network.last.bias.fill_(100.0)  # a step that was half done
                raise KeyboardInterrupt

    network, moments = make_network(), Moments()
    with pytest.raises(KeyboardInterrupt):
        train(network, make_examples(), config=config(), loss=LOSS, callbacks=[moments, Impatient()])
    assert moments.states[-1] is None
    assert same(network.state_dict(), moments.weights[1])


def test_an_error_in_a_callback_goes_on_to_the_caller(make_network, make_examples):
    class Broken(Callback):
        def on_epoch_end(self, run):
            raise ZeroDivisionError("mine")

    moments = Moments()
    with pytest.raises(ZeroDivisionError, match="mine"):
        train(make_network(), make_examples(), config=config(), loss=LOSS, callbacks=[moments, Broken()])
    assert moments.calls[-1] == "error"


def test_buffers_of_the_network_belong_to_its_weights(make_network, make_examples):
    class Normed(make_network):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(2)

        def forward(self, ragged):
            return self.norm(super().forward(ragged))

    network, moments = Normed(), Moments()
    train(network, make_examples(), config=config(max_epochs=2), loss=LOSS, callbacks=[moments])
    again = Normed()
    train(again, make_examples(), config=config(max_epochs=2), loss=LOSS, start=moments.states[6])
    assert network.norm.num_batches_tracked == 10
    assert same(network.state_dict(), again.state_dict())


class Thaws(Callback):
    """Lets the head's bias learn from epoch 2 on, and may clear its gradient before each batch."""

    def __init__(self, clears):
        self.clears, self.norms = clears, []

    def on_epoch_begin(self, training):
        bias = training.network.last.bias
        if training.epoch == 2:
            training.optimizer.add_param_group({"params": [bias.requires_grad_()]})

    def on_batch_begin(self, training, batch):
        if self.clears:
            training.network.last.bias.grad = None

    def on_batch_end(self, training):
        self.norms.append(training.last_grad_norm)


def test_gradients_of_a_parameter_that_comes_later_do_not_pile_up(make_network, make_examples):
    found = []
    for clears in (False, True):
        network, thaws = make_network(), Thaws(clears)
        network.last.bias.requires_grad_(False)
        train(network, make_examples(), config=config(), loss=LOSS, callbacks=[thaws])
        found.append(thaws.norms)
    assert found[0] == found[1]
