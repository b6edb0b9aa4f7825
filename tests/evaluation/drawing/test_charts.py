import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from recurra.evaluation.drawing import charts
from recurra.evaluation.drawing.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg):
    """(text, left, top, right, bottom) of every text, as estimated from its length."""
    out = []
    for element in ET.fromstring(svg).iter(f"{SVG}text"):
        style = element.get("style")
        size = float(re.search(r"font-size: ([\d.]+)px", style).group(1))
        x, y, width = float(element.get("x")), float(element.get("y")), text_width(element.text or "") * size
        anchor = re.search(r"text-anchor: (\w+)", style)
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor.group(1) if anchor else "start"]
        low, high = x - shift * width, x + (1 - shift) * width
        if "rotate(-90" in element.get("transform", ""):
            # From the anchor upwards.
            out.append((element.text, x - size, y - (1 - shift) * width, x, y + shift * width))
        else:
            out.append((element.text, low, y - size, high, y))
    return out


def assert_nothing_is_cut(svg):
    root = ET.fromstring(svg)
    _, _, width, height = (float(v) for v in root.get("viewBox").split())
    for text, left, top, right, bottom in boxes(svg):
        assert left >= -1, text
        assert right <= width + 1, text
        assert top >= -2, text
        assert bottom <= height + 1, text


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text")]


def described(svg):
    return ET.fromstring(svg).find(f"{SVG}desc").text


HISTORY = [
    {
        "epoch": k,
        "train_loss": 1 / k,
        "valid_loss": 1.2 / k,
        "valid_accuracy": 1 - 1 / k,
        "grad_norm_median": 2.0 / k,
        "grad_norm_max": 30.0 / k,
        "clipped_share": 0.25,
    }
    for k in range(1, 13)
]


def test_learning_curves_mark_the_best_epoch_and_name_the_axes():
    svg = charts.learning_curves(HISTORY, best_epoch=7)
    assert {"Epoch", "Loss", "Accuracy", "training", "validation", "kept: epoch 7"} <= set(texts(svg))
    assert "Training loss from 1 to 0.0833." in described(svg)
    assert_nothing_is_cut(svg)


@pytest.mark.parametrize("keys", [["train_loss"], ["train_loss", "valid_loss"]])
def test_learning_curves_of_a_run_without_validation(keys):
    history = [{k: row[k] for k in ["epoch", *keys]} for row in HISTORY]
    assert_nothing_is_cut(charts.learning_curves(history))


def test_learning_curves_of_one_epoch_and_with_values_that_are_not_finite():
    assert_nothing_is_cut(charts.learning_curves(HISTORY[:1], best_epoch=1))
    svg = charts.learning_curves([*HISTORY, {"epoch": 13, "train_loss": float("nan")}])
    assert "Training loss from 1 to 0.0833." in described(svg)
    assert_nothing_is_cut(svg)


@pytest.mark.parametrize(
    ("size", "length"), [(1, 9), (2, 1), (2, 30), (3, 8), (9, 1), (12, 30), (13, 1), (30, 30), (60, 3)]
)
def test_confusion_chart_is_readable_whatever_the_number_of_classes(size, length):
    rng = np.random.default_rng(size)
    matrix = rng.poisson(0.3, (size, size)) + np.diag(rng.integers(5, 50, size))
    classes = [f"{k}".rjust(length, "c") for k in range(size)]
    svg = charts.confusion_chart(matrix, classes=classes)
    assert_nothing_is_cut(svg)
    shown = texts(svg)
    assert {"True class", "Predicted class"} <= set(shown)
    if size <= 30:
        counts = [int(v) for v in matrix[matrix > 0]]
        assert all(str(n) in shown for n in counts)
    if 1 < size <= 12:
        # Numbers in a cell stay inside it.
        cell = 372 / size if size > 2 else 84
        assert all(right - left <= cell + 1 for text, left, _, right, _ in boxes(svg) if text.endswith("%"))


def test_long_names_keep_both_ends():
    assert charts.plain("failure type number 12", 12) == "failur…er 12"
    names = [f"failure type number {k} of the press" for k in range(13)]
    shown = [t for t in texts(charts.confusion_chart(np.eye(13), classes=names)) if t.startswith("failure")]
    assert len(shown) == 26
    assert max(len(t) for t in shown) == 18


def test_confusion_chart_says_what_is_confused():
    matrix = np.array([[8, 2, 0], [0, 9, 1], [5, 0, 5]])
    svg = charts.confusion_chart(matrix, classes=["a", "b", "c"])
    assert described(svg).startswith("22 of 30 sequences lie on the diagonal")
    assert "c taken for a, 5 of 10; a taken for b, 2 of 10; b taken for c, 1 of 10." in described(svg)
    assert charts.confused_pairs(matrix, classes=["a", "b", "c"])[0] == ("c", "a", 5, 10)
    assert "80 %" in texts(svg)
    middle = {text: (left + right) / 2 for text, left, _, right, _ in reversed(boxes(svg))}
    assert middle["80 %"] == pytest.approx(middle["a"], abs=1)
    assert middle["90 %"] == pytest.approx(middle["b"], abs=1)


