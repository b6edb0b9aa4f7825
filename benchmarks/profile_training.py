"""Where a training step on the Japanese vowels spends its time: in the recurrent layer, and outside of it.

The estimator and a plain loop of PyTorch around the same layer (`bench_training.py`), in turns; time is what passes
between entering and leaving the layer's forward and backward pass. Then a profile by function of the estimator.
"""

import contextlib
import cProfile
import io
import pstats
import statistics
import time

import bench_training
import measure
import torch

import recurra
from recurra.nn.layers import autograd_bridge
from recurra.training.callbacks import Callback

BATCHES = bench_training.EPOCHS * 10


@contextlib.contextmanager
def clocked(seconds: dict[str, list[float]]):
    """Note the seconds of every pass through the layer."""
    real = {name: getattr(autograd_bridge, name) for name in ("forward_pass", "backward_pass")}

    def clock(name: str):
        def run(*args, **kwargs):
            start = time.perf_counter()
            result = real[name](*args, **kwargs)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            return result

        return run

    for name in real:
        setattr(autograd_bridge, name, clock(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(autograd_bridge, name, function)


class Steps(Callback):
    """Notes the seconds of every training step of the estimator."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.began = 0.0

    def on_batch_begin(self, training, batch):
        self.began = time.perf_counter()

    def on_batch_end(self, training):
        self.seconds.append(time.perf_counter() - self.began)


def estimator(train, seed: int, *callbacks) -> None:
    recurra.SequenceClassifier(
        cell="lstm", hidden_size=bench_training.HIDDEN, bidirectional=True, max_epochs=bench_training.EPOCHS,
        batch_size=bench_training.BATCH, validation_fraction=0, patience=None, random_state=seed, verbose=0,
        callbacks=callbacks,
    ).fit(train.X, train.y)  # fmt: skip


def main() -> None:
    """Time, profile, and write the result."""
    chosen = measure.arguments("where a training step spends its time")
    train = recurra.datasets.load("japanese-vowels", split="train")
    test = recurra.datasets.load("japanese-vowels", split="test")
    estimator(train, 0)
    outside: dict[str, list[float]] = {"estimator": [], "estimator, whole training": [], "plain loop": []}
    inside: dict[str, list[float]] = {"estimator": [], "plain loop": []}
    for seed in range(1, 4):
        seconds: dict[str, list[float]] = {}
        steps = Steps()
        with clocked(seconds):
            whole = measure.timed(lambda s=seed, c=steps: estimator(train, s, c))
        layer = [a + b for a, b in zip(seconds["forward_pass"], seconds["backward_pass"], strict=True)]
        outside["estimator"] += [all_ - part for all_, part in zip(steps.seconds, layer, strict=True)]
        outside["estimator, whole training"].append((whole - sum(layer)) / BATCHES)
        inside["estimator"] += layer
        seconds = {}
        with clocked(seconds):
            whole = measure.timed(lambda s=seed: bench_training.plain("ragged", train, test, s))
        spent = sum(sum(values) for values in seconds.values())
        outside["plain loop"].append((whole - spent) / BATCHES)
        inside["plain loop"].append(spent / BATCHES)
    rows = [{"outside_ms": {n: statistics.median(v) * 1e3 for n, v in outside.items()}}]
    rows += [{"in_the_layer_ms": {n: statistics.median(v) * 1e3 for n, v in inside.items()}}]
    text = [
        f"outside the layer, {n}: {statistics.median(v) * 1e3:.2f} ms a batch" for n, v in outside.items()
    ]
    text += [f"in the layer, {n}: {statistics.median(v) * 1e3:.2f} ms a batch" for n, v in inside.items()]
    profile = cProfile.Profile()
    profile.runcall(estimator, train, 4)
    out = io.StringIO()
    pstats.Stats(profile, stream=out).strip_dirs().sort_stats("tottime").print_stats(25)
    lines = [line for line in out.getvalue().splitlines() if line.strip()]
    text += lines
    measure.write("profile_training", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
