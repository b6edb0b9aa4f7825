"""The text data sets, where they are on this machine."""

import pytest

from recurra import datasets
from recurra.datasets import glove
from recurra.datasets.fetch import is_here


def load(name):
    if not is_here(datasets.info(name)):
        pytest.skip(f"the data set {name} is not on this machine; make data brings it, or RECURRA_DATA")
    return datasets.load(name)


def test_opinion_lexicon():
    data = load("opinion-lexicon")
    assert data.kind == "text"
    assert data.class_counts() == {"negative": 4783, "positive": 2006}
    assert data[0].values == "a+"
    assert "naïve" in data.X


def test_sentiment_sentences():
    data = load("sentiment-sentences")
    assert data.class_counts() == {"negative": 1500, "positive": 1500}
    assert data[0].values.startswith("So there is no way for me to plug it in here")
    assert data.names[0] == "amazon 1"


def test_excavator_work_orders():
    data = load("excavator-work-orders")
    counts = data.class_counts()
    assert counts["Bucket"] == 668
    assert "NA" not in counts
    assert sum(count >= 30 for count in counts.values()) == 12
    assert data[0].values == "BUCKET WON'T OPEN"
    assert data[0].group == "bucket won t open"
    assert "2399 of 5485 work orders have no major system" in data.notes[0]


def test_pride_and_prejudice():
    data = load("pride-and-prejudice")
    assert len(data) == 1
    assert data.y is None
    assert data[0].values.startswith("PRIDE AND PREJUDICE\n\nBy Jane Austen")
    assert "\r" not in data[0].values


def test_glove():
    pytest.importorskip("pyarrow")
    if not is_here(glove.SOURCE):
        pytest.skip("the GloVe wheel is not on this machine; make data brings it")
    words, vectors = glove.read()
    assert words[:3] == ["the", ",", "."]
    assert vectors.shape == (400_000, 50)
    assert vectors[0, 0] == pytest.approx(0.418)
