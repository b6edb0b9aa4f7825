import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from recurra.evaluation.metrics.baselines import ClassBaseline, NumberBaseline
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.results.classification import evaluate_classification
from recurra.evaluation.results.labeling import evaluate_labeling
from recurra.evaluation.results.regression import evaluate_regression

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags that are open and the text between them; fails on tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open[-1:]:
            self.text.append(data)

    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture(scope="module")
def full(vowels):
    arguments, context = vowels()
    return evaluate_classification(**arguments, context=ReportContext(**context)).to_html()


def labeling(names=None):
    y = [["walk"] * 20 + ["rest"] * 20, ["rest"] * 15]
    proba = [np.tile([0.7, 0.3], (40, 1)), np.tile([0.2, 0.8], (15, 1))]
    baseline = ClassBaseline.fit(y, classes=["rest", "walk"])
    signals = [np.zeros((40, 2)), np.zeros((15, 2))]
    return evaluate_labeling(
        y, proba, classes=["rest", "walk"], baseline=baseline, sequences=signals, names=names
    )


def regression(targets=1):
    y = np.random.default_rng(0).normal(size=(40, targets))
    return evaluate_regression(y, y + 0.1, baseline=NumberBaseline.fit(y), sequences=[np.zeros((9, 1))] * 40)


def test_it_answers_the_five_questions(full):
    words = Page(full).words()
    for expected in (
        "91 % right where guessing gives 8 %",  # how good, compared with what
        "95 % interval",
        "Weakest at class '4': 36 of 44 found",  # where does it fail
        "Most frequent confusion: '4' taken for '9'",
        "Can it be trusted?",
        "Judged on 370 test sequences.",
        "How to repeat it",
        "recurra train japanese-vowels --output runs/demo",
        "seed 0 network LSTM",
        "CC BY 4.0",
        "The official one: 270 utterances",
        "numpy " + np.__version__,
        "utterance_",
    ):
        assert expected in words.replace("\u00a0", " "), expected


def test_every_chart_is_there_with_its_alternative_text(full):
    charts = re.findall(r"<svg.*?</svg>", full, flags=re.DOTALL)
    titles = [ET.fromstring(svg)[0].text for svg in charts]
    expected = {
        "Learning curves",
        "Confusion chart",
        "Reliability curve",
        "Gradient norm over the epochs",
        "Sequence lengths",
    }
    assert expected | {"Class balance"} <= set(titles)
    assert sum(title.startswith("Signal of sequence") for title in titles) == 6
    assert all(len(ET.fromstring(svg)[1].text) > 20 for svg in charts)


