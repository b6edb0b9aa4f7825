import numpy as np

from recurra import datasets
from recurra.datasets.temporal_order import SYMBOLS


def test_label_names_the_two_rare_symbols_in_their_order():
    data = datasets.load("temporal-order", "train", n=100)
    assert set(data.class_counts()) == {"XX", "XY", "YX", "YY"}
    for record in data:
        text = "".join(SYMBOLS[k] for k in record.values.argmax(axis=1))
        assert (record.values.sum(axis=1) == 1).all()
        assert text[0] == "E"
        assert text[-1] == "B"
        assert "".join(s for s in text if s in "XY") == record.label
        first, second = (i for i, s in enumerate(text) if s in "XY")
        tenth = len(text) // 10
        assert tenth <= first <= 2 * tenth
        assert 5 * tenth <= second <= 6 * tenth
    assert 100 <= np.min(data.lengths) <= np.max(data.lengths) <= 110
