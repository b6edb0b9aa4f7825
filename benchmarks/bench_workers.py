"""One training step on 1, 2 and 4 processes, what it is made of, and what that foretells for many machines.

    python benchmarks/bench_workers.py benchmarks/results/bench_workers.json

Measured at each network: a step of one process with two threads and no shards; a step of 1, 2 and 4 workers with four
shards; the gradient exchange alone. The fastest of `STEPS` counts, by the clock
and by processor time. The simulation goes by processor time, which other work on the machine disturbs least.

The simulation has three costs of a step, calibrated here: the computation of a worker's share of the batch, of which the
slowest of n workers counts (deviation `SPREAD`); clipping and the optimizer, which each worker does for all weights; and the
exchange, all-to-all and all-gather: 2 (n - 1) messages one after the other, and 2 (n - 1) / n gradients through a link.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra.batches.examples import Examples
from recurra.nn.networks.sequence_network import NetworkConfig, build
from recurra.training import optimizers
from recurra.training.distributed.agent import launch
from recurra.training.distributed.sharded_step import ShardedStep
from recurra.training.distributed.workers import Workers, join
from recurra.training.losses import cross_entropy

HIDDEN = (64, 256, 512)
CHANNELS, CLASSES, BATCH, TIME, SHARDS = 12, 9, 32, 50, 4
STEPS = 4
# Of the time of a worker's share, from one step to the next: batches are cut into shards of equal numbers of steps.
SPREAD = 0.05
# Seconds of a message and bytes per second, of usual networks between machines.
LINKS = {"1 Gbit/s": (1e-4, 0.117e9), "10 Gbit/s": (5e-5, 1.17e9), "100 Gbit/s": (1e-5, 11.7e9)}
MACHINES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


def setting(hidden: int, size: int = BATCH) -> tuple[torch.nn.Module, Examples]:
    """Return a network and a batch for it."""
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(TIME, CHANNELS)).astype(np.float32) for _ in range(size)]
    examples = Examples(inputs, rng.integers(0, CLASSES, size))
    config = NetworkConfig(cell="lstm", input_size=CHANNELS, hidden_size=hidden, output_size=CLASSES)
    return build(config, seed=0), examples


def fastest(step: Any, workers: Workers) -> dict[str, float]:
    """Return the seconds of the fastest of several calls on the slowest worker, by the clock and of the processor."""
    step()
    clock, processor = [], []
    for _ in range(STEPS):
        workers.largest(0)  # all begin together
        began = time.perf_counter(), time.process_time()
        step()
        clock.append(time.perf_counter() - began[0])
        processor.append(time.process_time() - began[1])
    return {"clock_s": max(workers.all(min(clock))), "processor_s": max(workers.all(min(processor)))}


def of_workers(
    workers: Workers, units: Sequence[int] = HIDDEN, batch: int = BATCH, shards: int = SHARDS
) -> dict[str, dict[str, Any]]:
    """Return what a step and an exchange take at each network."""
    found = {}
    torch.set_num_threads(1)
    loss = cross_entropy()
    for hidden in units:
        network, examples = setting(hidden, batch)
        sharded = ShardedStep(
            network,
            examples,
            shards=shards,
            workers=workers,
            seeded=torch.default_generator.manual_seed,
            device=torch.device("cpu"),
        )
        optimizer = optimizers.make_optimizer(
            "adam", network.parameters(), learning_rate=1e-3, weight_decay=0
        )

        def update(optimizer: Any = optimizer) -> None:
            gradients = optimizers.gradients_of(optimizer)
            optimizers.clip(gradients, norm=optimizers.global_norm(gradients), grad_clip=1.0)
            optimizer.step()

        def step(sharded: ShardedStep = sharded, update: Any = update) -> None:
            outputs, targets, _ = sharded.forward(np.arange(batch), 0)
            loss(outputs, torch.from_numpy(targets), None).backward()
            sharded.backward()
            update()

        whole = fastest(step, workers)
        size = sum(parameter.numel() for parameter in network.parameters())
        piece = -(-size // workers.count)
        gradient = torch.zeros(1, workers.count, piece)

        def exchange(gradient: torch.Tensor = gradient) -> None:
            pieces = workers.pieces(gradient, [1] * workers.count)
            workers.joined(sum(pieces[1:], pieces[0]))

        alone = {} if workers.count == 1 else {"exchange": fastest(exchange, workers)}
        found[str(hidden)] = {
            "step": whole,
            "update": fastest(update, workers),
            "bytes": 4.0 * size,
            **alone,
        }
    return found


def unsharded(units: Sequence[int] = HIDDEN, size: int = BATCH) -> dict[str, dict[str, float]]:
    """Return what a step of one process with two threads takes at each network."""
    found, loss = {}, cross_entropy()
    torch.set_num_threads(2)
    for hidden in units:
        network, examples = setting(hidden, size)
        batch = examples.batch(np.arange(size))
        optimizer = optimizers.make_optimizer(
            "adam", network.parameters(), learning_rate=1e-3, weight_decay=0
        )

        def step(network: Any = network, batch: Any = batch, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad(set_to_none=True)
            outputs = network(batch.inputs.replace(torch.from_numpy(batch.inputs.values)))
            loss(outputs, torch.from_numpy(batch.targets), None).backward()
            gradients = optimizers.gradients_of(optimizer)
            optimizers.clip(gradients, norm=optimizers.global_norm(gradients), grad_clip=1.0)
            optimizer.step()

        found[str(hidden)] = fastest(step, Workers())
    return found


def step_seconds(
    machines: int, compute: float, update: float, size: float, link: tuple[float, float]
) -> float:
    """Return what a step of so many machines takes, each with a whole batch of its own.

    The largest of n normal deviations is about sqrt(2 ln n) of them.
    """
    if machines == 1:
        return compute + update
    message, bandwidth = link
    slowest = compute * (1 + SPREAD * math.sqrt(2 * math.log(machines)))
    exchange = 2 * (machines - 1) * message + 2 * size * (machines - 1) / machines / bandwidth
    return slowest + exchange + update


def simulated(measured: dict[str, Any]) -> dict[str, Any]:
    """Return speed against one machine, at each network, link and number of machines."""
    out: dict[str, Any] = {}
    for hidden, own in measured["1"].items():
        whole, update = own["step"]["processor_s"], own["update"]["processor_s"]
        for name, link in LINKS.items():
            speeds = {
                n: n * whole / step_seconds(n, whole - update, update, own["bytes"], link) for n in MACHINES
            }
            best = max(speeds, key=lambda n: speeds[n])
            pays = max(n for n in MACHINES if speeds[n] / n >= 0.5)
            out[f"{hidden} units, {name}"] = {"speed": speeds, "fastest_at": best, "half_is_used_until": pays}
    return out


def main() -> None:
    """Measure, simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    if "RANK" in os.environ:
        workers = join(SHARDS)
        found = of_workers(workers)
        if workers.leads:
            args.out.write_text(json.dumps(found))
        return
    part = args.out.with_suffix(".part")
    measured: dict[str, Any] = {"1": of_workers(Workers())}
    for count in (2, 4):
        outcome = launch([sys.executable, __file__, str(part)], count, environment={"OMP_NUM_THREADS": "1"})
        assert outcome.code == 0, outcome
        measured[str(count)] = json.loads(part.read_text())
    part.unlink()
    two_threads = unsharded()
    ratio = {
        hidden: {
            "by the clock": step["clock_s"] / measured["2"][hidden]["step"]["clock_s"],
            "by processor time": step["processor_s"] / 2 / measured["2"][hidden]["step"]["processor_s"],
        }
        for hidden, step in two_threads.items()
    }
    found = {
        "setting": {"cell": "lstm", "batch": BATCH, "time": TIME, "channels": CHANNELS, "shards": SHARDS},
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "torch": torch.__version__,
        "workers": measured,
        "two_threads_step": two_threads,
        "speed_of_two_workers_against_two_threads": ratio,
        "simulated": simulated(measured),
    }
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: found[name] for name in ("workers", "two_threads_step")}, indent=1))
    print(ratio)


if __name__ == "__main__":
    main()
