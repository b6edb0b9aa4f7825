"""With one core kept busy by another process: how much slower training gets, ours and torch's side by side.

The neighbour spins on the first core. Quiet and busy rounds alternate, and within a round ours and torch's.
"""

import multiprocessing
import os
import statistics
import time

import layers
import measure

SHAPES = measure.SHAPES[:2] + measure.SHAPES[4:5]


def spin(core: int) -> None:
    """Keep a core busy for ever."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    while True:
        pass


def rounds_of(runs: dict, seconds: float, into: dict[str, list[float]]) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, run in runs.items():
            into.setdefault(name, []).append(measure.timed(run))


def main() -> None:
    """Time three shapes and write the result."""
    chosen = measure.arguments("training beside a busy neighbour")
    about, rows, text = measure.machine(chosen.threads), [], []
    for cell in ("lstm", "gru"):
        for shape in SHAPES:
            runs, _ = layers.train_contenders(cell, shape, ragged=False)
            for run in runs.values():
                run()
            quiet: dict[str, list[float]] = {}
            busy: dict[str, list[float]] = {}
            for _ in range(3):
                rounds_of(runs, chosen.seconds / 3, quiet)
                neighbour = multiprocessing.Process(target=spin, args=(0,), daemon=True)
                neighbour.start()
                time.sleep(0.3)
                rounds_of(runs, chosen.seconds / 3, busy)
                neighbour.kill()
                neighbour.join()
            slower = {n: statistics.median(busy[n]) / statistics.median(quiet[n]) for n in runs}
            mean = {n: statistics.mean(busy[n]) / statistics.mean(quiet[n]) for n in runs}
            rows.append({
                "cell": cell, "shape": shape, "slower": slower, "slower_in_the_mean": mean,
                "quiet_seconds": {n: statistics.median(quiet[n]) for n in runs},
                "busy_seconds": {n: statistics.median(busy[n]) for n in runs},
            })  # fmt: skip
            text.append(
                f"{cell} {','.join(map(str, shape))}: "
                + "  ".join(f"{n} {slower[n]:.2f} times slower ({mean[n]:.2f} in the mean)" for n in runs)
            )
            print(text[-1], flush=True)
    measure.write("bench_busy", chosen.out, about, rows, text)


if __name__ == "__main__":
    main()
