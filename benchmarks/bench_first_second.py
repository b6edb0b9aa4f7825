"""What a tiny run (40 sequences of 20 steps) takes above importing torch and scikit-learn: `recurra look`, `recurra train`.

Every contender in a process of its own, in turns; medians of the wall clock and of processor time.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np

IMPORTS = "import torch, sklearn.base, sklearn.linear_model, sklearn.metrics"


def table(path: Path) -> None:
    """Write the tiny table: two channels, two classes apart by one deviation."""
    rng = np.random.default_rng(0)
    lines = ["id,t,a,b,label"]
    for number in range(40):
        values = rng.normal(number % 2, 1, size=(20, 2)).round(3)
        lines += [f"{number},{t},{a},{b},{'xy'[number % 2]}" for t, (a, b) in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")


def timed(command: list[str], folder: str) -> tuple[float, float]:
    """Run a process; return its seconds by the clock and by the processor."""
    began = time.perf_counter()
    child = os.fork()
    if not child:
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.execv(command[0], command)
    _, status, used = os.wait4(child, 0)
    assert status == 0, command
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    python, recurra = sys.executable, str(Path(sys.executable).parent / "recurra")
    contenders = {
        "importing torch and scikit-learn": [python, "-c", IMPORTS],
        "recurra look": [recurra, "look", "tiny.csv", "--id", "id"],
        "recurra train": [recurra, "train", "tiny.csv", "--id", "id", "-o", "run", "--force"],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        table(Path(folder) / "tiny.csv")
        for command in contenders.values():  # what the system has to fetch from disk
            timed(command, folder)
        for _ in range(chosen.rounds):
            for name, command in contenders.items():
                found[name].append(timed(command, folder))
    rows, text = [], []
    for name, pairs in found.items():
        wall, processor = (statistics.median(column) for column in zip(*pairs, strict=True))
        rows.append({"name": name, "seconds": wall, "processor_seconds": processor, "all": pairs})
        text.append(f"{name}: {wall:.2f} s, {processor:.2f} s of processor time")
    above = [rows[2][key] - rows[0][key] for key in ("seconds", "processor_seconds")]
    text.append(f"train above the imports: {above[0]:.2f} s, {above[1]:.2f} s of processor time")
    measure.write("bench_first_second", chosen.out, measure.machine(os.cpu_count() or 1), rows, text)


if __name__ == "__main__":
    main()
