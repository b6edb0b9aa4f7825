"""Search on the Japanese vowels by two processes, three of which are killed on the way: is a trial lost or done twice?

    python benchmarks/kill_tune.py benchmarks/results/kill_tune.json --trials 20

Two processes run the same command. Three times one of them is killed at a random moment and started again. Written are the
states of the trials, how often each was begun and ended in the journal, and which runs were judged on the test part.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

N_TEST = 370
CREATED, ENDED = 4, 6  # operations of Optuna's journal


def main() -> None:
    """Search, kill, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--max-epochs", type=int, help="[default: that of each trial's recipe]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "search"
        command = [sys.executable, "-m", "recurra", "tune", "japanese-vowels", "-o", str(folder), "-q"]
        command += ["--trials", str(args.trials), "--seed", "0"]
        command += [] if args.max_epochs is None else ["--max-epochs", str(args.max_epochs)]
        running = [subprocess.Popen(command), subprocess.Popen(command)]
        trials = folder / "trials"
        for kill in range(args.kills):
            wanted = (kill + 1) * args.trials // (args.kills + 1)
            while not trials.is_dir() or len(list(trials.iterdir())) < wanted:
                time.sleep(0.1)
            time.sleep(rng.uniform(0, 5))
            victim = rng.randrange(2)
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            running[victim] = subprocess.Popen(command)
        codes = [process.wait() for process in running]
        journal = [json.loads(line) for line in (folder / "search.journal").read_text().splitlines()]
        judged = {
            str(path.parent.relative_to(folder)): json.loads(path.read_text())
            for path in sorted(folder.rglob("metrics.json"))
        }
        ended = Counter(
            entry["trial_id"] for entry in journal if entry["op_code"] == ENDED and entry["state"] > 0
        )
        result = {
            "kills": args.kills,
            "trials_begun": sum(entry["op_code"] == CREATED for entry in journal),
            "ended_once": sum(count == 1 for count in ended.values()),
            "ended_more_than_once": sum(count > 1 for count in ended.values()),
            "runs_of_trials": sum(name.startswith("trials") for name in judged),
            "judged_on_the_test_part": [
                name for name, metrics in judged.items() if metrics["n_test"] == N_TEST
            ],
            "accuracy_of_the_best": judged["best"]["accuracy"],
            "codes": codes,
        }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(result)


if __name__ == "__main__":
    main()
