"""Start two trainings into one folder, the second at a random moment of the first; one whole run must come of it.

They have different seeds. Every process that ends with 0 must have left its own run when it ended, whole; every other must
have been refused in a sentence; what stands in the end must be of one seed throughout and give the weights of that seed
trained alone. Some pairs begin with ``--force`` over a finished run, some resume a killed one, some kill one of the two.
``python tests/attacks/two_owners.py --count 100 --seed 0`` writes one JSON object to standard output.
"""

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import warm

KINDS = ("new", "force", "resume", "kill", "link")
SEEDS = ("11", "22")
REFUSED = (
    "is being trained into by",
    "holds a run",
    "is finished",
    "was not finished",
    "there is no such run",
)


def words(data, folder, seed, *, force):
    """Return the command line of a run of some seed."""
    args = warm.train_words(data, folder)
    args[args.index("--seed") + 1] = seed
    return args + (["--force"] if force else [])


def whole_seed(folder):
    """Return the seed a folder is of throughout; raise if its parts disagree or one is missing."""
    config, metrics = (json.loads((folder / name).read_text()) for name in ("config.json", "metrics.json"))
    assert config["seed"] == metrics["seed"], f"config {config['seed']}, metrics {metrics['seed']}"
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, metrics["epochs"] + 1)), f"history {epochs}"
    return str(config["seed"])


def pair(kind, place, data, alone, moment, rng):
    """Let two meet in one folder; return what is wrong, or nothing, and how many were refused."""
    folder, logs = place / "run", [place / "log0.txt", place / "log1.txt"]
    second = folder
    if kind == "force":
        shutil.copytree(alone["33"], folder)
    if kind == "link":
        second = place / "link"
        second.symlink_to(folder)
    if kind == "resume":
        warm.killed_after(warm.fork(words(data, folder, SEEDS[0], force=False), logs[0]), 0.6 * moment)
    can_resume = (
        kind == "resume" and (folder / "config.json").exists() and not (folder / "model.recurra").exists()
    )
    args = [
        words(data, where, seed, force=kind in ("force", "kill"))
        for where, seed in zip((folder, second), SEEDS, strict=True)
    ]
    if can_resume:
        args = [["resume", str(folder), "--quiet"]] * 2
    first = warm.fork(args[0], logs[0])
    time.sleep(moment)
    other = warm.fork(args[1], logs[1])
    if kind == "kill":
        time.sleep(float(rng.uniform(0, 0.5)) * moment)
        os.kill(first, signal.SIGKILL)
    codes = [warm.wait(first), warm.wait(other)]
    said = [log.read_text() for log in logs]
    for code, text in zip(codes, said, strict=True):
        if code not in (0, -signal.SIGKILL):
            assert any(word in text for word in REFUSED), f"code {code}: {text[-400:]}"
            assert "Traceback" not in text, text
    if kind == "kill" and codes == [-signal.SIGKILL, 2] and not (folder / "model.recurra").exists():
        # The second came while the first was alive; the dead one's folder is free now.
        assert warm.wait(warm.fork(args[1], logs[1])) == 0, logs[1].read_text()[-400:]
    elif 0 not in codes:
        raise AssertionError(f"codes {codes}: {said[0][-200:]} {said[1][-200:]}")
    seed = whole_seed(folder)
    assert warm.same_weights(folder / "model.recurra", alone[seed] / "model.recurra"), (
        f"weights are not of {seed}"
    )
    left = sorted(p.name for p in place.iterdir() if p.name.startswith(".run"))
    assert not left or kind in ("force", "kill"), f"left over: {left}"
    assert not [p for p in folder.rglob(".lock*")], "a lock was left"
    return codes.count(2)


def attack(count, seed, place):
    """Return what became of ``count`` pairs."""
    rng = np.random.default_rng(seed)
    data = place / "data.csv"
    warm.write_data(data)
    warm.every_step()
    alone = {}
    warm.here(words(data, place / "first", "1", force=False))
    for each in (*SEEDS, "33"):
        alone[each] = place / f"alone-{each}"
        seconds = warm.here(words(data, alone[each], each, force=False))
    found = {"pairs": 0, "whole": 0, "refused": 0, "wrong": [], **{f"pairs_{kind}": 0 for kind in KINDS}}
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        inner = place / f"pair{index}"
        inner.mkdir()
        moment = float(rng.uniform(0, 1.1 * seconds))
        found["pairs"] += 1
        found[f"pairs_{kind}"] += 1
        try:
            found["refused"] += pair(kind, inner, data, alone, moment, rng)
            found["whole"] += 1
        except Exception as error:
            found["wrong"].append(f"pair {index} ({kind}, after {moment:.3f} s): {error!r}"[:600])
        shutil.rmtree(inner)
    return found | {"seconds_of_a_run": round(seconds, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="pairs")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        found = attack(given.count, given.seed, Path(place).resolve())
    command = f"python tests/attacks/two_owners.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
