"""How often the 95 % intervals of the reports hold the true value, simulated for few and many sequences or groups.

Takes some three minutes of one core; writes benchmarks/results/interval_coverage.json. What a report prints is one of four:
the share of independent items (accuracy and exact answers of whole sequences, recall and precision of a class of them,
bins of the reliability curve), the share of items in sequences or groups (the same of time steps, or with ``groups``; a
class that some of them lack has its own row of sizes), a mean absolute error, and the difference of two runs.

A row is a model of the data at one true value; "mean" rows average over true shares drawn evenly from 0.5 to 1. Every
row draws from a generator seeded by its own name: 1,000 test sets, and up to 20,000 where fewer would not tell on which
side of 93 or 98 % it lies, or where few of them get an interval.

Of shares of independent items the coverage is computed exactly, and so is what could be: "possible" says whether any
interval that looks at the count alone could reach 93 to 98 % (a run of counts has such a chance; under a half a run that
treats right and wrong alike), "possible by likelihood" whether one could that takes the likeliest counts first.
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
    MIN_CLUSTERS,
    count_interval,
    difference_ends,
    error_ends,
    share_ends,
)

RESULT = Path(__file__).parent / "results" / "interval_coverage.json"
LOW, HIGH = 0.93, 0.98
N_SETS, MOST_SETS = 1000, 20_000
SURE = 2.5  # standard errors
TOO_FEW = (2, 3, 4, 5, 6, 7)
CLUSTERS = (8, 10, 12, 15, 20, 30, 50, 100)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
LIKENESS = (0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9, "good ones and bad ones")
SIZES = {
    "20 to 80 steps": lambda rng, shape: rng.integers(20, 80, shape),
    "a few very long ones": lambda rng, shape: np.minimum(5 + 20 * rng.pareto(1.5, shape), 3000).astype(int),
    "30 or 150 steps": lambda rng, shape: rng.choice([30, 150], shape),
    "1 to 9 sequences of a person": lambda rng, shape: rng.integers(1, 10, shape),
    "a class that half of them lack": lambda rng, shape: (
        rng.integers(5, 60, shape) * rng.integers(0, 2, shape)
    ),
}
ERRORS = {
    "normal": (lambda rng, shape: np.abs(rng.standard_normal(shape)), (2 / np.pi) ** 0.5),
    "uniform": (lambda rng, shape: rng.random(shape), 0.5),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
    "gamma, shape 0.5": (lambda rng, shape: rng.gamma(0.5, size=shape), 0.5),
    "Student's t, 3 degrees of freedom": (
        lambda rng, shape: np.abs(rng.standard_t(3, shape)),
        2 * 3**0.5 / np.pi,
    ),
    "Pareto, exponent 3": (lambda rng, shape: rng.pareto(3, shape), 0.5),
    "log-normal, sigma 0.5": (lambda rng, shape: rng.lognormal(0, 0.5, shape), np.exp(0.125)),
    "log-normal, sigma 1": (lambda rng, shape: rng.lognormal(size=shape), np.exp(0.5)),
    "log-normal, sigma 1.5": (lambda rng, shape: rng.lognormal(0, 1.5, shape), np.exp(1.125)),
    "exponential, one in ten ten times as large": (
        lambda rng, shape: rng.exponential(size=shape) * np.where(rng.random(shape) < 0.1, 10, 1),
        1.9,
    ),
}
ITEMS = {
    "1": lambda rng, shape: np.ones(shape, int),
    "20": lambda rng, shape: np.full(shape, 20),
    "20 to 80": SIZES["20 to 80 steps"],
    "a few very many": SIZES["a few very long ones"],
}


def of_independent_items():
    """Yield rows of the interval of a count, one share each, and of each number of items over a thousand shares."""
    evenly = np.linspace(0.5, 1, 1001)[:-1] + 0.00025
    for n in (*range(MIN_CLUSTERS, 31), 40, 50, 75, 100):
        ends = np.array([count_interval(k, n) for k in range(n + 1)]).T
        shares = np.concatenate([SHARES, evenly])
        covered, any_could, likeliest_could = exactly(n, shares, ends)
        inside = (covered >= LOW) & (covered <= HIGH)
        for k, share in enumerate(SHARES if n in CLUSTERS else ()):
            row = {"interval": "share of sequences", "n": n, "share": share, "coverage": float(covered[k])}
            row |= {"possible": bool(any_could[k]), "possible by likelihood": bool(likeliest_could[k])}
            yield row
        row = {"interval": "share of sequences", "n": n, "share": "mean"}
        row["coverage"] = float(covered[len(SHARES) :].mean())
        for name, here in (("0.5 to 0.9", shares < 0.9), ("0.9 to 1", shares > 0.9)):
            here = here & (np.arange(len(shares)) >= len(SHARES))
            parts = (inside, any_could, likeliest_could)
            row[f"inside, {name}"], row[f"possible, {name}"], row[f"possible by likelihood, {name}"] = (
                round(float(part[here].mean()), 4) for part in parts
            )
        yield row


def exactly(n, shares, ends):
    """Return the coverage under each share, and whether any interval, or one that takes the likeliest, could be right."""
    counts = np.arange(n + 1)
    chance = binom.pmf(counts, n, shares[:, None])
    held = (ends[0] <= shares[:, None] + 1e-12) & (shares[:, None] <= ends[1] + 1e-12)
    sums = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(chance, axis=1)], axis=1)
    any_could, likeliest_could = np.zeros((2, len(shares)), bool)
    for first in range(n + 1):
        run = sums[:, first + 1 :] - sums[:, [first]]  # to every last count from the first
        right = (run >= LOW) & (run <= HIGH)
        fair = np.arange(first, n + 1) == n - first
        any_could |= np.where(shares == 0.5, right[:, fair].any(axis=1), right.any(axis=1))
    ordered = -np.sort(-chance, axis=1)
    whole = ordered[:, :-1] > ordered[:, 1:] * (1 + 1e-9)  # counts as likely as each other go together
    taken = np.cumsum(ordered, axis=1)[:, :-1]
    likeliest_could = (whole & (taken >= LOW) & (taken <= HIGH)).any(axis=1)
    return (chance * held).sum(axis=1), any_could, likeliest_could


def of_clusters():
    """Yield rows of the share of items in sequences or groups."""
    for groups in TOO_FEW:
        row = {
            "interval": "share of steps",
            "n": groups,
            "likeness": 0.1,
            "sizes": "20 to 80 steps",
            "share": "mean",
        }
        yield row | simulated(row, shares_of(groups, 0.1, "20 to 80 steps", "mean"))
    for groups, likeness, sizes, share in product(CLUSTERS, LIKENESS, SIZES, SHARES):
        row = {
            "interval": "share of steps",
            "n": groups,
            "likeness": likeness,
            "sizes": sizes,
            "share": share,
        }
        yield row | simulated(row, shares_of(groups, likeness, sizes, share))


def shares_of(groups, likeness, sizes, share):
    """Return a function that draws test sets and gives the intervals and the true share of each."""

    def draw(rng, sets):
        true = rng.uniform(0.5, 1, (sets, 1)) if share == "mean" else np.full((sets, 1), share)
        shape = (sets, groups)
        if likeness == 0:
            own = np.broadcast_to(true, shape)
        elif likeness == LIKENESS[-1]:
            own = 1 - 2 * (1 - true) * np.where(rng.random(shape) < 0.5, 0.9, 0.1)
        else:
            scale = 1 / likeness - 1
            own = rng.beta(true * scale, (1 - true) * scale, shape)
        counts = SIZES[sizes](rng, shape)
        return share_ends(rng.binomial(counts, own).astype(float), counts.astype(float)), true[:, 0]

    return draw


def of_errors():
    """Yield rows of the mean absolute error: each sequence's own errors have a scale that is drawn from ``errors``."""
    for n, errors, items, targets in product((*TOO_FEW, *CLUSTERS), ERRORS, ITEMS, (1, 3)):
        if targets == 3 and items != "20":
            continue
        row = {
            "interval": "mean absolute error",
            "n": n,
            "errors": errors,
            "items in each": items,
            "targets": targets,
        }
        yield row | simulated(row, errors_of(n, errors, items, targets))


