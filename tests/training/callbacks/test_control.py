"""A training obeys a file after every batch, and ends with the weights of the same steps without it."""

import contextlib
import json
import threading
import time

import pytest
import torch

from recurra.errors import TrainingWarning
from recurra.training.callbacks import Callback
from recurra.training.callbacks.control import ControlFile
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy


class At(Callback):
    """Do something after a batch, counted from 1, or before the first."""

    def __init__(self, batch, act):
        self.batch, self.act, self.done = batch, act, 0

    def on_batch_end(self, run):
        self.done += 1
        if self.done == self.batch:
            self.act(run)


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.txt"


@pytest.fixture
def run(path, make_network, make_examples):
    """Train for some epochs of 5 batches, with the file unless told otherwise; return the network and the result."""

    def call(*callbacks, control=True, **words):
        network = make_network(dropout=0.3)
        watched = [ControlFile(path, path.with_name("training.json"))] if control else []
        config = TrainingConfig(**{"max_epochs": 4, "batch_size": 8, "learning_rate": 0.02, **words})
        everyone = [*callbacks, *watched]
        result = train(network, make_examples(), config=config, loss=cross_entropy(), callbacks=everyone)
        return network, result

    return call


def test_stop_ends_after_the_batch_with_the_weights_of_the_same_steps(run, path):
    stopped, result = run(At(13, lambda r: path.write_text("stop\n")))
    plain, ended = run(At(13, lambda r: r.ask_to_stop()), control=False)
    assert result.stopped == ended.stopped == "callback"
    assert len(result.history) == len(ended.history) == 2
    assert same(weights(stopped), weights(plain))
    assert not path.exists()
    assert not path.with_name("training.json").exists()


def test_stop_in_the_first_epoch_waits_for_its_end(run, path):
    _, result = run(At(2, lambda r: path.write_text("stop")))
    assert len(result.history) == 1


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_more_epochs_end_with_the_weights_of_that_many_from_the_beginning(run, path, schedule):
    more, result = run(At(7, lambda r: path.write_text("epochs 7\n")), lr_schedule=schedule)
    plain, _ = run(control=False, max_epochs=7, lr_schedule=schedule)
    assert len(result.history) == 7
    assert same(weights(more), weights(plain))


def test_fewer_epochs_end_it_earlier(run, path):
    _, result = run(At(7, lambda r: path.write_text("epochs 2")))
    assert len(result.history) == 2


def test_pause_waits_and_is_no_part_of_the_seconds(run, path):
    status, seen = path.with_name("training.json"), []

    def pause(training):
        path.write_text("pause\n")

        def go_on():
            while not status.exists() or json.loads(status.read_text())["state"] != "paused":
                time.sleep(0.01)
            time.sleep(0.5)
            seen.append(json.loads(status.read_text()))
            path.unlink()

        threading.Thread(target=go_on).start()

    began = time.perf_counter()
    paused, result = run(At(3, pause))
    assert time.perf_counter() - began >= 0.5
    assert result.train_seconds < time.perf_counter() - began - 0.4
    assert seen[0]["state"] == "paused"
    assert seen[0]["max_epochs"] == 4
    plain, _ = run(control=False)
    assert same(weights(paused), weights(plain))


def test_more_epochs_told_while_it_waits_leave_it_waiting(run, path):
    status, seen = path.with_name("training.json"), []

    def told(wanted):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                if all(
                    (found := json.loads(status.read_text()))[key] == value for key, value in wanted.items()
                ):
                    seen.append(found)
                    return
            time.sleep(0.01)

    def pause(training):
        path.write_text("pause\n")

        def go_on():
            told({"state": "paused"})
            path.write_text("epochs 6\npause\n")
            told({"state": "paused", "max_epochs": 6})
            path.write_text("epochs 6\n")

        threading.Thread(target=go_on).start()

    _, result = run(At(3, pause))
    assert [found["max_epochs"] for found in seen] == [4, 6]
    assert len(result.history) == 6


def test_stop_ends_a_pause(run, path):
    def pause(training):
        path.write_text("pause")
        threading.Timer(0.3, lambda: path.write_text("stop")).start()

    _, result = run(At(8, pause))
    assert result.stopped == "callback"


def test_ctrl_c_ends_a_pause(run, path):
    import os
    import signal

    def pause(training):
        path.write_text("pause")
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        run(At(8, pause))


def test_a_part_that_goes_on_keeps_the_epochs_and_is_neither_stopped_nor_paused(run, path):
    path.write_text("pause\nstop\nepochs 6\n")
    _, result = run()
    assert len(result.history) == 6


@pytest.mark.parametrize(
    "text", ["halt", "epochs", "epochs -3", "epochs 0", "epochs 1e9", "epochs 9999999999999", "\0\0", "stopp"]
)
def test_what_is_no_command_is_told_and_left_out(run, path, text):
    with pytest.warns(TrainingWarning, match="known are stop, pause and epochs N"):
        _, result = run(At(3, lambda r: path.write_text(text)))
    assert len(result.history) == 4


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \t "])
def test_an_empty_file_says_nothing(run, path, content):
    _, result = run(At(3, lambda r: path.write_bytes(content)))
    assert len(result.history) == 4


def test_a_folder_in_its_place_says_nothing(run, path):
    _, result = run(At(3, lambda r: path.mkdir()))
    assert len(result.history) == 4
