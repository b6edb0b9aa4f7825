"""Which view a detector takes, which windows it compares, and how far later parts lift its threshold."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import recurra
from recurra.recipes.anomalies import with_threshold
from recurra.recipes.views import LEAST_QUANTILE, average_precision, chosen_view, higher_later
from recurra.serving.anomalies.neighbours import compared_lengths


def waves(steps, seed=0, channels=1):
    """Return something that repeats itself about a level."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(2 * np.pi / (12 + rng.normal(size=steps)))
    return np.column_stack([np.sin(phase + c) + 0.2 * rng.normal(size=steps) for c in range(channels)])


def growing(steps, seed=0, channels=1):
    """Return the same on a level that rises further than it swings."""
    return waves(steps, seed, channels) + np.linspace(0, steps / 20, steps)[:, None]


def test_a_precision_is_what_scikit_learn_finds():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        marks = rng.random(200) < 0.1
        scores = rng.normal(size=200) + marks
        assert average_precision(marks, scores) == pytest.approx(average_precision_score(marks, scores))


@pytest.mark.parametrize("steps", [200, 400, 900])
@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_seen_as_it_is_and_what_grows_is_not(steps, seed):
    assert chosen_view([waves(steps, seed)], seed=0) == "values"
    assert chosen_view([growing(steps, seed)], seed=0) != "values"
    assert chosen_view([-3000 - 500 * growing(steps, seed, channels=2)], seed=0) != "values"


def test_faults_that_are_told_and_false_alarms_both_decide():
    rng = np.random.default_rng(3)
    steps = np.arange(400)
    sales = 0.1 * steps + 2 * np.sin(steps * 2 * np.pi / 7) + rng.normal(size=400)
    # Differences give the fewest false alarms here, and tell the fewest faults; there values tell the most, with a
    # quarter of the normal steps above the threshold.
    assert chosen_view([sales[:, None]], seed=0) == "deviations"
    assert chosen_view([waves(90, seed=3)], seed=0) == "differences"


def test_several_are_judged_by_others_and_not_by_time():
    assert chosen_view([growing(200, seed) for seed in range(6)], seed=0) == "values"
    levels = [waves(200, seed) + 30 * seed for seed in range(6)]
    assert chosen_view(levels, seed=0) != "values"


def test_too_few_steps_are_seen_as_they_are():
    assert chosen_view([growing(20)], seed=0) == "values"
    assert chosen_view([growing(74), growing(30)], seed=0) == "values"


@pytest.mark.parametrize(
    ("steps", "lengths"),
    [
        ([74], ()),
        ([75], (5,)),
        ([150], (5, 10)),
        ([375], (5, 10, 25)),
        ([750], (10, 25, 50)),
        ([1499], (10, 25, 50)),
        ([1500], (25, 50, 100)),
        ([80] * 30, (5, 10, 25)),
        ([40] * 30, ()),
    ],
)
def test_the_lengths_are_the_longest_of_which_there_are_enough(steps, lengths):
    assert compared_lengths([np.zeros((n, 1)) for n in steps]) == lengths


def test_the_threshold_is_lifted_as_far_as_later_steps_lie_higher():
    rougher = waves(600)
    rougher[400:] += np.random.default_rng(1).normal(size=(200, 1))
    assert higher_later([waves(600)[::-1].copy()], "values", seed=0) == pytest.approx(1, abs=0.3)
    higher = higher_later([rougher], "values", seed=0)
    assert higher > 1.5
    detector = recurra.AnomalyDetector(random_state=0, verbose=0, view="values", neighbours=True).fit(
        [rougher]
    )
    scores = -detector.score_samples([rougher])[0]
    found = with_threshold(
        detector.model_, [scores], recurra.AnomalyDetector(), sequences=[rougher], seed=0
    ).threshold
    alone = with_threshold(detector.model_, [scores], recurra.AnomalyDetector()).threshold
    assert found == pytest.approx(max(alone, np.quantile(scores, LEAST_QUANTILE) * higher))
    assert found > alone
    # A quantile that is given is that of the training scores.
    given = with_threshold(
        detector.model_, [scores], recurra.AnomalyDetector(quantile=0.9), sequences=[rougher], seed=0
    )
    assert given.threshold == pytest.approx(np.quantile(scores, 0.9))


@pytest.mark.filterwarnings("ignore::recurra.errors.RecurraWarning")  # which view it takes
def test_a_channel_that_was_dead_at_first_hides_no_fault():
    values = np.zeros((900, 1))
    values[600:] = 0.001 * np.random.default_rng(0).normal(size=(300, 1))
    later = np.zeros((900, 1))
    later[400:440] = 2.0
    detector = recurra.AnomalyDetector(random_state=0, verbose=0).fit([values])
    assert (detector.predict([later])[0][400:440] == -1).all()
