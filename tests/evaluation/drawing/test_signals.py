import xml.etree.ElementTree as ET

import numpy as np
import pytest

from recurra.checks import counted
from recurra.evaluation.drawing.charts import new_figure
from recurra.evaluation.drawing.signals import (
    draw_signal,
    labelled_signal,
    numbers_over_time,
    thin,
    time_ticks,
    worst_mistake,
)

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
    assert f"{counted(shape[0], 'time step')}, {counted(shape[1], 'channel')}." in described(svg)
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


def drawn(values, **how):
    _, (ax,) = new_figure()
    draw_signal(ax, values, **how)
    return ax


def test_channels_without_names_are_counted_from_0_as_everywhere():
    ax = drawn(np.random.default_rng(0).normal(size=(9, 3)))
    assert [line.get_label() for line in ax.lines] == ["channel 0", "channel 1", "channel 2"]


def test_channels_of_unlike_size_get_scales_of_their_own_that_the_legend_tells():
    values = np.random.default_rng(0).normal(size=(50, 3)) * [1, 50, 1000]
    ax = drawn(values, channel_names=["acc", "temp", "pressure"])
    labels = [line.get_label() for line in ax.lines]
    assert labels[1].startswith("temp: ")
    for line in ax.lines:  # each fills the height
        assert (line.get_ydata().min(), line.get_ydata().max()) == pytest.approx((0, 1))
    assert ax.get_ylabel() == "Own scales"
    like = drawn(values / [1, 50, 1000], channel_names=["acc", "temp", "pressure"])
    assert [line.get_label() for line in like.lines] == ["acc", "temp", "pressure"]
    assert like.get_ylabel() == "Signal"


@pytest.mark.parametrize("shape", [(28, 28), (40, 16), (5, 300)])
def test_rows_of_an_image_are_a_picture(shape):
    values = np.abs(np.random.default_rng(0).normal(size=shape))
    ax = drawn(values)
    assert not ax.lines
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), values.T)
    named = drawn(values, channel_names=[f"sensor {k}" for k in range(shape[1])])
    assert not named.images
    assert named.lines


def test_a_worst_mistake_on_an_image_shows_it_upright():
    trace = np.full((28, 2), 0.5)
    how = {"true": 1, "predicted": 2, "name": "x", "trace": trace, "classes": [1, 2]}
    svg = worst_mistake(np.abs(np.random.default_rng(0).normal(size=(28, 28))), **how)
    assert "<image" in svg
    assert texts(svg).count("Channel") == 1  # across
    assert texts(svg).count("Time step") == 2  # down the picture, and below the curves


@pytest.mark.parametrize("steps", [2, 7, 28, 73, 900])
def test_the_axis_names_the_last_step(steps):
    _, (ax,) = new_figure()
    time_ticks(ax, steps, None)
    ticks = ax.xaxis.get_major_locator()().tolist()
    assert ticks[-1] == steps - 1
    assert ticks[0] == 0
    gaps = np.diff(ticks)
    assert gaps.min() >= 0.59 * gaps.max()  # no two of them on top of each other


def test_numbers_over_time_mark_the_worst_step():
    svg = numbers_over_time(np.zeros(30), np.ones(30), name="a", target="load", marked=7)
    assert {"true", "predicted", "largest error", "load"} <= set(texts(svg))
    assert described(svg) == "Sequence a: 30 time steps, off by 1 on average."


def test_a_channel_without_a_value_is_drawn_without_a_warning():
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[:, 1] = np.nan
    assert "<svg" in worst_mistake(values, true="a", predicted="b", name="r")  # warnings are errors