def errors_of(n, errors, items, targets):
    """Return a function that draws test sets and gives the intervals and the true mean error of each."""

    def draw(rng, sets):
        scales, mae = ERRORS[errors]
        counts = ITEMS[items](rng, (sets, n))[..., None].astype(float)
        # The mean of as many exponential errors as there are items, on the sequence's own scale.
        spread = 1.0 if items == "1" else rng.gamma(counts, 1 / counts, (sets, n, targets))
        own = scales(rng, (sets, n, targets)) * spread
        sums = np.concatenate([own * counts, counts], axis=-1)
        return error_ends(sums, lambda t: (t[:, :-1] / t[:, -1:]).mean(axis=1)), np.full(sets, mae)

    return draw


def of_differences():
    """Yield rows of the difference of two accuracies over sequences or groups, whose answers hang together or do not."""
    choices = ((*TOO_FEW, *CLUSTERS), (0.5, 0.6, 0.8, 0.95), (0.0, 0.03, 0.1), ("apart", "together"))
    for groups, share, apart, answers in product(*choices):
        row = {"interval": "difference of two runs", "n": groups, "share": share, "difference": apart}
        row |= {"errors": answers}
        yield row | simulated(row, differences_of(groups, share, apart, answers))


def differences_of(groups, share, apart, answers):
    """Return a function that draws test sets and gives the intervals and the true difference of each."""

    def draw(rng, sets):
        counts = rng.integers(20, 80, (sets, groups))
        own = rng.beta(10 * share, 10 * (1 - share), counts.shape)
        other = own * (1 - apart)
        # Where they hang together, both are wrong on what either finds hard in half of the cases.
        both = own * other if answers == "apart" else (own * other + np.minimum(own, other)) / 2
        parts = np.stack([both, own - both, other - both, 1 - own - other + both], axis=-1)
        drawn = rng.multinomial(counts, np.clip(parts, 0, 1))
        right = np.stack([drawn[..., 0] + drawn[..., 1], drawn[..., 0] + drawn[..., 2], counts], axis=-1)
        ends = difference_ends(right.astype(float), lambda t: (t[:, 1] - t[:, 0]) / t[:, 2])
        return ends, np.full(sets, -share * apart)

    return draw


