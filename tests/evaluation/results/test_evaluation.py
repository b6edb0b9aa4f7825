import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from recurra.errors import DataError, ShapeError
from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.metrics.intervals import count_interval
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.evaluation.report.page import data_rows
from recurra.evaluation.results.anomalies import AnomalyEvaluation
from recurra.evaluation.results.backtest import Backtest, Origins
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression
from recurra.evaluation.results.step_regression import evaluate_step_regression
from recurra.evaluation.results.text_generation import TextEvaluation
from recurra.evaluation.results.translation import evaluate_translation


def test_classification_has_the_figures_of_metrics_json(vowels):
    arguments, _ = vowels()
    e = evaluate_classification(**arguments)
    assert set(e.metrics) == {
        *(f"{figure}{naive}" for figure in FIGURES for naive in ("", "_baseline")),
        "calibration_error",
        "n_test",
        "train_seconds",
    }
    pred = np.array(arguments["classes"])[arguments["proba"].argmax(axis=1)]
    assert e.metrics["accuracy"] == accuracy_score(arguments["y_true"], pred)
    assert e.metrics["log_loss"] == pytest.approx(log_loss(arguments["y_true"], arguments["proba"]))
    assert e.metrics["n_test"] == 370
    hits = int((pred == arguments["y_true"]).sum())
    assert e.intervals["accuracy"] == count_interval(hits, 370)
    assert e.confusion.sum() == 370
    assert e.predictions[5]["name"] == "utterance_005"
    assert e.predictions[5]["length"] == len(arguments["sequences"][5])


FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


def test_metrics_are_written_as_one_flat_json_object(vowels, tmp_path):
    arguments, _ = vowels()
    e = evaluate_classification(**arguments)
    path = e.save(tmp_path / "metrics.json")
    stored = json.loads(path.read_text())
    assert stored == pytest.approx(e.metrics)
    assert all(isinstance(value, int | float) for value in stored.values())


def test_figures_that_are_not_numbers_are_left_out_of_json():
    e = TextEvaluation(metrics={"rmse": np.float64("inf"), "mae": np.float32(0.5)}, samples=[])
    assert json.loads(e.to_json()) == {"mae": 0.5}


def test_a_label_the_model_does_not_know_counts_as_wrong():
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    e = evaluate_classification(["a", "other", "b"], proba, classes=["a", "b"])
    assert e.metrics["accuracy"] == pytest.approx(2 / 3)
    assert e.unknown_classes == ["other"]
    assert [row["class"] for row in e.tables["per_class"]] == ["a", "b", "other"]
    assert np.isfinite(e.metrics["log_loss"])
    assert e.predictions[1]["true_probability"] == 0.0


def test_long_names_of_classes_are_not_cut():
    classes = ["a", "a much longer name"]
    e = evaluate_classification(
        ["a", "a much longer name"], np.array([[0.9, 0.1], [0.1, 0.9]]), classes=classes
    )
    assert e.metrics["accuracy"] == 1.0
    assert e.y_pred[1] == "a much longer name"


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 20)
    right = np.repeat(rng.random(10) < 0.6, 20)
    proba = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    arguments = {"y_true": ["a"] * 200, "proba": proba, "classes": ["a", "b"]}
    alone = evaluate_classification(**arguments).intervals["accuracy"]
    grouped = evaluate_classification(**arguments, groups=groups).intervals["accuracy"]
    single = evaluate_classification(**arguments, groups=np.arange(200)).intervals["accuracy"]
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])
    assert single == alone


def test_labeling():
    classes = ["rest", "walk"]
    y_true = [np.array(["rest", "rest", "walk"]), np.array(["walk"]), np.array(["rest", "walk"])]
    proba = [
        np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]),
        np.array([[0.1, 0.9]]),
        np.array([[0.7, 0.3]] * 2),
    ]
    baseline = ClassBaseline.fit([["rest", "rest", "walk"]], classes=classes)
    e = evaluate_labeling(y_true, proba, classes=classes, baseline=baseline, names=["p", "q", "r"])
    assert e.metrics["accuracy"] == pytest.approx(4 / 6)
    assert e.metrics["accuracy_baseline"] == pytest.approx(3 / 6)
    assert (e.metrics["n_test"], e.metrics["n_test_steps"]) == (3, 6)
    assert [row["steps_wrong"] for row in e.predictions] == [1, 0, 1]
    assert [len(p) for p in e.y_pred] == [3, 1, 2]
    assert list(e.y_pred[0]) == ["rest", "walk", "walk"]


