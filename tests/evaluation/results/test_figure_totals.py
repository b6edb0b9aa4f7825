"""The figure that decides a search, from what each case adds to it, and how often chance makes as much difference."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from recurra.errors import DataError
from recurra.evaluation.metrics.paired_tests import Totals, chance_of_difference, mean_of_items
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.results.anomalies import AnomalyEvaluation
from recurra.evaluation.results.backtest import Backtest, Origins
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression
from recurra.evaluation.results.step_regression import evaluate_step_regression
from recurra.evaluation.results.text_generation import TextEvaluation
from recurra.evaluation.results.translation import evaluate_translation
from recurra.runs.search.tune import FIGURES

MORE = {"names": [str(i) for i in range(6)], "context": ReportContext()}


def classes(rng):
    proba = rng.dirichlet([1, 1, 1], size=20)
    return evaluate_classification(rng.choice(["a", "b", "new"], 20), proba, classes=["a", "b", "c"])


def steps(rng):
    lengths = rng.integers(1, 9, 6)
    true = [rng.choice(["a", "b", "new"], n).tolist() for n in lengths]
    return evaluate_labeling(true, [rng.dirichlet([1, 1, 1], n) for n in lengths], classes=["a", "b", "c"])


def numbers(rng):
    return evaluate_regression(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)))


def numbers_of_steps(rng):
    true = [rng.normal(size=n) for n in rng.integers(1, 9, 6)]
    return evaluate_step_regression(true, [t + rng.normal(size=len(t)) for t in true])


def translations(rng):
    texts = [["".join(rng.choice(list("abc "), 5)) + "x" for _ in range(9)] for _ in range(2)]
    return evaluate_translation(*texts, level=str(rng.choice(["character", "word"])), sources=["s"] * 9)


def forecasts(rng):
    truth, point = rng.normal(size=(2, 6, 3, 2))
    truth[rng.random(truth.shape) < 0.2] = np.nan
    values = [rng.normal(size=(60, 2))]
    origins = Origins(np.zeros(6, int), np.arange(20, 50, 5), truth, point)
    return Backtest.made(values, origins, season=1, coverage=None, target_names=None, **MORE)


def anomalies(rng, steps=40, levels=9):
    values = [rng.normal(size=(steps, 1)) for _ in range(6)]
    labels = [rng.random(steps) < 0.1 for _ in range(6)]
    labels[0][:2] = [True, False]
    scores = [np.round(t + rng.normal(size=steps), 1 if levels else 9) for t in labels]
    return AnomalyEvaluation.made(values, scores, threshold=0.9, labels=labels, **MORE)


def text(rng):
    nats = rng.exponential(size=700)
    metrics = {"bits_per_character": float(nats.sum()) / np.log(2) / 1000}
    return TextEvaluation(metrics=metrics, samples=[], nats=nats)


KINDS = {
    "classify": [classes], "label": [steps], "regress": [numbers, numbers_of_steps], "translate": [translations],
    "forecast": [forecasts], "anomaly": [anomalies], "generate": [text],
}  # fmt: skip


@pytest.mark.parametrize("task", FIGURES)
@pytest.mark.parametrize("seed", range(5))
def test_totals_give_the_figure_that_decides(task, seed):
    for made in KINDS[task]:
        found = made(np.random.default_rng(seed))
        assert found.figure_totals().value() == pytest.approx(
            found.metrics[found.figure_totals().name], rel=1e-9
        )
        if task != "classify":  # of which the log loss orders trials, and right answers decide
            assert (found.figure_totals().name, found.figure_totals().less_is_better) == FIGURES[task]


def test_average_precision_of_many_anomalies_is_nearly_that_of_all_scores():
    found = anomalies(np.random.default_rng(0), steps=3000, levels=0)
    assert sum(map(np.sum, found.labels)) > 1000
    assert found.figure_totals().value() == pytest.approx(found.metrics["average_precision"], abs=0.005)


def test_without_labels_or_with_little_text_there_is_nothing_to_compare():
    found = AnomalyEvaluation.made(
        [np.zeros((5, 1))], [np.zeros(5)], threshold=1.0, labels=None, names=None, context=ReportContext()
    )
    assert found.figure_totals() is None
    assert TextEvaluation(metrics={}, samples=[], nats=np.ones(20)).figure_totals() is None


def mean_of(values):
    return Totals(values[:, None], np.arange(len(values)), mean_of_items, "mean")


@pytest.mark.parametrize("seed", range(5))
def test_the_chance_is_that_of_a_permutation_test(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.exponential(size=(2, 11))
    expected = permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True
    ).pvalue
    p, how = chance_of_difference(mean_of(a), mean_of(b))
    assert p == pytest.approx(expected)
    assert how == "swap test over 11 sequences or groups"
    many, how = chance_of_difference(mean_of(a), mean_of(b), tries=3)
    assert many == pytest.approx(min(1, 3 * expected))
    assert how.endswith("the best of 3")


@pytest.mark.parametrize("n", [12, 54])
def test_the_luckiest_of_many_equal_trials_is_rarely_called_better(n):
    rng = np.random.default_rng(n)
    called = 0
    for _ in range(100):
        difficulty = rng.exponential(size=n)
        trials = difficulty * rng.lognormal(sigma=0.5, size=(20, n))
        best = trials[1:][trials[1:].mean(axis=1).argmin()]
        called += chance_of_difference(mean_of(trials[0]), mean_of(best), tries=19)[0] < 0.05
    assert called <= 8


@pytest.mark.parametrize("tries", [19, 2000])
def test_a_trial_that_is_better_is_called_so_among_any_number_of_others(tries):
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=54)
    better = losses * rng.uniform(0.4, 0.8, size=54)
    assert chance_of_difference(mean_of(losses), mean_of(better), tries=tries)[0] < 0.05


def test_cases_of_one_group_change_sides_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], 20)
    losses = rng.exponential(size=120)
    better = losses - np.repeat(rng.uniform(0.1, 0.3, 6), 20)
    assert chance_of_difference(mean_of(losses), mean_of(better))[0] < 0.001
    assert chance_of_difference(mean_of(losses), mean_of(better), groups=groups)[0] == pytest.approx(2 / 64)


def test_other_items_are_not_compared():
    with pytest.raises(DataError, match=r"^chance_of_difference: both runs must be judged on the same items"):
        chance_of_difference(mean_of(np.ones(9)), mean_of(np.ones(8)))
