"""What the default threshold of a detector finds, beside other rules: fourteen recordings with known or planted faults.

    python benchmarks/detector_threshold.py --data FOLDER    # site-packages of the peers of `defaults.py`

The rule was made on the first four. F1 is of time steps; a false alarm is a step more than 50 steps from every fault.
"""

import argparse
import json
import warnings
from pathlib import Path

import default_cases
import measure
import numpy as np
from peers import described
from sklearn.ensemble import IsolationForest

import recurra

MADE_ON = 4
PEER = "isolation forest, its own threshold"
RULES = {"auto": "auto", "quantile 0.999": 0.999, "quantile 0.99": 0.99}
HEARTS, PEOPLE = (2, 3, 7, 8, 11), (3, 12, 20)


def names() -> list[str]:
    """Return the recordings, those that the rule was made on first; hearts and people that no table has are added."""
    for k in HEARTS:
        default_cases.PLANTED[f"heart {k}"] = (lambda k=k: default_cases.heart_halves(k), 80, k)
    for k in PEOPLE:
        default_cases.PLANTED[f"person {k}"] = (lambda k=k: default_cases.steps_of(k), 50, k)
    return [*default_cases.FAULTS, *default_cases.PLANTED]


def figures(case: default_cases.Case) -> dict[str, dict[str, float]]:
    """Return F1 and the share of false alarms by rule."""
    marks = np.asarray(case.truth).ravel()
    near = np.convolve(marks, np.ones(101), "same") > 0
    out = {}
    for rule, quantile in RULES.items():
        detector = recurra.AnomalyDetector(random_state=0, verbose=0, quantile=quantile).fit(case.train)
        called = np.concatenate(detector.predict([np.asarray(values, float) for values in case.test])) == -1
        out[rule] = judged(called, marks, near)
    train, test = (np.vstack([described(values) for values in part]) for part in (case.train, case.test))
    forest = IsolationForest(n_estimators=200, random_state=0).fit(train)
    out[PEER] = judged(forest.predict(test) == -1, marks, near)
    return out


def judged(called: np.ndarray, marks: np.ndarray, near: np.ndarray) -> dict[str, float]:
    """Return F1 and the share of false alarms."""
    both = (called & marks).sum()
    return {
        "f1": float(2 * both / max(called.sum() + marks.sum(), 1)),
        "false": float((called & ~near).mean()),
    }


def main() -> None:
    """Judge every recording and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    warnings.simplefilter("ignore")
    rows = {}
    for name in names():
        rows[name] = figures(default_cases.faults(name, data))
        print(name, rows[name], flush=True)
    every = list(rows.values())
    parts = {"made on": every[:MADE_ON], "aside": every[MADE_ON:], "all": every}
    means = {
        part: {
            rule: {key: float(np.mean([row[rule][key] for row in own])) for key in ("f1", "false")}
            for rule in (*RULES, PEER)
        }
        for part, own in parts.items()
    }
    print(json.dumps(means, indent=1))
    result = {"machine": measure.machine(1), "rows": rows, "means": means}
    (measure.RESULTS / "detector_threshold.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