def test_labeling_of_one_sequence_has_no_interval():
    e = evaluate_labeling([["a", "b"]], [np.array([[0.9, 0.1], [0.8, 0.2]])], classes=["a", "b"])
    assert e.intervals == {}


def test_regression():
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=80)
    y_pred = y_true + rng.normal(scale=0.3, size=80)
    e = evaluate_regression(y_true, y_pred, baseline=NumberBaseline.fit(y_true))
    assert e.metrics["rmse"] == pytest.approx(np.sqrt(((y_pred - y_true) ** 2).mean()))
    assert e.metrics["rmse_baseline"] == pytest.approx(y_true.std())
    assert set(e.intervals) == {"mae"}  # that of a root of mean squares hangs on rare large errors
    low, high = e.intervals["mae"]
    assert low < e.metrics["mae"] < high
    # Of the size that the normal approximation of a mean of 80 gives.
    assert 0.02 < high - low < 0.2
    assert (e.predictions[3]["true"], e.predictions[3]["predicted"]) == (y_true[3], y_pred[3])
    assert e.predictions[3]["error"] == pytest.approx(y_pred[3] - y_true[3])


def test_versions_name_what_decides_a_figure():
    assert {"python", "numpy", "torch", "scikit-learn"} <= set(installed_versions())


def test_messages():
    with pytest.raises(
        ShapeError, match=r"^evaluate_classification: proba must have shape \(items=2, classes=2\); got"
    ):
        evaluate_classification(["a", "b"], np.zeros((3, 2)), classes=["a", "b"])
    with pytest.raises(
        DataError, match=r"^evaluate_classification: there is nothing to judge: y_true is empty\. Give"
    ):
        evaluate_classification([], np.zeros((0, 2)), classes=["a", "b"])
    with pytest.raises(
        DataError, match=r"^evaluate_classification: proba must be finite; row 1 is not\. The network"
    ):
        evaluate_classification(["a", "b"], np.array([[1.0, 0.0], [np.nan, 0.0]]), classes=["a", "b"])
    with pytest.raises(
        ShapeError, match=r"^evaluate_labeling: y_true and proba must have one entry per sequence, at"
    ):
        evaluate_labeling([["a"]], [], classes=["a", "b"])
    with pytest.raises(
        ShapeError, match=r"^evaluate_regression: y_true and y_pred must have the same shape \(items,\)"
    ):
        evaluate_regression([1.0, 2.0], [1.0])
    with pytest.raises(
        DataError, match=r"^evaluate_regression: y_true and y_pred must be finite; 1 value is not\.$"
    ):
        evaluate_regression([1.0, 2.0], [1.0, np.inf])


def shown_results():
    """Return a result of each kind of task."""
    rng = np.random.default_rng(0)
    numbers, values = rng.normal(size=12), np.sin(np.arange(60.0))[:, None]
    proba = rng.dirichlet([1, 1], size=12)
    labels = [["a", "b"] * 6] * 3
    origins = Origins(np.zeros(3, int), np.array([20, 30, 40]), *(rng.normal(size=(2, 3, 5, 1))))
    more = {"names": ["s"], "context": ReportContext()}
    return {
        "classification": evaluate_classification(["a", "<b>"] * 6, proba, classes=["a", "<b>"]),
        "labeling": evaluate_labeling(labels, [proba] * 3, classes=["a", "b"]),
        "regression": evaluate_regression(numbers, numbers + 0.1),
        "steps": evaluate_step_regression([numbers, numbers], [numbers, numbers + 0.1]),
        "translation": evaluate_translation(["a b", "c"], ["a b", "<d>"], sources=["1", "2"]),
        "backtest": Backtest.made([values], origins, season=1, coverage=None, target_names=None, **more),
        "anomaly": AnomalyEvaluation.made([values], [values[:, 0]], threshold=0.9, labels=None, **more),
        "generation": TextEvaluation(
            metrics={"bits_per_character": 2.0, "bits_per_character_baseline": 4.0, "perplexity": 4.0,
                     "perplexity_baseline": 16.0, "n_test": 99}, samples=["x"]),
    }  # fmt: skip


RESULTS = shown_results()


