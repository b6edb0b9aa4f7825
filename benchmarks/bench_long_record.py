"""A day of one channel at 250 Hz through reader, features and a trained labeler: time and memory of `recurra predict`.

`python benchmarks/bench_long_record.py [--hours 24] [--out result.json]`: a causal labeler learns on generated recordings
with a rhythm that changes; then the command reads a PhysioNet record (format 16) of that many hours in a process of its
own, whole by itself in chunks, and writes segments.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import recurra
from recurra.records import Dataset, Record

RATE = 250

# The command, then the largest memory of its own process; what the operating system counts for a child begins with ours.
COMMAND = """
import sys
from recurra.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
sys.exit(code)
"""


def record(seconds, rng):
    """Return a signal whose beat is slow or fast, changing every 20 to 60 seconds, and its label per sample."""
    rates, labels, left = [], [], seconds * RATE
    fast = bool(rng.integers(2))
    while left > 0:
        steps = min(left, int(rng.integers(20, 60) * RATE))
        rates.append(np.full(steps, 2.2 if fast else 1.0))
        labels.append(np.full(steps, "fast" if fast else "slow"))
        fast, left = not fast, left - steps
    phase = np.cumsum(np.concatenate(rates)) / RATE % 1
    signal = np.exp(-(((phase - 0.5) / 0.03) ** 2)) + rng.normal(size=len(phase)) * 0.05
    return signal[:, None], np.concatenate(labels)


def write_record(folder, signal):
    """Write a PhysioNet record in format 16."""
    (folder / "day.dat").write_bytes(np.round(signal[:, 0] * 1000).astype("<i2").tobytes())
    (folder / "day.hea").write_text(f"day 1 {RATE} {len(signal)}\nday.dat 16 1000/mV 16 0 0 0 0 ecg\n")
    return folder / "day.hea"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    records = [Record(*record(120, rng), name=str(i), sample_rate_hz=float(RATE)) for i in range(8)]
    features = {"name": ["band_powers", "statistics"], "window_s": 2.0, "hop_s": 0.5}
    words = {"features": features, "hidden_size": 32, "max_epochs": 15, "learning_rate": 0.01, "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        recurra.train(Dataset(records, channel_names=["ecg"]), out=out / "run", test=0, seed=0, **words)
        signal, labels = record(int(args.hours * 3600), rng)
        path = write_record(out, signal)
        steps = len(signal)
        del signal
        words = ["predict", out / "run", path, "--segments", "-o", out / "day.csv"]
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *map(str, words)], check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = (out / "day.csv").read_text().splitlines()[1:]
    predicted = np.empty(steps, dtype=labels.dtype)
    for line in lines:
        _, start, end, label = line.split(",")[:4]
        predicted[int(start) : int(end)] = label
    processor = used.ru_utime + used.ru_stime
    result = {
        "hours": args.hours,
        "steps": steps,
        "segments": len(lines),
        "accuracy": round(float((predicted == labels).mean()), 4),
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "times_real_time": round(args.hours * 3600 / seconds),
        "times_real_time_by_processor_time": round(args.hours * 3600 / processor),
        "peak_mb": round(int(done.stderr.split("VmHWM:")[1].split()[0]) / 1024),
    }
    print(json.dumps(result, indent=2))
    if args.out is not None:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