def simulated(row, draw):
    """Return the coverage of the intervals that were printed, None of so few that it is not known to a point or two."""
    rng = np.random.default_rng(zlib.crc32(json.dumps(row).encode()))
    sets = printed = held = below = 0
    while sets < MOST_SETS:
        ends, true = draw(rng, N_SETS)
        there = ~np.isnan(ends[:, 0])
        sets, printed = sets + N_SETS, printed + int(there.sum())
        held += int((there & (ends[:, 0] <= true) & (true <= ends[:, 1])).sum())
        below += int((there & (ends[:, 1] < true)).sum())
        clear = all(abs(held - v * printed) > SURE * (v * (1 - v) * printed) ** 0.5 for v in (LOW, HIGH))
        if not printed or (printed >= 0.9 * N_SETS and clear):
            break
    known = printed >= 400
    return {
        "coverage": round(held / printed, 4) if known else None,
        "all below the true value": round(below / printed, 4) if known else None,
        "printed": round(printed / sets, 4),
    }


def summary(rows):
    """Return for every kind of interval how many rows lie where, and of those outside where they lie."""
    out = {}
    for kind in dict.fromkeys(row["interval"] for row in rows):
        own = [row for row in rows if row["interval"] == kind and row["coverage"] is not None]
        means = [row["coverage"] for row in own if row.get("share") == "mean"]
        alone = [row for row in own if row.get("share") != "mean"]
        found = np.array([row["coverage"] for row in alone])
        outside = [row for row in alone if not LOW <= row["coverage"] <= HIGH]
        out[kind] = {
            "rows": len(alone), "inside": len(alone) - len(outside),
            "below 93 %": int((found < LOW).sum()), "above 98 %": int((found > HIGH).sum()),
            "lowest": round(float(found.min()), 4), "highest": round(float(found.max()), 4),
            "below 92 %": int((found < 0.92).sum()), "above 99 %": int((found > 0.99).sum()),
        }  # fmt: skip
        if kind == "share of sequences":
            out[kind] |= {
                "outside, no interval could": sum(not row["possible"] for row in outside),
                "outside, none that takes the likeliest counts could": sum(
                    row["possible"] and not row["possible by likelihood"] for row in outside
                ),
                "outside, though possible": sum(row["possible by likelihood"] for row in outside),
            }
        if means:
            out[kind] |= {"means, lowest": round(min(means), 4), "means, highest": round(max(means), 4)}
        fewest = [row["n"] for row in rows if row["interval"] == kind and row.get("printed", 1) > 0]
        out[kind]["fewest with an interval"] = min(fewest)
        keys = ("likeness", "sizes", "errors", "items in each", "share")
        out[kind]["outside by"] = {
            key: {
                str(v): sum(row[key] == v for row in outside)
                for v in dict.fromkeys(row[key] for row in outside)
            }
            for key in keys
            if key in alone[0]
        }
    return out


def main():
    began = time.process_time()
    rows = [*of_independent_items(), *of_clusters(), *of_errors(), *of_differences()]
    what = f"coverage of 95 % intervals, {N_SETS} to {MOST_SETS} simulated test sets a row"
    result = {"what": what, "command": "python benchmarks/interval_coverage.py", "summary": summary(rows)}
    result |= {"machine": measure.machine(1), "seconds of processor time": round(time.process_time() - began)}
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    RESULT.write_text(json.dumps(result, indent=1)[:-2] + ',\n "rows": [\n' + text + "\n ]\n}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
