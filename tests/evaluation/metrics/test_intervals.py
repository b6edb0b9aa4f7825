import numpy as np
import pytest
from scipy.stats import binom, binomtest, bootstrap

from recurra.evaluation.metrics.intervals import (
    cluster_codes,
    count_interval,
    difference_ends,
    difference_interval,
    error_ends,
    error_interval,
    share_ends,
    share_interval,
    sum_by_cluster,
)


@pytest.mark.parametrize("n", [101, 370])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_of_a_count_of_many_is_wilsons(n, confidence):
    for successes in range(n + 1):
        expected = binomtest(successes, n).proportion_ci(confidence_level=confidence, method="wilson")
        low, high = count_interval(successes, n, confidence=confidence)
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("n", [2, 8, 13, 40, 100])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_of_a_count_turns_sternes_exact_test_around(n, confidence):
    for successes in {0, 1, n // 3, n - n // 5, n}:
        low, high = count_interval(successes, n, confidence=confidence)
        for share in np.linspace(0.0005, 0.9995, 28):
            # scipy adds the chances of all counts that are not likelier, of which the mid-P value halves those as likely.
            own = binom.pmf(successes, n, share)
            alike = np.isclose(binom.pmf(range(n + 1), n, share), own, rtol=1e-7).sum() * own
            p_value = binomtest(successes, n, share).pvalue - alike / 2
            if p_value > 0.9 * (1 - confidence) + 1e-9:
                assert low - 1e-9 <= share <= high + 1e-9
            # Sterne's test may take a share in again beyond one that it left out.
            near = min(abs(share - low), abs(share - high)) < 0.05
            assert near or low <= share <= high or p_value < 0.9 * (1 - confidence) + 1e-9
        for end in {low, high} - {0.0, 1.0}:
            own = binom.pmf(successes, n, end)
            alike = np.isclose(binom.pmf(range(n + 1), n, end), own, rtol=1e-7).sum() * own
            assert binomtest(successes, n, end).pvalue - alike / 2 > 0.9 * (1 - confidence) - 1e-9


@pytest.mark.parametrize("n", [*range(1, 14), 20, 33, 50, 64, 99, 100])
def test_the_intervals_of_counts_rise_with_the_count_and_are_symmetric(n):
    low, high = np.array([count_interval(k, n) for k in range(n + 1)]).T
    share = np.arange(n + 1) / n
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()
    assert (low <= share).all()
    assert (share <= high).all()
    np.testing.assert_allclose(low, 1 - high[::-1], atol=1e-12)
    assert (low[0], high[-1]) == (0.0, 1.0)


def test_the_interval_of_nothing_says_nothing():
    assert count_interval(0, 0) == (0.0, 1.0)


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
    assert ours == pytest.approx(count_interval(int(right.sum()), 2000), abs=2e-3)


def test_clusters_that_agree_inside_widen_the_interval():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(20) < 0.5, 50).astype(float)
    low, high = count_interval(int(values.sum()), 1000)
    together = share_interval(values.reshape(20, 50).sum(axis=1), np.full(20, 50.0))
    assert together[1] - together[0] > 5 * (high - low)


@pytest.mark.parametrize("hits", [0.0, 40.0])
@pytest.mark.parametrize("clusters", [8, 12, 30, 100])
def test_clusters_that_are_all_right_or_all_wrong_do_not_claim_certainty(clusters, hits):
    low, high = share_interval(np.full(clusters, hits), np.full(clusters, 40.0))
    assert low <= hits / 40 <= high
    assert high - low > 0.15 / clusters


@pytest.mark.parametrize("clusters", [1, 2, 4, 5, 7])
def test_too_few_clusters_give_no_interval(clusters):
    rows = np.ones((clusters, 2)) + np.arange(clusters)[:, None]
    assert share_interval(rows[:, 0], rows[:, 0] + 1) is None
    assert error_interval(rows, lambda t: t[:, 0] / t[:, 1]) is None
    assert difference_interval(rows, lambda t: t[:, 0] - t[:, 1]) is None


def test_clusters_without_an_item_are_not_counted():
    counts = np.full(9, 10.0)
    hits = np.array([7.0, 8, 9, 10, 6, 8, 7, 10, 9])
    whole = share_interval(hits, counts)
    assert share_interval(np.append(hits, np.zeros(50)), np.append(counts, np.zeros(50))) == whole
    assert share_interval(np.append(hits[:4], np.zeros(50)), np.append(counts[:4], np.zeros(50))) is None


def test_an_error_that_is_zero_somewhere_has_no_interval():
    assert error_interval(np.stack([np.zeros(9), np.ones(9)], axis=1), lambda t: t[:, 0] / t[:, 1]) is None
    alone = np.stack([np.eye(9)[0], np.ones(9)], axis=1)
    assert error_interval(alone, lambda t: t[:, 0] / t[:, 1]) is None


def test_clusters_that_differ_alike_have_no_interval():
    assert difference_interval(np.ones((9, 2)), lambda t: t[:, 0] / t[:, 1]) is None


def test_many_test_sets_at_once_get_what_each_gets_alone():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 40, (50, 12)).astype(float)
    counts[:10, 2:] = 0  # too few
    hits = rng.binomial(counts.astype(int), 0.8).astype(float)
    hits[10:15] = counts[10:15]
    sums = np.stack([rng.gamma(1.0, size=counts.shape) * counts, counts], axis=-1)
    sums[20, 1:, 0] = 0  # without the first the error is 0

    def figure(totals):
        return totals[:, 0] / np.maximum(totals[:, 1], 1)

    def nothing_or(pair):
        return (np.nan, np.nan) if pair is None else pair

    np.testing.assert_allclose(
        share_ends(hits, counts), [nothing_or(share_interval(*one)) for one in zip(hits, counts, strict=True)]
    )
    for ends, interval in ((error_ends, error_interval), (difference_ends, difference_interval)):
        np.testing.assert_allclose(
            ends(sums, figure), [nothing_or(interval(one, figure)) for one in sums], rtol=1e-12
        )
        assert np.isnan(ends(sums, figure)[:10]).all()


@pytest.mark.parametrize("right", [1, 2, 5, 7, 9])
def test_sequences_right_or_wrong_as_a_whole_tell_no_less_than_one_item_each(right):
    counts = np.full(10, 20)
    low, high = share_interval(np.where(np.arange(10) < right, 20, 0), counts)
    wilson = binomtest(right, 10).proportion_ci(method="wilson")
    assert low >= wilson.low - 1e-12
    assert high <= wilson.high + 1e-12
