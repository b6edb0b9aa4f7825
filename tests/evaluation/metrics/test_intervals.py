import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from recurra.evaluation.metrics.intervals import (
    cluster_codes,
    difference_interval,
    error_interval,
    share_interval,
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


def test_interval_of_an_error_agrees_with_scipys_bca_bootstrap():
    values = np.random.default_rng(0).gamma(2.0, size=400)
    low, high = error_interval(np.stack([values, np.ones(400)], axis=1), lambda t: t[:, 0] / t[:, 1])
    theirs = bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(1)).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_interval_of_a_share_of_many_clusters_of_one_agrees_with_wilson():
    right = np.random.default_rng(0).random(2000) < 0.8
    ours = share_interval(right.astype(float), np.ones(2000))
    assert ours == pytest.approx(wilson_interval(int(right.sum()), 2000), abs=2e-3)


def test_clusters_that_agree_inside_widen_the_interval():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(20) < 0.5, 50).astype(float)
    low, high = wilson_interval(int(values.sum()), 1000)
    together = share_interval(values.reshape(20, 50).sum(axis=1), np.full(20, 50.0))
    assert together[1] - together[0] > 5 * (high - low)


@pytest.mark.parametrize("hits", [0.0, 40.0])
@pytest.mark.parametrize("clusters", [5, 8, 30, 100])
def test_clusters_that_are_all_right_or_all_wrong_do_not_claim_certainty(clusters, hits):
    low, high = share_interval(np.full(clusters, hits), np.full(clusters, 40.0))
    assert low <= hits / 40 <= high
    assert high - low > 0.15 / clusters


@pytest.mark.parametrize("clusters", [1, 2, 3, 4])
def test_too_few_clusters_give_no_interval(clusters):
    rows = np.ones((clusters, 2)) + np.arange(clusters)[:, None]
    assert share_interval(rows[:, 0], rows[:, 0] + 1) is None
    assert error_interval(rows, lambda t: t[:, 0] / t[:, 1]) is None
    assert difference_interval(rows, lambda t: t[:, 0] - t[:, 1]) is None


def test_clusters_without_an_item_are_not_counted():
    counts = np.array([10.0, 10, 10, 10, 10, 10])
    hits = np.array([7.0, 8, 9, 10, 6, 8])
    whole = share_interval(hits, counts)
    assert share_interval(np.append(hits, np.zeros(50)), np.append(counts, np.zeros(50))) == whole
    assert share_interval(np.append(hits[:4], np.zeros(50)), np.append(counts[:4], np.zeros(50))) is None


def test_an_error_that_is_zero_somewhere_has_no_interval():
    assert error_interval(np.stack([np.zeros(9), np.ones(9)], axis=1), lambda t: t[:, 0] / t[:, 1]) is None
    alone = np.stack([np.eye(9)[0], np.ones(9)], axis=1)
    assert error_interval(alone, lambda t: t[:, 0] / t[:, 1]) is None


def test_clusters_that_differ_alike_have_no_interval():
    assert difference_interval(np.ones((9, 2)), lambda t: t[:, 0] / t[:, 1]) is None
