"""Every 95 % interval that a report prints, simulated: does it hold the true value in 95 of 100 test sets?"""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from recurra.evaluation.metrics.intervals import MIN_CLUSTERS, error_ends, share_ends
from recurra.evaluation.metrics.paired_tests import compare_classification, compare_regression
from recurra.evaluation.metrics.scores import accuracy_interval, per_class_table
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import error_intervals, evaluate_regression

# 1,500 simulated test sets know a coverage of 95 % to half a point, twice as many to 0.4.
N_SETS = 1500
COVERAGE = (0.925, 0.985)


def coverage(intervals, truths):
    """Share of the printed intervals that hold the truth; None where none is printed."""
    printed = [(pair, truth) for pair, truth in zip(intervals, truths, strict=True) if pair is not None]
    if not printed:
        return None
    return np.mean([low <= truth <= high for (low, high), truth in printed])


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7])
def test_of_few_sequences_nothing_is_said(n):
    assert n < MIN_CLUSTERS
    for right in range(n + 1):
        assert accuracy_interval(np.arange(n) < right) is None


@pytest.mark.parametrize("n", [8, 9, 10, 12, 15, 20, 30, 50, 75, 100, 101])
def test_accuracy_of_sequences_wherever_the_likeliest_counts_allow_it(n):
    # Exact: under each share the count is binomial. Coverage jumps from one set of counts to the next, so that under some
    # shares no interval keeps 93 to 98 %; of 8 that is a tenth of the shares below 0.9, from 17 on none.
    shares = np.linspace(0.5, 0.995, 991)
    low, high = np.array([accuracy_interval(np.arange(n) < k) for k in range(n + 1)]).T
    chance = binom.pmf(np.arange(n + 1), n, shares[:, None])
    covered = (chance * ((low <= shares[:, None] + 1e-9) & (shares[:, None] - 1e-9 <= high))).sum(axis=1)
    taken = np.cumsum(-np.sort(-chance, axis=1), axis=1)
    possible = ((taken >= 0.93) & (taken <= 0.98)).any(axis=1)
    inside = (covered >= 0.93) & (covered <= 0.98)
    assert inside[possible].mean() > 0.97
    assert possible[shares < 0.9].mean() > (0.85 if n < 17 else 0.99)
    assert 0.95 <= covered.mean() <= 0.965
    assert covered.min() > 0.89


def steps_of_groups(rng, *, groups, share, likeness, long_tail=False, sets=N_SETS):
    """Right and all steps of recordings of 20 to 80 steps, or of a few very long ones, whose shares scatter; ``likeness``
    in (0, 1]: two arrays of shape (sets, groups).
    """
    counts = rng.integers(20, 80, (sets, groups))
    if long_tail:
        counts = np.minimum(5 + 20 * rng.pareto(1.5, counts.shape), 3000).astype(int)
    if likeness == 1:
        own = rng.random(counts.shape) < share
    else:
        own = rng.beta(share * (1 / likeness - 1), (1 - share) * (1 / likeness - 1), counts.shape)
    return rng.binomial(counts, own), counts


def pairs(ends):
    return [None if np.isnan(low) else (low, high) for low, high in ends]


SCATTERS = [
    *[(0.6, 0.02), (0.8, 0.1), (0.95, 0.05), (0.9, 0.01)],
    *[(0.99, 0.02), (0.99, 0.1), (0.9, 0.3), (0.8, 0.5), (0.95, 0.5)],
]


