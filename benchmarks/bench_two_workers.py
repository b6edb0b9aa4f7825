"""Two workers beside one process with two threads: a step of 256 units, by sequences of a batch and number of shards.

    python benchmarks/bench_two_workers.py --out benchmarks/results

Each contender in a process of its own (the workers in two), in turns; medians over the turns of the fastest step of each.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import bench_workers
import measure

from recurra.training.distributed.agent import launch
from recurra.training.distributed.workers import join

UNITS, TURNS = 256, 5
CUTS = [(32, 2), (32, 4), (128, 2), (128, 4), (256, 2), (256, 4)]  # sequences of a batch, shards
ASKED = "TWO_WORKERS"  # what a process is to measure, and where it writes


def contender() -> None:
    """Measure what was asked for, in a process of its own."""
    batch, shards, out = json.loads(os.environ[ASKED])
    if not shards:
        Path(out).write_text(json.dumps(bench_workers.unsharded([UNITS], batch)[str(UNITS)]))
        return
    workers = join(shards)
    found = bench_workers.of_workers(workers, [UNITS], batch, shards)[str(UNITS)]
    if workers.leads:
        Path(out).write_text(json.dumps(found))


def main() -> None:
    chosen = measure.arguments(__doc__.splitlines()[0])
    seconds: dict[tuple[int, int], list[float]] = {}
    exchanges = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        for _ in range(TURNS):
            for batch, shards in [*dict.fromkeys((b, 0) for b, _ in CUTS), *CUTS]:
                asked = {ASKED: json.dumps([batch, shards, str(out)])}
                if shards:
                    outcome = launch(
                        [sys.executable, __file__], 2, environment=asked | {"OMP_NUM_THREADS": "1"}
                    )
                    assert outcome.code == 0, outcome
                    found = json.loads(out.read_text())
                    exchanges.append(found["exchange"]["clock_s"])
                    found = found["step"]
                else:
                    subprocess.run([sys.executable, __file__], env=os.environ | asked, check=True)
                    found = json.loads(out.read_text())
                seconds.setdefault((batch, shards), []).append(found["clock_s"])
    rows, text = [], []
    for batch, shards in CUTS:
        one, two = median(seconds[batch, 0]), median(seconds[batch, shards])
        rows.append(
            {
                "batch": batch,
                "shards": shards,
                "one_process_s": seconds[batch, 0],
                "two_workers_s": seconds[batch, shards],
                "speed": one / two,
            }
        )
        text.append(
            f"batch {batch}, {shards} shards: one process {1e3 * one:.1f} ms, two workers {1e3 * two:.1f}: {one / two:.2f}"
        )
    text.append(f"exchange of a gradient: {1e3 * median(exchanges):.1f} ms")
    measure.write("bench_two_workers", chosen.out, measure.machine(2), rows, text)


if __name__ == "__main__":
    contender() if ASKED in os.environ else main()
