"""Kill a random worker at a random moment, resume with another number of workers, and compare the weights to the bit.

    python benchmarks/kill_workers.py 100 benchmarks/results/kill_workers.json

Each round trains a small LSTM on the Japanese vowels with 2 to 4 workers, kills one (or the agent) after a random time,
and goes on with another number of workers, of which one may be killed too, until the run is finished. A command that takes
longer than `LIMIT_S` after its kill counts as hanging; moments in which this program itself was not let run for more than a
second (a frozen or starved machine) are taken off and written beside it.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from recurra import store

LIMIT_S = 30.0
OPTIONS = ["--hidden-size", "8", "--max-epochs", "20", "--seed", "0", "--shards", "4", "--bidirectional"]
RECURRA = [sys.executable, "-m", "recurra"]


class Awake:
    """Seconds in which this program was let run: a thread that ticks sees how long it was not."""

    def __init__(self) -> None:
        self.lost_s = 0.0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(0.1)
            gap = time.monotonic() - before
            self.lost_s += gap if gap > 1.0 else 0.0


AWAKE = Awake()


def digest(run: Path) -> str:
    """Return a digest of the weights of a run."""
    arrays = store.load(run / "model.recurra")[1]
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def children(process: int) -> list[int]:
    """Return the processes that a process started."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def killed(command: list[str], after: float, rng: random.Random) -> tuple[int, float, str]:
    """Run a command, kill one of its workers when they are so many seconds old; return its code, seconds, and words."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        victims: list[int] = []
        while not victims and running.poll() is None:
            time.sleep(0.1)
            victims = children(running.pid)
        until = time.monotonic() + after
        while time.monotonic() < until and running.poll() is None:
            time.sleep(0.02)
        victims = children(running.pid)
        struck, lost = time.monotonic(), AWAKE.lost_s
        if victims and running.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(victims), signal.SIGKILL)
        try:
            _, said = running.communicate(timeout=10 * LIMIT_S)
        except subprocess.TimeoutExpired:
            running.kill()
            return -1, 10 * LIMIT_S, "hangs"
        took = time.monotonic() - struck - (AWAKE.lost_s - lost)
        return running.returncode, took, said


def one_round(folder: Path, rng: random.Random, usual_s: float) -> dict[str, object]:
    """Train, kill and resume until the run is whole."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    kills, slowest, codes = 0, 0.0, []
    while not (run / "model.recurra").exists():
        workers = str(rng.choice([2, 3, 4]))
        begun = (run / "config.json").exists()
        what = ["resume", str(run)] if begun else ["train", "japanese-vowels", "-o", str(run), *OPTIONS]
        command = [*RECURRA, *what, "--workers", workers]
        after = rng.uniform(0.0, 0.8) * usual_s if kills < 4 else 1e9
        code, seconds, said = killed(command, after, rng)
        codes.append(code)
        if code:  # a moment before the workers are there, or after their end, has nothing to kill
            kills += 1
            slowest = max(slowest, seconds)
            if code not in (1, 4) or "Traceback" in said:
                print(said[-2000:], file=sys.stderr)
    return {"kills": kills, "slowest_s": slowest, "codes": codes, "digest": digest(run)}


def main() -> None:
    """Do the rounds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [
            *RECURRA,
            "train",
            "japanese-vowels",
            "-o",
            str(folder / "whole"),
            *OPTIONS,
            "-q",
        ]
        subprocess.run([*command, "--workers", "1"], check=True, capture_output=True)
        expected = digest(folder / "whole")
        shutil.rmtree(folder / "whole")
        began = time.monotonic()
        subprocess.run([*command, "--workers", "3"], check=True, capture_output=True)
        usual_s, again = time.monotonic() - began, digest(folder / "whole")
        assert again == expected, "one worker and three came to other weights"
        rounds: list[dict[str, object]] = []
        while sum(int(str(each["kills"])) for each in rounds) < args.kills:
            rounds.append(one_round(folder, rng, usual_s))
            wrong = sum(each["digest"] != expected for each in rounds)
            result = {
                "kills": sum(int(str(each["kills"])) for each in rounds),
                "other_bits": wrong,
                "slowest_end_s": max(float(str(each["slowest_s"])) for each in rounds),
                "codes": sorted({code for each in rounds for code in each["codes"]}),  # type: ignore[attr-defined]
                "after_a_checkpoint": sum(each["codes"].count(4) for each in rounds),  # type: ignore[attr-defined]
                "usual_s": usual_s,
                "frozen_s": AWAKE.lost_s,
                "rounds": rounds,
            }
            args.out.write_text(json.dumps(result, indent=1) + "\n")
            print({name: value for name, value in result.items() if name != "rounds"}, flush=True)


if __name__ == "__main__":
    main()