@pytest.mark.parametrize("kind", RESULTS)
def test_a_notebook_shows_the_figures_beside_the_naive_ones(kind):
    e = RESULTS[kind]
    root = ElementTree.fromstring(e._repr_html_())
    text = " ".join(" ".join(root.itertext()).split())
    assert e.headline() in text
    for sentence in e.sentences():
        assert " ".join(sentence.split()) in text
    for tile in e.tiles():
        assert f"{tile['name']} {tile['value']}" in text
        assert tile["naive"] in text
    for finding in e.findings():
        assert finding in text
    assert text.count("<svg") == 0
    drawn = [element for element in root.iter() if element.tag.endswith("svg")]
    assert len(drawn) == min(2, len(e.figures()))


def test_worst_steps_are_of_different_sequences_and_drawn():
    true = [np.zeros(9), np.zeros(5), np.zeros(7)]
    predicted = [np.arange(9.0), np.full(5, 3.0), np.full(7, 0.5)]
    e = evaluate_step_regression(true, predicted, names=["r1", "r2", "r3"])
    assert [(row["name"], row["step"]) for row in e.worst_rows()] == [("r1", 8), ("r2", 0), ("r3", 0)]
    assert e.lengths() == [9, 5, 7]
    page = e.to_html()
    assert page.count("largest error") >= 3
    assert "Each point is one time step" in page
    assert "one time step<" in page


def test_a_part_of_one_length_gets_a_sentence_in_place_of_a_chart():
    proba = np.random.default_rng(0).dirichlet([1, 1], size=20)
    alike = [np.zeros((16, 2))] * 20
    context = ReportContext(train_lengths=[16] * 9)
    how = {"classes": ["a", "b"], "context": context}
    page = evaluate_classification(["a", "b"] * 10, proba, sequences=alike, **how).to_html()
    assert "All sequences have 16 time steps." in page
    assert "Length in" not in page
    texts = [["a", "word"], ["b"]] * 10
    page = evaluate_classification(["a", "b"] * 10, proba, sequences=texts, **how).to_html()
    assert "Length in tokens" in page
    assert "How long the texts are" in page


def test_intervals_are_announced_where_there_are_some():
    labels = [["a", "b"]] * 3
    few = evaluate_labeling(labels, [np.full((2, 2), 0.5)] * 3, classes=["a", "b"]).to_html()
    assert "With 95 % intervals" not in few.replace("\u00a0", " ")
    many = evaluate_labeling(labels * 4, [np.full((2, 2), 0.5)] * 12, classes=["a", "b"]).to_html()
    assert "With 95 % intervals" in many.replace("\u00a0", " ")
    assert "Segment F1" in many


def test_data_are_told_in_words():
    data = {"n_sequences": 384, "kind": "text", "length_min": 17, "length_max": 83, "length_median": 40.0,
            "total_steps": 9000, "n_classes": 3, "notes": ["one", "two", "one"]}  # fmt: skip
    rows = data_rows(data, said=["two"])
    assert rows == [
        ("texts", "384"),
        ("characters in all", "9,000"),
        ("lengths", "17 to 83 characters, median 40"),
        ("classes", "3"),
        ("note", "one"),
    ]
    equal = {"n_sequences": 1, "length_min": 16, "length_max": 16, "length_median": 16.0}
    assert data_rows(equal) == [("sequences", "1"), ("lengths", "16 time steps each")]
    assert data_rows(equal | {"kind": "tokens"}) == [("sentences", "1"), ("lengths", "16 words each")]


def test_a_network_that_writes_worse_than_guessing_is_told_of():
    figures = {"bits_per_character": 5.0, "bits_per_character_baseline": 4.0, "perplexity": 32.0,
               "perplexity_baseline": 16.0, "n_test": 99}  # fmt: skip
    e = TextEvaluation(metrics=figures, samples=["x"])
    said = "The network foretells no better than guessing by frequency: train longer, or on more text, before it writes."
    assert e.findings() == [said]
    assert said in e.to_html()
    better = TextEvaluation(metrics={**figures, "bits_per_character": 3.0}, samples=["x"])
    assert better.findings() == []
    assert said not in better.to_html()


def test_a_page_on_texts_tells_of_texts():
    proba = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 3)
    texts = [["good", "day"]] * 6
    page = evaluate_classification(list("aaabba"), proba, classes=["a", "b"], sequences=texts).to_html()
    words = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style.*?</style>", "", page))
    assert "of the texts of this class" in words
    assert "Text 5" in words
    assert "equence" not in words
