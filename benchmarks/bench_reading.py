"""What reading costs against how much there is: `look` on every kind of data, and tables beside pandas.

Each measurement is a process of its own, whose processor time and largest memory count. The exponent is that of the line
through the logarithms of size and time, the time of the smallest run (imports) taken off; at 1 time grows with the data.

    python benchmarks/bench_reading.py            # to 20,000 files and 130 MB, some minutes
    python benchmarks/bench_reading.py --full     # to 100,000 files and 1 GB
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
STEPS = 200
LOOK = "import recurra; recurra.look(PATH)"
PANDAS = "import pandas; pandas.read_csv(PATH)"


def long_table(path, sequences):
    """Write sequences of 200 steps of six channels: about 12.6 kB each as text."""
    rng = np.random.default_rng(0)
    block = [",".join(f"{value:.5f}" for value in row) for row in rng.normal(size=(20 * STEPS, 6))]
    with path.open("w") as file:
        file.write("id,time,label,ax,ay,az,gx,gy,gz\n")
        for s in range(sequences):
            first = s % 20 * STEPS
            rows = [block[first + i].partition(",")[2] for i in range(STEPS)]
            file.writelines(
                f"r{s:06d},{i * 0.01:.2f},{('sit', 'walk')[s % 2]},{s * 0.01 + i % 7:.2f},{rows[i]}\n"
                for i in range(STEPS)
            )


def parquet_table(path, sequences):
    """Write the same kind of table as Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    table = {
        "id": np.repeat([f"r{s:06d}" for s in range(sequences)], STEPS),
        "time": np.tile(np.arange(STEPS) * 0.01, sequences),
        "label": np.repeat(["walk" if s % 2 else "sit" for s in range(sequences)], STEPS),
    }
    table |= {name: rng.normal(size=sequences * STEPS) for name in ("ax", "ay", "az", "gx", "gy", "gz")}
    parquet.write_table(pa.table(table), path)


def json_lines(path, texts):
    """Write a text and its class a line."""
    with path.open("w") as file:
        file.writelines(
            json.dumps({"text": f"report {i} of a pump that leaks", "label": "ab"[i % 2]}) + "\n"
            for i in range(texts)
        )


def text_lines(path, texts):
    """Write sentences."""
    path.write_text("".join(f"The pump number {i} leaks again today.\n" for i in range(texts)))


def class_folders(path, files, *, suffix=".csv", labels=False):
    """Write small files into four class folders, or into one with a table of labels."""
    rng = np.random.default_rng(0)
    for i in range(files):
        folder = path / ("all" if labels else f"class{i % 4}")
        folder.mkdir(parents=True, exist_ok=True)
        values = rng.normal(size=(20, 3))
        if suffix == ".npy":
            np.save(folder / f"{i:06d}.npy", values)
        else:
            rows = "".join(",".join(f"{v:.4f}" for v in row) + "\n" for row in values)
            (folder / f"{i:06d}.csv").write_text("x,y,z\n" + rows)
    if labels:
        lines = "".join(f"all/{i:06d}.csv,{'ab'[i % 2]},g{i % 50}\n" for i in range(files))
        (path / "labels.csv").write_text("file,label,group\n" + lines)


# Name, how it is written, what it is called, sizes, and those of --full.
FILES, MORE_FILES = (1250, 2500, 5000, 10_000, 20_000), (50_000, 100_000)
SEQUENCES, MORE_SEQUENCES = (500, 1000, 2500, 5000, 10_000), (40_000, 80_000)
TEXTS, MORE_TEXTS = (10_000, 20_000, 50_000, 100_000), (1_000_000,)
CASES = {
    "class folders of .csv": (class_folders, "data", FILES, MORE_FILES),
    "class folders of .npy": (lambda p, n: class_folders(p, n, suffix=".npy"), "data", FILES, MORE_FILES),
    "labels.csv": (lambda p, n: class_folders(p, n, labels=True), "data", FILES, MORE_FILES),
    "long .csv": (long_table, "data.csv", SEQUENCES, MORE_SEQUENCES),
    "long .parquet": (parquet_table, "data.parquet", SEQUENCES, MORE_SEQUENCES),
    ".jsonl of texts": (json_lines, "data.jsonl", TEXTS, MORE_TEXTS),
    ".txt of sentences": (text_lines, "data.txt", TEXTS, MORE_TEXTS),
}


def measured(code, path):
    """Return processor seconds and megabytes of a process that runs the code on a path."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = (
        f"import resource\nPATH = {str(path)!r}\n{code}\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, float(done.stdout.split()[-1])


def exponent(sizes, seconds):
    """Return the slope between logarithms, of what is above the smallest run; it counts for what doubles it at least."""
    sizes, more = np.array(sizes[1:]) - sizes[0], np.array(seconds[1:]) - seconds[0]
    there = more > 0.2
    if there.sum() < 2:
        return None
    return float(np.polyfit(np.log(sizes[there]), np.log(more[there]), 1)[0])


def draw(found, path):
    """Draw time against size for every kind."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, one in found.items():
        slope = "" if one["exponent"] is None else f", exponent {one['exponent']:.2f}"
        axes.loglog(one["megabytes"], one["seconds"], "o-", label=f"{name}{slope}")
    axes.set_xlabel("megabytes on disk")
    axes.set_ylabel("processor seconds of look, imports included")
    axes.legend(fontsize=8)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="to 100,000 files and 1 GB")
    parser.add_argument("--only", help="part of the name of a case")
    args = parser.parse_args()
    found = {}
    for name, (write, called, sizes, more) in CASES.items():
        if args.only and args.only not in name:
            continue
        rows = {"sizes": [], "megabytes": [], "seconds": [], "peak_mb": []}
        if name == "long .csv":
            rows |= {"pandas_seconds": [], "pandas_peak_mb": [], "values_float32_mb": []}
        for size in (*sizes, *(more if args.full else ())):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / called
                write(path, size)
                files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
                seconds, peak = measured(LOOK, path)
                rows["sizes"].append(size)
                rows["megabytes"].append(sum(f.stat().st_size for f in files) / 1e6)
                rows["seconds"].append(seconds)
                rows["peak_mb"].append(peak)
                if "pandas_seconds" in rows:
                    beside, memory = measured(PANDAS, path)
                    rows["pandas_seconds"].append(beside)
                    rows["pandas_peak_mb"].append(memory)
                    rows["values_float32_mb"].append(size * STEPS * 6 * 4 / 1e6)
            print(name, {key: round(values[-1], 2) for key, values in rows.items()}, flush=True)
        found[name] = rows | {"exponent": exponent(rows["sizes"], rows["seconds"])}
        print(name, "exponent", found[name]["exponent"], flush=True)
    (RESULTS / "bench_reading.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, RESULTS / "bench_reading.svg")


if __name__ == "__main__":
    main()
