import xml.etree.ElementTree as ET

import numpy as np
import pytest

from recurra.evaluation.drawing.signals import labelled_signal, thin, worst_mistake

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text")]


def described(svg):
    return ET.fromstring(svg).find(f"{SVG}desc").text


def test_thinning_keeps_every_peak():
    values = np.zeros(100_000)
    values[[0, 77_777, 12_345]] = [0, 5, -3]
    keep = thin(values)
    assert len(keep) <= 602
    assert {77_777, 12_345, 0, 99_999} <= set(keep.tolist())
    np.testing.assert_array_equal(thin(np.arange(50.0)), np.arange(50))


def test_worst_mistake_shows_signal_and_thought():
    trace = np.linspace([0.5, 0.3, 0.2], [0.1, 0.8, 0.1], 20)
    svg = worst_mistake(
        np.random.default_rng(0).normal(size=(20, 2)),
        true="a",
        predicted="b",
        name="rec_7",
        trace=trace,
        classes=["a", "b", "c"],
        channel_names=["left", "right"],
        sample_rate_hz=10.0,
    )
    assert {"left", "right", "true: a", "predicted: b", "Time in seconds", "Signal", "Sure, in %"} <= set(
        texts(svg)
    )
    assert "Probability of the true class from 50 % to 10 %." in described(svg)
    assert "Probability of the predicted class from 30 % to 80 %." in described(svg)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (5000, 2)])
def test_signals_of_any_shape(shape):
    svg = worst_mistake(
        np.zeros(shape), true=1, predicted=2, name="x", trace=np.full((shape[0], 2), 0.5), classes=[1, 2]
    )
    assert f"{shape[0]} time steps, {shape[1]} channels" in described(svg)
    assert len(svg) < 300_000


def test_missing_values_leave_gaps():
    values = np.ones((30, 2))
    values[5:9, 0] = np.nan
    assert "nan" not in worst_mistake(values, true="a", predicted="b", name="x").lower()


def test_a_true_class_the_model_does_not_know_is_not_drawn():
    svg = worst_mistake(
        np.zeros((4, 1)), true="new", predicted="a", name="x", trace=np.ones((4, 1)), classes=["a", "new"]
    )
    assert "true: new" not in texts(svg)


def test_labelled_signal_marks_wrong_steps():
    svg = labelled_signal(
        np.zeros((100, 1)),
        true=["rest"] * 50 + ["walk"] * 50,
        predicted=["rest"] * 60 + ["walk"] * 40,
        classes=["rest", "walk"],
        name="day 1",
    )
    assert texts(svg).count("rest") == 2
    assert {"true", "wrong", "predicted", "Time step"} <= set(texts(svg))
    assert described(svg).endswith("100 time steps, 10 of them labelled wrongly.")