def test_predicted_against_true_draws_every_point_of_a_small_set_and_says_when_not():
    y = np.linspace(0, 10, 60)
    svg = charts.predicted_against_true(y, y + 1, target="cycles")
    assert len(re.findall("<use ", svg)) >= 60
    assert {"True cycles", "Predicted cycles"} <= set(texts(svg))
    assert_nothing_is_cut(svg)
    many = charts.predicted_against_true(np.arange(10_000.0), np.arange(10_000.0))
    assert "Every 5th of 10,000 is drawn." in described(many)


@pytest.mark.parametrize("rate", [None, 50.0])
@pytest.mark.parametrize("lengths", [[5], [7, 7, 7], list(range(7, 30)), [100, 90_000]])
def test_length_histogram(rate, lengths):
    svg = charts.length_histogram(
        {"training": lengths, "test": lengths[:1], "nothing": []}, sample_rate_hz=rate
    )
    assert f"Length in {'seconds' if rate else 'time steps'}" in texts(svg)
    assert f"training: {len(lengths)} sequence{'' if len(lengths) == 1 else 's'}," in described(svg)
    assert_nothing_is_cut(svg)


def test_reliability_and_gradients_and_balance():
    bins = [
        {"confidence": 0.55, "accuracy": 0.4, "accuracy_low": 0.2, "accuracy_high": 0.6, "n": 20},
        {"confidence": 0.95, "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.96, "n": 50},
    ]
    svg = charts.reliability_chart(bins, error=0.079)
    assert (
        svg.count("<path")
        == charts.reliability_chart([bins[0] | {"accuracy_low": None}, bins[1]], error=0.1).count("<path") + 1
    )
    assert "Expected calibration error 7.9 points. About 55 % sure: 40 % right (20 items)." in described(svg)
    assert_nothing_is_cut(svg)
    svg = charts.gradient_norms(HISTORY)
    assert "Largest norm from 30 to 2.5." in described(svg)
    assert "25 % of the batches were clipped" in described(svg)
    assert {"Gradient norm", "10", "1"} <= set(texts(svg))
    assert_nothing_is_cut(svg)
    svg = charts.class_balance({"training": {"a": 3, "b": 1}, "test": {"a": 1, "long " * 9: 2}})
    assert "training: a 3, b 1." in described(svg)
    assert "training (4)" in texts(svg)
    assert_nothing_is_cut(svg)


def test_gradient_norms_that_explode_or_stay():
    wild = [
        {"epoch": k, "grad_norm_median": 10.0 ** (3 * k), "grad_norm_max": 10.0 ** (3 * k + 1)}
        for k in range(8)
    ]
    assert len([t for t in texts(charts.gradient_norms(wild)) if t.startswith("1e")]) <= 9
    flat = [{"epoch": k, "grad_norm_median": 1.0, "grad_norm_max": 1.0} for k in range(1, 5)]
    assert_nothing_is_cut(charts.gradient_norms(flat))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (12345, "12,345"), (0.123456, "0.123"), (1234.5, "1,234"), (float("nan"), "nan")],
)
def test_number(value, expected):
    assert charts.number(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99994, "0.99994"), (0.9995, "0.9995"), (-0.999999, "-0.999999"), (1.0004, "1"), (0.99, "0.99")],
)
def test_what_is_not_quite_1_is_not_called_1(value, text):
    assert charts.number(value) == text


@pytest.mark.parametrize("size", [2, 3, 7, 12, 20])
def test_confusion_labels_do_not_touch_the_name_of_their_axis(size):
    classes = [f"A rather long failure category, type {k + 10}" for k in range(size)]
    svg = charts.confusion_chart(np.eye(size, dtype=int) * 3, classes=classes)
    root = ET.fromstring(svg)
    written = [e for e in root.iter(f"{SVG}text") if e.text]
    name = next(e for e in written if e.text == "True class")
    rows = [e for e in written if "type" in e.text and "rotate" not in e.attrib.get("transform", "")]
    assert len(rows) == size
    assert all(e.text.endswith(f"type {k + 10}") for k, e in enumerate(rows))
    if size <= 4:
        assert all(e.text.startswith("A rather long") for e in rows)
    for e in rows:
        left = float(e.attrib["x"]) - text_width(e.text) * float(
            re.search(r"size: ([\d.]+)", e.attrib["style"])[1]
        )
        assert left > float(name.attrib["x"]) + 2


def test_the_gradient_axis_has_numbers_in_a_narrow_range():
    rows = [{"epoch": k, "grad_norm_max": 0.47 - 0.001 * k, "grad_norm_median": 0.46} for k in range(4)]
    assert re.search(r">0\.4[67]\d*<", charts.gradient_norms(rows))


def test_lengths_of_texts_are_counted_in_tokens():
    svg = charts.length_histogram({"training": [3, 9, 17], "test": [4, 12]}, unit="tokens")
    assert ">Length in tokens<" in svg
    assert "3 to 17 tokens" in svg
