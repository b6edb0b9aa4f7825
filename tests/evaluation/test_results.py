"""The result of each estimator's `evaluate` answers the same calls, whatever was judged."""

import json
import pickle
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.results.comparison import compare
from recurra.evaluation.results.evaluation import Evaluation

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "verbose": 0}


def ragged(n=12, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(loc=i % 2, size=(3 + i % 4, 2)) for i in range(n)]


def labels(n=12):
    return [["a", "b"][i % 2] for i in range(n)]


def clips(n=12):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 99 + 99 * (i % 2), (3, 8, 8, 3), dtype=np.uint8) for i in range(n)]


def classifier():
    return recurra.SequenceClassifier(**SMALL).fit(ragged(), labels()).evaluate(ragged(seed=1), labels())


def labeler():
    y = [np.where(x[:, 0] > 0.5, "up", "down") for x in ragged()]
    return recurra.SequenceLabeler(**SMALL).fit(ragged(), y).evaluate(ragged(), y)


def regressor():
    y = [float(x.sum()) for x in ragged()]
    return recurra.SequenceRegressor(**SMALL).fit(ragged(), y).evaluate(ragged(), y)


def step_regressor():
    y = [x[:, 0] for x in ragged()]
    return recurra.SequenceRegressor(**SMALL).fit(ragged(), y).evaluate(ragged(), y)


def video():
    pytest.importorskip("PIL")
    estimator = recurra.VideoClassifier(backbone="small-cnn", image_size=8, **SMALL)
    return estimator.fit(clips(), labels()).evaluate(clips(), labels())


def text():
    pytest.importorskip("tokenizers")
    X = [["oil leaks out of it", "no power at all"][i % 2] for i in range(12)]
    estimator = recurra.TextClassifier(embedding_size=4, letters=3, subwords=2, **SMALL)
    return estimator.fit(X, labels()).evaluate(X, labels())


def generator():
    pytest.importorskip("tokenizers")
    estimator = recurra.TextGenerator(embedding_size=4, **SMALL).fit(["the cat sat on the mat. " * 30])
    return estimator.evaluate(["the cat sat on the mat."], samples=1, length=20)


def translator():
    X = [a + b for a in "abcdef" for b in "abcd"]
    Y = [word[::-1] for word in X]
    return recurra.Translator(**SMALL).fit(X, Y).evaluate(X, Y)


def forecaster():
    wave = np.sin(np.arange(120)[:, None] / 3)
    return recurra.Forecaster(horizon=4, context=16, **SMALL).fit(wave[:90]).evaluate(wave[90:])


def detector():
    X = [np.sin(np.arange(200)[:, None] / 5 + [i, 1.0]) for i in range(2)]
    y = [np.arange(200) == 50] * 2
    return recurra.AnomalyDetector(window=60, block=4, **SMALL).fit(X).evaluate(X, y)


# What was judged, the task, the first figure, whether a sequence can be explained, what a run's folder keeps.
RESULTS = {
    classifier: ("classification", "accuracy", True, {"confusion"}),
    labeler: ("labeling", "accuracy", True, {"confusion"}),
    regressor: ("regression", "rmse", True, {"predicted-against-true"}),
    step_regressor: ("regression", "rmse", True, {"predicted-against-true"}),
    video: ("classification", "accuracy", True, {"confusion"}),
    text: ("classification", "accuracy", True, {"confusion"}),
    generator: ("generation", "bits_per_character", False, set()),
    translator: ("translation", "exact_match", True, set()),
    forecaster: ("forecast", "skill", False, {"forecast-worst", "forecast-median", "forecast-best"}),
    detector: ("anomaly", "average_precision", False, {"anomalies"}),
}


@pytest.fixture(scope="module", params=RESULTS, ids=lambda made: made.__name__)
def result(request):
    return request.param(), *RESULTS[request.param]


def test_it_says_what_was_judged_and_how_well(result):
    e, task, figure, explainable, _ = result
    assert isinstance(e, Evaluation)
    assert isinstance(e.context, ReportContext)
    assert (e.task, e.explainable) == (task, explainable)
    assert figure in e.metrics
    assert e.metrics["n_test"] > 0
    assert e.headline()
    assert e.summary().startswith(e.context.trained_on)
    assert e.summary().endswith(" ".join(e.sentences()))
    assert repr(e).startswith(("Evaluation(", type(e).__name__))
    assert all(isinstance(finding, str) and finding for finding in e.findings())


def test_it_names_the_sequences_that_went_worst(result):
    e, _, _, explainable, _ = result
    worst = e.worst_positions(2)
    assert len(worst) <= 2
    assert len(set(worst)) == len(worst)
    assert all(0 <= position < e.metrics["n_test"] for position in worst)
    assert explainable or worst == []


def test_it_is_written_as_a_page_and_as_figures(result, tmp_path):
    e, *_ = result
    page = e.save(tmp_path / "report.html").read_text()
    assert len(page) == len(e.to_html())  # ids of drawings differ where one holds an image
    assert page.lower().startswith("<!doctype html>")
    assert e.context.title in page
    stored = json.loads(e.save(tmp_path / "metrics.json").read_text())
    assert stored == json.loads(e.to_json())
    assert set(stored) <= set(e.metrics)
    assert all(isinstance(value, int | float) for value in stored.values())


def test_its_drawings_are_svg_by_name(result):
    e, *_, drawn = result
    found = e.figures()
    assert drawn <= set(found)
    assert bool(found) == bool(drawn)
    assert all(ET.fromstring(svg).tag.endswith("svg") for svg in found.values())


def test_what_is_judged_twice_is_compared_or_refused(result):
    e, task, figure, explainable, _ = result
    if not explainable and task != "forecast":  # forecasts are compared over their origins
        with pytest.raises(
            UsageError, match=rf"^compare: needs runs that answer case by case; got {task}\. Put"
        ):
            compare({"one": e, "other": e})
        return
    found = compare({"one": e, "other": e})
    assert [run[figure] for run in found.runs] == [e.metrics[figure]] * 2
    assert found.pairs[0].p_value == 1.0


def test_runs_of_two_tasks_are_not_compared():
    with pytest.raises(UsageError, match=r"^compare: needs at least two runs of one task; got 2 of"):
        compare({"one": regressor(), "other": classifier()})


@pytest.mark.parametrize("made", [labeler, regressor, step_regressor, generator, forecaster, detector])
def test_it_can_be_pickled_where_nothing_is_asked_later(made):
    e = made()
    assert pickle.loads(pickle.dumps(e)).metrics == e.metrics


def test_errors_of_steps_name_the_sequence_and_the_step():
    e = step_regressor()
    row = e.worst_rows()[0]
    assert abs(row["error"]) == max(abs(r["error"]) for r in e.predictions)
    before = sum(len(x) for x in ragged()[: row["sequence"]])
    assert e.y_true[before + row["step"], 0] == row["true"]
    assert f"Sequence {row['name']}. Step {row['step']}. Off by" in e.to_html()
    assert f"Judged on 12 test sequences with {len(e.predictions)} time steps" in e.summary()


def test_steps_of_one_sequence_are_not_counted_as_independent():
    e = step_regressor()
    assert "swap test over 12 sequences or groups" in str(compare({"one": e, "other": e}))
