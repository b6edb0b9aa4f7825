import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from recurra.evaluation.intervals import (
    bootstrap_interval,
    cluster_codes,
    resample_sums,
    sum_by_cluster,
    wilson_interval,
)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 370])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_agrees_with_scipy(n, confidence):
    for successes in range(n + 1):
        expected = binomtest(successes, n).proportion_ci(confidence_level=confidence, method="wilson")
        low, high = wilson_interval(successes, n, confidence=confidence)
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_says_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_cluster_codes_and_sums():
    codes = cluster_codes(np.array(["b", "a", "b", "c"]))
    np.testing.assert_array_equal(codes, [0, 1, 0, 2])
    sums = sum_by_cluster(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]), codes)
    np.testing.assert_array_equal(sums, [[6, 8], [3, 4], [7, 8]])


def test_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2.0, size=200)
    low, high = bootstrap_interval(np.stack([values, np.ones(200)], axis=1), lambda t: t[:, 0] / t[:, 1])
    theirs = bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_resampling_in_parts_draws_as_many_as_asked(monkeypatch):
    monkeypatch.setattr("recurra.evaluation.intervals.MAX_DRAWS", 30)
    drawn = resample_sums(np.ones((10, 1)), n_resamples=100)
    assert drawn.shape == (100, 1)
    assert (drawn == 10).all()


def test_clusters_that_agree_inside_widen_the_interval():
    rng = np.random.default_rng(0)
    of_cluster = rng.random(20) < 0.5
    values = np.repeat(of_cluster, 50).astype(float)
    rows = np.stack([values, np.ones(1000)], axis=1)

    def share(totals):
        return totals[:, 0] / totals[:, 1]

    apart = bootstrap_interval(rows, share)
    together = bootstrap_interval(sum_by_cluster(rows, np.repeat(np.arange(20), 50)), share)
    assert together[1] - together[0] > 5 * (apart[1] - apart[0])


def test_one_cluster_gives_no_interval():
    assert bootstrap_interval(np.ones((1, 2)), lambda t: t[:, 0]) is None
