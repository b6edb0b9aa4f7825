"""Kill a small run with ``kill -9`` at random moments, checkpoints after every batch, and let it go on.

Every checkpoint left behind must be readable, and the run must end with the very weights of a run that was never
killed. ``python tests/attacks/kill_points.py --count 500 --seed 0`` writes one JSON object to standard output.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import warm

from recurra.training import checkpoints


def attack(count, seed, place):
    """Return what ``count`` kills did; a run is killed again and again until it is through."""
    rng = np.random.default_rng(seed)
    data, whole, log = place / "data.csv", place / "whole", place / "log.txt"
    warm.write_data(data)
    warm.every_step()
    warm.here(warm.train_words(data, place / "first"))
    seconds = warm.here(warm.train_words(data, whole))
    found = {"kills": 0, "runs": 0, "readable": 0, "broken": 0, "same": 0, "other": 0, "failed": []}
    found["kills_with_checkpoint"] = 0
    while found["kills"] < count:
        folder = place / "run"
        replaced = found["runs"] % 4 == 3  # every fourth takes the place of an earlier run
        if replaced:
            shutil.copytree(whole, folder)
        args = warm.train_words(data, folder) + (["--force"] if replaced else [])
        while found["kills"] < count:
            killed = warm.killed_after(warm.fork(args, log), float(rng.uniform(0, 1.1 * seconds)))
            left = warm.checkpoints_of(folder)
            found["kills"] += killed
            found["kills_with_checkpoint"] += killed and bool(left)
            for path in left:
                try:
                    checkpoints.read(path)
                    found["readable"] += 1
                except Exception as error:
                    found["broken"] += 1
                    found["failed"].append(f"{path.name}: {error}")
            begun = folder.with_name(f".{folder.name}.new") if replaced else folder
            if (begun / "config.json").exists() and not (begun / "model.recurra").exists():
                args = ["resume", str(folder), "--quiet"]
            elif (folder / "model.recurra").exists() and not begun.with_name(".run.new").exists():
                break
        code = 0
        if not (folder / "model.recurra").exists() or folder.with_name(".run.new").exists():
            code = warm.wait(warm.fork(args, log))
        found["runs"] += 1
        if code == 0 and warm.same_weights(folder / "model.recurra", whole / "model.recurra"):
            found["same"] += 1
        else:
            found["other"] += 1
            found["failed"].append(f"exit code {code}: {log.read_text()[-300:]}")
        shutil.rmtree(folder)
        for beside in (".run.new", ".run.old"):
            shutil.rmtree(place / beside, ignore_errors=True)
    return found | {"seconds_of_a_run": round(seconds, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="kill points")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        found = attack(given.count, given.seed, Path(place))
    command = f"python tests/attacks/kill_points.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["broken"] or found["other"]))


if __name__ == "__main__":
    main()
