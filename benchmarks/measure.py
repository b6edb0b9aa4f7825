"""How everything here is timed: ours and the peers in one process, alternating, medians; and where it is written."""

import argparse
import datetime
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recurra.kernels
from recurra.kernels.dispatch import native_module

# batch, time, input, hidden
SHAPES = (
    (32, 100, 9, 100),
    (64, 50, 128, 128),
    (128, 200, 256, 256),
    (1, 1000, 12, 100),
    (256, 28, 28, 128),
    (16, 500, 40, 512),
)
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
RESULTS = Path(__file__).with_name("results")
# The waiting threads of torch and onnxruntime spin for tens of milliseconds after a run, on the cores of whoever comes
# next. Each contender begins when they have gone to sleep, and gets warm in runs that are not timed.
REST_SECONDS = 0.1
WARM_SECONDS = 0.03


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each, at least this many")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="go on alternating for this long per shape"
    )
    parser.add_argument(
        "--rests",
        type=float,
        default=REST_SECONDS,
        help="seconds of sleep before each run; 0: neither sleep nor warm-up",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


# A contender whose one run takes longer is timed three times, its first run included: it needs no warm-up to be slow.
SLOW_SECONDS = 1.5


def alternate(
    contenders: dict[str, Callable[[], Any]], *, rounds: int, seconds: float, rests: float = REST_SECONDS
) -> dict[str, float]:
    """Return the median seconds of each contender, run in turns: each warm and alone, or without ``rests`` as it comes."""
    first = {name: timed(run) for name, run in contenders.items()}
    slow = {name for name, taken in first.items() if taken > SLOW_SECONDS}
    times: dict[str, list[float]] = {name: [first[name]] if name in slow else [] for name in contenders}
    end = time.perf_counter() + seconds
    while min(len(t) for n, t in times.items()) < 3 or (
        slow != set(times) and (fewest(times, slow) < rounds or time.perf_counter() < end)
    ):
        for name, run in contenders.items():
            time.sleep(rests)
            if name not in slow:
                warm = time.perf_counter() + (WARM_SECONDS if rests else 0.0)
                while time.perf_counter() < warm:
                    run()
                times[name].append(timed(run))
            elif len(times[name]) < 3:
                times[name].append(timed(run))
    return {name: statistics.median(values) for name, values in times.items()}


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fewest(times: dict[str, list[float]], without: set[str]) -> int:
    return min(len(values) for name, values in times.items() if name not in without)


def peak_gflops(threads: int) -> float:
    """Return the fused multiply-add rate of this machine in GF/s, the best of five readings on so many threads."""
    return max(_peak_once(threads) for _ in range(5))


def _peak_once(threads: int) -> float:
    found = []
    together = threading.Barrier(threads)

    def work() -> None:
        native_module().peak(100_000)
        together.wait()
        start = time.perf_counter()
        operations = native_module().peak(4_000_000)
        found.append(operations / (time.perf_counter() - start) / 1e9)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(found)


def flops(cell: str, shape: tuple[int, int, int, int], steps: int, *, train: bool) -> float:
    """Useful operations: products only, no gradient by the input."""
    _, _, inputs, hidden = shape
    forward = 2.0 * steps * GATES[cell] * hidden * (inputs + hidden)
    return forward * 2 + 2.0 * steps * GATES[cell] * hidden * hidden if train else forward


def ragged_lengths(shape: tuple[int, int, int, int], seed: int = 0) -> np.ndarray:
    """Uniform in T/4..T."""
    batch, time_steps, _, _ = shape
    return np.random.default_rng(seed).integers(time_steps // 4, time_steps + 1, batch)


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def of_halves(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for the rows a rule was made on and one for those aside: the geometric mean of each one's ratios."""
    lines = []
    for half in ("made on", "aside"):
        own = [row["relative"] for row in rows if row["half"] == half]
        means = {who: geometric_mean([one[who] for one in own]) for who in (own[0] if own else ())}
        lines.append(f"{half}, geometric mean: " + ", ".join(f"{who} {m:.3f}" for who, m in means.items()))
    return lines


def machine(threads: int) -> dict[str, Any]:
    """Where and with what a result was measured."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    load = [round(v, 2) for v in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "dtype": "float32",
        "kernels": recurra.kernels.describe(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "load": load,
        "peak_gflops": round(peak_gflops(threads), 1) if recurra.kernels.describe()["native"] else None,
    }


def write(stem: str, out: Path, about: dict[str, Any], rows: list[dict[str, Any]], text: list[str]) -> None:
    """Write ``<stem>.json`` and ``<stem>.txt``, and print the text."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{stem}.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")
    head = (
        f"{stem}: {about['processor']}, {about['threads']} threads, float32, "
        f"torch {about['torch']}, {about['date']}"
    )
    head += f", FMA peak {about['peak_gflops']} GF/s, load {about['load']}"
    lines = "\n".join([head, *text]) + "\n"
    (out / f"{stem}.txt").write_text(lines)
    print(lines)
