"""How often the 95 % intervals of the reports hold the true value, simulated for few and many sequences or groups.

Takes some eight minutes of one core; writes benchmarks/results/interval_coverage.json. A row is a model of the data; "mean"
rows average over true shares drawn evenly from 0.5 to 1, the others hold at one true value. Of shares of independent items
the coverage is computed exactly, and "possible" says whether any interval that looks at the count alone could reach 93 to
98 %. Every row draws from a generator seeded by its own name.
"""

import json
import time
import zlib
from itertools import product
from pathlib import Path

import measure
import numpy as np
from scipy.stats import binom

from recurra.evaluation.metrics.intervals import (
    difference_interval,
    error_interval,
    share_interval,
    sum_by_cluster,
    wilson_interval,
)

RESULT = Path(__file__).parent / "results" / "interval_coverage.json"
LOW, HIGH = 0.93, 0.98
N_SETS = 4000
CLUSTERS = (5, 7, 10, 20, 50, 100)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
LIKENESS = (0.01, 0.05, 0.1, 0.3, 0.5)
SIZES = ("20 to 80 steps", "a few very long ones")
ERRORS = {
    "normal": (lambda rng, n: np.abs(rng.standard_normal(n)), (2 / np.pi) ** 0.5),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "Student's t, 3 degrees of freedom": (lambda rng, n: np.abs(rng.standard_t(3, n)), 2 * 3**0.5 / np.pi),
    "log-normal, sigma 1": (lambda rng, n: rng.lognormal(size=n), np.exp(0.5)),
    "log-normal, sigma 1.5": (lambda rng, n: rng.lognormal(0, 1.5, n), np.exp(1.125)),
}


def of_independent_items():
    """Yield rows of Wilson's interval."""
    for n in CLUSTERS:  # of fewer none is printed
        counts = np.arange(n + 1)
        low, high = np.array([wilson_interval(k, n) for k in counts.tolist()]).T
        evenly = np.linspace(0.5, 1, 501)[:-1] + 0.0005
        covered = [binom.pmf(counts, n, p)[(low <= p) & (p <= high)].sum() for p in evenly]
        yield {"interval": "share of sequences", "n": n, "share": "mean", "coverage": float(np.mean(covered))}
        for share in SHARES:
            chance = binom.pmf(counts, n, share)
            sums = np.concatenate([[0], np.cumsum(chance)])
            reached = sums[None, :] - sums[:, None]  # of all runs of counts
            row = {"interval": "share of sequences", "n": n, "share": share}
            row["coverage"] = float(chance[(low <= share) & (share <= high)].sum())
            yield row | {"possible": bool(((reached >= LOW) & (reached <= HIGH)).any())}


def steps_of_groups(rng, groups, share, likeness, sizes):
    """Return steps that are right, and all steps, of each group, whose own shares scatter round ``share``."""
    counts = rng.integers(20, 80, groups)
    if sizes != SIZES[0]:
        counts = np.minimum(5 + 20 * rng.pareto(1.5, groups), 3000).astype(int)
    scale = 1 / likeness - 1
    own = rng.beta(share * scale, (1 - share) * scale, groups)
    return rng.binomial(counts, own).astype(float), counts.astype(float)


def of_clusters():
    """Yield rows of the share of steps in recordings."""
    for groups, likeness, sizes, share in product(CLUSTERS, LIKENESS, SIZES, ("mean", *SHARES)):
        row = {
            "interval": "share of steps",
            "n": groups,
            "likeness": likeness,
            "sizes": sizes,
            "share": share,
        }
        rng, held, printed = random(row), 0, 0
        for _ in range(N_SETS if share == "mean" else N_SETS // 2):
            true = rng.uniform(0.5, 1) if share == "mean" else share
            found = share_interval(*steps_of_groups(rng, groups, true, likeness, sizes))
            if found is not None:
                printed += 1
                held += found[0] <= true <= found[1]
        yield row | said(held, printed)


def of_errors():
    """Yield rows of the mean absolute error, of items alone and of recordings whose errors have a scale of their own."""
    for n, errors, together in product((*CLUSTERS, 6, 8, 9), ERRORS, (1, 20)):
        draw, mae = ERRORS[errors]
        row = {"interval": "mean absolute error", "n": n, "errors": errors, "items in each": together}
        rng, held, printed = random(row), 0, 0
        for _ in range(N_SETS):
            own = (
                draw(rng, n)
                if together == 1
                else draw(rng, n) * rng.exponential(size=(together, n)).mean(axis=0)
            )
            sums = np.column_stack([own * together, np.full(n, float(together))])
            found = error_interval(sums, lambda totals: totals[:, 0] / totals[:, 1])
            if found is not None:
                printed += 1
                held += found[0] <= mae <= found[1]
        yield row | said(held, printed)


def of_differences():
    """Yield rows of the difference of two accuracies over recordings."""
    for groups, share, apart in product(CLUSTERS, (0.6, 0.8, 0.95), (0.0, 0.03)):
        row = {"interval": "difference of two runs", "n": groups, "share": share, "difference": apart}
        rng, held, printed = random(row), 0, 0
        for _ in range(N_SETS // 2):
            of = np.repeat(np.arange(groups), 20)
            own = np.repeat(rng.beta(10 * share, 10 * (1 - share), groups), 20)
            right = np.stack([rng.random(len(of)) < own, rng.random(len(of)) < own * (1 - apart)], axis=1)
            true = -share * apart
            sums = sum_by_cluster(np.column_stack([right, np.ones(len(of))]).astype(float), of)
            found = difference_interval(sums, lambda totals: (totals[:, 1] - totals[:, 0]) / totals[:, 2])
            if found is not None:
                printed += 1
                held += found[0] <= true <= found[1]
        yield row | said(held, printed)


def said(held, printed):
    """Return the coverage of the intervals that were printed, None of so few that it is not known to a point or two."""
    return {"coverage": held / printed if printed >= 200 else None, "printed": printed}


def random(row):
    """Return a generator of the row's own, whatever rows there are beside it."""
    return np.random.default_rng(zlib.crc32(json.dumps(row).encode()))


def summary(rows):
    """Return for every kind of interval how many rows lie where."""
    out = {}
    for kind in dict.fromkeys(row["interval"] for row in rows):
        own = [row for row in rows if row["interval"] == kind and row["coverage"] is not None]
        means = [row["coverage"] for row in own if row.get("share") == "mean"]
        alone = [row for row in own if row.get("share") != "mean"]
        found = np.array([row["coverage"] for row in alone])
        out[kind] = {
            "rows": len(alone), "lowest": round(float(found.min()), 4), "highest": round(float(found.max()), 4),
            "below 93 %": int((found < LOW).sum()), "above 98 %": int((found > HIGH).sum()),
            "of these no interval could": sum(r["coverage"] > HIGH and not r["possible"] for r in alone if "possible" in r),
        }  # fmt: skip
        if means:
            out[kind] |= {"means, lowest": round(min(means), 4), "means, highest": round(max(means), 4)}
    return out


def main():
    began = time.perf_counter()
    rows = [*of_independent_items(), *of_clusters(), *of_errors(), *of_differences()]
    what = f"coverage of 95 % intervals, {N_SETS} simulated test sets a row ({N_SETS // 2} at one share)"
    result = {"what": what, "command": "python benchmarks/interval_coverage.py", "summary": summary(rows)}
    result |= {"machine": measure.machine(1), "seconds": round(time.perf_counter() - began)}
    RESULT.write_text(json.dumps(result | {"rows": rows}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
