"""What the workers of a training agree on, two of them as threads that hand numbers to each other."""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from recurra.errors import UsageError
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.distributed import workers as module
from recurra.training.distributed.workers import Workers
from recurra.training.losses import cross_entropy


class InThreads(Workers):
    """Workers that are threads of this process: the same calls, handed on in memory."""

    def __init__(self, rank, count, barrier, box):
        super().__init__(rank, count)
        self._barrier, self._box = barrier, box

    def all(self, value):
        self._box[self.rank] = value
        self._barrier.wait(timeout=60)
        found = [self._box[rank] for rank in range(self.count)]
        self._barrier.wait(timeout=60)
        return found

    def shared(self, value):
        return self.all(value)[0]

    def largest(self, *numbers):
        return [max(column) for column in zip(*self.all(numbers), strict=True)]

    def rows(self, own, size):
        return self.all(own)

    def pieces(self, own, counts):
        return [vector[self.rank] for vectors in self.all(own) for vector in vectors]

    def joined(self, piece):
        import torch

        return torch.cat(self.all(piece))


def together(monkeypatch, make_network, make_examples, *, callbacks=(), weights=(0, 0), max_epochs=4):
    """Train in two threads; return each one's result or error, and its weights."""
    from recurra.training import loop

    barrier, box, own = threading.Barrier(2), {}, threading.local()
    monkeypatch.setattr(loop, "join", lambda shards: InThreads(own.rank, 2, barrier, box))
    found = {}
    networks = [
        make_network(dropout=0.3) for _ in range(2)
    ]  # here: they are drawn from torch's one generator

    def work(rank):
        own.rank = rank
        network = networks[rank]
        with module.torch.no_grad():
            network.last.bias += weights[rank]
        config = TrainingConfig(max_epochs=max_epochs, batch_size=7, shards=4, seed=1)
        examples = make_examples()
        try:
            result = loop.train(
                network,
                examples,
                config=config,
                loss=cross_entropy(),
                validation=make_examples(n=30, seed=5),
                callbacks=callbacks,
                shared_generator=False,
            )
        except Exception as error:
            result = error
        found[rank] = result, [parameter.detach().clone() for parameter in network.parameters()]

    threads = [threading.Thread(target=work, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return found


def same(one, other):
    return all(module.torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture
def steady(make_network):
    """A network whose dropout is off: threads share torch's global generator, which it would draw from."""
    return lambda dropout=0.0: make_network(dropout=0.0)


def test_both_have_the_weights_and_the_figures_of_one(monkeypatch, steady, make_examples):
    found = together(monkeypatch, steady, make_examples)
    monkeypatch.undo()
    from recurra.training.loop import train

    alone = steady()
    config = TrainingConfig(max_epochs=4, batch_size=7, shards=4, seed=1)
    result = train(
        alone, make_examples(), config=config, loss=cross_entropy(), validation=make_examples(n=30, seed=5)
    )
    for rank in (0, 1):
        assert same(found[rank][1], list(alone.parameters()))
        assert [row["valid_loss"] for row in found[rank][0].history] == [
            row["valid_loss"] for row in result.history
        ]


def test_what_a_callback_of_the_first_asks_for_holds_for_all(monkeypatch, steady, make_examples):
    class Asks(Callback):
        calls = 0

        def on_epoch_end(self, run):
            Asks.calls += 1
            if run.epoch == 3:  # two epochs are done
                run.config = replace(run.config)
                run.extend(9)
            if run.epoch == 7:
                run.ask_to_stop()

    found = together(monkeypatch, steady, make_examples, callbacks=[Asks()])
    assert [found[rank][0].stopped for rank in (0, 1)] == ["callback", "callback"]
    assert [len(found[rank][0].history) for rank in (0, 1)] == [6, 6]
    assert Asks.calls == 6  # of the first worker alone
    assert same(found[0][1], found[1][1])


def test_workers_with_other_weights_are_told_so(monkeypatch, steady, make_examples):
    found = together(monkeypatch, steady, make_examples, weights=(0, 1))
    for rank in (0, 1):
        assert isinstance(found[rank][0], UsageError)
        assert "have different data, options or weights" in str(found[rank][0])


def test_a_worker_that_waits_for_one_that_never_comes_ends_when_told_to():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    code = (
        "from recurra import interrupts\n"
        "from recurra.training.distributed.workers import join\n"
        "interrupts.end_on_signals()\n"
        "print('waits', flush=True)\n"
        "join(4)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdout.readline() == "waits\n"
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                alone.wait(1)
            alone.terminate()
            assert alone.wait(10) == -signal.SIGTERM
        finally:
            alone.kill()
