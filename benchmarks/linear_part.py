"""The linear part of a bare classifier alone: kernels, shapelets, one ridge of both, and the mean of two.

    python benchmarks/linear_part.py --data FOLDER    # site-packages of the peers of `defaults.py`

Shares were set on the first half of the sets; the second half was looked at once they stood. Accuracy and log loss of the
test parts, means over drawings. Written to benchmarks/results/linear_part.json.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import default_cases
import measure
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from recurra.features.chain import Chain
from recurra.recipes.wide_part import APART, LEAST_TEMPERATURE
from recurra.serving.summaries import Summary
from recurra.training.closed_form import best_temperature, ridge

MADE_ON = (
    "ArrowHead",
    "BasicMotions",
    "OSULeaf",
    "JapaneseVowels",
    "Covid3Month_disc",
    "bells",
    "digits",
    "two patterns",
)
ASIDE = ("ACSF1", "ItalyPowerDemand", "GunPoint", "PickupGestureWiimoteZ", "UnitTest", "control charts")
SHARES = (1 / 3, 0.5, 0.6)


def bells(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Draw a step, a rise or a fall of 32 to 96 of 128 noisy steps (cylinder, bell and funnel of Saito 1994)."""
    kind, first = int(rng.integers(3)), int(rng.integers(16, 33))
    last, steps = first + int(rng.integers(32, 97)), np.arange(128)
    shape = ((steps >= first) & (steps <= last)) * (6 + rng.normal())
    along = (steps - first) / (last - first)
    return shape * (1.0, along, 1 - along)[kind] + 2 * rng.normal(size=128), kind


def control_charts(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Draw noise, a cycle, a trend up or down, a shift up or down (Alcock and Manolopoulos 1999), without its level."""
    kind, steps = int(rng.integers(6)), np.arange(60)
    values = rng.uniform(-9, 9, 60)
    if kind == 1:
        values += rng.uniform(10, 15) * np.sin(2 * np.pi * steps / rng.uniform(10, 15))
    elif kind > 1:
        late = steps >= rng.uniform(20, 40)
        moved = rng.uniform(0.2, 0.5) * steps if kind < 4 else rng.uniform(7.5, 20) * late
        values += moved if kind % 2 else -moved
    return (values - values.mean()) / values.std(), kind


def two_patterns(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Draw two steps, each up or down, at any places of noise (Geurts 2002)."""
    kind, values = int(rng.integers(4)), 1.04 * rng.normal(size=128)
    first = int(rng.integers(40))
    for place, up in ((first, kind & 1), (first + int(rng.integers(30, 45)), kind >> 1)):
        length = int(rng.integers(16, 28))
        sides = np.where(np.arange(length) < length // 2, 5.0, -5.0) * (1 if up else -1)
        values[place : place + length] = sides + 1.5 * rng.normal(size=length)
    return values, kind


DRAWN: dict[str, tuple[Callable, int]] = {
    "bells": (bells, 30),
    "control charts": (control_charts, 60),
    "two patterns": (two_patterns, 60),
}


def parts(name: str, data: Path) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray], np.ndarray]:
    """Return training sequences and classes, test sequences and classes."""
    if name == "digits":
        given = load_digits()
        order = np.random.default_rng(0).permutation(len(given.target))[:750]
        X, y = given.images[order], given.target[order]
        return list(X[:150]), y[:150], list(X[150:]), y[150:]
    if name in DRAWN:
        draw, n = DRAWN[name]
        rng = np.random.default_rng(7)
        found = [draw(rng) for _ in range(n + 300)]
        X, y = [values[:, None] for values, _ in found], np.array([kind for _, kind in found])
        return X[:n], y[:n], X[n:], y[n:]
    case = default_cases.sequence_case(name, data)
    as_arrays = [[np.asarray(x, np.float64) for x in X] for X in (case.train, case.test)]
    return as_arrays[0], np.asarray(case.y), as_arrays[1], np.asarray(case.truth)


def figures(name: str, data: Path, seed: int) -> dict[str, dict[str, float]]:
    """Return accuracy and log loss of each answer."""
    X, y, Z, truth = parts(name, data)
    classes, codes = np.unique(y, return_inverse=True)
    chain = Chain.fit(X, scaling="zscore", missing="raise", complete=True)
    rows, judged = chain.transform_all(X), chain.transform_all(Z)
    summary = Summary.fit(rows, random_state=seed + APART)
    summary = summary.with_shapelets(rows, random_state=seed + APART, classes=codes)
    own, theirs = (np.stack([summary.transform(x) for x in part]) for part in (rows, judged))
    targets, weights, emphasis = 2.0 * np.eye(len(classes))[codes] - 1, np.ones(len(X)), summary.emphasis()

    def answer(places: np.ndarray) -> np.ndarray:
        found = ridge(own[:, places], targets, weights, emphasis=emphasis[places])
        found = found.warmed(max(best_temperature(found.left_out, codes, weights), LEAST_TEMPERATURE))
        return theirs[:, places] @ found.weight.T + found.bias

    first = summary.without_shapelets
    kernels = answer(np.arange(first))
    shapelets = answer(np.r_[summary.beside_shapelets, first : summary.size])
    answers = {"kernels": kernels, "shapelets": shapelets, "one ridge": answer(np.arange(summary.size))}
    answers |= {f"shapelets {share:.2f}": (1 - share) * kernels + share * shapelets for share in SHARES}
    out = {}
    for what, scores in answers.items():
        proba = np.exp(scores - scores.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        loss = log_loss(truth, np.maximum(proba, 1e-15), labels=classes)
        out[what] = {
            "accuracy": float((classes[scores.argmax(axis=1)] == truth).mean()),
            "log_loss": float(loss),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="site-packages of the peers' environment")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    sets = {}
    for name in (*MADE_ON, *ASIDE):
        each = [figures(name, given.data, seed) for seed in range(given.seeds)]
        sets[name] = {
            what: {key: float(np.mean([one[what][key] for one in each])) for key in each[0][what]}
            for what in each[0]
        }
        print(name, {what: round(found["accuracy"], 3) for what, found in sets[name].items()}, flush=True)
    halves = {}
    for half, names in (("made on", MADE_ON), ("aside", ASIDE)):
        halves[half] = {
            what: {key: float(np.mean([sets[name][what][key] for name in names])) for key in found}
            for what, found in sets[names[0]].items()
        }
        print(half, json.dumps(halves[half], indent=1))
    out = {
        "command": f"python benchmarks/linear_part.py --seeds {given.seeds}",
        "machine": measure.machine(1),
        "halves": halves,
        "sets": sets,
    }
    (measure.RESULTS / "linear_part.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