@pytest.mark.parametrize("long_tail", [False, True])
@pytest.mark.parametrize(("share", "likeness"), SCATTERS)
@pytest.mark.parametrize("groups", [3, 7, 10, 20, 100])
def test_accuracy_of_steps_in_recordings(groups, share, likeness, long_tail):
    rng = np.random.default_rng(groups)
    right, counts = steps_of_groups(
        rng, groups=groups, share=share, likeness=likeness, long_tail=long_tail, sets=2 * N_SETS
    )
    intervals = pairs(share_ends(right, counts))
    got = coverage(intervals, [share] * len(intervals))
    if groups < MIN_CLUSTERS:
        assert got is None
    elif sum(interval is not None for interval in intervals) > 100:
        # Where most recordings are all right, or a few hold most steps, an interval is on the safe side.
        hard = long_tail or likeness > 0.2 or share == 0.99
        # benchmarks/interval_coverage.py draws more of them and asks for 93 to 98 %
        assert COVERAGE[0] - 0.01 * hard <= got <= (0.993 if hard else COVERAGE[1])


def test_hardly_a_kind_of_recordings_is_outside_of_93_to_98_per_cent():
    found = []
    for groups, (share, likeness), long_tail in product((10, 20, 50), SCATTERS, (False, True)):
        rng = np.random.default_rng(groups)
        how = {"groups": groups, "share": share, "likeness": likeness, "long_tail": long_tail}
        intervals = [pair for pair in pairs(share_ends(*steps_of_groups(rng, **how, sets=2000))) if pair]
        if len(intervals) > 200:
            found.append(coverage(intervals, [share] * len(intervals)))
    inside = [0.93 <= held <= 0.98 for held in found]
    assert len(inside) >= 45
    assert np.mean(inside) > 0.92


def test_what_is_printed_is_what_was_simulated():
    rng = np.random.default_rng(0)
    right, counts = steps_of_groups(rng, groups=15, share=0.9, likeness=0.1, sets=5)
    for own, of, ends in zip(right, counts, share_ends(right, counts), strict=True):
        correct = np.concatenate([np.arange(n) < k for k, n in zip(own, of, strict=True)])
        assert accuracy_interval(correct, clusters=np.repeat(np.arange(15), of)) == pytest.approx(tuple(ends))


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95, 0.97])
@pytest.mark.parametrize("groups", [10, 20, 60])
def test_accuracy_of_recordings_that_are_right_or_wrong_as_a_whole(groups, share):
    # In such recordings many test sets hold no wrong step, and only their number says how sure that makes.
    rng = np.random.default_rng(groups)
    intervals = pairs(share_ends(*steps_of_groups(rng, groups=groups, share=share, likeness=1)))
    assert coverage(intervals, [share] * len(intervals)) >= 0.9


@pytest.mark.parametrize("groups", [8, 20, 100])
def test_an_interval_of_a_spotless_part_knows_how_many_there_are(groups):
    of = np.repeat(np.arange(groups), 1000)
    right = np.ones(len(of), bool)
    together = accuracy_interval(right, clusters=of)
    assert together == pytest.approx((groups / (groups + 1.96**2), 1), abs=1e-3)
    assert accuracy_interval(~right, clusters=of) == pytest.approx((1 - together[1], 1 - together[0]))
    assert together == pytest.approx(accuracy_interval(np.ones(groups, bool)), abs=0.02)


def test_a_few_recordings_that_hold_nearly_all_steps_are_too_few():
    of = np.repeat(np.arange(20), [3000, 3000, *[5] * 18])
    right = np.random.default_rng(0).random(len(of)) < 0.8
    assert accuracy_interval(right, clusters=of) is None
    assert accuracy_interval(right, clusters=np.arange(len(of)) % 20) is not None


def test_recall_and_precision_of_a_class_in_recordings():
    rng = np.random.default_rng(0)
    recalls, precisions = [], []
    for _ in range(300):
        (hits,), (counts,) = steps_of_groups(rng, groups=15, share=0.8, likeness=0.1, sets=1)
        of = np.repeat(np.arange(15), counts)
        right = rng.random(len(of)) < np.repeat(hits / counts, counts)
        true = np.where(rng.random(len(right)) < 0.5, "a", "b")
        pred = np.where(right, true, np.where(true == "a", "b", "a"))
        row = per_class_table(true, pred, classes=["a", "b"], clusters=of)[0]
        recalls.append((row["recall_low"], row["recall_high"]))
        precisions.append((row["precision_low"], row["precision_high"]))
    assert 0.91 <= coverage(recalls, [0.8] * 300) <= 0.99
    assert 0.91 <= coverage(precisions, [0.8] * 300) <= 0.99