def test_ids_are_unique(full):
    ids = [value for _, name, value in Page(full).attributes if name == "id"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("make", [labeling, regression, lambda: regression(2)])
def test_the_other_tasks(make):
    page = Page(make().to_html())
    assert "svg" in page.tags
    assert "How to repeat it" in page.words()


def test_no_line_of_the_command_ends_within_an_option(full):
    assert '<span class="word">--bidirectional</span> <span class="word">--seed</span>' in full
    assert ".word { display: inline-block;" in full


def test_nothing_is_loaded_and_nothing_runs(full):
    page = Page(full)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href", "action"):
            assert value.startswith("#"), (tag, name, value)
        assert "javascript:" not in value
    assert "@import" not in full
    assert not re.search(r"url\((?!#)", full)
    assert "default-src 'none'" in full


HOSTILE = "</title></style><script>alert('x')</script><img src=x onerror=alert(1)>"
HOSTILE += '"\' onload="alert(2) {{ 7 * 7 }} $x$'


def test_hostile_names_are_inert():
    context = ReportContext(
        title=HOSTILE,
        command=HOSTILE,
        split=HOSTILE,
        licence=HOSTILE,
        citation=HOSTILE,
        network=HOSTILE,
        data={HOSTILE: HOSTILE, "notes": (HOSTILE,)},
        parameters={HOSTILE: HOSTILE, "more": {HOSTILE: [HOSTILE]}},
        versions={HOSTILE: HOSTILE},
        warnings=[HOSTILE],
        leaks=[HOSTILE],
        train_counts={HOSTILE: 3},
        channel_names=[HOSTILE],
        history=[{"epoch": 1, "train_loss": 1.0, "valid_loss": 1.0, f"valid_{HOSTILE}": 1.0}],
    )
    classes = [HOSTILE, "b"]
    e = evaluate_classification(
        [HOSTILE, "b", "<svg onload=alert(3)>"],
        np.array([[0.2, 0.8], [0.7, 0.3], [0.5, 0.5]]),
        classes=classes,
        baseline=ClassBaseline.fit(classes, classes=classes),
        names=[HOSTILE] * 3,
        sequences=[np.zeros((5, 1))] * 3,
        trace=[np.full((5, 2), 0.5)] * 3,
        context=context,
    )
    html = e.to_html()
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert not [(tag, name) for tag, name, _ in page.attributes if name.startswith("on")]
    assert "alert('x')" in page.words()  # shown as the text it is
    assert "49" not in re.findall(r"\{\{.*?\}\}|\b49\b", page.words())
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        ET.fromstring(svg)


def test_it_can_be_made_from_the_bare_minimum():
    page = Page(evaluate_classification(["a"], np.array([[0.4, 0.6]]), classes=["a", "b"]).to_html())
    words = page.words()
    assert "There is no naive answer to compare with" in words
    assert "was not checked here" in words


def test_leaks_are_shown_and_their_absence_is_claimed_only_when_checked():
    arguments = {
        "y_true": list("ab" * 20),
        "proba": np.tile([[0.99, 0.01], [0.01, 0.99]], (20, 1)),
        "classes": ["a", "b"],
    }
    checked = evaluate_classification(**arguments, context=ReportContext(leaks=())).to_html()
    assert "No leak was found between training and test part" in checked
    found = evaluate_classification(
        **arguments, context=ReportContext(leaks=("3 sequences are on both sides.",))
    ).to_html()
    assert "3 sequences are on both sides." in found
    assert "No leak was found" not in found
    unchecked = evaluate_classification(**arguments).to_html()
    assert "No leak was found" not in unchecked


def test_the_most_surely_wrong_come_first():
    proba = np.array([[0.9, 0.1], [0.4, 0.6], [0.05, 0.95], [0.3, 0.7]])
    e = evaluate_classification(["a", "a", "a", "b"], proba, classes=["a", "b"])
    assert e.worst_positions() == [2, 1]
    assert evaluate_regression([0.0, 0.0, 0.0], [1.0, -3.0, 2.0]).worst_positions(2) == [1, 2]
    assert labeling().worst_positions() == [1, 0]  # all of its steps wrong, half of its steps wrong


def test_the_trace_is_asked_only_for_what_is_drawn():
    asked = []

    def trace(i):
        asked.append(i)
        return np.full((5, 2), 0.5)

    proba = np.tile([0.1, 0.9], (50, 1))
    e = evaluate_classification(
        ["a"] * 50, proba, classes=["a", "b"], sequences=[np.zeros((5, 1))] * 50, trace=trace
    )
    assert asked == []
    e.to_html()
    assert len(asked) == 6


def test_it_is_written_in_one_step(tmp_path):
    path = labeling().save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_same_evaluation_gives_the_same_page(vowels):
    arguments, context = vowels()
    del arguments["sequences"]
    pages = [
        evaluate_classification(**arguments, context=ReportContext(**context)).to_html() for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_the_page_may_show_the_pictures_it_holds():
    """Chart of the gates holds images; without ``img-src data:`` browsers show broken ones (seen in Chromium)."""
    from importlib.resources import files

    text = (files("recurra.evaluation") / "report.html.jinja").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
    }


@pytest.mark.parametrize("epochs", [0, 1, 2, 5])
def test_one_epoch_is_no_curve(epochs):
    history = [
        {"epoch": i + 1, "train_loss": 1 / (i + 1), "grad_norm_median": 1.0, "grad_norm_max": 2.0}
        for i in range(epochs)
    ]
    context = ReportContext(history=history, best_epoch=epochs or None)
    classes = ["a", "b"]
    html = evaluate_classification(
        classes,
        np.eye(2),
        classes=classes,
        baseline=ClassBaseline.fit(classes, classes=classes),
        context=context,
    ).to_html()
    for told in ("Learning curves", "How it learned", "Norm of the gradient"):
        assert (told in html) == (epochs > 1), told
