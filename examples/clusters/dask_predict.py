"""Predict the partitions of a Dask frame: a frame in, a frame out, the model opened once by each process.

Needs dask (`pip install 'dask[dataframe]'`). The same function serves Ray Data (``dataset.map_batches(answers,
batch_format="pandas")``) and Spark (``df.mapInPandas(lambda frames: map(answers, frames), schema)``).
"""

import argparse
import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd

import recurra


@functools.cache
def model(path):
    """Return a model, opened once in a process."""
    return recurra.load_model(path)


def answers(frame, path):
    """Return a row for each recording in a frame, all of whose rows are in it."""
    if frame.empty:
        return pd.DataFrame({"recording": pd.Series(dtype=str), "prediction": pd.Series(dtype=str)})
    data = recurra.load(frame[["recording", "t", "x"]], id="recording", time="t")
    return pd.DataFrame({"recording": data.names, "prediction": model(path).predict(data.X)})


def recordings(count, seed):
    """Return a long table of short recordings, of which every other one rises."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = "rises" if number % 2 else "falls"
        values = rng.normal(size=12) + np.linspace(0, 3 if number % 2 else -3, 12)
        rows += [(f"r{number:05d}", step, value, label) for step, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["recording", "t", "x", "label"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/dask"))
    parser.add_argument("--data", help="not needed: the data are made here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    args = parser.parse_args()
    import dask.dataframe as dd

    count = 60 if args.quick else 2000
    words = {"id": "recording", "time": "t", "label": "label", "max_epochs": 2 if args.quick else 10}
    run = recurra.train(
        recordings(60, 1), out=args.out / "run", seed=args.seed, force=True, hidden_size=8, **words
    )
    new = recordings(count, 2)
    frame = dd.from_pandas(new.set_index("recording", drop=False).rename_axis(None), npartitions=4)
    meta = {"recording": str, "prediction": str}
    found = frame.map_partitions(answers, str(run.path / "model.recurra"), meta=meta).compute(
        scheduler="threads"
    )
    assert sorted(found["recording"]) == sorted(set(new["recording"]))
    true = new.groupby("recording")["label"].first()
    right = float((found.set_index("recording")["prediction"] == true).mean())
    print(json.dumps({"predicted": len(found), "accuracy": right}))


if __name__ == "__main__":
    main()
