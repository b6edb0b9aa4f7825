"""Three gigabytes of recordings of a machine, made here, read from disk batch by batch while training; the peak is told.

Four accelerometers at 1 kHz, a second each time: sound, out of balance, a damaged bearing, or a loose foot, at changing
speed and in noise. They are made, as `make_files` says, since no public set of this size can be had here: the accuracy says
that the way works, not how well faults of real machines are found. Where the files, as numbers, take more than a quarter of
memory, their values lie in a file of the cache; here they always do.
"""

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

import recurra

KINDS = ("sound", "unbalanced", "bearing", "loose")
RATE, CHANNELS, PER_FILE = 1000, 4, 2000


def recording(kind, rng):
    """Return one second of a machine: float32 of shape (1000, 4)."""
    time = np.arange(RATE) / RATE
    turns = (
        np.cumsum(rng.uniform(18, 32) * (1 + 0.02 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time))) / RATE
    )
    once = np.sin(2 * np.pi * turns + rng.uniform(0, 6.28))
    signal = 0.3 * once + 0.1 * np.sin(4 * np.pi * turns)
    if kind == "unbalanced":
        signal += rng.uniform(0.3, 0.9) * once
    elif kind == "bearing":  # a ball over a pit: a short ringing, some times a turn
        hits = np.diff(np.floor(turns * 3.57), prepend=0) > 0
        ringing = np.exp(-time[:60] * 90) * np.sin(2 * np.pi * 310 * time[:60])
        signal += rng.uniform(0.4, 1.2) * np.convolve(hits, ringing)[:RATE]
    elif kind == "loose":  # the swing is cut off on one side
        signal = np.maximum(signal * 1.6, rng.uniform(-0.3, -0.1))
    gains = rng.uniform(0.4, 1.0, CHANNELS)
    return (signal[:, None] * gains + rng.normal(0, 0.25, (RATE, CHANNELS))).astype(np.float32)


def make_files(folder, stem, total, rng):
    """Write as many recordings as asked for, some thousand a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, first in enumerate(range(0, total, PER_FILE)):
        count = min(PER_FILE, total - first)
        kinds = [KINDS[i % len(KINDS)] for i in range(count)]
        values = np.concatenate([recording(kind, rng) for kind in kinds])
        table = {
            "id": np.repeat([f"{stem}-{first + i}" for i in range(count)], RATE),
            "time": np.tile(np.arange(RATE, dtype=np.float32) / RATE, count),
            "label": np.repeat(kinds, RATE),
            **{f"acc_{c}": values[:, c] for c in range(CHANNELS)},
        }
        parquet.write_table(pa.table(table), folder / f"{stem}-{number:04d}.parquet")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the files, made if they are not there")
    parser.add_argument("--out", type=Path, default=Path("runs/large"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gb", type=float, default=3.0, help="gigabytes of measured values")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    total = 200 if args.quick else int(args.gb * 1e9 / (RATE * CHANNELS * 4))
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or Path(temporary)
        if not list(folder.glob("train-*.parquet")):
            rng = np.random.default_rng(args.seed)
            make_files(folder, "train", total, rng)
            make_files(folder, "test", max(total // 10, 40), rng)
        train, test = (
            recurra.load(f"{folder}/{part}-*.parquet", on_disk="temporary") for part in ("train", "test")
        )
        classifier = recurra.SequenceClassifier(
            cell="gru",
            hidden_size=16,
            features="statistics,band_powers",
            max_epochs=3,
            wide=False,
            random_state=args.seed,
        )
        classifier.fit(train)
        judged = classifier.evaluate(test)
    scale = 1e9 if sys.platform == "darwin" else 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    metrics = {**judged.metrics, "n_train": len(train), "peak_gb": peak}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    judged.save(args.out / "report.html")
    for name, value in metrics.items():
        print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
