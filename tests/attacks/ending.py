"""Send SIGTERM, SIGHUP and SIGINT at random moments of a training and of a stream, and let them go on.

A training must end with exit code 4 and a command that goes on, a checkpoint at least as far as its history, and in the end
the very weights of a run nobody stopped. A stream must leave its state at exactly the last answer it gave: the answers of
its parts together are those of one stream. Some get two signals at once, as from a service manager.
``python tests/attacks/ending.py --count 100 --seed 0`` writes one JSON object to standard output.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import warm

from recurra import interrupts
from recurra.training import checkpoints

NAMES = ("SIGTERM", "SIGHUP", "SIGINT")
BEFORE = 99  # the code of a child whose signal came before the command line had begun
ROWS = 400
SECONDS_A_ROW = 0.0005


ALL = [getattr(signal, name) for name in NAMES]


def fork(args, log, first):
    """Fork a child that hears no signal before it is a command."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
    try:
        return warm.fork(args, log, first=first)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ALL)


def as_a_command():
    """Let signals mean in a forked child what they mean to the command line."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in NAMES[:2]:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    interrupts.end_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ALL)


def sent(child, names, seconds):
    """Send signals to a child after some time and return its exit code."""
    time.sleep(seconds)
    for name in names:
        try:
            os.kill(child, getattr(signal, name))
        except ProcessLookupError:
            break
    return warm.wait(child)


def chosen(rng, index):
    names = [NAMES[index % 3]]
    return [*names, NAMES[int(rng.integers(2))]] if rng.random() < 0.25 and names != ["SIGINT"] else names


def training(place, data, whole, seconds, rng, index, found):
    """Stop one training again and again until it is through."""
    folder, log = place / "run", place / "log.txt"
    args = warm.train_words(data, folder)
    for tries in range(12):
        names = chosen(rng, index)
        # On a crowded machine everything takes longer than it did alone.
        code = sent(fork(args, log, as_a_command), names, float(rng.uniform(0, seconds * 1.2**tries)))
        said = log.read_text()
        assert "Traceback" not in said, said[-600:]
        found["train"] += 1
        found["train_signals"] += 1
        found[f"code_{code}"] = found.get(f"code_{code}", 0) + 1
        begun = (folder / "config.json").exists()
        if code == 0:
            break
        if code == 4:
            assert f"Go on with: recurra resume {folder}" in said, said
            assert begun
            assert not (folder / "model.recurra").exists()
            kept = checkpoints.steps(folder / "checkpoints")
            history = (
                (folder / "history.jsonl").read_text().splitlines()
                if (folder / "history.jsonl").exists()
                else []
            )
            assert (max(kept) if kept else 0) >= len(history) * warm.N_SEQUENCES // 8, (
                f"{kept} after {len(history)} epochs"
            )
            found["train_kept"] += bool(kept)
            args = ["resume", str(folder), "--quiet"]
        elif code == BEFORE:
            continue
        elif (folder / "model.recurra").exists():
            assert (code, said) == (1, "Interrupted.\n")
            break  # everything was written, only the last lines were not
        else:
            assert code in (1, BEFORE), f"{code}: {said}"
            if begun:
                args = ["resume", str(folder), "--quiet"]
            else:
                assert not folder.exists(), sorted(folder.iterdir())
    if not (folder / "model.recurra").exists():
        assert warm.wait(warm.fork(args, log)) == 0, log.read_text()[-300:]
    assert warm.same_weights(folder / "model.recurra", whole / "model.recurra"), "other weights"
    assert not [p for p in folder.rglob(".lock*")], "a lock was left"


def answers(text):
    return [line for line in text.splitlines() if line.startswith("{")]


def streaming(place, model, rows, expected, rng, index, found):
    """Stop one stream again and again until every row is answered."""
    state, log = place / "state", place / "log.txt"
    given, longest = [], 0.6 * ROWS * SECONDS_A_ROW
    for _ in range(60):
        if len(given) == len(rows):
            break
        read, write = os.pipe()

        def first(read=read, write=write):
            os.close(write)
            os.dup2(read, 0)
            sys.stdin = os.fdopen(0)
            as_a_command()

        child = fork(["stream", str(model), "--proba", "--state", str(state)], log, first)
        os.close(read)
        feeder = threading.Thread(target=feed, args=(write, rows[len(given) :]))
        feeder.start()
        names = chosen(rng, index)
        code = sent(child, names, float(rng.uniform(0.02, longest)))
        feeder.join()
        said = log.read_text()
        assert "Traceback" not in said, said[-600:]
        new = answers(said)
        given += new
        found["stream"] += 1
        assert code in (0, 1, 4, BEFORE), f"{code}: {said[-300:]}"
        if new:
            # A signal may come after the last answer and before the end of the input is seen.
            ends = (0,) if names[0] == "SIGINT" else (0, 4) if len(given) == len(rows) else (4,)
            assert code in ends, f"{code} {names}: {said[-300:]}"
            assert state.exists()
        if code == 4:
            assert f"recurra stream {model} --proba --state {state}" in said
        found["stream_kept"] += bool(new)
        if not new:  # on a crowded machine it takes longer to begin
            longest = min(1.3 * longest, 5.0)
        assert given == expected[: len(given)], f"after {len(given)} rows the answers are others"
    assert given == expected


def feed(descriptor, rows):
    with os.fdopen(descriptor, "wb", buffering=0) as out:
        try:
            for row in rows:
                out.write(row)
                time.sleep(SECONDS_A_ROW)
        except BrokenPipeError:
            pass


def attack(count, seed, place):
    """Return what became of ``count`` signals to trainings and as many to streams."""
    rng = np.random.default_rng(seed)
    data, whole = place / "data.csv", place / "whole"
    warm.write_data(data)
    warm.here(warm.train_words(data, place / "first"))
    seconds = warm.here(warm.train_words(data, whole))
    rows = [f"{json.dumps(row)}\n".encode() for row in rng.normal(size=(ROWS, 2)).round(3).tolist()]
    (place / "rows.jsonl").write_bytes(b"".join(rows))
    log = place / "log.txt"
    assert warm.wait(warm.fork(["stream", str(whole), str(place / "rows.jsonl"), "--proba"], log)) == 0
    expected = answers(log.read_text())
    assert len(expected) == ROWS
    found = {"train": 0, "train_signals": 0, "train_kept": 0, "stream": 0, "stream_kept": 0, "wrong": []}
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for what, work in (("train", training), ("stream", streaming)):
        index = 0
        while found[what] < count:
            inner = place / f"{what}{index}"
            inner.mkdir()
            inputs = (data, whole, seconds) if what == "train" else (whole / "model.recurra", rows, expected)
            try:
                work(inner, *inputs, rng, index, found)
            except Exception as error:
                found["wrong"].append(f"{what} {index}: {error!r}"[:800])
            shutil.rmtree(inner)
            index += 1
    return found | {"seconds_of_a_run": round(seconds, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="signals to trainings, and as many to streams")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        found = attack(given.count, given.seed, Path(place).resolve())
    command = f"python tests/attacks/ending.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