ERRORS = {
    "normal": (lambda rng, n: rng.standard_normal(n), (2 / np.pi) ** 0.5),
    "laplace": (lambda rng, n: rng.laplace(size=n), 1.0),
    "Student's t": (lambda rng, n: rng.standard_t(3, n), 2 * 3**0.5 / np.pi),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "log-normal": (lambda rng, n: rng.lognormal(size=n), np.exp(0.5)),
    "log-normal, very skewed": (lambda rng, n: rng.lognormal(0, 1.5, n), np.exp(1.125)),
}


@pytest.mark.parametrize("n", [2, 4, 7, 8, 10, 20, 100])
@pytest.mark.parametrize("errors", ERRORS)
def test_errors_of_a_regression(n, errors):
    rng = np.random.default_rng(n)
    draw, mae = ERRORS[errors]
    errors = draw(rng, (2 * N_SETS, n))
    sums = np.stack([np.abs(errors), np.ones(errors.shape)], axis=-1)
    ends = error_ends(sums, lambda totals: totals[:, 0] / totals[:, 1])
    got = coverage(pairs(ends), [mae] * len(ends))
    assert (got is None) == (n < MIN_CLUSTERS)
    if got is not None:
        assert COVERAGE[0] - 0.005 <= got <= COVERAGE[1]
    printed = error_intervals(np.zeros((n, 1)), errors[0][:, None], None)
    assert printed == ({} if got is None else {"mae": pytest.approx(tuple(ends[0]))})


@pytest.mark.parametrize("groups", [8, 10, 40])
def test_difference_of_two_runs_and_its_test(groups):
    rng = np.random.default_rng(groups)
    intervals, alarms = [], 0
    for _ in range(300):
        of = np.repeat(np.arange(groups), 20)
        shared = np.repeat(rng.beta(8, 2, groups), 20)
        runs = {k: np.where(rng.random(len(of)) < shared, "a", "b") for k in ("x", "y")}
        (pair,) = compare_classification(["a"] * len(of), runs, groups=of).pairs
        intervals.append(None if pair.low is None else (pair.low, pair.high))
        alarms += pair.more_than_noise
    assert 0.91 <= coverage(intervals, [0.0] * 300) <= 0.99
    assert alarms <= 300 * 0.08


def test_no_interval_of_a_root_of_mean_squares():
    rng = np.random.default_rng(0)
    answers = {"x": rng.standard_t(3, 60), "y": 2 * rng.standard_t(3, 60)}
    pair = compare_regression(np.zeros(60), answers).pairs[0]
    assert (pair.low, pair.high) == (None, None)
    assert pair.more_than_noise


def test_the_report_says_where_there_are_too_few_to_tell():
    few = evaluate_labeling([["a", "b"]] * 3, [np.full((2, 2), 0.5)] * 3, classes=["a", "b"])
    assert (
        "3 test sequences with 6 time steps (3 of 6 right; too few sequences or groups to tell how sure the figure is)."
        in few.sentences()[0]
    )
    assert "(95 % interval" in evaluate_regression(np.zeros(9), np.arange(1.0, 10.0)).sentences()[0]
    assert (
        "4 test sequences (too few sequences or groups"
        in evaluate_regression(np.zeros(4), np.arange(1.0, 5.0)).sentences()[0]
    )
    seven = evaluate_classification(list("aaaabbb"), np.eye(2)[[0, 0, 0, 0, 1, 0, 0]], classes=["a", "b"])
    assert "Judged on 7 test sequences (5 of 7 right; too few sequences or groups" in seven.sentences()[0]
    assert all(bin["accuracy_low"] is None for bin in seven.tables["reliability"])
