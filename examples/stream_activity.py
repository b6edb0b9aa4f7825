"""A phone in a pocket, answered as it is carried: what its owner does, at every step, while the steps come in.

A causal network (it reads forward only) learns from the recordings of some people at 25 Hz and is then fed a recording
of someone else: as fast as it goes and at real speed, through the command `recurra stream`. The answers must be those
of `recurra predict`. The figure shows them with the time each took.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import recurra

EVERY = 4  # of 100 Hz: 25 rows per second
SETTING = {"cell": "gru", "hidden_size": 32, "max_epochs": 12, "batch_size": 8, "learning_rate": 0.005}


def thinned(record):
    """Return a record with the mean of every four rows, and the label of the last of them."""
    steps = record.length // EVERY * EVERY
    values = record.values[:steps].reshape(-1, EVERY, record.values.shape[1]).mean(axis=1)
    return replace(
        record, values=values, label=record.label[:steps][EVERY - 1 :: EVERY], sample_rate_hz=100 / EVERY
    )


def parts(data, seed, quick):
    """Return data to learn from and data to judge on, of different people."""
    records = data.records[:40] if quick else data.records
    thin = replace(data, records=[thinned(record) for record in records])
    return thin.split(test=0.25, by="group", random_state=seed)


def answers(model, recording, *options):
    """Pipe a recording through `recurra stream`; return its answers, the latency table and the seconds taken."""
    command = [sys.executable, "-m", "recurra", "stream", str(model), str(recording), *options]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["prediction"] for line in lines], done.stderr, time.perf_counter() - start


def predicted(model, recording):
    """Return what `recurra predict` says of the same recording."""
    command = [sys.executable, "-m", "recurra", "predict", str(model), str(recording)]
    command += ["--layout", "long", "--format", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["prediction"]


def write_csv(path, values, names):
    """Write rows as a table with a header, every number in full."""
    lines = [",".join(names), *(",".join(map(repr, row)) for row in values.tolist())]
    path.write_text("\n".join(lines) + "\n")


def draw(path, clf, record):
    """Draw the signal, the truth, the answers and the time each answer took."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    stream = clf.stream()
    said, microseconds = [], []
    for row in record.values:
        start = time.perf_counter()
        said.append(stream.step(row).label)
        microseconds.append((time.perf_counter() - start) * 1e6)
    seconds = np.arange(record.length) / record.sample_rate_hz
    colours = dict(
        zip(clf.classes_.tolist(), ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"], strict=False)
    )
    figure, (signal, bands, latency) = plt.subplots(
        3, 1, figsize=(9, 5), sharex=True, height_ratios=[3, 1.3, 2], layout="constrained"
    )
    signal.plot(seconds, np.linalg.norm(record.values[:, :3], axis=1), color="0.3", linewidth=0.8)
    signal.set_ylabel("acceleration\n(m/s²)")
    for place, (labels, name) in enumerate(((record.label, "truth"), (said, "answered"))):
        for label, colour in colours.items():
            bands.fill_between(
                seconds, place, place + 0.8, where=np.asarray(labels) == label, color=colour, step="post"
            )
        bands.text(-0.01, place + 0.4, name, transform=bands.get_yaxis_transform(), ha="right", va="center")
    bands.set_yticks([])
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    signal.legend(
        handles, colours, ncols=len(colours), loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False
    )
    latency.semilogy(seconds, microseconds, ".", markersize=3, color="0.3")
    latency.axhline(1e6 / record.sample_rate_hz, color="#aa3377", linewidth=1)
    latency.text(
        seconds[-1], 1e6 / record.sample_rate_hz / 1.5, "time until the next row", ha="right", va="top"
    )
    latency.set_ylabel("time per answer\n(µs)")
    latency.set_xlabel("time (s)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="smartphone-activity", help="name of the data set")
    parser.add_argument("--out", type=Path, default=Path("runs/stream_activity"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    train, test = parts(recurra.datasets.load(args.data), args.seed, args.quick)
    words = SETTING | ({"max_epochs": 1, "hidden_size": 8} if args.quick else {})
    clf = recurra.SequenceLabeler(**words, random_state=args.seed).fit(train)
    args.out.mkdir(parents=True, exist_ok=True)
    model = args.out / "model.recurra"
    clf.save(model)
    evaluation = clf.evaluate(test)
    evaluation.save(args.out / "report.html")

    record = max(test.records[:10], key=lambda r: r.length)
    whole, short = args.out / "recording.csv", args.out / "recording-start.csv"
    write_csv(whole, record.values, test.channel_names)
    write_csv(short, record.values[: 25 if args.quick else 125], test.channel_names)
    fast, table, fast_seconds = answers(model, whole)
    real, _, real_seconds = answers(model, short, "--realtime")
    expected = predicted(model, whole)
    assert fast == expected, "recurra stream and recurra predict disagree"
    assert real == expected[: len(real)], "at real speed the answers differ"
    draw(args.out / "stream.png", clf, record)
    metrics = evaluation.metrics | {
        "stream_rows": len(fast),
        "stream_seconds": fast_seconds,
        "recording_seconds": record.length / record.sample_rate_hz,
        "realtime_rows": len(real),
        "realtime_seconds": real_seconds,
    }
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"accuracy {metrics['accuracy']:.3f}, always the commonest: {metrics['accuracy_baseline']:.3f}")
    print(
        f"{len(fast)} rows ({metrics['recording_seconds']:.0f} s of recording) answered in {fast_seconds:.2f} s"
    )
    print(f"{len(real)} rows at real speed in {real_seconds:.2f} s; every answer as recurra predict gives it")
    print(table.rstrip())


if __name__ == "__main__":
    main()
