"""A network that leaves Python: what a phone's owner does, answered by C and by onnxruntime.

A network that reads forward only learns from the recordings of some people at 25 Hz. It is written as C99 and as ONNX, the C
is compiled with a small program that reads rows, and both run over a recording of someone else, row by row. Their answers
must be those of recurra.
"""

import argparse
import json
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import recurra

EVERY = 4  # of 100 Hz: 25 rows per second
SETTING = {"cell": "gru", "hidden_size": 32, "max_epochs": 12, "batch_size": 8, "learning_rate": 0.005}

# Rows of float32 come in, answers of float32 go out: what a program on a phone or a microcontroller does.
PROGRAM = """#include <stdio.h>
#include "activity.h"

int main(void) {
    static activity_state state;
    static float row[ACTIVITY_CHANNELS], out[ACTIVITY_OUTPUTS];
    activity_init(&state);
    while (fread(row, sizeof row, 1, stdin) == 1) {
        activity_step(&state, row, out);
        fwrite(out, sizeof out, 1, stdout);
    }
    return 0;
}
"""


def thinned(record):
    """Return a record with the mean of every four rows, and the label of the last of them."""
    values = record.values[: record.length // EVERY * EVERY]
    means = values.reshape(-1, EVERY, values.shape[1]).mean(axis=1)
    return replace(record, values=means, label=record.label[EVERY - 1 :: EVERY], sample_rate_hz=100 / EVERY)


def by_c(folder, rows):
    """Compile the C and run it over rows (time, channels); return probabilities, and seconds taken, its start included."""
    (folder / "main.c").write_text(PROGRAM)
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    program = folder / "main"
    sources = [folder / "activity.c", folder / "main.c"]
    subprocess.run([compiler, "-std=c99", "-O3", *sources, "-lm", "-o", program], check=True)
    start = time.perf_counter()
    done = subprocess.run([program], input=rows.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(len(rows), -1), time.perf_counter() - start


def by_onnx(path, rows):
    """Run the graph of one step over rows (time, channels); return probabilities, and seconds taken."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that states may be left out
    session = onnxruntime.InferenceSession(path, options)
    names = [output.name for output in session.get_outputs()]
    state, answers = {}, []
    start = time.perf_counter()
    for row in rows:
        found = dict(zip(names, session.run(None, {"x": row[None], **state}), strict=True))
        state = {name.removesuffix("_next"): part for name, part in found.items() if name.endswith("_next")}
        answers.append(found["probabilities"][0])
    return np.array(answers), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="smartphone-activity", help="name of the data set")
    parser.add_argument("--out", type=Path, default=Path("runs/deploy"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    data = recurra.datasets.load(args.data)
    records = data.records[:40] if args.quick else data.records
    data = replace(data, records=[thinned(record) for record in records])
    train, test = data.split(test=0.25, by="group", random_state=args.seed)
    words = SETTING | ({"max_epochs": 1, "hidden_size": 8} if args.quick else {})
    clf = recurra.SequenceLabeler(**words, random_state=args.seed).fit(train)
    evaluation = clf.evaluate(test)
    args.out.mkdir(parents=True, exist_ok=True)
    evaluation.save(args.out / "report.html")

    checked = test.X[:10]
    (written,) = clf.export(args.out / "activity", to="c", X=checked)
    onnx, step = clf.export(args.out / "activity.onnx", step=True, X=checked)
    rows = max(checked, key=len).astype(np.float32)
    expected = clf.predict_proba([rows])[0]
    in_c, c_seconds = by_c(written.path, rows)
    in_onnx, onnx_seconds = by_onnx(step.path, rows)
    assert (clf.classes_[in_c.argmax(axis=1)] == clf.predict([rows])[0]).all(), "the C says something else"
    metrics = evaluation.metrics | {
        "c_difference": float(np.abs(in_c - expected).max()),
        "onnx_difference": float(np.abs(in_onnx - expected).max()),
        "rows": len(rows),
        "c_microseconds_per_row": c_seconds / len(rows) * 1e6,
        "onnx_microseconds_per_row": onnx_seconds / len(rows) * 1e6,
        "c_flash_bytes": written.costs.flash_bytes,
        "c_state_bytes": written.costs.state_bytes,
        "onnx_bytes": onnx.size,
    }
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"accuracy {metrics['accuracy']:.3f}, always the commonest: {metrics['accuracy_baseline']:.3f}")
    for name in ("c", "onnx"):
        took, away = metrics[f"{name}_microseconds_per_row"], metrics[f"{name}_difference"]
        print(f"{name}: {len(rows)} rows, {took:.1f} microseconds each, at most {away:.1e} from recurra")


if __name__ == "__main__":
    main()
