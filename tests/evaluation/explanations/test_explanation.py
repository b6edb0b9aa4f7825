import base64
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from recurra.errors import ShapeError, UsageError
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.explanations.explanation import Explanation


def of_sequence(channels=3, steps=20, method="gradient_times_input", **more):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(steps, channels))
    return Explanation(values=values, input=rng.normal(size=(steps, channels)), method=method, **more)


def of_text():
    words = ["not", "<script>bad</script>", "映画"]
    return Explanation(
        values=np.array([0.1, -2.0, 0.5]), input=words, method="occlusion", kind="text", target="good"
    )


def of_video():
    values = np.ones((6, 4, 4)) * np.arange(6)[:, None, None]
    return Explanation(
        values=values, input=np.zeros((6, 8, 8, 3)), method="occlusion", kind="video", sample_rate_hz=25.0
    )


@pytest.mark.parametrize(
    "e", [of_sequence(), of_sequence(channels=1), of_sequence(40, 300), of_text(), of_video()]
)
def test_every_kind_can_be_drawn_summed_and_kept(e, tmp_path):
    assert isinstance(e.plot(), Drawing)
    e.save(tmp_path / "figure.png")
    assert e.per_step.shape == (len(e.input),)
    assert e.per_step.sum() == pytest.approx(np.asarray(e.values).sum())
    stored = json.loads(json.dumps(e.to_dict()))
    np.testing.assert_allclose(stored["values"], e.values)
    assert stored["kind"] == e.kind


def test_a_notebook_shows_a_picture_of_a_signal_and_the_words_of_a_text():
    svg = of_sequence(channel_names=["x", "y", "z"], sample_rate_hz=10.0, name="rec")._repr_svg_()
    root = ET.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"x", "y", "z", "Time in seconds", "Channel"} <= set(texts)
    assert of_text()._repr_svg_() is None
    html = of_text()._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;bad" in html
    assert "映画" in html
    # The strongest word has the strongest colour, the sign decides which.
    shares = [int(v) for v in re.findall(r"(\d+)%, transparent", html)]
    assert max(shares) == shares[1] == 70
    assert len(set(re.findall(r"srgb, (#\w+)", html))) == 2


def of_clip(count, rate=None):
    """Frames of one grey each, its number; frame 2 speaks strongly against, the last two for."""
    frames = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 30, 40, 3))
    values = np.linspace(0.1, 0.2, count)[:, None] * np.ones(2)
    values[2], values[-2], values[-1] = -5, 4, 3
    return Explanation(values, frames, "occlusion", kind="video", sample_rate_hz=rate)


@pytest.mark.parametrize("count", [5, 8, 60])
@pytest.mark.parametrize("rate", [None, 25.0])
def test_a_clip_shows_which_frames_the_strongest_steps_are(count, rate):
    e = of_clip(count, rate)
    svg = ET.fromstring(e.plot().svg)
    embedded = [one for one in svg.iter() if one.tag.endswith("image")]
    href = "{http://www.w3.org/1999/xlink}href"
    pictures = [io.BytesIO(base64.b64decode(one.attrib[href].split(",")[1])) for one in embedded]
    greys = [int(np.median(np.asarray(Image.open(one).convert("RGB")))) for one in pictures]
    strip = e.plot().axes[1]
    numbers = {text.get_text(): text for text in strip.texts}
    assert greys == [int(number) for number in numbers]
    boxes = [patch for patch in strip.patches if isinstance(patch, Rectangle)]
    framed = {str(k) for k, patch in zip(greys, boxes, strict=True) if patch.get_linewidth() > 1}
    assert framed == {"2", str(count - 2), str(count - 1)} == set(_strongest(e))
    assert all((numbers[number].get_fontweight() == "bold") == (number in framed) for number in numbers)
    assert boxes[greys.index(2)].get_edgecolor() != boxes[greys.index(count - 2)].get_edgecolor()


def _strongest(e):
    return re.search(r"strongest frames: ([\d, ]+)", e.summary()).group(1).split(", ")


def test_what_is_no_picture_is_drawn_without_a_strip():
    e = Explanation(np.ones((6, 2)), np.zeros((6, 9)), "occlusion", kind="video")
    assert len(e.plot().axes) == 1


def test_summary_names_the_strongest_parts_and_the_error():
    assert (
        of_text()
        .summary()
        .startswith("Contributions by occlusion to 'good'; strongest words: <script>bad</script>, 映画")
    )
    e = of_sequence(target="b", output=1.25, error=-0.5, method="integrated_gradients")
    assert e.summary().endswith("; their sum differs from the output's change by -0.5.")
    assert "to 'b' (output 1.25)" in e.summary()


@pytest.mark.parametrize(
    ("level", "unit"), [("character", "characters"), ("bpe", "tokens"), ("word", "words")]
)
def test_summary_names_the_parts_of_a_text_as_they_were_cut(level, unit):
    one = Explanation(np.ones(2), input=["a", "b"], method="occlusion", kind="text", details={"level": level})
    assert f"strongest {unit}: a, b" in one.summary()


def test_summary_does_not_blame_gradient_times_input_for_what_it_never_promised():
    text = of_sequence(target="b", output=1.25, error=-0.5, method="gradient_times_input").summary()
    assert text.endswith(
        "; they say which values matter most at this input and, by their nature, need not add up to the "
        "output's change (sum less change: -0.5)."
    )


def test_names_are_never_read_as_mathematics(tmp_path):
    figure = of_sequence(channel_names=["$\\frac{$", "$x", "y$"]).plot()
    figure.save(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_per_channel():
    e = of_sequence()
    np.testing.assert_allclose(e.per_channel, e.values.sum(axis=0))


def test_it_does_not_import_torch():
    code = "import sys, recurra.evaluation.explanations.explanation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_messages():
    with pytest.raises(
        ShapeError, match=r"^Explanation: values must be aligned with the input of kind 'sequence'; got s"
    ):
        Explanation(values=np.zeros((3, 2)), input=np.zeros((3, 1)), method="x")
    with pytest.raises(ShapeError, match=r"of kind 'text'; got shapes \(2,\) and \(3,\)\.$"):
        Explanation(values=np.zeros(2), input=["a", "b", "c"], method="x", kind="text")
    with pytest.raises(
        UsageError, match=r"kind must be one of 'sequence', 'text', 'video'; got 'txt'\. Did you mean"
    ):
        Explanation(values=np.zeros(2), input=["a", "b"], method="x", kind="txt")
